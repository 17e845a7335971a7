"""Ties: the networks of a front that its samples cannot tell from the best one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from evonas.archive.pareto_front import Front
from evonas.engine.view import Row
from evonas.measurement import Measurement
from evonas.objective import Objective
from evonas.task import binomial_error


@dataclass(frozen=True)
class Ties:
    """Networks within one sampling error of the best merit of a front.

    Attributes:
        rows: The networks, the cheapest first.
        best: The best merit, in its unit.
        error: One sampling error of it, in its unit.
        samples: Validation samples that it was measured on.
        merit: The objective that says how good networks are, such as the accuracy.
        cost: The objective that is the cost.
    """

    rows: tuple[Row, ...]
    best: float
    error: float
    samples: int
    merit: Objective
    cost: Objective

    def sentence(self, front: Front) -> str:
        """Return which networks tie, for people; empty where only one does."""
        if len(self.rows) < 2:
            return ""
        names = [objective.name for objective in front.objectives]
        at, price = names.index(self.merit.name), names.index(self.cost.name)
        shown = [
            f"{row.job.genotype.key} ({_value(row, at):.4g}, {_value(row, price):.3g})" for row in self.rows[:SHOWN]
        ]
        more = f" and {len(self.rows) - SHOWN} more" if len(self.rows) > SHOWN else ""
        return (
            f"{len(self.rows)} networks tie: {self.samples:,} samples do not tell them from the best, whose "
            f"{self.merit.name} is {self.best:.4g} with a sampling error of {self.error:.2g}. The cheapest first "
            f"({self.merit.name}, {self.cost.name} in {self.cost.unit or 'its unit'}): {', '.join(shown)}{more}."
        )


SHOWN = 5
"""Most tied networks that are named."""


def ties(front: Front) -> Ties | None:
    """Return the networks of a front within one sampling error of the best merit, the cheapest first.

    The error is the objective's `sampling_error`, of a fraction without one `binomial_error`. Equally cheap ones come
    by their merit, then by their slot.

    Returns:
        None where the front is empty, no objective is a merit or a cost (`merit_and_cost`), nothing says how far the
        merit may be from the truth, or the rows hold no `Measurement`, which alone says of how many samples it is.
    """
    at, price = merit_and_cost(front.objectives)
    if not front.rows or at is None or price is None or not _has_error(front.objectives[at]):
        return None
    sign = 1 if front.objectives[at].direction == "max" else -1
    best = max(front.rows, key=lambda row: sign * _value(row, at))
    measurement = best.evaluation.measurement
    if not isinstance(measurement, Measurement):
        return None
    samples, value = measurement.samples, _value(best, at)
    error = (front.objectives[at].sampling_error or binomial_error)(value, samples)
    within = [row for row in front.rows if sign * _value(row, at) >= sign * value - error]
    within.sort(key=lambda row: (_value(row, price), -sign * _value(row, at), row.job.slot))
    return Ties(tuple(within), value, error, samples, front.objectives[at], front.objectives[price])


def merit_and_cost(objectives: Sequence[Objective]) -> tuple[int | None, int | None]:
    """Return the positions of the merit and of the cost, None for what there is not.

    The merit is the first objective with a sampling error, or that is a fraction to be maximised, such as the accuracy;
    else the first that trades a metric of the task. The cost is the first other one in joules, else the first other one
    to be minimised.
    """
    known = [index for index, one in enumerate(objectives) if _has_error(one)]
    metrics = [index for index, one in enumerate(objectives) if one.metric]
    merit = next(iter([*known, *metrics]), None)
    least = [index for index, one in enumerate(objectives) if one.direction == "min" and index != merit]
    joules = [index for index in least if objectives[index].unit == "J/sample"]
    return merit, next(iter([*joules, *least]), None)


def _has_error(objective: Objective) -> bool:
    """Return whether one standard error of a value is known; of a fraction to be maximised it is that of a share."""
    return objective.sampling_error is not None or (objective.direction == "max" and objective.unit == "fraction")


def _value(row: Row, index: int) -> float:
    value = None if row.score is None else row.score.values[index]
    assert value is not None  # networks of a front have all values
    return value
