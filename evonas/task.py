"""Tasks: what networks learn, as one value that holds the loss, the metrics and what a network has to answer."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

from evonas.errors import OptionError
from evonas.measurement import Measurement
from evonas.objective import Direction, Objective


def binomial_error(share: float, samples: int) -> float:
    """Return the standard error of a share of samples, two hits and two misses added to those that were counted.

    With them, a network without a mistake is not taken for certain.

    Source: A. Agresti and B. A. Coull, Approximate Is Better than "Exact" for Interval Estimation of Binomial
    Proportions, The American Statistician 52, 1998.

    Example:
        >>> round(binomial_error(1.0, 96), 3)
        0.014
    """
    share = (share * samples + 2) / (samples + 4)
    return math.sqrt(share * (1 - share) / (samples + 4))


@dataclass(frozen=True)
class Metric:
    """A figure of merit of answers, by the name under which a `Measurement` holds it.

    Attributes:
        name: Unique among the metrics of a task.
        direction: `"min"` or `"max"`.
        unit: Of its values, such as `"fraction"`.
        low: The lowest possible value, or None.
        high: The highest possible value, or None.
        sampling_error: `sampling_error(value, samples)` returns one standard error of a value on so many samples; None
            where it is not known.

    Example:
        >>> error = Metric("error", "min", unit="px", low=0.0)
        >>> error.objective(at_most=3.0).best
        0.0
    """

    name: str
    direction: Direction
    unit: str = ""
    low: float | None = None
    high: float | None = None
    sampling_error: Callable[[float, int], float] | None = None

    def objective(self, **options: Any) -> Objective:
        """Return the objective that trades this metric; `options` are further attributes of it."""
        return Objective(
            self.name,
            self._value,
            direction=self.direction,
            unit=self.unit,
            best=self.best,
            sampling_error=self.sampling_error,
            metric=self.name,
            **options,
        )

    @property
    def best(self) -> float | None:
        """The best possible value, if there is one."""
        return self.high if self.direction == "max" else self.low

    def _value(self, measurement: Measurement) -> float:
        return measurement.metric(self.name)


def named_metric(name: str, *, direction: Direction | None, unit: str = "", best: float | None = None) -> Metric:
    """Return a metric as a run file says it: its name, and what the task of the run has said of it.

    Args:
        name: Of the metric.
        direction: `"min"` or `"max"`; None where no task was asked.
        unit: Of its values.
        best: The best possible value.

    Raises:
        OptionError: If the direction is missing.
    """
    if direction is None:
        raise OptionError(['direction: missing, expected "min" or "max"; a run with data takes it from their task'])
    low, high = (best, None) if direction == "min" else (None, best)
    return Metric(name, direction, unit=unit, low=low, high=high)


@dataclass(frozen=True)
class Constant:
    """The best that a network can do that gives one answer whatever it sees.

    Attributes:
        answer: The answer, for people.
        metrics: Name to value of each metric of it.
        remedies: Name of a metric to what else may be done than ask for more: the end of a sentence.
    """

    answer: str
    metrics: Mapping[str, float]
    remedies: Mapping[str, str] = field(default_factory=dict)


class Tally(Protocol):
    """Adds up what a network answers to the validation samples, batch by batch."""

    def add(self, answers: Any, targets: Any) -> None:
        """Add a batch: `(batch, *answer_shape)` answers and the `(batch, ...)` targets, tensors of one device."""
        ...

    def metrics(self) -> dict[str, float]:
        """Return name to value of each metric of what was added."""
        ...

    def counts(self) -> dict[str, tuple[int, ...]]:
        """Return name to whole numbers of what metrics are made of, such as the hits of each class."""
        ...


@runtime_checkable
class Task(Protocol):
    """What networks learn. Answers and targets are tensors; targets are the `labels` of samples.

    A network that is asked for its loss at each time step gives answers for each of them, so that `loss` sees
    `time * batch` of them, with the targets repeated.
    """

    @property
    def answer_shape(self) -> tuple[int, ...]:
        """Shape of the answer to a sample."""
        ...

    @property
    def outputs(self) -> int:
        """Channels of the readout, which spaces take as `classes`."""
        ...

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """What is measured, the first one being what the task is named by."""
        ...

    @property
    def smooths_labels(self) -> bool:
        """Whether `loss` takes a `label_smoothing` above 0."""
        ...

    @property
    def summary(self) -> str:
        """What is learnt in a few words, such as `"10 classes"`; tasks that differ have other ones."""
        ...

    @property
    def about(self) -> Mapping[str, Any]:
        """What a run stores of the task with its settings, as plain values."""
        ...

    def loss(self, answers: Any, targets: Any, *, label_smoothing: float = 0.0) -> Any:
        """Return the loss that training lowers, a scalar: the mean over `(batch, *answer_shape)` answers."""
        ...

    def losses(self, answers: Any, targets: Any) -> Any:
        """Return the `(batch,)` losses of the samples."""
        ...

    def tally(self) -> Tally:
        """Return a tally of nothing yet."""
        ...

    def constant(self, targets: Any) -> Constant | None:
        """Return the best constant answer to the `(samples, ...)` targets, an array; None where it is not known."""
        ...


class Details(Tally, Protocol):
    """A tally that tells more of a test than metrics do."""

    def to_json(self) -> dict[str, Any]:
        """Return the tally as plain values, by names of its own."""
        ...


@runtime_checkable
class DetailedTask(Protocol):
    """A task that tells more of a test than its metrics, such as which classes are taken for which."""

    def details(self) -> Details:
        """Return a tally of nothing yet."""
        ...


@runtime_checkable
class RateTask(Protocol):
    """A task whose answers may be rates, 1 for what is right and 0 for all else."""

    def squared_error(self, answers: Any, targets: Any, *, label_smoothing: float = 0.0) -> Any:
        """Return the mean squared error of `(batch, *answer_shape)` answers, a scalar."""
        ...
