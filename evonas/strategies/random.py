"""Random search: networks drawn from the space, none of them twice."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from evonas.engine.view import Proposal, View
from evonas.errors import OutsideError
from evonas.genotype import Genotype
from evonas.options import NAME, settle
from evonas.real_variables import LogReal, Real
from evonas.space import Space
from evonas.variables import Choice, Integer, Scalar, Variable

DRAWS = 100
"""Draws in a row that give known networks only, after which a space is held to be nearly exhausted."""

COUNTABLE = 100_000
"""Largest number of assignments that are listed one by one, to find the last unknown networks of a space."""


@dataclass(frozen=True)
class RandomSearch:
    """Proposes networks at random until the space has no other left.

    Attributes:
        name: Stored with every row.

    Raises:
        OptionError: If the name is empty.

    Example:
        >>> from evonas import Integer, Objective, RandomSearch, Space
        >>> from evonas.engine.view import View
        >>> view = View(Space({"layers": Integer(1, 6)}), [Objective("error", lambda found: found["error"])], seed=0)
        >>> RandomSearch().propose(view).genotype
        Genotype({'layers': 6})
    """

    name: str = "random"

    def __post_init__(self) -> None:
        settle(self, {"name": NAME})

    def propose(self, view: View) -> Proposal | None:
        """Return a network that has never been proposed, or None where all are known."""
        genotype = view.derived(self, Unknown).draw(view, view.generator())
        return None if genotype is None else Proposal(genotype, self.name)


class Unknown:
    """The networks of one view that have not been proposed yet.

    A nearly exhausted space is listed whole if it is small enough. The list is kept and only gets shorter; it follows
    from the view alone, whenever it was made.
    """

    def __init__(self) -> None:
        self._left: list[Genotype] | None = None

    def draw(self, view: View, rng: np.random.Generator) -> Genotype | None:
        """Return a random network that is not known at the lowest rung, or None where none was found.

        None means that the space is exhausted where it has at most `COUNTABLE` assignments, and else that
        `DRAWS` draws gave known networks only.
        """
        for _ in range(DRAWS):
            genotype = view.space.sample(rng)
            if not view.is_known(genotype):
                return genotype
        left = list(listed(view.space)) if self._left is None else self._left
        self._left = left = [genotype for genotype in left if not view.is_known(genotype)]
        return left[int(rng.integers(len(left)))] if left else None


def listed(space: Space) -> Iterator[Genotype]:
    """Yield every genotype of `space` once, none if it has more than `COUNTABLE` assignments or cannot be counted."""
    axes = [values_of(variable) for variable in space.variables.values()] if space.size <= COUNTABLE else [None]
    if any(axis is None for axis in axes):
        return
    seen: set[str] = set()
    for values in itertools.product(*(axis for axis in axes if axis is not None)):
        try:
            genotype = space.canonical(dict(zip(space.variables, values, strict=True)))
        except OutsideError:
            continue
        if genotype.key not in seen:
            seen.add(genotype.key)
            yield genotype


def values_of(variable: Variable) -> list[Scalar] | None:
    """Return all values of a variable, None where there are too many, or it is of a user's own kind."""
    if variable.size > COUNTABLE or not isinstance(variable, Choice | Integer | Real | LogReal):
        return None
    return list(variable.listed())


strategy = RandomSearch
"""What run files find by the name of this file."""
