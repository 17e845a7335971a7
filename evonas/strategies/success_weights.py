"""Success weights: the part of the slots that each strategy of a mixture earns by its recent gain for its cost."""

from __future__ import annotations

from collections.abc import Mapping

from evonas.engine.pareto import REFERENCE_ROWS, Reference, hypervolume, nondominated, reference
from evonas.engine.view import Row, View

MEMORY = 0.98
"""Factor by which past rows fade with each row that is seen: to one half after 34 rows."""

FLOOR = 0.1
"""Smallest part of the slots of a strategy, so that it can show when it brings something again."""

SMOOTHING = 1 / 16
"""Additive smoothing: each strategy is credited with this part of the mean gain and the mean cost of all."""


class SuccessWeights:
    """The part of the slots that each strategy of a mixture earns: a fold over the rows seen.

    A strategy's weight is its share times its success: the hypervolume improvement by its rows at their rung, over the
    cost of all its jobs, searches, failures and promotions included. Both fade with the rows seen since. Cost is in
    sample-steps of training, or in the unit of the predicted cost where nothing is trained.
    """

    def __init__(self) -> None:
        self._gained: dict[str, float] = {}
        self._spent: dict[str, float] = {}
        self._folded = 0
        self._first: list[Row] = []
        self._reference: Reference | None = None
        self._fronts: dict[int, tuple[list[tuple[float, ...]], float]] = {}

    def weights(self, view: View, shares: Mapping[str, float]) -> dict[str, float]:
        """Return the part of the slots that each strategy should have, given the share of each."""
        self._fold(view)
        gained = sum(self._gained.get(name, 0.0) for name in shares)
        spent = sum(self._spent.get(name, 0.0) for name in shares)
        smoothing = SMOOTHING / len(shares)
        merits = dict(shares)
        if gained > 0 and spent > 0:
            for name, share in shares.items():
                gain_share = self._gained.get(name, 0.0) / gained + smoothing
                merits[name] = share * gain_share / (self._spent.get(name, 0.0) / spent + smoothing)
        floor = min(FLOOR, 0.5 / len(shares))
        total = sum(merits.values())
        return {name: floor + (1 - floor * len(shares)) * merit / total for name, merit in merits.items()}

    def _fold(self, view: View) -> None:
        """Add the new rows."""
        for row in view.rows[self._folded :]:
            self._folded += 1
            name = row.job.strategy
            if not row.is_rejected:  # rejected before its evaluation, so it costs nothing
                for sums in (self._gained, self._spent):
                    for member in sums:
                        sums[member] *= MEMORY
            self._gained[name] = self._gained.get(name, 0.0) + self._improvement(row, view)
            self._spent[name] = self._spent.get(name, 0.0) + (row.evaluation.sample_steps or row.job.cost)

    def _improvement(self, row: Row, view: View) -> float:
        """Return the hypervolume improvement of `row` at its rung, 0 as long as there is no reference."""
        if row.costs is None or row.job.kind != "evaluate":
            return 0.0
        if self._reference is None:
            self._first.append(row)
            if len(self._first) == REFERENCE_ROWS:
                self._reference = reference(view.objectives, self._first)
                for first in self._first:
                    self._improvement(first, view)
            return 0.0
        if not row.is_feasible:
            return 0.0
        points, before = self._fronts.get(row.job.rung, ([], 0.0))
        points = [*points, row.costs]
        volume = hypervolume(points, objectives=view.objectives, reference=self._reference)
        self._fronts[row.job.rung] = [points[i] for i in nondominated(points)], volume
        return max(volume - before, 0.0)
