"""The recipe: how the chosen networks are trained, the same for all of a folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from evonas.errors import OptionError, RunFileError
from evonas.options import BITS, Flag, Number, OneOf, OptionRule, OrNone, Whole, settle
from evonas.runfile.form import parse
from evonas.runfile.schema import MOST_CPUS, DataSection, RunFile
from evonas.runfile.toml_text import override
from evonas.training.training_settings import Training

AUGMENTATIONS = ("flip", "crop", "cutout", "shift", "jitter_ms")
"""Options of data that vary what is trained on and nothing else."""

CHIP = "chip"
"""In the place of a number of bits: those that the run file says."""

_RULES: dict[str, OptionRule] = {
    "average": Number(0, 0.999999),
    "mixed_precision": Flag(),
    "keep_validation": Flag(),
    "weight_bits": OrNone(BITS),
    "threads": Whole(1, MOST_CPUS),
    "device": OneOf(("cpu", "cuda")),
}


@dataclass(frozen=True)
class Recipe:
    """How networks are trained for real.

    Attributes:
        training: As in a run file, over all epochs.
        augmentation: Options of the data that were set over those of the run: how training varies samples.
        average: What the exponential average of the weights keeps of itself at each step; 0 for no average.
        mixed_precision: Whether products of weights are computed in bfloat16 on the GPU; neurons stay in float32.
        keep_validation: Whether the validation samples are held out; the best epoch on them is then kept.
        weight_bits: Bits of a weight, for which it is trained and to which it is rounded in the end; None for neither.
        threads: Threads of torch, on which the last bits depend.
        device: Where it is trained.

    Raises:
        OptionError: If a value is out of its range, or mixed precision is asked for without a GPU.
    """

    training: Training
    augmentation: Mapping[str, Any] = field(default_factory=dict)
    average: float = 0.0
    mixed_precision: bool = False
    keep_validation: bool = False
    weight_bits: int | None = None
    threads: int = 1
    device: Literal["cpu", "cuda"] = "cpu"

    def __post_init__(self) -> None:
        settle(self, _RULES)
        if self.mixed_precision and self.device != "cuda":
            raise OptionError(["--mixed-precision: it is for GPUs; add --num-gpus, or leave it out"])

    def to_json(self) -> dict[str, Any]:
        """Return a JSON object that tells recipes apart."""
        return asdict(self)

    def data_section(self, section: DataSection) -> DataSection:
        """Return the section of a run that names its data, with the augmentation of this recipe."""
        named = section.model_dump(by_alias=True, exclude_none=True)
        return DataSection.model_validate({**named, **self.augmentation})


def recipe_of(
    file: RunFile,
    *,
    epochs: int,
    settings: Sequence[str] = (),
    augment: Sequence[str] = (),
    quantize: str | None = None,
    num_cpus: float | None = None,
    num_gpus: float | None = None,
    **options: Any,
) -> tuple[RunFile, Recipe]:
    """Return a run file with what a command changes, and the recipe: all else is as in the run.

    Args:
        file: The run file of the search.
        epochs: Epochs of the training.
        settings: `training.key=value` over it.
        augment: `key=value` for each way in which training varies samples, or a key alone for true.
        quantize: Bits of a weight, or `"chip"` for those that the run file says; None for weights as they are.
        num_cpus: CPUs of a training; None is as in the run.
        num_gpus: The same of GPUs.
        options: Further attributes of the recipe.

    Raises:
        OptionError: With a sentence for each fault.
    """
    document = file.to_dict()
    faults = [
        f"--set {text}: expected training.KEY=VALUE, such as training.learning_rate=0.01; the rest is as in the run"
        for text in settings
        if not text.strip().startswith("training.")
    ]
    faults += [fault for text in settings if (fault := override(document, text))]
    for name, given in (("num_cpus", num_cpus), ("num_gpus", num_gpus)):
        if given is not None:
            document["workers"][name] = given
    augmentation, wrong = _augmentation(augment)
    changed, form_faults = parse(document)
    weight_bits, bits_faults = (None, []) if quantize is None else bits_of(quantize, file)
    faults += [*wrong, *bits_faults, *form_faults]
    training, recipe = None, None
    try:
        training = Training(epochs=epochs, **(changed or file).training.model_dump())
    except OptionError as error:
        faults += [f"--{fault}" for fault in error.faults]
    try:
        workers = (changed or file).workers
        recipe = Recipe(
            training or Training(),
            augmentation,
            weight_bits=weight_bits,
            threads=max(1, int(workers.num_cpus)),
            device="cuda" if workers.num_gpus else "cpu",
            **options,
        )
    except OptionError as error:
        faults += [fault if fault.startswith("--") else f"--{fault}" for fault in error.faults]
    if faults or changed is None or recipe is None:
        raise RunFileError(faults)
    return changed, recipe


def bits_of(text: str, file: RunFile) -> tuple[int | None, list[str]]:
    """Return the bits of a weight that `--quantize` asks for, None and a sentence where it asks for none.

    Args:
        text: A number, or `"chip"` for the first `weight_bits` of the run file: of `[hardware]`, or of an objective.
        file: The run file.
    """
    expected = f"expected a whole number from {BITS.low} to {BITS.high}"
    if text == CHIP:
        hardware = () if file.hardware is None else (file.hardware.weight_bits,)
        said = [*hardware, *(one.options["weight_bits"] for one in file.objectives if "weight_bits" in one.options)]
        if not said:
            return None, [f"--quantize chip: the run says no weight_bits of its chip; {expected}"]
        text = str(said[0])
    try:
        return BITS.taken(int(text)), []
    except ValueError:
        return None, [f"--quantize: got {text}, {expected}, or chip"]


def _augmentation(texts: Sequence[str]) -> tuple[dict[str, Any], list[str]]:
    """Return the options that `--augment` gives, and a sentence for each fault."""
    found: dict[str, Any] = {}
    faults = []
    for text in texts:
        name, equals, _ = text.partition("=")
        if name not in AUGMENTATIONS:
            faults.append(f"--augment {name}: there is no such augmentation; there are {', '.join(AUGMENTATIONS)}")
        elif fault := override(found, text if equals else f"{name}=true"):
            faults.append(fault.replace("--set", "--augment"))
    return found, faults
