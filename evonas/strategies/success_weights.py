"""Success weights: what part of the slots each strategy of a mixture earns by what it recently brought for its cost."""

from __future__ import annotations

from collections.abc import Mapping

from evonas.engine.pareto import REFERENCE_ROWS, Reference, hypervolume, nondominated, reference
from evonas.engine.view import Row, View

MEMORY = 0.98
"""What a row still counts for when the next one is seen: half after 34 rows."""

FLOOR = 0.1
"""Part of the slots that a strategy has however little it brings, so that it can show that it does again."""

SMOOTHING = 1 / 16
"""Each strategy is credited with this part of the mean cost of all, at the mean success."""


class SuccessWeights:
    """The part of the slots that each strategy of a mixture earns: a fold over the rows seen.

    A strategy's weight is its share times its success: the hypervolume by which its rows brought the front of their
    rung forward, over the cost of all its jobs, searches, failures and promotions included. Both fade with the rows
    seen since. Cost is counted in sample-steps of training, where nothing is trained in the unit of the predicted cost.
    """

    def __init__(self) -> None:
        self._gained: dict[str, float] = {}
        self._spent: dict[str, float] = {}
        self._folded = 0
        self._first: list[Row] = []
        self._corners: Reference | None = None
        self._fronts: dict[int, tuple[list[tuple[float, ...]], float]] = {}

    def weights(self, view: View, shares: Mapping[str, float]) -> dict[str, float]:
        """Return the part of the slots that each strategy should have, given the share of each."""
        self._fold(view)
        gained = sum(self._gained.get(name, 0.0) for name in shares)
        spent = sum(self._spent.get(name, 0.0) for name in shares)
        credit = SMOOTHING / len(shares)
        merits = dict(shares)
        if gained > 0 and spent > 0:
            for name, share in shares.items():
                brought = self._gained.get(name, 0.0) / gained + credit
                merits[name] = share * brought / (self._spent.get(name, 0.0) / spent + credit)
        floor = min(FLOOR, 0.5 / len(shares))
        whole = sum(merits.values())
        return {name: floor + (1 - floor * len(shares)) * merit / whole for name, merit in merits.items()}

    def _fold(self, view: View) -> None:
        """Take note of the rows that are new."""
        for row in view.rows[self._folded :]:
            self._folded += 1
            name = row.job.strategy
            if not row.is_rejected:  # a rejected one costs nothing
                for sums in (self._gained, self._spent):
                    for member in sums:
                        sums[member] *= MEMORY
            self._gained[name] = self._gained.get(name, 0.0) + self._gain(row, view)
            self._spent[name] = self._spent.get(name, 0.0) + (row.evaluation.sample_steps or row.job.cost)

    def _gain(self, row: Row, view: View) -> float:
        """Return by how much `row` brings the front of its rung forward, 0 as long as there are no corners."""
        if row.costs is None or row.job.kind != "evaluate":
            return 0.0
        if self._corners is None:
            self._first.append(row)
            if len(self._first) == REFERENCE_ROWS:
                self._corners = reference(view.objectives, self._first)
                for first in self._first:
                    self._gain(first, view)
            return 0.0
        if not row.is_feasible:
            return 0.0
        points, before = self._fronts.get(row.job.rung, ([], 0.0))
        points = [*points, row.costs]
        volume = hypervolume(points, objectives=view.objectives, reference=self._corners)
        self._fronts[row.job.rung] = [points[i] for i in nondominated(points)], volume
        return max(volume - before, 0.0)
