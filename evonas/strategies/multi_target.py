"""Targets: one search for many chips and budgets, in which every network serves all of them."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from evonas.engine.job import Job
from evonas.engine.ladder import newest
from evonas.engine.view import Proposal, Row, Strategy, View
from evonas.errors import EvonasError
from evonas.objective import Objective, Score
from evonas.variables import Scalar

TARGET = "target"
"""Job setting with the name of the target that the job was proposed for; jobs for all targets have none."""

PATIENCE = 8
"""A target's extra share halves after every PATIENCE of its slots without an improvement."""

HOPELESS = 1 / 4
"""Share of a target without any feasible network when its extra share has faded; the others have 1."""


@dataclass(frozen=True)
class Target:
    """Objectives for which networks are searched, such as energy on one chip within one budget.

    Attributes:
        name: Unique among the targets of a search; stored with every job that is proposed for it.
        objectives: The objectives that are traded. The first decides which network is best; it is the same for all
            targets.
        limits: Objectives that are constraints only: their bounds hold, but they are not traded, such as the fit on a
            chip.
    """

    name: str
    objectives: tuple[Objective, ...]
    limits: tuple[Objective, ...] = ()

    def row(self, row: Row) -> Row:
        """Return `row` scored by the objectives of this target; a failed evaluation has failed for every target."""
        if row.is_failure:
            return Row(row.evaluation, None, None)
        traded, limited = Row.of(row.evaluation, self.objectives), Row.of(row.evaluation, self.limits)
        if traded.score is None or limited.score is None:
            return traded if traded.score is None else limited
        reasons = "; ".join(reason for reason in (traded.score.reason, limited.score.reason) if reason)
        violation = traded.score.violation + limited.score.violation
        return replace(traded, score=Score(traded.score.values, violation, reasons))


def best_first(row: Row) -> tuple[float, tuple[float, ...], int]:
    """Return a key that sorts rows of one target and rung: feasible ones by the first objective, others by violation.

    Ties are broken by the second objective, and so on, and at last by age.
    """
    return row.violation, (row.costs or ()) if row.is_feasible else (), row.job.slot


@dataclass(frozen=True)
class Targets:
    """Lets one strategy propose for the target that is furthest behind its share; every row serves all targets.

    The inner strategy sees every row as scored by the objectives of the target that it proposes for. So a network is
    trained once and never proposed twice, for whatever target. Slots are shared evenly, with an extra share for targets
    that have few feasible networks (up to twice as many slots for one that has none), which fades while they do not
    improve. A target that still has no feasible network then gets less than the others, so that a budget that nothing
    keeps, or a chip on which nothing fits, does not use up the search. Networks that are drawn at random serve all
    targets and count for none.

    How far the best network of a target lags behind that of others is deliberately no measure of need: a tight budget
    always lags, and would take the slots of a loose one that still improves.

    Attributes:
        targets: The targets.
        inner: Strategy that proposes for each of them.
        name: Not stored: each row carries the name of the inner strategy.
    """

    targets: Sequence[Target]
    inner: Strategy
    name: str = "targets"

    def __post_init__(self) -> None:
        names = [target.name for target in self.targets]
        if not names or len(set(names)) < len(names) or not all(target.objectives for target in self.targets):
            raise EvonasError(
                f"Targets need one or more targets of different names, each with objectives, got {', '.join(names)}."
            )

    def propose(self, view: View) -> Proposal | None:
        """Return a network for the target furthest behind its share, None where the inner strategy has none for any."""
        for state in _furthest_behind_first(self._seen(view), rung=0):
            proposal = self.inner.propose(state.view)
            if proposal is not None:
                is_for_target = proposal.kind == "evaluate" and bool(proposal.parents)
                return _labelled(state.target, proposal) if is_for_target else proposal
        return None

    def candidates(self, view: View, rung: int, places: int) -> Iterator[tuple[Row, Mapping[str, Scalar]]]:
        """Yield the rows of a rung that may climb a `Ladder`: the best of the target furthest behind its share first.

        Networks that are infeasible for every target do not climb.
        """
        for state in _furthest_behind_first(self._seen(view), rung=rung + 1):
            for row in sorted(newest(state.view, rung), key=best_first)[:places]:
                if row.is_feasible:
                    yield row, {TARGET: state.target.name}

    def _seen(self, view: View) -> list[_TargetState]:
        states = view.derived(self, lambda: [_TargetState(target, view) for target in self.targets])
        for state in states:
            state.follow(view)
        return states


class _TargetState:
    """State of one target: a fold over a view, so that it does not depend on when it was made."""

    def __init__(self, target: Target, view: View) -> None:
        self.target = target
        self.view = view.beside(target.objectives)
        self.best: dict[int, Row] = {}
        self.feasible: dict[int, int] = {}
        self._slots: dict[int, list[int]] = {}
        self._folded = 0

    def follow(self, view: View) -> None:
        """Add the jobs that have begun and the rows that have ended in `view` since the last call."""
        ended = view.rows[self._folded :]
        begun = {row.job.slot: row.job for row in ended} | view.open
        for slot in range(self.view.slot, view.slot):
            job: Job = begun[slot]
            self.view.start(job)
            if job.settings.get(TARGET) == self.target.name:
                self._slots.setdefault(job.rung, []).append(slot)
        for row in ended:
            own, rung = self.target.row(row), row.job.rung
            self.view.see(own)
            if own.is_rejected and row.job.slot in (slots := self._slots.get(rung, [])):
                slots.remove(row.job.slot)  # nothing was trained for it
            if own.is_scored:
                self.feasible[rung] = self.feasible.get(rung, 0) + own.is_feasible
                self.best[rung] = min(self.best.get(rung, own), own, key=best_first)
        self._folded = len(view.rows)

    def slots(self, rung: int) -> int:
        """Return how many slots at this rung were given to this target alone."""
        return len(self._slots.get(rung, ()))

    def slots_without_improvement(self, rung: int) -> int:
        """Return how many slots the target was given after the one of its best network at this rung."""
        latest = self.best[rung].job.slot if rung in self.best else -1
        return sum(len(slots) - bisect_right(slots, latest) for slots in self._slots.values())

    def behind(self, *, rung: int, compared: int) -> float:
        """Return the slots at `rung` over the share, which depends on what was found at rung `compared`."""
        feasible = self.feasible.get(compared, 0)
        extra: float = 2 * 0.5 ** (self.slots_without_improvement(compared) / PATIENCE) / (1 + feasible)
        return (1 + self.slots(rung)) / (extra + (1 if feasible else HOPELESS))


def _furthest_behind_first(states: Sequence[_TargetState], *, rung: int) -> list[_TargetState]:
    """Return the states of the targets, sorted by their slots at `rung` over their share."""
    rungs = [reached for state in states for reached, count in state.feasible.items() if count]
    compared = max(rungs, default=0)  # networks of different rungs are never compared
    return sorted(states, key=lambda state: state.behind(rung=rung, compared=compared))


def _labelled(target: Target, proposal: Proposal) -> Proposal:
    return replace(proposal, settings={**proposal.settings, TARGET: target.name})
