"""The run file: its sections, its values, and every fault of its form at once."""

from __future__ import annotations

import difflib
import json
import tomllib
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from types import NoneType
from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from evonas.chips.deployment import WEIGHT_BITS
from evonas.errors import RunFileError

Positive = Annotated[int, Field(ge=1, strict=True)]
Natural = Annotated[int, Field(ge=0, strict=True)]
Amount = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Name = Annotated[str, Field(min_length=1)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class _OpenSection(BaseModel):
    """A section whose further keys are options of what it names."""

    model_config = ConfigDict(extra="allow", frozen=True, use_attribute_docstrings=True)

    name: Name
    """A file of the folder, without its ending, or `package.module:attribute`."""

    @property
    def options(self) -> dict[str, Any]:
        """The keys that are not of every section of this kind."""
        return dict(self.model_extra or {})


class SearchSection(_Section):
    """What is searched, for how long, and from which seed."""

    space: Name
    """The search space: a file of `spaces/`, or `package.module:attribute`."""
    evaluations: Positive
    """The budget: networks that are trained and measured, each rung of the ladder counted. Refused ones are free."""
    seconds: Amount | None = None
    """Wall-clock seconds after which nothing new is started; how far a search comes then depends on the machine."""
    seed: Natural = 0
    """Seed of the proposals and of training."""
    parallel: Positive = 4
    """Jobs open at once in virtual time. Part of the result, unlike the number of workers."""
    shares: Literal["fixed", "success"] = "fixed"
    """How several strategies share the slots: by `share`, or by the hypervolume that they bring for their cost."""


class DataSection(_OpenSection):
    """The data set and its options."""

    seed: Natural = 0
    """Draws which samples are for training and which for validation. The test samples depend on the data alone."""


class ObjectiveSection(_OpenSection):
    """An objective, its bounds and its options."""

    as_: Name | None = Field(default=None, alias="as")
    """Another name for the objective, so that two of one kind can be told apart."""
    at_least: float | None = Field(default=None, allow_inf_nan=False)
    """Hard lower bound, in the unit of the objective: networks below it are kept off the front."""
    at_most: float | None = Field(default=None, allow_inf_nan=False)
    """Hard upper bound, in the unit of the objective: networks above it are kept off the front."""


class HardwareSection(BaseModel):
    """The chip that networks have to fit on. Further keys are options of its check: how a network is put there."""

    model_config = ConfigDict(extra="allow", frozen=True, use_attribute_docstrings=True)

    profile: Name
    """The chip: name of a profile, or the path of its file."""
    fit: bool = Field(default=True, strict=True)
    """Whether networks that break a rule of the chip are refused before training; `false` refuses none."""
    weight_bits: Positive = WEIGHT_BITS
    """Bits of a weight on the chip."""

    @property
    def options(self) -> dict[str, Any]:
        """The further keys."""
        return dict(self.model_extra or {})


class StrategySection(_OpenSection):
    """A strategy, its share of the slots and its options."""

    share: Amount | None = None
    """Its share of the slots where several strategies are named; only the ratio counts. Default: equal shares."""


class LadderSection(_Section):
    """Epochs of training by rung."""

    epochs: tuple[Positive, ...] = Field(default=(6,), min_length=1)
    """Epochs at each rung, rising: with `[2, 6]` all networks are trained for 2, the better ones again for 6."""
    keep: float = Field(default=0.5, gt=0, lt=1)
    """Part of the networks of a rung that climb to the next, by non-dominated rank and crowding."""

    @field_validator("epochs")
    @classmethod
    def _rise(cls, epochs: tuple[int, ...]) -> tuple[int, ...]:
        if any(low >= high for low, high in pairwise(epochs)):
            raise ValueError("expected epochs that rise from rung to rung, such as [2, 6]")
        return epochs


class TrainingSection(_Section):
    """How every network is trained."""

    batch_size: Positive = 32
    """Samples of a training step."""
    learning_rate: Amount = 5e-3
    """Learning rate of AdamW at the first step; it falls to 0 along a cosine over the epochs of the last rung."""
    weight_decay: float = Field(default=1e-4, ge=0, allow_inf_nan=False)
    """Weight decay of AdamW, on the weights of convolutions and of the readout."""
    clip_norm: Amount = 5.0
    """Gradients of a larger norm are scaled down to this."""
    train_neurons: bool = False
    """Whether thresholds and time constants are trained along with the weights."""
    search_surrogates_every: Positive | None = None
    """Steps between two looks for better widths of the surrogate gradients; left out: widths stay as they are."""


class WorkersSection(_Section):
    """Who evaluates."""

    count: Natural | None = None
    """Workers; 0 evaluates in the process of the command. Default: what the machine or cluster has room for."""
    num_cpus: Amount = 1
    """CPUs of each worker, fractions allowed. Its whole part is the number of threads, hence part of the result."""
    num_gpus: float = Field(default=0, ge=0, allow_inf_nan=False)
    """GPUs of each worker, fractions allowed; above 0 networks are trained on the GPU."""
    seconds: Amount | None = None
    """Time limit of an evaluation; one that takes longer is a failed row."""
    search_seconds: Amount | None = None
    """Time limit of a search job, such as those of the strategy `differentiable`."""
    retries: Natural = 2
    """How often the job of a lost worker is tried again."""


class RunFile(_Section):
    """A run file whose form is right. What it names is looked up by `evonas.runfile.resolve`."""

    search: SearchSection
    data: DataSection
    objectives: tuple[ObjectiveSection, ...] = Field(min_length=1)
    strategies: tuple[StrategySection, ...] = Field(min_length=1)
    hardware: HardwareSection | None = None
    ladder: LadderSection = LadderSection()
    training: TrainingSection = TrainingSection()
    workers: WorkersSection = WorkersSection()

    def to_dict(self) -> dict[str, Any]:
        """Return the resolved run file, defaults written out, without the keys that are not set."""
        data: dict[str, Any] = json.loads(self.model_dump_json(by_alias=True, exclude_none=True))
        return data

    def settings(self) -> dict[str, Any]:
        """Return the run file as a flat mapping of dotted keys, as the archive stores it."""
        return dict(_flat(self.to_dict()))


FREE_SETTINGS = (
    "search.evaluations",
    "search.seconds",
    "workers.count",
    "workers.seconds",
    "workers.search_seconds",
    "workers.retries",
)
"""What may change when a run is resumed: it decides how far and how fast the search goes, not where."""


def read(path: Path, *, overrides: Sequence[str] = ()) -> dict[str, Any]:
    """Return the content of a TOML run file with `key.of.section=value` overrides applied.

    Raises:
        RunFileError: If the file cannot be read, is no TOML, or an override has no form or place.
    """
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise RunFileError([f"{path}: there is no such run file"]) from None
    except (OSError, UnicodeDecodeError) as error:
        raise RunFileError([f"{path}: cannot be read: {error}"]) from error
    except tomllib.TOMLDecodeError as error:
        raise RunFileError([f"{path}: not a TOML file: {error}"]) from error
    faults = [fault for override in overrides if (fault := _override(data, override))]
    if faults:
        raise RunFileError(faults)
    return data


def parse(data: Mapping[str, Any]) -> tuple[RunFile | None, list[str]]:
    """Return the run file, None if its form is wrong, and a sentence for each fault of its form."""
    try:
        return RunFile.model_validate(data), []
    except ValidationError as error:
        return None, [_sentence(item) for item in error.errors()]


def _override(data: dict[str, Any], override: str) -> str | None:
    key, equals, text = override.partition("=")
    parts = key.strip().split(".")
    if not equals or not all(parts):
        return f"--set {override}: expected section.key=value, such as search.evaluations=200"
    try:
        value = tomllib.loads(f"value = {text.strip()}")["value"]
    except tomllib.TOMLDecodeError:
        value = text.strip()  # a bare word is a string: --set data.name=digits
    place: Any = data
    for index, part in enumerate(parts[:-1]):
        if isinstance(place, dict):
            place = place.setdefault(part, {})
        elif isinstance(place, list) and part.isdigit() and int(part) < len(place):
            place = place[int(part)]
        else:
            return f"--set {override}: there is no {'.'.join(parts[: index + 1])} in the run file"
    if not isinstance(place, dict):
        return f"--set {override}: {'.'.join(parts[:-1])} is no section; of several name one: objectives.0.at_least"
    place[parts[-1]] = value
    return None


def _sentence(item: Any) -> str:
    location = [str(part) for part in item["loc"]]
    key, came, kind = ".".join(location), item["input"], item["type"]
    if kind == "extra_forbidden":
        near = difflib.get_close_matches(location[-1], _keys_beside(location), n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(_keys_beside(location))}"
        return f"{key}: unknown key, got {came!r}; {hint}"
    if kind == "missing":
        return f"{key}: missing; add {_example(location)}"
    said = item["msg"].removeprefix("Value error, ")
    return f"{key}: {said[0].lower()}{said[1:]}, got {came!r}"


def _keys_beside(location: list[str]) -> list[str]:
    fields = RunFile.model_fields
    if len(location) == 1:
        return list(fields)
    annotation = fields[location[0]].annotation
    section = next((part for part in get_args(annotation) if part is not NoneType), annotation)
    return [field.alias or name for name, field in getattr(section, "model_fields", {}).items()]


def _example(location: list[str]) -> str:
    examples = {
        "search": 'a section [search] with space = "spatial_temporal" and evaluations = 60',
        "data": 'a section [data] with name = "digits"',
        "objectives": 'one or more sections [[objectives]] with name = "accuracy"',
        "strategies": 'a section [[strategies]] with name = "evolution"',
    }
    return examples.get(location[-1], f"{location[-1]} = …")


def _flat(value: Any, prefix: str = "") -> list[tuple[str, Any]]:
    if isinstance(value, dict):
        return [pair for key, item in value.items() for pair in _flat(item, f"{prefix}{key}.")]
    if isinstance(value, list) and value and all(isinstance(item, dict) for item in value):
        return [pair for index, item in enumerate(value) for pair in _flat(item, f"{prefix}{index}.")]
    return [(prefix.rstrip("."), value)]
