"""Targets: one search for many chips and budgets, in which every network serves all of them."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from evonas.engine.job import Job
from evonas.engine.view import Proposal, Row, Strategy, View
from evonas.errors import EvonasError
from evonas.objective import Objective, Score
from evonas.variables import Scalar

TARGET = "target"
"""Setting of a job that names the target which it was proposed for; jobs that serve all targets alike have none."""

PATIENCE = 8
"""The wish of a target for more than its share halves with each so many of its slots that found nothing better."""

HOPELESS = 1 / 4
"""Share that is left to a target without any feasible network, against 1 of all others, when its wish has faded."""


@dataclass(frozen=True)
class Target:
    """What a network is sought for: objectives of its own, such as energy on one chip within one budget.

    Attributes:
        name: Unique among the targets of a search; stored with every job that is proposed for it.
        objectives: What is traded. The first says which network is best, and is the same for all targets.
        limits: Objectives whose bounds have to be kept and that are not traded, such as the fit on a chip.
    """

    name: str
    objectives: tuple[Objective, ...]
    limits: tuple[Objective, ...] = ()

    def row(self, row: Row) -> Row:
        """Return `row` as this target sees it; what has failed for the search has failed for every target."""
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

    Equal values of the first objective are told apart by the second, and so on; what is left, by age.
    """
    return row.violation, (row.costs or ()) if row.is_feasible else (), row.job.slot


@dataclass(frozen=True)
class Targets:
    """Lets one strategy propose for the target that is furthest behind its share; every row serves all targets.

    To each target the rows look as its own objectives score them, and the inner strategy is asked with these in view.
    So a network is trained once and never proposed twice, for whatever target. Slots are spread evenly, except that a
    target without any feasible network gets up to twice as many, and one with few a bit more, as long as they find
    something better; what stays without one then falls back, so that a budget which nothing can keep, or a chip on
    which nothing fits, does not eat the search. Networks that are drawn at random serve all targets and count for none.

    How far the best network of a target lags behind that of others is deliberately no measure of need: a tight budget
    lags for good, and would take the slots of a loose one that still gets better.

    Attributes:
        targets: What networks are sought for.
        inner: Proposes for each of them.
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
        """Return a network for the neediest target, None where the inner strategy has none for any."""
        for standing in _neediest(self._seen(view), rung=0):
            proposal = self.inner.propose(standing.view)
            if proposal is not None:
                is_its_own = proposal.kind == "evaluate" and bool(proposal.parents)
                return _for(standing.target, proposal) if is_its_own else proposal
        return None

    def candidates(self, view: View, rung: int, places: int) -> Iterator[tuple[Row, Mapping[str, Scalar]]]:
        """Yield the rows of a rung that may climb a `Ladder`: the best of the neediest target first.

        What breaks a bound of every target does not climb.
        """
        for standing in _neediest(self._seen(view), rung=rung + 1):
            for row in sorted(standing.view.scored(rung), key=best_first)[:places]:
                if row.is_feasible:
                    yield row, {TARGET: standing.target.name}

    def _seen(self, view: View) -> list[_Standing]:
        standings = view.derived(self, lambda: [_Standing(target, view) for target in self.targets])
        for standing in standings:
            standing.follow(view)
        return standings


class _Standing:
    """What one target has come to: a fold over a view, in whatever steps it is made."""

    def __init__(self, target: Target, view: View) -> None:
        self.target = target
        self.view = View(view.space, target.objectives, seed=view.seed)
        self.best: dict[int, Row] = {}
        self.feasible: dict[int, int] = {}
        self._slots: dict[int, list[int]] = {}
        self._folded = 0

    def follow(self, view: View) -> None:
        """Take over what has begun and what has ended in `view` since the last time."""
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

    def in_vain(self, rung: int) -> int:
        """Return how many slots the target was given after that which holds its best network at this rung."""
        latest = self.best[rung].job.slot if rung in self.best else -1
        return sum(len(slots) - bisect_right(slots, latest) for slots in self._slots.values())

    def behind(self, *, rung: int, compared: int) -> float:
        """Return the slots at `rung` over the share, which depends on what was found at the rung `compared`."""
        feasible = self.feasible.get(compared, 0)
        wish: float = 2 * 0.5 ** (self.in_vain(compared) / PATIENCE) / (1 + feasible)
        return (1 + self.slots(rung)) / (wish + (1 if feasible else HOPELESS))


def _neediest(standings: Sequence[_Standing], *, rung: int) -> list[_Standing]:
    """Return the targets, the one first that is furthest behind its share of the slots at `rung`."""
    found = [place for standing in standings for place, count in standing.feasible.items() if count]
    compared = max(found, default=0)  # networks of different rungs are never compared
    return sorted(standings, key=lambda standing: standing.behind(rung=rung, compared=compared))


def _for(target: Target, proposal: Proposal) -> Proposal:
    return replace(proposal, settings={**proposal.settings, TARGET: target.name})
