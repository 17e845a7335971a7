"""Objectives: arithmetic on a stored measurement, and the score of a row under several of them."""

from __future__ import annotations

import numbers
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

from evonas.errors import ArchiveError, NotFiniteError, OptionError, UnpriceableError
from evonas.options import NAME, Flag, Number, OneOf, OptionRule, OrNone, settle, shown
from evonas.robustness import Robustness

Direction = Literal["min", "max"]

LARGEST = 1e150
"""Largest magnitude of a value: hypervolumes and the Gaussian process square values, and sum over rows."""

_BOUND = OrNone(Number(-LARGEST, LARGEST))

_RULES: dict[str, OptionRule] = {
    "name": NAME,
    "direction": OneOf(get_args(Direction)),
    "at_least": _BOUND,
    "at_most": _BOUND,
    "best": _BOUND,
    "log": Flag(),
}


@dataclass(frozen=True)
class Objective:
    """A figure of merit of a measurement: a pure and cheap function, computed again whenever it is needed.

    Attributes:
        name: Unique among the objectives of a run.
        score: `score(measurement)` returns the value in `unit`. It may raise `UnpriceableError`, which makes the
            network infeasible and says why.
        direction: `"min"` or `"max"`.
        unit: Of the value, such as `"J/sample"`.
        at_least: Hard lower bound, or None.
        at_most: Hard upper bound, or None.
        log: Whether distances are measured in decades, as for counts, joules and seconds.
        best: The best possible value, if there is one.
        profile: Id of the hardware profile that it depends on, if any.
        uncounted: What the value leaves out, as texts for people.
        band: `band(measurement)` returns the lowest and the highest value that it may be, where it is an estimate.
        part: Which part of the value is traded, such as `"dynamic"`, where a report shows several side by side.
        parts: `parts(measurement)` returns all parts by name, the traded one included; None for a part without a value.
        basis: Hash of everything that values depend on beside the measurement: objectives of the same basis have the
            same values, so that stored ones can be used. Empty where it is unknown.
        planned: `planned(plan)` returns the lowest and the highest value that any network of this plan can have,
            infinity where it is unknown; it may raise `UnpriceableError` as `score` does. A network that is certain to
            break a bound is then rejected before it is trained.
        sampling_error: `sampling_error(value, samples)` returns one standard error of a value that was measured on so
            many samples; None where it is not known.
        measures: What workers have to measure for it beside the metrics of the task.
        metric: Name of the metric of the task that it trades, empty where it trades none.

    Raises:
        OptionError: If the name is empty, the direction is another word, a bound is not a finite number, or `score`
            cannot be called.

    Example:
        >>> from evonas import Objective
        >>> error = Objective("error", lambda measured: measured["error"], direction="min", at_most=0.5)
        >>> error.score({"error": 0.25}), error.violation(0.25)
        (0.25, 0.0)
    """

    name: str
    score: Callable[[Any], float]
    direction: Direction = "min"
    unit: str = ""
    at_least: float | None = None
    at_most: float | None = None
    log: bool = False
    best: float | None = None
    profile: str | None = None
    uncounted: tuple[str, ...] = ()
    band: Callable[[Any], tuple[float, float]] | None = None
    part: str | None = None
    parts: Callable[[Any], Mapping[str, float | None]] | None = None
    basis: str = ""
    planned: Callable[[Any], tuple[float, float]] | None = None
    sampling_error: Callable[[float, int], float] | None = None
    measures: tuple[Robustness, ...] = ()
    metric: str = ""

    def __post_init__(self) -> None:
        if not callable(self.score):
            raise OptionError([f"score: got {shown(self.score)}, expected a function of a measurement"])
        settle(self, _RULES)

    @property
    def sign(self) -> float:
        """`1.0` to minimise, `-1.0` to maximise: `sign * value` is what gets smaller as networks get better."""
        return 1.0 if self.direction == "min" else -1.0

    def violation(self, value: float) -> float:
        """Return by how much `value` breaks the bounds, relative to the bound; 0 where it keeps them."""
        below = 0.0 if self.at_least is None else _relative(self.at_least - value, self.at_least)
        above = 0.0 if self.at_most is None else _relative(value - self.at_most, self.at_most)
        return below + above


def _relative(excess: float, bound: float) -> float:
    return max(excess, 0.0) / abs(bound) if bound else max(excess, 0.0)


@dataclass(frozen=True)
class Score:
    """The values of one measurement under several objectives.

    Attributes:
        values: One for each objective, in its own unit and direction; None where it has no value.
        violation: Sum of the relative violations of all bounds, 1 for each value that is None.
        reason: Why it is infeasible, for people; empty where it is feasible.
    """

    values: tuple[float | None, ...]
    violation: float
    reason: str

    @property
    def is_feasible(self) -> bool:
        """Whether every objective has a value and every bound is kept."""
        return self.violation == 0


def score(measurement: Any, objectives: Sequence[Objective]) -> Score:
    """Return the values of `measurement` under `objectives`.

    Raises:
        NotFiniteError: If the value of an objective is not a finite number of at most `LARGEST`, or could not be
            computed: a failure of the row, never a score. The message begins with the name of the objective.
    """
    return judged([_value(objective, measurement) for objective in objectives], objectives)


def judged(values: Sequence[float | str], objectives: Sequence[Objective]) -> Score:
    """Return the score of known values, each a finite number or a text that says why there is none."""
    violation, reasons = 0.0, []
    for value, objective in zip(values, objectives, strict=True):
        if isinstance(value, str):
            violation += 1.0
            reasons.append(f"{objective.name}: {value}")
            continue
        broken = objective.violation(value)
        if broken:
            violation += broken
            low = objective.at_least
            bound = low if low is not None and value < low else objective.at_most
            reasons.append(f"{objective.name}: {value:.6g} breaks the bound {bound:g} {objective.unit}".rstrip())
    numeric = tuple(None if isinstance(value, str) else value for value in values)
    return Score(numeric, violation, "; ".join(reasons))


def measures_of(objectives: Sequence[Objective]) -> tuple[Robustness, ...]:
    """Return what workers have to measure for objectives beside the metrics of the task, each once."""
    return tuple(dict.fromkeys(one for objective in objectives for one in objective.measures))


def check_objectives(objectives: Sequence[Objective]) -> None:
    """Check that a search can trade these objectives.

    Raises:
        OptionError: Unless they are one or more `Objective`s of different names.
    """
    strange = [one for one in objectives if not isinstance(one, Objective)]
    if strange or not objectives:
        came = shown(strange[0] if strange else objectives)
        raise OptionError([f"objectives: got {came}, expected one or more of the kind Objective(name, score)"])
    names = [objective.name for objective in objectives]
    if len(set(names)) < len(names):
        raise OptionError([f"objectives: got the names {', '.join(names)}, expected a different one for each"])


def _value(objective: Objective, measurement: Any) -> float | str:
    """Return the value of an objective, or a text that says why the measurement has none."""
    try:
        value = objective.score(measurement)
    except UnpriceableError as error:
        return str(error)
    except ArchiveError:  # the stored measurement cannot be read, which says nothing about the network
        raise
    except Exception as error:  # a user's own objective may raise anything
        raise NotFiniteError(f"{objective.name}: {type(error).__name__}: {error}") from error
    if not isinstance(value, numbers.Real) or isinstance(value, bool):
        raise NotFiniteError(
            f"{objective.name}: got {shown(value)} of the kind {type(value).__name__}, expected a number."
        )
    try:
        plain = float(value)
    except OverflowError:
        plain = float("inf")
    if not abs(plain) <= LARGEST:
        raise NotFiniteError(f"{objective.name}: is {shown(value)}, expected a finite number of at most {LARGEST:g}.")
    return plain
