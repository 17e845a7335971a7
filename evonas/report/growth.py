"""Growth: the hypervolume of a search over its evaluations."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from evonas.archive.results import Results
from evonas.engine.pareto import Reference, hypervolume, nondominated
from evonas.engine.view import Row

POINTS = 200
"""Most points of a curve."""


@dataclass(frozen=True)
class Growth:
    """How the hypervolume of a front grew.

    Attributes:
        evaluations: Numbers of evaluations, rising; the last is that of all.
        hypervolumes: The hypervolume after each, in [0, 1].
    """

    evaluations: tuple[int, ...]
    hypervolumes: tuple[float, ...]

    def at(self, evaluations: int) -> float:
        """Return the hypervolume after so many evaluations; 0 before the first that is known."""
        known = [volume for count, volume in zip(self.evaluations, self.hypervolumes) if count <= evaluations]
        return known[-1] if known else 0.0


def evaluated(results: Results) -> list[Row]:
    """Return the rows that count as evaluations, in slot order: no search jobs, and none rejected before training."""
    return [row for row in results.rows if row.job.kind == "evaluate" and not row.is_rejected]


def growth(results: Results, *, reference: Reference, most: int = POINTS, also: int | None = None) -> Growth:
    """Return how the hypervolume of a run grew.

    Args:
        results: Its rows, under the objectives of the corners.
        reference: The corners of the hypervolume.
        most: About how many points.
        also: A number of evaluations after which it is to be known exactly, beside those.
    """
    rows = evaluated(results)
    every = max(1, len(rows) // most)
    best = np.empty((0, len(results.objectives)))
    counts, volumes = [], []
    for count, row in enumerate(rows, start=1):
        if row.is_feasible and row.costs is not None and row.job.rung == results.header.top_rung:
            best = np.vstack([best, row.costs])
        if count % every == 0 or count in (also, len(rows)):
            best = best[nondominated(best)] if len(best) else best
            counts.append(count)
            volumes.append(hypervolume(best, objectives=results.objectives, reference=reference))
    return Growth(tuple(counts), tuple(volumes))
