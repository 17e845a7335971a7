"""The schema of a run file: its sections, their keys, ranges and defaults."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from evonas.chips.deployment import MOST_BITS, WEIGHT_BITS
from evonas.engine.budget import CORE_HOURS, MOST_EVALUATIONS, SECONDS
from evonas.engine.ladder import MOST_EPOCHS, MOST_RUNGS, Ladder
from evonas.engine.virtual_clock import MOST_PARALLEL
from evonas.objective import LARGEST
from evonas.options import LARGEST_SEED, SHARE
from evonas.training.training_settings import (
    BATCH_SIZE,
    CLIP_NORM,
    LABEL_SMOOTHING,
    RATE,
    STEPS,
    WARM_UP,
    WEIGHT_DECAY,
    Loss,
    Training,
)

MOST_WORKERS = 100_000
MOST_CPUS = 1024
MOST_RETRIES = 1000

LEAST_PART = 0.01
"""Smallest part of a CPU or GPU that a worker may ask for."""

Name = Annotated[str, Field(min_length=1, max_length=1000, strict=True)]
Seconds = Annotated[float, Field(gt=0, le=SECONDS.high, allow_inf_nan=False, strict=True)]
CoreHours = Annotated[float, Field(gt=0, le=CORE_HOURS.high, allow_inf_nan=False, strict=True)]
Epochs = Annotated[int, Field(ge=1, le=MOST_EPOCHS, strict=True)]
Bound = Annotated[float, Field(ge=-LARGEST, le=LARGEST, allow_inf_nan=False, strict=True)]


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
    evaluations: int = Field(ge=1, le=MOST_EVALUATIONS, strict=True)
    """The budget: networks that are trained and measured, each rung of the ladder counted. Rejected ones are free."""
    seconds: Seconds | None = None
    """Wall-clock seconds that the search takes: nothing is started that would end later, and networks whose training
    would take more than a tenth of them are rejected. How far a search comes then depends on the machine."""
    core_hours: CoreHours | None = None
    """Core hours that the search takes, planned with in the same way: seconds of jobs on their workers, times
    `workers.num_cpus`, summed over all workers and over all calls that resume the search."""
    seed: int = Field(default=0, ge=0, le=LARGEST_SEED, strict=True)
    """Seed of the proposals and of training."""
    parallel: int = Field(default=4, ge=1, le=MOST_PARALLEL, strict=True)
    """Jobs open at once in virtual time. Part of the result, unlike the number of workers."""
    shares: Literal["fixed", "success"] = "fixed"
    """How several strategies share the slots: by `share`, or by the hypervolume that they bring for their cost."""


class SpaceSection(_Section):
    """What is left of the space."""

    without: list[str] = Field(default_factory=list)
    """Names of what the space is to do without, as if it had never had that: of `spatial_temporal`, `"adaptive"`,
    `"feedback"` and `"attention"`."""
    only: dict[str, list[Any]] | None = None
    """Names of variables, or patterns such as `"stage*.kind"`, with the values that are left: a list of a `Choice`'s
    values, or the lowest and the highest value of a number, so that `[2, 4]` is 2 to 4 also where it is a whole one. An
    empty table leaves all: `--set 'space.only={}'` undoes that of a run file."""

    @field_validator("only", mode="before")
    @classmethod
    def _by_name(cls, only: Any) -> Any:
        return (dict(_flat(only)) or None) if isinstance(only, dict) else only  # TOML takes dots of bare keys apart


class DataSection(_OpenSection):
    """The data set and its options."""

    seed: int = Field(default=0, ge=0, le=LARGEST_SEED, strict=True)
    """Draws which samples are for training and which for validation. The test samples depend on the data alone."""


class ObjectiveSection(_OpenSection):
    """An objective, its bounds and its options."""

    as_: Name | None = Field(default=None, alias="as")
    """Another name for the objective, so that two of one kind can be told apart."""
    at_least: Bound | None = None
    """Hard lower bound, in the unit of the objective: networks below it are kept off the front."""
    at_most: Bound | None = None
    """Hard upper bound, in the unit of the objective: networks above it are kept off the front."""


class HardwareSection(BaseModel):
    """The chip that networks have to fit on. Further keys are options of its check: how a network is put there."""

    model_config = ConfigDict(extra="allow", frozen=True, use_attribute_docstrings=True)

    profile: Name
    """The chip: name of a profile, or the path of its file."""
    fit: bool = Field(default=True, strict=True)
    """Whether networks that break a rule of the chip are rejected before training; `false` rejects none."""
    weight_bits: int = Field(default=WEIGHT_BITS, ge=1, le=MOST_BITS, strict=True)
    """Bits of a weight on the chip."""

    @property
    def options(self) -> dict[str, Any]:
        """The further keys."""
        return dict(self.model_extra or {})


class StrategySection(_OpenSection):
    """A strategy, its share of the slots and its options."""

    share: float | None = Field(default=None, gt=0, ge=SHARE.low, le=SHARE.high, allow_inf_nan=False, strict=True)
    """Its share of the slots where several strategies are named; only the ratio counts. Default: equal shares."""


class LadderSection(_Section):
    """Epochs of training by rung."""

    epochs: tuple[Epochs, ...] = Field(default=(6,), min_length=1, max_length=MOST_RUNGS)
    """Epochs at each rung, rising: with `[2, 6]` all networks are trained for 2, the better ones go on to 6."""
    keep: float = Field(default=Ladder.keep, gt=0, lt=1, strict=True)
    """Part of the networks of a rung that climb to the next, by non-dominated rank and crowding."""

    @field_validator("epochs")
    @classmethod
    def _rise(cls, epochs: tuple[int, ...]) -> tuple[int, ...]:
        if any(low >= high for low, high in pairwise(epochs)):
            raise ValueError("expected epochs that rise from rung to rung, such as [2, 6]")
        return epochs


class TrainingSection(_Section):
    """How every network is trained."""

    batch_size: int = Field(default=Training.batch_size, ge=1, le=BATCH_SIZE.high, strict=True)
    """Samples of a training step."""
    learning_rate: float = Field(default=Training.learning_rate, gt=0, le=RATE.high, allow_inf_nan=False, strict=True)
    """Learning rate of AdamW at the first step; it falls to 0 along a cosine over the epochs of the last rung."""
    weight_decay: float = Field(
        default=Training.weight_decay, ge=0, le=WEIGHT_DECAY.high, allow_inf_nan=False, strict=True
    )
    """Weight decay of AdamW, on the weights of convolutions and of the readout."""
    clip_norm: float = Field(
        default=Training.clip_norm, ge=CLIP_NORM.low, le=CLIP_NORM.high, allow_inf_nan=False, strict=True
    )
    """Gradients of a larger norm are scaled down to this."""
    warm_up: float = Field(default=Training.warm_up, ge=0, le=WARM_UP.high, allow_inf_nan=False, strict=True)
    """Part of the schedule in which the learning rate rises in a line from 0; the cosine fills the rest."""
    loss: Loss = Training.loss
    """Cross entropy of the mean over time of the readout's potentials, or the mean of those of each time step; or
    the squared error of that mean against 1 for the class and 0 for the others, for networks that answer with rates."""
    label_smoothing: float = Field(
        default=Training.label_smoothing, ge=0, le=LABEL_SMOOTHING.high, allow_inf_nan=False, strict=True
    )
    """Part of a label that is spread evenly over all classes while training."""
    train_neurons: bool = Field(default=Training.train_neurons, strict=True)
    """Whether thresholds and time constants are trained along with the weights."""
    search_surrogates_every: int | None = Field(
        default=Training.search_surrogates_every, ge=1, le=STEPS.high, strict=True
    )
    """Steps between two looks for better widths of the surrogate gradients; left out: widths stay as they are."""


class WorkersSection(_Section):
    """Who evaluates."""

    count: int | None = Field(default=None, ge=0, le=MOST_WORKERS, strict=True)
    """Workers; 0 evaluates in the process of the command. Default: what the machine or cluster has room for."""
    num_cpus: float = Field(default=1, ge=LEAST_PART, le=MOST_CPUS, allow_inf_nan=False, strict=True)
    """CPUs of each worker, fractions allowed. Its whole part is the number of threads, hence part of the result."""
    num_gpus: float = Field(default=0, ge=0, le=MOST_CPUS, allow_inf_nan=False, strict=True)
    """GPUs of each worker, fractions allowed; above 0 networks are trained on the GPU."""
    seconds: Seconds | None = None
    """Time limit of an evaluation; one that takes longer is a failed row."""
    search_seconds: Seconds | None = None
    """Time limit of a search job, such as those of the strategy `differentiable`."""
    retries: int = Field(default=2, ge=0, le=MOST_RETRIES, strict=True)
    """How often the job of a lost worker is tried again."""

    @field_validator("num_cpus", "num_gpus")
    @classmethod
    def _can_be_had(cls, number: float) -> float:
        if (number > 1 and number != int(number)) or 0 < number < LEAST_PART:
            raise ValueError(f"expected a whole number, or a part from {LEAST_PART} to 1")
        return number


class RunFile(_Section):
    """A run file whose form is right. What it names is looked up by `evonas.runfile.resolve`."""

    search: SearchSection
    space: SpaceSection | None = None
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
    "search.core_hours",
    "search.foresee",  # follows from the space, and archives are older than it
    "workers.count",
    "workers.seconds",
    "workers.search_seconds",
    "workers.retries",
    "data.path",
)
"""What may change when a run is resumed: it decides how far and how fast the search goes.

With a budget of seconds or core hours the machine decides which networks are proposed and kept from training, so that
such a run is no repetition of another anyway; new ones may go another way from there. All others never decide where it
goes.
Data may lie elsewhere: their fingerprint, which an archive keeps as `data.fingerprint`, is what has to stay the same.
"""


def _flat(value: Any, prefix: str = "") -> list[tuple[str, Any]]:
    if isinstance(value, dict):
        return [pair for key, item in value.items() for pair in _flat(item, f"{prefix}{key}.")]
    if isinstance(value, list) and value and all(isinstance(item, dict) for item in value):
        return [pair for index, item in enumerate(value) for pair in _flat(item, f"{prefix}{index}.")]
    return [(prefix.rstrip("."), value)]
