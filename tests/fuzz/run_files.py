"""Run files and `--set`: bytes that change, values of every kind, keys that are misspelt."""

from __future__ import annotations

import math
import tomllib
from pathlib import Path

import numpy as np
import tomli_w

from evonas.engine.view import View
from evonas.runfile.form import parse
from evonas.runfile.resolve import ResolvedRun, resolve
from fuzz.damage import ODD_VALUES, changed, damaged
from fuzz.verdict import Verdict, attempt

BASES = (
    """
[search]
space = "spatial_temporal"
evaluations = 20
seconds = 100.0
seed = 0
parallel = 4
shares = "fixed"

[data]
name = "digits"

[[objectives]]
name = "accuracy"
at_least = 0.2

[[objectives]]
name = "energy"
profile = "loihi1_davies"
as = "joules"
at_most = 1e-3
weight_bits = 8

[[objectives]]
name = "latency"
profile = "loihi1_davies"

[[strategies]]
name = "evolution"
pop_size = 8
screen = 4
share = 0.5

[[strategies]]
name = "random"

[hardware]
profile = "loihi1_davies"
fit = true
weight_bits = 8

[ladder]
epochs = [1, 3]
keep = 0.5

[training]
batch_size = 32
learning_rate = 5e-3
weight_decay = 1e-4
clip_norm = 5.0
warm_up = 0.1
loss = "of_each_step"
label_smoothing = 0.05
train_neurons = false

[workers]
count = 0
num_cpus = 1
num_gpus = 0
seconds = 60
retries = 2
""",
    """
[search]
space = "spatial_temporal"
evaluations = 8

[data]
name = "digits"

[[objectives]]
name = "accuracy"

[[objectives]]
name = "spikes"

[[strategies]]
name = "differentiable"
epochs = 2
""",
)
KEYS = (
    "search.seed", "search.evaluations", "search.parallel", "search.seconds", "data.name", "objectives.0.at_least",
    "objectives.2.profile", "objectives.1.weight_bits", "objectives.9.x", "objectives.².x", "strategies.0.pop_size",
    "strategies.0.screen", "hardware.weight_bits", "ladder.epochs", "ladder.keep", "training.batch_size", "workers.num_gpus",
    "search", "", ".", "a.b.c", "search.", "x" * 300, "a." * 3000 + "b", "objectives", "objectives.-1.x", "search.seed.x",
)  # fmt: skip


class RunFiles:
    """Run files, resolved as a dry run does it."""

    name = "run files"

    def __init__(self, folder: Path) -> None:
        self._path = folder / "run.toml"
        self._documents = [tomllib.loads(text) for text in BASES]

    def attempt(self, rng: np.random.Generator) -> Verdict:
        """Return what came of one run file."""
        base = int(rng.integers(len(BASES)))
        overrides: tuple[str, ...] = ()
        is_misspelt = False
        match int(rng.integers(4)):
            case 0:
                data = damaged(BASES[base].encode(), rng)
            case 1:
                data = BASES[base].encode()
                overrides = (override(rng),)
            case _:
                document, how = changed(self._documents[base], rng)
                is_misspelt = how == "renamed"
                data = toml(document)
        self._path.write_bytes(data)

        def check(run: ResolvedRun) -> str:
            return "a misspelt key was taken" if is_misspelt else fault_of(run)

        verdict = attempt(lambda: resolve(self._path, overrides=overrides), check=check)
        return Verdict(verdict.outcome, verdict.detail, f"{overrides or ''}{data[-3000:].decode(errors='replace')}")


def toml(document: dict[str, object]) -> bytes:
    """Return the document as TOML, what TOML cannot hold as text."""
    try:
        return tomli_w.dumps(document).encode(errors="surrogatepass")
    except (TypeError, ValueError):
        return repr(document).encode()


def override(rng: np.random.Generator) -> str:
    """Return one argument of `--set`."""
    key = KEYS[int(rng.integers(len(KEYS)))]
    value = ODD_VALUES[int(rng.integers(len(ODD_VALUES)))]
    texts = (
        repr(value),
        str(value),
        tomli_w.dumps({"v": value})[4:] if value is not None else "",
        "[" * 5000,
        "9" * 5000,
    )
    text = texts[min(int(rng.integers(12)), 4)] if rng.random() < 0.2 else texts[int(rng.integers(3))]
    return key + ("=" if rng.random() < 0.97 else "") + text.strip("\n")


def fault_of(run: ResolvedRun) -> str:
    """Return why a run that was called right is not, as far as can be seen without training."""
    again, faults = parse(run.file.to_dict())
    if again != run.file:
        return f"written out and read again it is another run file: {faults}"
    if not (run.ladder.epochs and run.budget.evaluations > 0):
        return "it has no budget"
    predict, view = run.predict, View(run.space, run.objectives, seed=run.file.search.seed)
    for _ in range(2):
        proposal = run.strategy.propose(view)
        if proposal is None:
            return "its strategy proposes nothing"
        cost = predict(proposal, run.ladder.epochs[0])
        if not (math.isfinite(cost.operations) and cost.operations > 0):
            return f"a job costs {cost}"
    return ""
