"""An adaptive mixture: strategies share the slots of one search by what they have brought for their cost of late."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from evonas.engine.evaluation import Outcome
from evonas.engine.pareto import REFERENCE_ROWS, Reference, hypervolume, nondominated, reference
from evonas.engine.view import Proposal, Row, Strategy, View
from evonas.options import NAME, settle
from evonas.strategies.mixture import check_members, first_proposal, is_promotion

MEMORY = 0.98
"""What a row seen counts for when the next one is seen: half after 34 rows."""

FLOOR = 0.1
"""Part of the slots that a member has however little it brings, so that it can show that it does again."""

SMOOTHING = 1 / 16
"""Each member is credited with so much of the mean cost of all members, at the mean success."""


@dataclass(frozen=True)
class AdaptiveMixture:
    """Gives each slot to the member that is furthest behind its weight; where it has nothing, to the next.

    A member's weight is its share times its success: the hypervolume by which its rows brought the front of their
    rung forward, over the cost of all its jobs, searches, failures and promotions included. Both fade with the rows
    seen since. Cost is counted in sample-steps of training, where nothing is trained in the unit of the predicted cost.

    Attributes:
        members: Strategies and their shares, positive numbers whose sum does not matter.
        name: Not stored: each row carries the name of the member that proposed it.

    Example:
        >>> from evonas import AdaptiveMixture, Evolution, Integer, Objective, RandomSearch, Space
        >>> from evonas.engine.view import View
        >>> view = View(Space({"layers": Integer(1, 6)}), [Objective("error", lambda found: found["error"])], seed=0)
        >>> AdaptiveMixture([(RandomSearch(), 1), (Evolution(), 1)]).propose(view).strategy
        'random'
    """

    members: Sequence[tuple[Strategy, float]]
    name: str = "adaptive_mixture"

    def __post_init__(self) -> None:
        check_members(self.members)
        settle(self, {"name": NAME})

    def propose(self, view: View) -> Proposal | None:
        """Return the proposal of the member that is furthest behind its weight, None where no member has any."""
        ledger = view.derived(self, _Ledger)
        ledger.fold(view)
        weights = ledger.weights({member.name: share for member, share in self.members})
        slots = ledger.slots(view)
        members = [member for member, _ in self.members]
        return first_proposal(sorted(members, key=lambda one: slots.get(one.name, 0.0) / weights[one.name]), view)


class _Ledger:
    """What each member has brought and cost: a fold over the rows seen, whenever it is made."""

    def __init__(self) -> None:
        self._gained: dict[str, float] = {}
        self._spent: dict[str, float] = {}
        self._slots: dict[str, float] = {}
        self._folded = 0
        self._first: list[Row] = []
        self._corners: Reference | None = None
        self._fronts: dict[int, tuple[list[tuple[float, ...]], float]] = {}

    def fold(self, view: View) -> None:
        """Take note of the rows that are new."""
        for row in view.rows[self._folded :]:
            self._folded += 1
            name = row.job.strategy
            is_rejected = row.evaluation.outcome is Outcome.REJECTED  # cost nothing, so that nothing fades but its slot
            for sums in (self._slots,) if is_rejected else (self._gained, self._spent, self._slots):
                for member in sums:
                    sums[member] *= MEMORY
            self._gained[name] = self._gained.get(name, 0.0) + self._gain(row, view)
            self._spent[name] = self._spent.get(name, 0.0) + (row.evaluation.sample_steps or row.job.cost)
            if not is_promotion(row.job, view):
                self._slots[name] = self._slots.get(name, 0.0) + 1

    def slots(self, view: View) -> dict[str, float]:
        """Return how many slots each member has had of late, those of open jobs in full."""
        slots = dict(self._slots)
        for job in view.open.values():
            if not is_promotion(job, view):
                slots[job.strategy] = slots.get(job.strategy, 0.0) + 1
        return slots

    def weights(self, shares: Mapping[str, float]) -> dict[str, float]:
        """Return the part of the slots that each member should have, of members with these shares."""
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
