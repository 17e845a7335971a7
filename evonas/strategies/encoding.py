"""Genotypes as points: similar networks lie near each other."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import lru_cache

import numpy as np

from evonas.genotype import Genotype
from evonas.real_variables import LogReal, Real
from evonas.space import Space
from evonas.variables import Choice, Integer, Scalar, Variable

Block = Callable[["Scalar | None"], tuple[float, ...]]
"""Maps a value of one variable to its coordinates; None stands for an inactive variable."""

SPAN = 2.0
"""Distance between the lowest and the highest value of a number; two different choices are at distance 1."""

MOST_KNOWN = 4096
"""Points that are cached at most, so that memory does not grow with the search."""

MOST_VALUES = 1024
"""Values of a number whose coordinates are cached at most."""

PER_TRAIT = 0.3
"""Distance of networks whose trait differs by 1: three decades of a size lie about as far apart as the ends of a
number."""

ABSENT = -1.0
"""Coordinate of a number that is inactive: half a span below its lowest value."""


class Encoding:
    """Encodes the genotypes of one space as points: a block of coordinates for each variable.

    A choice is one-hot encoded; a number has one coordinate, on a logarithmic axis for `LogReal`; a choice among three
    or more numbers has both, its rank and a one-hot code of half the weight. An inactive variable lies apart from all
    values.

    Attributes:
        owners: `(coordinates,)` index of the variable of each coordinate.
        variables: Number of variables.

    Args:
        space: The space.
    """

    def __init__(self, space: Space) -> None:
        self._blocks = {name: _block(variable) for name, variable in space.variables.items()}
        self._known: dict[str, np.ndarray] = {}
        self.variables = len(self._blocks)
        self.owners = np.repeat(np.arange(self.variables), [len(block(None)) for block in self._blocks.values()])

    def matrix(self, genotypes: Sequence[Genotype]) -> np.ndarray:
        """Return the `(genotypes, coordinates)` points."""
        return np.array([self._point(genotype) for genotype in genotypes])

    def _point(self, genotype: Genotype) -> np.ndarray:
        point = self._known.get(genotype.key)
        if point is None:
            if len(self._known) >= MOST_KNOWN:
                self._known.clear()
            values, coordinates = genotype.as_dict(), list[float]()
            for name, block in self._blocks.items():
                coordinates += block(values.get(name))
            point = self._known[genotype.key] = np.array(coordinates)
        return point


def can_be_encoded(space: Space) -> bool:
    """Return whether every variable is of a kind that can be encoded; kinds of a user's own cannot."""
    return all(isinstance(variable, Choice | Real | LogReal | Integer) for variable in space.variables.values())


def _block(variable: Variable) -> Block:
    """Return the function from a value of a variable, or None, to its coordinates."""
    if isinstance(variable, Choice):
        table = _table(variable)
        return table.__getitem__
    assert isinstance(variable, Real | LogReal | Integer)
    low, high = _on_axis(variable, variable.low), _on_axis(variable, variable.high)
    scale = SPAN / (high - low) if high > low else 0.0
    return lru_cache(MOST_VALUES)(
        lambda value: (ABSENT,) if value is None else (scale * (_on_axis(variable, float(value)) - low),)
    )


def _table(variable: Choice) -> dict[Scalar | None, tuple[float, ...]]:
    """Return the coordinates of each value, and of None."""
    values = variable.values
    are_numbers = all(isinstance(value, int | float) and not isinstance(value, bool) for value in values)
    is_ordered = are_numbers and len(values) > 2  # with two, no value lies between others
    ranks: dict[Scalar | None, float] = {}
    if is_ordered:
        ranks |= {value: SPAN * rank / (len(values) - 1) for rank, value in enumerate(sorted(values))}
    weight = math.sqrt(0.5) * (0.5 if is_ordered else 1.0)
    table: dict[Scalar | None, tuple[float, ...]] = {}
    for value in (*values, None):
        one_hot = tuple(weight * (value is not None and value == other) for other in values)
        table[value] = (ranks.get(value, ABSENT), *one_hot) if is_ordered else one_hot
    return table


def _on_axis(variable: Real | LogReal | Integer, value: float) -> float:
    return math.log(value) if isinstance(variable, LogReal) else float(value)
