"""Run files as they come: other encodings, absurd numbers, nests, and faults in many places at once."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tomli_w
from toys import ListMemory, mixed_space

from evonas.chips.deployment import Deployment
from evonas.engine.budget import Budget
from evonas.engine.ladder import Ladder
from evonas.engine.search import search
from evonas.engine.view import View
from evonas.engine.workers import InlineWorkers
from evonas.errors import OptionError, RunFileError
from evonas.objective import Objective
from evonas.runfile.resolve import resolve
from evonas.strategies.differentiable import Differentiable
from evonas.strategies.evolution import Evolution
from evonas.strategies.mixture import Mixture
from evonas.strategies.one_shot import OneShot
from evonas.strategies.random import RandomSearch
from evonas.strategies.zero_shot import ZeroShot
from evonas.training.training_settings import Relaxation, Training

RIGHT: dict[str, Any] = {
    "search": {"space": "spatial_temporal", "evaluations": 8},
    "data": {"name": "digits"},
    "objectives": [{"name": "accuracy", "at_least": 0.5}, {"name": "energy", "profile": "loihi1_davies"}],
    "strategies": [{"name": "evolution", "pop_size": 4}],
}
TEXT = tomli_w.dumps(RIGHT)

HUGE = "1" + "0" * 400


def told(folder: Path, *overrides: str, content: bytes = TEXT.encode()) -> tuple[str, ...]:
    """Return the faults, none where the run file is right."""
    path = folder / "run.toml"
    path.write_bytes(content)
    faults: tuple[str, ...] = ()
    try:
        resolve(path, overrides=overrides)
    except RunFileError as error:
        faults = error.faults
    assert all(len(fault) < 1000 and fault.isprintable() for fault in faults)
    return faults


def test_a_byte_order_mark_is_read_over(tmp_path: Path) -> None:
    assert told(tmp_path, content=b"\xef\xbb\xbf" + TEXT.encode()) == ()


@pytest.mark.parametrize(
    "content",
    [TEXT.encode("utf-16"), TEXT.encode("utf-16-le"), TEXT.encode("utf-16-be"), TEXT.encode("utf-32"),
     f"# café\n{TEXT}".encode("latin-1"), TEXT.encode() + b"\0"],
    ids=["utf-16", "utf-16-le", "utf-16-be", "utf-32", "latin-1", "NUL"],
)  # fmt: skip
def test_another_encoding_is_told_with_the_remedy(tmp_path: Path, content: bytes) -> None:
    (fault,) = told(tmp_path, content=content)
    assert "save it as UTF-8" in fault


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("x = " + "[" * 5000 + "]" * 5000, "nested too deep"),
        ("x = " + "{a=" * 900 + "1" + "}" * 900, "nested too deep"),
        ("x = " + "9" * 5000, "holds a number of 5,000 digits"),
        (".".join("a" * 3000) + " = 1", "nested deeper than 16 levels"),
        ("# " + "x" * 1_000_001, "larger than 1,000,000 bytes"),
    ],
)
def test_a_text_that_nobody_means_is_told_and_not_read_further(tmp_path: Path, line: str, said: str) -> None:
    faults = told(tmp_path, content=f"{line}\n{TEXT}".encode())
    assert any(said in fault for fault in faults), faults


@pytest.mark.parametrize(
    ("overrides", "key"),
    [
        (("objectives.1.profile=3",), "objectives.1.profile: got 3"),
        (("objectives.0.name=evonas.data.digits:read",), "objectives.0.name"),
        (("strategies.0.name=spaces.spatial_temporal:space",), "strategies.0.name"),
        (("strategies.0.name=builtins:exit",), "strategies.0.name"),
        (("objectives.².x=1",), "--set objectives.².x=1"),
        ((f"search.seed={'9' * 5000}",), "--set"),
        ((".".join("a" * 3000) + "=1",), "--set"),
        (("data.x=" + "[" * 5000,), "--set"),
        (("search.evaluations=5\nsearch.seed=3",), "search.evaluations"),
        (("hardware.profile=loihi1_davies", f"hardware.weight_bits={HUGE}"), "hardware.weight_bits"),
        ((f"search.seed={2**63}",), "search.seed"),
        ((f"search.seed={2**64}",), "search.seed"),
        (("search.seed=true",), "search.seed"),
        (("search.parallel=1e3",), "search.parallel"),
        (("search.parallel=1000000",), "search.parallel"),
        ((f"search.evaluations={HUGE}",), "search.evaluations"),
        (("search.seconds=nan",), "search.seconds"),
        (('search.seconds="60"',), "search.seconds"),
        (("search.core_hours=0",), "search.core_hours"),
        (("search.core_hours=nan",), "search.core_hours"),
        (("strategies.0.pop_size=16.0",), "strategies.0.pop_size"),
        ((f"strategies.0.pop_size={HUGE}",), "strategies.0.pop_size"),
        (("strategies.0.screen=16.0",), "strategies.0.screen"),
        (("strategies.0.screen=1000000",), "strategies.0.screen"),
        (("strategies.0.mutations=nan",), "strategies.0.mutations"),
        (("strategies.0.eta_mutation=inf",), "strategies.0.eta_mutation"),
        (("strategies.0.share=1e308",), "strategies.0.share"),
        ((f"ladder.epochs=[1{'0' * 309}]",), "ladder.epochs.0"),
        ((f"ladder.epochs={list(range(1, 20_000))}",), "ladder.epochs"),
        (("ladder.epochs=3",), "ladder.epochs"),
        (("ladder.keep=nan",), "ladder.keep"),
        (("objectives.0.at_least=true",), "objectives.0.at_least"),
        (('objectives.0.at_least="0.5"',), "objectives.0.at_least"),
        ((f"objectives.1.at_most={HUGE}",), "objectives.1.at_most"),
        (('objectives.1.as="a\\nb"',), "objectives.1.as"),
        (("objectives.1.weight_bits=true",), "objectives.1.weight_bits"),
        (("objectives.1.hops=x",), "objectives.1.hops"),
        (("objectives.1.clock_mhz=nan",), "objectives.1.clock_mhz"),
        (("training.learning_rate=1e308",), "training.learning_rate"),
        (("training.train_neurons=yes",), "training.train_neurons"),
        (("training.batch_size=32.0",), "training.batch_size"),
        (("workers.num_cpus=1.5",), "workers.num_cpus"),
        (("workers.num_gpus=1e-9",), "workers.num_gpus"),
        (("workers.retries=-1",), "workers.retries"),
        (("data.side=4",), "data.side"),
        (("data.name=images", "data.path=3"), "data.path: got 3"),
        (("data.name=images", "data.path=/x", "data.limit=1e2"), "data.limit: got 100.0, expected a whole number"),
        (("data.name=images", "data.path=/x", "data.limit=true"), "data.limit: got True, expected a whole number"),
        (("data.name=images", "data.path=/x", 'data.side="4"'), "data.side: got '4', expected a whole number"),
        (("data=[1]",), "data: expected a section"),
        (("objectives=3",), "objectives: expected one or more sections"),
        (("search=x",), "search: expected a section"),
        (("objectives.0.\x1b[2J=1",), "objectives.0"),
        (("space.only.time_step=[2,4]",), "space.only.time_step: the space has no such variable; did you mean"),
        (("space.only.time_steps=[2,9]",), "space.only.time_steps: expected a whole number from 2 to 8, got 9"),
        (("space.only.stage*.kind=[]",), "space.only.stage*.kind: expected a list of one or more"),
        (("space.only=3",), "space.only"),
        (('space.without=["atention"]',), "space.without: the space has nothing of this name that it can do without"),
        (
            ('space.without=["feedback"]', 'space.only={feedback=["none"]}'),
            "space.only.feedback: the space has no such",
        ),
        (("space.olny.x=[1]",), "space.olny: unknown key"),
    ],
)
def test_what_a_run_cannot_do_is_no_right_run_file(tmp_path: Path, overrides: tuple[str, ...], key: str) -> None:
    faults = told(tmp_path, *overrides)
    assert any(fault.startswith(key) for fault in faults), faults


def test_faults_of_form_and_of_what_is_named_are_told_together_key_by_key(tmp_path: Path) -> None:
    overrides = ["nonsense", "search.evaluations=0", "search.space=nowhere", "data.name=digit", "data.seed=x",
                 "objectives.0.name=acuracy", "objectives.0.at_least=x", "objectives.1.profile=loihi9",
                 "objectives.1.as=3", "strategies.0.popsize=4", "strategies.0.screen=2.0", "strategies.0.eta_mutation=0",
                 "hardware.profile=loihi9", "hardware.fit=1", "ladder.keep=2", "worker.count=1", "space.only=3"]  # fmt: skip
    said = told(tmp_path, *overrides)
    for key in ("--set nonsense", "search.evaluations", "search.space", "data.name", "data.seed", "objectives.0.name",
                "objectives.0.at_least", "objectives.1.profile", "objectives.1.as", "strategies.0.popsize",
                "strategies.0.screen", "hardware.profile", "hardware.fit", "ladder.keep", "worker", "space.only"):  # fmt: skip
        assert any(fault.startswith(f"{key}:") for fault in said), (key, said)
    assert len(said) == len(set(said))


@pytest.mark.parametrize("key", ["objectives", "strategies", "ladder.epochs"])
def test_of_many_faults_the_first_are_told_and_how_many_there_are(tmp_path: Path, key: str) -> None:
    section, _, name = key.partition(".")
    wrong: Any = ["x"] * 2000
    path = tmp_path / "run.toml"
    path.write_text(tomli_w.dumps({**RIGHT, section: {name: wrong} if name else wrong}))
    with pytest.raises(RunFileError) as caught:
        resolve(path)
    assert len(caught.value.faults) >= 2000
    assert len(str(caught.value)) < 20_000
    assert str(caught.value).endswith("more")


def test_a_misspelt_section_does_not_hide_what_another_one_names(tmp_path: Path) -> None:
    said = told(tmp_path, "data.name=digit", "worker.count=1")
    assert any(fault.startswith("data.name: there is no") for fault in said)
    assert any(fault.startswith("worker: unknown key") for fault in said)


def test_a_narrowed_space_is_what_is_searched_and_what_an_archive_compares(tmp_path: Path) -> None:
    path = tmp_path / "run.toml"
    only = {"stage*.kind": ["lif", "lif_box"], "time_steps": [2, 4]}
    path.write_text(tomli_w.dumps({**RIGHT, "space": {"only": only}}))
    run = resolve(path)
    assert run.file.settings()["space.only.stage*.kind"] == ["lif", "lif_box"]
    assert run.file.settings()["space.only.time_steps"] == [2, 4]
    for seed in range(20):
        genotype = run.space.sample(np.random.default_rng(seed))
        assert genotype["time_steps"] in (2, 3, 4)
        assert genotype["stage0.kind"] in ("lif", "lif_box")
    path.write_text(TEXT + '\n[space.only]\nstage0.kind = ["analog"]\n')  # TOML takes the dots of a bare key apart
    assert resolve(path).space.sample(np.random.default_rng(0))["stage0.kind"] == "analog"
    path.write_text(TEXT)
    assert not [key for key in resolve(path).file.settings() if key.startswith("space")]


# Options of every kind of value ------------------------------------------------------------------------------------

ODD = [math.nan, math.inf, -math.inf, -1, 0, 0.5, 1, 3, 16, 16.0, 10**5, 1e308, 5e-324, 10**400, 2**63, True, None, "x",
       "", [], [1], {}, np.int64(8), np.float32(0.5), np.nan, np.array([1.0])]  # fmt: skip

FACTORIES: dict[str, tuple[Any, tuple[str, ...]]] = {
    "evolution": (
        Evolution,
        ("pop_size", "screen", "crossover", "mutations", "eta_crossover", "eta_mutation", "name"),
    ),
    "random": (RandomSearch, ("name",)),
    "differentiable": (
        lambda **options: Differentiable(**{"objective": "rate", **options}),
        ("objective", "prices", "contexts", "first", "searches", "warm_up", "epochs", "proposals", "name"),
    ),
    "one_shot": (
        lambda **options: OneShot(**{"objective": "rate", **options}),
        ("objective", "epochs", "warm_up", "networks", "pop_size", "calibration", "proposals", "name"),
    ),
    "zero_shot": (ZeroShot, ("score", "pool", "rounds", "part", "proposals", "batch_size", "against", "name")),
    "mixture": (
        lambda share: Mixture([(RandomSearch(), share), (Evolution(pop_size=4), 1.0)]), ("share",)
    ),
    "adaptive mixture": (lambda share: Mixture([(RandomSearch(), share)], shares="success"), ("share",)),
    "ladder": (Ladder, ("epochs", "keep")),
    "budget": (lambda **options: Budget(**{"evaluations": 1, **options}), ("evaluations", "seconds", "core_hours", "num_cpus")),
    "objective": (
        lambda **options: Objective(**{"name": "a", "score": float, **options}),
        ("name", "score", "direction", "at_least", "at_most", "best", "log"),
    ),
    "training": (
        Training,
        ("epochs", "batch_size", "learning_rate", "weight_decay", "clip_norm", "warm_up", "loss", "label_smoothing",
         "train_neurons", "search_surrogates_every"),
    ),
    "relaxation": (
        Relaxation,
        ("warm_up", "epochs", "paths", "first_temperature", "last_temperature", "logit_rate", "constant_rate",
         "batch_size", "weights_part", "proposals"),
    ),
    "deployment": (
        Deployment,
        ("static_first", "reset", "host", "weights", "weight_bits", "split", "pipeline", "hops", "clock_mhz", "cores"),
    ),
}  # fmt: skip

EACH = [(kind, option) for kind, (_, options) in FACTORIES.items() for option in options]


@pytest.mark.parametrize(("kind", "option"), EACH, ids=lambda one: str(one))
def test_an_option_is_refused_with_its_name_or_what_is_made_works(kind: str, option: str) -> None:
    make = FACTORIES[kind][0]
    for value in ODD:
        made, faults = None, ()
        try:
            made = make(**{option: value})
        except OptionError as error:
            faults = error.faults
        for fault in faults:
            assert fault.split(":")[0].split(".")[0] in (option, "members"), fault
            assert "got " in fault, fault
            assert "expected " in fault, fault
        if made is not None and kind in ("evolution", "random", "mixture", "adaptive mixture"):
            proposed(made)


def proposed(strategy: Any) -> None:
    """Let a strategy propose until it has parents, or a few times where it wants more rows than that."""
    memory = ListMemory()
    rows = min(getattr(strategy, "pop_size", 4), 16) + 12
    ending = search(
        mixed_space(),
        memory,
        strategy=strategy,
        workers=InlineWorkers(lambda job: {"error": float(job.slot), "rate": 1.0}),
        budget=Budget(rows),
    )
    assert ending is not None
    assert len(memory.stored) == rows


def test_a_search_of_wrong_parallelism_is_refused() -> None:
    for parallel in (0, -1, 1.5, True, 10**9, "2"):
        with pytest.raises(OptionError, match=r"parallel: got .*expected a whole number"):
            search(
                mixed_space(),
                ListMemory(),
                strategy=RandomSearch(),
                workers=InlineWorkers(lambda job: {}),
                budget=Budget(1),
                parallel=parallel,  # type: ignore[arg-type]
            )


def test_a_view_of_a_search_needs_objectives() -> None:
    with pytest.raises(OptionError, match="objectives"):
        View(mixed_space(), [], seed=0)
