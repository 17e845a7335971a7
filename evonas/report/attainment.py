"""Attainment surfaces: what one, half and all of the runs of a group reach in two objectives."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from evonas.engine.pareto import attainment
from evonas.engine.view import Row
from evonas.objective import Objective


@dataclass(frozen=True)
class Surface:
    """The best that so many runs of a group reach in two objectives.

    Attributes:
        runs: How many of them.
        of: How many runs there are.
        points: The corners of the staircase: values of both objectives in their own units, the best of the first
            objective first. What is no better than one of them in either is reached by `runs` runs or more.
    """

    runs: int
    of: int
    points: tuple[tuple[float, float], ...]

    def best(self, first: Objective, second: Objective, *, within: float) -> float | None:
        """Return the best value of the first objective that is reached with the second no worse than `within`.

        Returns:
            None where none is.
        """
        reached = [one for one, other in self.points if second.sign * other <= second.sign * within]
        return min(reached, key=lambda value: first.sign * value) if reached else None


def surfaces(
    fronts: Sequence[Sequence[Row]], *, objectives: Sequence[Objective], pair: tuple[int, int]
) -> tuple[Surface, ...]:
    """Return the surfaces that one, half (rounded up) and all of the runs attain, each number once.

    Of more than two objectives, each run is judged by the two of the pair alone.

    Args:
        fronts: Of each run the rows of its front; may be empty.
        objectives: Those of the rows.
        pair: The positions of two of them.
    """
    costs = [[[row.costs[index] for index in pair] for row in front if row.costs is not None] for front in fronts]
    attained = attainment(costs)
    signs = np.array([objectives[index].sign for index in pair])
    of = len(fronts)
    found = []
    for runs in sorted({1, (of + 1) // 2, of}):
        points = [(float(one), float(other)) for one, other in signs * attained[runs - 1]]
        found.append(Surface(runs, of, tuple(points)))
    return tuple(found)
