"""Search state shown to strategies (`View`), a scored row (`Row`), what a strategy is and returns (`Proposal`)."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, TypeVar

import numpy as np

from evonas.engine.evaluation import Evaluation, Outcome
from evonas.engine.job import Cost, Job, Kind
from evonas.errors import NotFiniteError
from evonas.genotype import Genotype
from evonas.objective import Objective, Score, check_objectives, score
from evonas.space import Space
from evonas.variables import Scalar

Derived = TypeVar("Derived")


@dataclass(frozen=True)
class Row:
    """An evaluation and its score under the objectives of the archive that it was read from.

    Attributes:
        evaluation: The stored row. Where an objective is not a finite number its outcome is `NOT_FINITE`.
        score: None for failures and for `search` rows, so that no comparison ever sees them.
        costs: `(objectives,)` values, signed so that less is better; None unless every objective has one.
    """

    evaluation: Evaluation
    score: Score | None
    costs: tuple[float, ...] | None

    @classmethod
    def of(cls, evaluation: Evaluation, objectives: Sequence[Objective]) -> Row:
        """Return the row of `evaluation` as `objectives` see it."""
        if evaluation.measurement is None:
            return cls(evaluation, None, None)
        try:
            result = score(evaluation.measurement, objectives)
        except NotFiniteError as error:  # the row is a failure
            return cls(replace(evaluation, outcome=Outcome.NOT_FINITE, message=str(error)), None, None)
        costs = tuple(
            objective.sign * value
            for objective, value in zip(objectives, result.values, strict=True)
            if value is not None
        )
        return cls(evaluation, result, costs if len(costs) == len(objectives) else None)

    @property
    def job(self) -> Job:
        """What was to be done."""
        return self.evaluation.job

    @property
    def is_scored(self) -> bool:
        """Whether the row can be compared with others: measured, though perhaps infeasible."""
        return self.score is not None

    @property
    def is_feasible(self) -> bool:
        """Whether the row may stand on a front: measured, every objective finite, every bound kept."""
        return self.score is not None and self.score.is_feasible

    @property
    def violation(self) -> float:
        """Sum of the relative violations of the bounds; its degree for a rejected network, `inf` for a failure."""
        if self.is_rejected:
            return self.evaluation.degree
        return float("inf") if self.score is None else self.score.violation

    @property
    def is_rejected(self) -> bool:
        """Whether the network was rejected before its evaluation, which is no failure."""
        return self.evaluation.outcome is Outcome.REJECTED

    @property
    def is_failure(self) -> bool:
        """Whether the job failed: neither measured nor rejected."""
        return self.evaluation.outcome not in (Outcome.MEASURED, Outcome.REJECTED)


@dataclass(frozen=True)
class Proposal:
    """What a strategy wants done next.

    Attributes:
        genotype: The network to evaluate; empty for a `search` job.
        parents: Slots of the rows that it was made from.
        rung: Rung of the ladder at which to evaluate it.
        kind: `"evaluate"` or `"search"`.
        settings: Settings of a `search` job; for an evaluation, what its strategy wants to remember about it.
        strategy: Name of the strategy; a mixture fills in the name of the member that proposed.
    """

    genotype: Genotype
    strategy: str
    parents: tuple[int, ...] = ()
    rung: int = 0
    kind: Kind = "evaluate"
    settings: Mapping[str, Scalar] = field(default_factory=dict)


Foresee = Callable[[Genotype], Sequence[float]]
"""`foresee(genotype)` returns what is known of a network before it is evaluated, its traits: finite numbers such as
natural logarithms of its sizes, as many for all networks of a run, from the genotype alone."""

MOST_FORESEEN = 4096
"""Networks whose traits are kept at most, so that memory does not grow with the search."""

Predict = Callable[[Proposal, int], Cost]
"""`predict(proposal, epochs)` returns the predicted cost of a job, from these two alone."""


class View:
    """The state of a search in virtual time. Rows are only added, so what is derived can be updated row by row.

    Attributes:
        space: The space that is searched.
        objectives: What is traded.
        rows: Rows seen, in the order of their virtual ends. Append-only.
        rejected: Those of them that were rejected before their evaluation. Append-only.
        open: Jobs that run now, by slot.
        slot: The next slot.
        seed: Seed of the run.
        is_timed: Whether the budget is seconds or core hours, so that what a network costs decides how many there will
            be.

    Args:
        predict: Predicts what networks cost; strategies need not ask.
        foresee: Says what is known of networks beforehand; strategies need not ask.
    """

    def __init__(
        self,
        space: Space,
        objectives: Sequence[Objective],
        *,
        seed: int,
        predict: Predict | None = None,
        foresee: Foresee | None = None,
        is_timed: bool = False,
    ) -> None:
        check_objectives(objectives)
        self.space = space
        self.objectives = tuple(objectives)
        self.rows: list[Row] = []
        self.rejected: list[Row] = []
        self.open: dict[int, Job] = {}
        self.slot = 0
        self.seed = seed
        self.is_timed = is_timed
        self._predict = predict
        self._foresee = foresee
        self._traits: dict[str, Sequence[float]] = {}
        self._known: set[tuple[str, int]] = set()
        self._scored: dict[int, list[Row]] = {}
        self._derived: dict[int, tuple[object, Any]] = {}

    def beside(self, objectives: Sequence[Objective]) -> View:
        """Return a view of the same search with other objectives, which has seen nothing yet."""
        return View(
            self.space,
            objectives,
            seed=self.seed,
            predict=self._predict,
            foresee=None if self._foresee is None else self.traits,
            is_timed=self.is_timed,
        )

    def generator(self) -> np.random.Generator:
        """Return a new generator that depends on the run's seed and the next slot only."""
        return np.random.default_rng([self.seed, self.slot])

    @property
    def predicts(self) -> bool:
        """Whether costs of networks are predicted."""
        return self._predict is not None

    def predicted_cost(self, genotype: Genotype) -> float | None:
        """Return the predicted operations of training a network for one epoch, None where nobody predicts."""
        return None if self._predict is None else self._predict(Proposal(genotype, ""), 1).operations

    @property
    def foresees(self) -> bool:
        """Whether anything is known of networks before they are evaluated."""
        return self._foresee is not None

    def traits(self, genotype: Genotype) -> Sequence[float]:
        """Return what is known of a network before it is evaluated, finite numbers; none where nobody foresees any."""
        if self._foresee is None:
            return ()
        found = self._traits.get(genotype.key)
        if found is None:
            if len(self._traits) >= MOST_FORESEEN:
                self._traits.clear()
            found = self._traits[genotype.key] = self._foresee(genotype)
        return found

    def is_known(self, genotype: Genotype, *, rung: int = 0) -> bool:
        """Return whether this network was proposed at this rung before: open, measured, rejected or failed."""
        return (genotype.key, rung) in self._known

    def scored(self, rung: int) -> Sequence[Row]:
        """Return the scored `evaluate` rows of a rung, in the order of their virtual ends. Append-only."""
        return self._scored.setdefault(rung, [])

    def derived(self, owner: object, make: Callable[[], Derived]) -> Derived:
        """Return what `owner` derives from this view: `make()` at its first call, the same object after that.

        Strategies keep nothing themselves: a strategy is its options, can be pickled, and may take part in several
        searches at once. What is derived must follow from the view alone, whenever it is made.

        Example:
            >>> from evonas import Integer, Objective, RandomSearch, Space
            >>> view = View(Space({"layers": Integer(1, 6)}), [Objective("error", lambda found: 0.0)], seed=0)
            >>> owner = RandomSearch()
            >>> view.derived(owner, list) is view.derived(owner, list)
            True
            >>> view.derived(owner, list) is view.derived(RandomSearch(), list)  # equal, but another object
            False
        """
        # By identity: owners may be unhashable, and equal ones may differ in what they do not compare. An entry goes
        # with its owner, before another object can get its id; an owner without weak references is kept alive.
        derived, key = self._derived, id(owner)
        if key not in derived:
            try:
                kept: object = weakref.ref(owner, lambda gone: derived.pop(key, None))
            except TypeError:
                kept = owner
            derived[key] = kept, make()
        value: Derived = derived[key][1]
        return value

    def __getstate__(self) -> dict[str, Any]:
        """Return the state of a copy, from which everything derived has to be derived again."""
        return {**vars(self), "_derived": {}}

    def start(self, job: Job) -> None:
        """Note that `job` has taken the next slot."""
        self.open[job.slot] = job
        self.slot += 1
        if job.kind == "evaluate":
            self._known.add((job.genotype.key, job.rung))

    def see(self, row: Row) -> None:
        """Note that the job of `row`, an open one, has ended."""
        del self.open[row.job.slot]
        self.rows.append(row)
        if row.is_rejected:
            self.rejected.append(row)
        if row.is_scored:
            self._scored.setdefault(row.job.rung, []).append(row)


class Strategy(Protocol):
    """Something that proposes: a pure function of the view, with no state but what is derived from it."""

    @property
    def name(self) -> str:
        """Short name, stored with every row."""

    def propose(self, view: View) -> Proposal | None:
        """Return what to do next, or None where nothing can be proposed until more rows are seen.

        None while no job is open means that the strategy has nothing left to propose.
        """
