"""Ties: the networks of a front that its samples cannot tell from the most accurate one."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from evonas.archive.pareto_front import Front
from evonas.engine.view import Row
from evonas.measurement import Measurement
from evonas.objective import Objective


@dataclass(frozen=True)
class Ties:
    """Networks within one sampling error of the best accuracy of a front.

    Attributes:
        rows: The networks, the cheapest first.
        best: The best accuracy, as a fraction.
        error: One sampling error of it, as a fraction.
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

    The error is that of a binomial share, `sqrt(p (1 - p) / n)`, two hits and two misses added to those that were
    counted, so that a network without a mistake is not taken for certain. Equally cheap ones come by their accuracy,
    then by their slot.

    Returns:
        None where the front is empty, no objective is an accuracy or a cost (`accuracy_and_cost`), or the rows hold no
        `Measurement`, which alone says of how many samples the accuracy is.

    Source: of the added hits and misses, A. Agresti and B. A. Coull, Approximate Is Better than "Exact" for Interval
    Estimation of Binomial Proportions, The American Statistician 52, 1998.
    """
    at, price = accuracy_and_cost(front.objectives)
    if not front.rows or at is None or price is None:
        return None
    best = max(front.rows, key=lambda row: _value(row, at))
    measurement = best.evaluation.measurement
    if not isinstance(measurement, Measurement):
        return None
    samples, value = measurement.samples, _value(best, at)
    share = (value * samples + 2) / (samples + 4)
    error = math.sqrt(share * (1 - share) / (samples + 4))
    within = [row for row in front.rows if _value(row, at) >= value - error]
    within.sort(key=lambda row: (_value(row, price), -_value(row, at), row.job.slot))
    return Ties(tuple(within), value, error, samples, front.objectives[at], front.objectives[price])


def accuracy_and_cost(objectives: Sequence[Objective]) -> tuple[int | None, int | None]:
    """Return the positions of the accuracy and of the cost, None for what there is not.

    The accuracy is the first objective that is a fraction to be maximised. The cost is the first one in joules, else
    the first one to be minimised.
    """
    accuracy = [index for index, one in enumerate(objectives) if one.direction == "max" and one.unit == "fraction"]
    least = [index for index, one in enumerate(objectives) if one.direction == "min"]
    joules = [index for index in least if objectives[index].unit == "J/sample"]
    return next(iter(accuracy), None), next(iter([*joules, *least]), None)


def _value(row: Row, index: int) -> float:
    value = None if row.score is None else row.score.values[index]
    assert value is not None  # networks of a front have all values
    return value
