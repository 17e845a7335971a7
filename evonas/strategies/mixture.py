"""A mixture: several strategies share the slots of one search."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from evonas.engine.job import Job
from evonas.engine.view import Proposal, Strategy, View
from evonas.errors import OptionError
from evonas.options import NAME, SHARE, OneOf, faults_of, settle, shown
from evonas.strategies.success_weights import MEMORY, SuccessWeights

SHARES = ("fixed", "success")


@dataclass(frozen=True)
class Mixture:
    """Gives each slot to the member that is furthest behind its share; if it has nothing to propose, to the next.

    A slot counts for the strategy that proposed its network, rejected or not; promotions by the ladder count for none.
    All members see all rows.

    Attributes:
        members: Strategies and their shares, positive numbers whose sum does not matter.
        shares: `"fixed"`, or `"success"`: each share is multiplied by the recent gain of its member for its cost
            (`SuccessWeights`), and past slots fade.
        name: Not stored: each row carries the name of the member that proposed it.

    Raises:
        OptionError: If there is no member, two have the same name, or an option is out of its range.

    Example:
        >>> from evonas import Evolution, Integer, Mixture, Objective, RandomSearch, Space
        >>> from evonas.engine.view import View
        >>> view = View(Space({"layers": Integer(1, 6)}), [Objective("error", lambda found: found["error"])], seed=0)
        >>> Mixture([(RandomSearch(), 1), (Evolution(), 3)], shares="success").propose(view).strategy
        'random'
    """

    members: Sequence[tuple[Strategy, float]]
    shares: str = "fixed"
    name: str = "mixture"

    def __post_init__(self) -> None:
        _check_members(self.members)
        settle(self, {"name": NAME, "shares": OneOf(SHARES)})

    def propose(self, view: View) -> Proposal | None:
        """Return the proposal of the member that is furthest behind its share, None where no member has any."""
        counts, success = view.derived(self, self._folds)
        shares = {member.name: share for member, share in self.members}
        weights = shares if success is None else success.weights(view, shares)
        slots = counts.slots(view)
        for member, _ in sorted(self.members, key=lambda pair: slots.get(pair[0].name, 0) / weights[pair[0].name]):
            proposal = member.propose(view)
            if proposal is not None:
                return replace(proposal, strategy=member.name)
        return None

    def _folds(self) -> tuple[_SlotCounts, SuccessWeights | None]:
        return (_SlotCounts(1.0), None) if self.shares == "fixed" else (_SlotCounts(MEMORY), SuccessWeights())


class _SlotCounts:
    """Slots by strategy: a fold over the rows seen, plus the open jobs.

    Args:
        memory: Factor by which past slots fade with each row that is seen.
    """

    def __init__(self, memory: float) -> None:
        self._memory = memory
        self._ended: dict[str, float] = {}
        self._folded = 0

    def slots(self, view: View) -> dict[str, float]:
        """Return how many slots each strategy has had, those of open jobs in full."""
        for row in view.rows[self._folded :]:
            for name in self._ended:
                self._ended[name] *= self._memory
            _count(row.job, view=view, counts=self._ended)
        self._folded = len(view.rows)
        counts = dict(self._ended)
        for job in view.open.values():
            _count(job, view=view, counts=counts)
        return counts


def _count(job: Job, *, view: View, counts: dict[str, float]) -> None:
    # the ladder promotes in the name of the strategy that first proposed the network
    is_promotion = job.rung > 0 and view.is_known(job.genotype, rung=job.rung - 1)
    if not is_promotion:
        counts[job.strategy] = counts.get(job.strategy, 0) + 1


def _check_members(members: Sequence[tuple[Strategy, float]]) -> None:
    """Check that members are strategies of different names with shares in range; raise `OptionError` otherwise."""
    pairs = list(members) if isinstance(members, Sequence) and not isinstance(members, str) else []
    if not pairs or not all(isinstance(pair, tuple | list) and len(pair) == 2 for pair in pairs):
        raise OptionError([f"members: got {shown(members)}, expected one or more pairs of a strategy and its share"])
    not_strategies = [member for member, _ in pairs if not callable(getattr(member, "propose", None))]
    if not_strategies:
        raise OptionError([f"members: got {shown(not_strategies[0])}, expected strategies such as Evolution()"])
    names = [member.name for member, _ in pairs]
    faults = faults_of(
        {f"members.{index}": share for index, (_, share) in enumerate(pairs)},
        {f"members.{index}": SHARE for index in range(len(pairs))},
    )
    if len(set(names)) < len(names):
        faults.append(
            f"members: got the names {', '.join(names)}, expected strategies of different names; give those of one "
            "kind names of their own"
        )
    if faults:
        raise OptionError(faults)
