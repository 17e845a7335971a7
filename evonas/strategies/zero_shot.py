"""Zero-shot search: a pool of networks is scored without training, and the best of it are evaluated."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from evonas.engine.job import Job
from evonas.engine.score_search import METHOD_OF_SCORES, NOTHING, OPERATIONS, ScoreSearch
from evonas.engine.view import Proposal, Row, View
from evonas.errors import OptionError
from evonas.genotype import Genotype
from evonas.objective import Objective
from evonas.options import NAME, OptionRule, Whole, settle, shown
from evonas.space import Space
from evonas.strategies.proxy_order import best_first
from evonas.strategies.pruning import Kept, pruned

MOST_NETWORKS = 10_000_000

_RULES: dict[str, OptionRule] = {
    "score": NAME,
    "pool": Whole(1, MOST_NETWORKS),
    "rounds": Whole(1, 1000),
    "part": Whole(1, MOST_NETWORKS),
    "proposals": Whole(1, MOST_NETWORKS),
    "batch_size": Whole(2, 1_000_000),
    "against": NAME,
    "name": NAME,
}


@dataclass(frozen=True)
class ZeroShot:
    """Scores pools of random networks without training, and evaluates the best along the front of score against cost.

    Workers share a pool: each search job scores a part of it. When all of it is scored, its networks are proposed by
    their non-dominated rank, the most spread of a rank first, and evaluated from the lowest rung on like any other.
    Then the next pool is drawn. The score of every network is kept with the row of its search job.

    Source: SNASNet (Kim et al., ECCV 2022), which scores 5,000 networks and trains the one with the highest score
    (`against = "nothing"`, `proposals = 1`). Departure: what is proposed lies along a front. With `rounds`, pools are
    drawn from fewer and fewer choices, as in LightSNN (2025); see `evonas.strategies.pruning`.

    Attributes:
        score: Name of a score, a file of `evonas/scores/`, or `package.module:function`.
        pool: Networks that are drawn and scored before any is proposed.
        rounds: Parts of a pool, after each of which every choice of the space loses the value without which scores are
            highest: one less than the values of the largest choice leaves one of each in the end. 1 draws all alike.
        part: Networks of one search job: what a worker that is lost has to do again.
        proposals: Networks of a pool that are evaluated.
        batch_size: Training samples on which networks are scored.
        against: What the score is traded against: `"operations"`, dense multiply-accumulates; the name of an objective
            of the run that needs no training, counted on the untrained network and the same samples; or `"nothing"`.
        name: Stored with every row.

    Raises:
        OptionError: If an option is out of its range.

    Example:
        >>> from evonas import Integer, Objective, Space, ZeroShot
        >>> spikes = Objective("spikes", lambda found: found["spikes"], log=True)
        >>> ZeroShot().faults(Space({"layers": Integer(1, 6)}), [spikes])[0]
        'name: the space has no `build`, so that no network can be scored; use another strategy'
    """

    method: ClassVar[str] = METHOD_OF_SCORES

    score: str = "sparsity_aware_hamming"
    pool: int = 5000
    rounds: int = 1
    part: int = 100
    proposals: int = 32
    batch_size: int = 64
    against: str = OPERATIONS
    name: str = "zero_shot"

    def __post_init__(self) -> None:
        settle(self, _RULES)
        if self.rounds > self.pool:
            raise OptionError([f"rounds: got {self.rounds}, expected at most pool = {self.pool}"])

    @property
    def objective(self) -> str | None:
        """Name of the objective that scores are traded against, None where it is none of the run."""
        return None if self.against in (OPERATIONS, NOTHING) else self.against

    def faults(self, space: Space, objectives: Sequence[Objective] | None) -> list[str]:
        """Return a sentence for each option that does not fit the space and the objectives of a run, where known."""
        faults = []
        if space.build is None:
            faults.append("name: the space has no `build`, so that no network can be scored; use another strategy")
        if self.against == OPERATIONS and space.operations is None:
            faults.append(f'against: the space has no `operations`; name an objective, or "{NOTHING}"')
        names = [objective.name for objective in objectives or ()]
        if objectives is not None and self.objective is not None and self.objective not in names:
            known = ", ".join([OPERATIONS, NOTHING, *names])
            faults.append(f"against: got {shown(self.against)}, expected one of {known}")
        return faults

    def propose(self, view: View) -> Proposal | None:
        """Return a network of a pool that is scored, else the next part of a pool; None while that has to wait."""
        state = view.derived(self, lambda: _State(self))
        state.fold(view)
        found = state.next_found(view)
        if found is not None:
            genotype, slot = found
            return Proposal(genotype, self.name, parents=(slot,))
        begun = len(state.searches) + sum(_is_part(job, self.name) for job in view.open.values())
        parts = self.parts()
        part = parts[begun % len(parts)]
        if part.begins_round and begun and state.has_to_wait(view, begun):
            return None
        told = ScoreSearch(
            self.score,
            first=begun // len(parts) * self.pool + part.first,
            networks=part.networks,
            batch_size=self.batch_size,
            against=self.against,
            only=state.kept,
        )
        return Proposal(Genotype({}), self.name, kind="search", settings=told.to_job())

    def parts(self) -> list[_Part]:
        """Return the search jobs of a pool, in their order."""
        found = []
        for index in range(self.rounds):
            begin, end = index * self.pool // self.rounds, (index + 1) * self.pool // self.rounds
            for first in range(begin, end, self.part):
                found.append(_Part(first, min(self.part, end - first), first == begin, first + self.part >= end))
        return found


@dataclass(frozen=True)
class _Part:
    """A search job of a pool: how many networks from which one on, and whether it is first and last of its round."""

    first: int
    networks: int
    begins_round: bool
    ends_round: bool


class _State:
    """State derived from a view: a fold over its rows, so that it does not depend on when it was made.

    A round begins only when all parts of the one before are seen, so that parts are counted round by round.

    Attributes:
        searches: Rows of search jobs.
        kept: What is left of the choices of the space, within the last pool.
    """

    def __init__(self, options: ZeroShot) -> None:
        self.searches: list[Row] = []
        self.kept: Kept = {}
        self._options = options
        self._parts = options.parts()
        self._round: list[Row] = []
        self._folded = 0
        self._pool_of: dict[int, int] = {}
        self._best_first: list[tuple[Genotype, int]] = []
        self._evaluated: list[int] = []

    def fold(self, view: View) -> None:
        """Add the new rows; when the last part of a pool is scored, its networks are brought into order."""
        for row in view.rows[self._folded :]:
            self._folded += 1
            if _is_part(row.job, self._options.name):
                self._fold_part(row, view)
            elif self._is_child(row.job) and not row.is_rejected:
                self._evaluated[self._pool_of[row.job.parents[0]]] += 1

    def _fold_part(self, row: Row, view: View) -> None:
        pool, part = divmod(len(self.searches), len(self._parts))
        self._pool_of[row.job.slot] = pool
        self.searches.append(row)
        self._round.append(row)
        if part == len(self._parts) - 1:
            self._best_first = self._ordered(view)
            self._evaluated.append(0)
            self.kept, self._round = {}, []
        elif self._parts[part].ends_round:
            scored = [one for each in self._round for one in each.evaluation.proxy_scores]
            self.kept, self._round = pruned(self.kept, scored, view.space.variables), []

    def next_found(self, view: View) -> tuple[Genotype, int] | None:
        """Return the next network of the last pool that is not known yet, and the slot of its search job."""
        if not self._evaluated or self._proposed(view) >= self._options.proposals:
            return None
        while self._best_first and view.is_known(self._best_first[0][0]):
            del self._best_first[0]
        return self._best_first[0] if self._best_first else None

    def has_to_wait(self, view: View, begun: int) -> bool:
        """Return whether a round is still being scored, or nothing of the last pool could be evaluated.

        To be called when `begun` search jobs are whole rounds, and there is no next network.
        """
        is_pool = begun % len(self._parts) == 0
        return begun > len(self.searches) or (is_pool and not self._proposed(view))

    def _proposed(self, view: View) -> int:
        """Return the networks of the last pool that were proposed and not rejected."""
        last = len(self._evaluated) - 1
        of_open = [self._pool_of[job.parents[0]] for job in view.open.values() if self._is_child(job)]
        return self._evaluated[last] + of_open.count(last)

    def _is_child(self, job: Job) -> bool:
        is_first = job.kind == "evaluate" and job.rung == 0 and job.strategy == self._options.name
        return is_first and bool(job.parents)

    def _ordered(self, view: View) -> list[tuple[Genotype, int]]:
        """Return the networks of the last pool, the best first, with the slots of their search jobs."""
        last = sorted(self.searches[-len(self._parts) :], key=lambda row: row.job.slot)
        return best_first(last, sign=self._sign(view), is_traded=self._options.against != NOTHING)

    def _sign(self, view: View) -> float:
        """Return 1 where less of what the score is traded against is better, -1 where more is."""
        return next((one.sign for one in view.objectives if one.name == self._options.objective), 1.0)


def _is_part(job: Job, name: str) -> bool:
    return job.kind == "search" and job.strategy == name


strategy = ZeroShot
"""What run files find by the name of this file."""
