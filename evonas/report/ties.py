"""Ties: the networks of a front that its samples cannot tell from the most accurate one."""

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
    """Networks within one sampling error of the best accuracy of a front.

    Attributes:
        rows: The networks, the cheapest first.
        best: The best accuracy, in its unit.
        error: One sampling error of it, in its unit.
        samples: Validation samples that it was measured on.
        accuracy: The objective that is the accuracy.
        cost: The objective that is the cost.
    """

    rows: tuple[Row, ...]
    best: float
    error: float
    samples: int
    accuracy: Objective
    cost: Objective

    def sentence(self, front: Front) -> str:
        """Return which networks tie, for people; empty where only one does."""
        if len(self.rows) < 2:
            return ""
        names = [objective.name for objective in front.objectives]
        at, price = names.index(self.accuracy.name), names.index(self.cost.name)
        shown = [
            f"{row.job.genotype.key} ({_value(row, at):.4g}, {_value(row, price):.3g})" for row in self.rows[:SHOWN]
        ]
        more = f" and {len(self.rows) - SHOWN} more" if len(self.rows) > SHOWN else ""
        return (
            f"{len(self.rows)} networks tie: {self.samples:,} samples do not tell them from the best, whose "
            f"{self.accuracy.name} is {self.best:.4g} with a sampling error of {self.error:.2g}. The cheapest first "
            f"({self.accuracy.name}, {self.cost.name} in {self.cost.unit or 'its unit'}): {', '.join(shown)}{more}."
        )


SHOWN = 5
"""Most tied networks that are named."""


def ties(front: Front) -> Ties | None:
    """Return the networks of a front within one sampling error of the best accuracy, the cheapest first.

    The error is the objective's `sampling_error`, of a fraction without one `binomial_error`. Equally cheap ones come
    by their accuracy, then by their slot.

    Returns:
        None where the front is empty, no objective is an accuracy or a cost (`accuracy_and_cost`), or the rows hold no
        `Measurement`, which alone says of how many samples the accuracy is.
    """
    at, price = accuracy_and_cost(front.objectives)
    if not front.rows or at is None or price is None:
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


def accuracy_and_cost(objectives: Sequence[Objective]) -> tuple[int | None, int | None]:
    """Return the positions of the accuracy and of the cost, None for what there is not.

    The accuracy is the first objective with a sampling error, or that is a fraction to be maximised. The cost is the
    first other one in joules, else the first other one to be minimised.
    """
    accuracy = [
        index
        for index, one in enumerate(objectives)
        if one.sampling_error is not None or (one.direction == "max" and one.unit == "fraction")
    ][:1]
    least = [index for index, one in enumerate(objectives) if one.direction == "min" and index not in accuracy]
    joules = [index for index in least if objectives[index].unit == "J/sample"]
    return next(iter(accuracy), None), next(iter([*joules, *least]), None)


def _value(row: Row, index: int) -> float:
    value = None if row.score is None else row.score.values[index]
    assert value is not None  # networks of a front have all values
    return value
