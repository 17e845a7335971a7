"""Screening: of several new children the one is proposed that is expected to bring the front forward most."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from evonas.engine.pareto import axes, gains, nondominated
from evonas.engine.view import Row, View
from evonas.space import Genotype, Space
from evonas.strategies.gaussian_process import Forecast, Kernel, has_distances, likeliest_kernel, position

MOST_ROWS = 400
"""Rows that a forecast is made of at most: its cost grows with their cube."""

FEWEST_ROWS = 8
"""With fewer feasible rows nothing can be forecast."""

BLOCK = 16
"""The kernel is chosen anew whenever so many more rows have been seen."""


class Screening:
    """Chooses among candidates by forecasts from the rows of the lowest rung, where every network is measured first.

    Every choice takes one of two views of what is best, by chance: the largest gain of hypervolume, or the smallest
    weighted Chebyshev distance to the ideal for random weights, which reaches every part of the front. Both look at
    optimistic costs, one standard deviation below the mean. Candidates that are rather infeasible stand back.

    Source: the random weights are those of Knowles, ParEGO, IEEE TEVC 10(1), 2006, equation 2, with a Gaussian process
    for each objective in the place of one for their weighted sum.

    Args:
        space: The space that is searched.
    """

    def __init__(self, space: Space) -> None:
        self._space = space
        self._can_forecast = has_distances(space)
        self._places: dict[str, np.ndarray] = {}
        self._kernels: dict[str, tuple[int, Kernel]] = {}

    def choose(self, view: View, candidates: Sequence[Genotype], *, keep: set[int], rng: np.random.Generator) -> int:
        """Return the index of the candidate to propose; the first where nothing can be forecast.

        Args:
            view: What is known.
            candidates: New networks.
            keep: Slots of rows that a forecast must not leave out, however long ago they were measured.
            rng: Source of the weights.
        """
        scored = view.scored(0)
        feasible = [row for row in scored if row.is_feasible]
        if len(feasible) < FEWEST_ROWS or not self._can_forecast:
            return 0
        chosen = list(range(len(candidates)))
        if len(feasible) < len(scored):
            refused = np.array([[0.0 if row.is_feasible else 1.0] for row in scored])
            means, _ = self._forecast("refused", scored, refused, keep=keep).at(self._matrix(candidates))
            chosen = [i for i in chosen if means[i, 0] < 0.5] or chosen
        costs = axes(np.array([row.costs for row in feasible]), view.objectives)
        forecast = self._forecast("costs", feasible, costs, keep=keep)
        means, deviations = forecast.at(self._matrix([candidates[i] for i in chosen]))
        return chosen[_most_promising(means - deviations, costs, rng=rng)]

    def _forecast(self, name: str, rows: Sequence[Row], values: np.ndarray, *, keep: set[int]) -> Forecast:
        blocks = len(rows) // BLOCK * BLOCK or len(rows)
        known = self._kernels.get(name)
        if known is None or known[0] != blocks:
            first = slice(max(0, blocks - MOST_ROWS), blocks)
            places = self._matrix([row.job.genotype for row in rows[first]])
            known = self._kernels[name] = (blocks, likeliest_kernel(places, values[first]))
        recent = max(0, len(rows) - (MOST_ROWS - len(keep)))
        used = [i for i, row in enumerate(rows) if i >= recent or row.job.slot in keep]
        places = self._matrix([rows[i].job.genotype for i in used])
        return Forecast(places, values[used], kernel=known[1])

    def _matrix(self, genotypes: Sequence[Genotype]) -> np.ndarray:
        for genotype in genotypes:
            if genotype.key not in self._places:
                self._places[genotype.key] = position(self._space, genotype)
        return np.array([self._places[genotype.key] for genotype in genotypes])


def _most_promising(forecasts: np.ndarray, costs: np.ndarray, *, rng: np.random.Generator) -> int:
    """Return which of the `(candidates, objectives)` forecasts to believe in, given `(rows, objectives)` costs."""
    front = costs[nondominated(costs)]
    ideal, worst = front.min(0), front.max(0)
    relative = (forecasts - ideal) / np.maximum(worst - ideal, 1e-9)
    weights = rng.dirichlet(np.ones(costs.shape[1]))
    if rng.random() < 0.5:
        gained = gains(front, forecasts, ref_point=costs.max(0))
        if gained.max() > 0:
            return int(gained.argmax())
    return int(((relative * weights).max(1) + 0.05 * (relative * weights).sum(1)).argmin())
