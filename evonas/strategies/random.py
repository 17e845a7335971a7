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
"""Draws in a row without an unknown network, after which a space counts as nearly exhausted."""

COUNTABLE = 100_000
"""Most assignments that are enumerated to find the last unknown networks of a space."""


@dataclass(frozen=True)
class RandomSearch:
    """Proposes networks at random until the space is exhausted.

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

    A nearly exhausted space is enumerated if it is small enough. What is left of it is kept and only gets less; it
    follows from the view alone, whenever it was made.
    """

    def __init__(self) -> None:
        self._remaining: dict[str, Genotype] | None = None
        self._folded = 0

    def draw(self, view: View, rng: np.random.Generator) -> Genotype | None:
        """Return a random network that is not known at the lowest rung, or None where none was found.

        With at most `COUNTABLE` assignments, None means that the space is exhausted; with more, that `DRAWS` draws
        gave known networks only.
        """
        for _ in range(DRAWS):
            genotype = view.space.sample(rng)
            if not view.is_known(genotype):
                return genotype
        remaining = self._left(view)
        if not remaining:
            return None
        return next(itertools.islice(remaining.values(), int(rng.integers(len(remaining))), None))

    def _left(self, view: View) -> dict[str, Genotype]:
        """Return what is not known at the lowest rung by key, in the order of enumeration."""
        if self._remaining is None:
            self._remaining = {genotype.key: genotype for genotype in listed(view.space)}
        ended = (row.job for row in view.rows[self._folded :])
        for job in itertools.chain(ended, view.open.values()):
            if job.kind == "evaluate" and job.rung == 0:
                self._remaining.pop(job.genotype.key, None)
        self._folded = len(view.rows)
        return self._remaining


def listed(space: Space) -> Iterator[Genotype]:
    """Yield every genotype of `space` once; none if it cannot be enumerated or is larger than `COUNTABLE`."""
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
    """Return all values of a variable; None if there are more than `COUNTABLE`, or if its kind is a user's own."""
    if variable.size > COUNTABLE or not isinstance(variable, Choice | Integer | Real | LogReal):
        return None
    return list(variable.listed())


strategy = RandomSearch
"""What run files find by the name of this file."""
