"""A mixture: several strategies share the slots of one search."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from evonas.engine.job import Job
from evonas.engine.view import Proposal, Strategy, View
from evonas.errors import OptionError
from evonas.options import NAME, SHARE, faults_of, settle, shown


@dataclass(frozen=True)
class Mixture:
    """Gives each slot to the member that is furthest behind its share; where it has nothing, to the next.

    A slot counts for the strategy that proposed it, be its network rejected or not, promotions by the ladder for
    none. All members see all rows.

    Attributes:
        members: Strategies and their shares, positive numbers whose sum does not matter.
        name: Not stored: each row carries the name of the member that proposed it.

    Example:
        >>> from evonas import Evolution, Integer, Mixture, Objective, RandomSearch, Space
        >>> from evonas.engine.view import View
        >>> view = View(Space({"layers": Integer(1, 6)}), [Objective("error", lambda found: found["error"])], seed=0)
        >>> Mixture([(RandomSearch(), 1), (Evolution(), 3)]).propose(view).strategy
        'random'
    """

    members: Sequence[tuple[Strategy, float]]
    name: str = "mixture"

    def __post_init__(self) -> None:
        check_members(self.members)
        settle(self, {"name": NAME})

    def propose(self, view: View) -> Proposal | None:
        """Return the proposal of the member that is furthest behind its share, None where no member has any."""
        counts = view.derived(self, _Tally).counts(view)
        ordered = sorted(self.members, key=lambda entry: counts.get(entry[0].name, 0) / entry[1])
        return first_proposal([member for member, _ in ordered], view)


def check_members(members: Sequence[tuple[Strategy, float]]) -> None:
    """Check that a mixture can be made of strategies with these shares.

    Raises:
        OptionError: If there is none, two have the same name, or a share is out of its range.
    """
    pairs = list(members) if isinstance(members, Sequence) and not isinstance(members, str) else []
    if not pairs or not all(isinstance(pair, tuple | list) and len(pair) == 2 for pair in pairs):
        raise OptionError([f"members: got {shown(members)}, expected one or more pairs of a strategy and its share"])
    strange = [member for member, _ in pairs if not callable(getattr(member, "propose", None))]
    if strange:
        raise OptionError([f"members: got {shown(strange[0])}, expected strategies such as Evolution()"])
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


def first_proposal(members: Sequence[Strategy], view: View) -> Proposal | None:
    """Return the proposal of the first member that has any, under the name of that member."""
    for member in members:
        proposal = member.propose(view)
        if proposal is not None:
            return replace(proposal, strategy=member.name)
    return None


def is_promotion(job: Job, view: View) -> bool:
    """Return whether the ladder proposed this job, in the name of the strategy that first proposed its network."""
    return job.rung > 0 and view.is_known(job.genotype, rung=job.rung - 1)


class _Tally:
    """Slots by strategy: a fold over the rows seen, to which the open jobs are added each time."""

    def __init__(self) -> None:
        self._ended: dict[str, int] = {}
        self._folded = 0

    def counts(self, view: View) -> dict[str, int]:
        """Return how many slots each strategy has had."""
        for row in view.rows[self._folded :]:
            _count(row.job, view=view, counts=self._ended)
        self._folded = len(view.rows)
        counts = dict(self._ended)
        for job in view.open.values():
            _count(job, view=view, counts=counts)
        return counts


def _count(job: Job, *, view: View, counts: dict[str, int]) -> None:
    if not is_promotion(job, view):
        counts[job.strategy] = counts.get(job.strategy, 0) + 1
