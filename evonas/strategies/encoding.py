"""Genotypes as points, so that those that are alike lie near each other."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from evonas.space import Genotype, Space
from evonas.variables import Choice, Integer, LogReal, Real, Scalar, Variable

SPAN = 2.0
"""Distance between the ends of a variable that is a number, where two different choices are at distance 1."""

MOST_KNOWN = 4096
"""Places that are remembered, so that memory does not grow with the search."""

ABSENT = -1.0
"""Where a number lies that a genotype does not have: half a span below its lowest value."""


class Encoding:
    """The place of a genotype of one space: a block of coordinates for each variable.

    A choice has a coordinate for each of its values; a number has one, on its logarithm where the variable says so; a
    choice among numbers has both, its rank among them and half the weight on its values. A variable that the genotype
    does not have lies apart from all values.

    Attributes:
        owners: `(coordinates,)` index of the variable of each coordinate.
        variables: Number of variables.

    Args:
        space: The space.
    """

    def __init__(self, space: Space) -> None:
        self._variables = dict(space.variables)
        self._known: dict[str, np.ndarray] = {}
        self.variables = len(self._variables)
        lengths = [len(_block(variable, None)) for variable in self._variables.values()]
        self.owners = np.repeat(np.arange(self.variables), lengths)

    def matrix(self, genotypes: Sequence[Genotype]) -> np.ndarray:
        """Return the `(genotypes, coordinates)` places."""
        return np.array([self._place(genotype) for genotype in genotypes])

    def _place(self, genotype: Genotype) -> np.ndarray:
        place = self._known.get(genotype.key)
        if place is None:
            if len(self._known) >= MOST_KNOWN:
                self._known.clear()
            blocks = [_block(variable, genotype.get(name)) for name, variable in self._variables.items()]
            place = self._known[genotype.key] = np.array([coordinate for block in blocks for coordinate in block])
        return place


def can_be_encoded(space: Space) -> bool:
    """Return whether every variable is of a kind that has a place; a user's own kinds have none."""
    return all(isinstance(variable, Choice | Real | LogReal | Integer) for variable in space.variables.values())


def _block(variable: Variable, value: Scalar | None) -> list[float]:
    if isinstance(variable, Choice):
        weight = math.sqrt(0.5)
        same = [weight * (value is not None and value == known) for known in variable.values]
        if not _is_ordered(variable):
            return same
        rank = ABSENT if value is None else SPAN * sorted(variable.values).index(value) / (len(same) - 1)
        return [rank, *(0.5 * coordinate for coordinate in same)]
    assert isinstance(variable, Real | LogReal | Integer)
    return [ABSENT if value is None else SPAN * _along(variable, float(value))]


def _is_ordered(variable: Choice) -> bool:
    """Return whether the values are numbers, more than two, so that some lie between others."""
    are_numbers = all(isinstance(value, int | float) and not isinstance(value, bool) for value in variable.values)
    return are_numbers and len(variable.values) > 2


def _along(variable: Real | LogReal | Integer, value: float) -> float:
    low, high = float(variable.low), float(variable.high)
    if isinstance(variable, LogReal):
        low, high, value = math.log(low), math.log(high), math.log(value)
    return (value - low) / (high - low) if high > low else 0.0
