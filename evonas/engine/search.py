"""The search: the loop, the virtual clock that makes it reproducible, and the budget that ends it."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any, Protocol

from evonas.engine.attempt import message_of
from evonas.engine.budget import REJECTED_IN_A_ROW, Budget, Ending
from evonas.engine.description import described, described_space
from evonas.engine.evaluation import Evaluation, Outcome
from evonas.engine.failures import FirstFailures
from evonas.engine.job import Job
from evonas.engine.ladder import Ladder
from evonas.engine.pace import Pace
from evonas.engine.rejection import Reject, Rejection
from evonas.engine.search_call import check_call, foreseen, predicted, proposed
from evonas.engine.view import Foresee, Predict, Proposal, Row, Strategy, View
from evonas.engine.virtual_clock import VirtualClock
from evonas.errors import EvonasError
from evonas.objective import Objective
from evonas.options import shown
from evonas.space import Space


class Workers(Protocol):
    """What runs jobs."""

    def start(self, job: Job) -> None:
        """Take `job` and return at once; it runs as soon as a worker is free, in the order of starting."""

    def next(self) -> Evaluation:
        """Return the evaluation of any started job, each once; wait for one if need be."""

    def close(self) -> None:
        """Stop all work and give every resource back."""


class RowStore(Protocol):
    """What the search needs of an archive."""

    @property
    def seed(self) -> int:
        """Seed of the run."""

    @property
    def objectives(self) -> tuple[Objective, ...]:
        """The objectives that are traded."""

    def begin(self, run: Mapping[str, Any]) -> None:
        """Store the settings of the search, or check that they are those that the rows so far were found with.

        Raises:
            ChangedRunError: If anything differs.
        """

    def add(self, evaluation: Evaluation) -> None:
        """Keep a row; it is safe on disk when this returns."""

    def get(self, slot: int) -> Row | None:
        """Return the row of a slot, or None where there is none yet."""


def search(
    space: Space,
    archive: RowStore,
    *,
    strategy: Strategy,
    workers: Workers,
    budget: Budget,
    parallel: int = 1,
    ladder: Ladder | None = None,
    predict: Predict | None = None,
    reject: Reject | None = None,
    foresee: Foresee | None = None,
    on_row: Callable[[Row], None] | None = None,
) -> Ending:
    """Search, and return why the search ended; its result is in `archive`.

    What a proposal sees does not depend on real time: the loop runs as if on `parallel` equal workers on which
    every job takes its predicted cost. So the archive is the same, row by row, for any number of real workers and
    after any number of restarts. Resuming is replaying: the rows of the archive are seen again as they were the first
    time, and only what is missing is proposed and run, so that another machine may go on where one has ended.

    Args:
        space: What may vary.
        archive: Where rows are kept, and read from on resuming.
        strategy: What proposes.
        workers: Who evaluates. Not closed here.
        budget: When to stop.
        parallel: Jobs open at once in virtual time; part of the result. More real workers than this idle.
        ladder: Epochs of training by rung; by default one rung of one epoch.
        predict: `predict(proposal, epochs)` returns the predicted cost of a job; by default all are equal.
        reject: Says which networks are not evaluated at all; by default none. A rejected network is a row that ends at
            once in virtual time, takes no worker and costs no budget.
        foresee: `foresee(genotype)` returns what is known of a network before it is evaluated, finite numbers such as
            logarithms of its sizes, from which strategies forecast; by default nothing.
        on_row: Called with each row as it is seen, in virtual order; replayed rows included.

    Raises:
        ChangedRunError: If the archive holds rows of another space, strategy or ladder, or of other `parallel`,
            `predict`, `reject` or `foresee`.
        ArchiveError: If a row cannot be kept.
        OptionError: If an argument is of the wrong kind.
        EvonasError: If there is no objective, or the strategy, `predict` or `foresee` returns something of the
            wrong kind.

    Warns:
        RuntimeWarning: If the search gives up because everything fails in the same way.

    Example:
        >>> from evonas import Archive, Budget, Evolution, InlineWorkers, Integer, Objective, Space, search
        >>> space = Space({"x": Integer(-9, 9)})
        >>> near = Objective("near", lambda found: found["x"] ** 2)
        >>> far = Objective("far", lambda found: (found["x"] - 3) ** 2)
        >>> with Archive("line.h5", space, [near, far]) as archive:
        ...     ending = search(
        ...         space,
        ...         archive,
        ...         strategy=Evolution(pop_size=4),
        ...         workers=InlineWorkers(lambda job: dict(job.genotype)),
        ...         budget=Budget(evaluations=19),
        ...     )
        ...     best = archive.front().rows
        >>> ending.value, sorted(row.job.genotype["x"] for row in best)
        ('The budget of evaluations is spent.', [0, 1, 2, 3])
    """
    if not archive.objectives:
        raise EvonasError("There are no objectives, so that nothing can be searched for. Give the archive one or more.")
    ladder = Ladder() if ladder is None else ladder
    functions = {"predict": predict, "reject": reject, "foresee": foresee, "on_row": on_row}
    check_call(space, strategy=strategy, workers=workers, budget=budget, ladder=ladder, functions=functions)
    clock = VirtualClock(parallel)
    run = {"strategy": strategy, "parallel": parallel, "ladder": ladder, "predict": predict, "reject": reject}
    run |= {} if foresee is None else {"foresee": foresee}  # archives are older than it
    archive.begin({"space": described_space(space), **{name: described(value) for name, value in run.items()}})
    view = View(
        space,
        archive.objectives,
        seed=archive.seed,
        predict=None if predict is None else partial(predicted, predict),
        foresee=None if foresee is None else partial(foreseen, foresee),
        is_timed=budget.is_timed,
    )
    pace = Pace(budget)
    made = partial(_job, seed=archive.seed, ladder=ladder, predict=predict)

    def too_late(job: Job) -> Ending | None:
        return pace.too_late(job, others=(one for one in view.open.values() if archive.get(one.slot) is None))

    evaluations, rejected, spent = 0, 0, None
    failures = FirstFailures()
    while True:
        while clock.has_room and evaluations < budget.evaluations:
            stored = archive.get(view.slot)
            if stored is not None and stored.job.start > clock.now:
                break  # what was proposed at this moment would have ended too late, and nothing was started
            if stored is not None:
                job = stored.job
                pace.recall(stored.evaluation)
            else:
                spent, too_long = pace.spent, None
                proposal = None if spent else ladder.promotion(view)
                next_job = None if proposal is None else made(view.slot, proposal, start=clock.now)
                if not spent and (next_job is None or too_late(next_job)):
                    is_in_vain = rejected >= REJECTED_IN_A_ROW
                    proposal = None if is_in_vain else proposed(strategy, view, rungs=len(ladder.epochs))
                    next_job = None if proposal is None else made(view.slot, proposal, start=clock.now)
                    too_long = None if next_job is None else pace.rejection(next_job, ladder.epochs[-1])
                    spent = too_late(next_job) if next_job is not None and too_long is None else None
                if next_job is None or spent:
                    break
                job = _started(next_job, workers=workers, archive=archive, reject=reject, too_long=too_long)
            view.start(job)
            row = archive.get(job.slot)
            if row is not None and row.is_rejected:
                rejected += 1
                _see(row, view=view, on_row=on_row)
            else:
                rejected = 0 if job.rung == 0 else rejected  # a promotion says nothing of what the strategy finds
                evaluations += job.kind == "evaluate"
                clock.open(job)
        if clock.is_idle:
            break
        job = clock.next_ending
        while (row := archive.get(job.slot)) is None:
            ended = workers.next()
            archive.add(ended)
            pace.see(ended)
        clock.advance()
        _see(row, view=view, on_row=on_row)
        failures.see(row)
        if failures.are_hopeless:
            ending = Ending.ONLY_FAILED
            warnings.warn(f"{ending.value} The last: {row.evaluation.message}", RuntimeWarning, stacklevel=2)
            return ending
    if evaluations >= budget.evaluations:
        return Ending.BUDGET_SPENT
    if rejected >= REJECTED_IN_A_ROW:
        return Ending.ONLY_REJECTED
    return spent or Ending.EXHAUSTED


def _started(
    job: Job, *, workers: Workers, archive: RowStore, reject: Reject | None, too_long: Rejection | None
) -> Job:
    """Return the job as it is started: on a worker, or as a rejected row, which is stored at once and costs nothing.

    If `reject` raises, the row is a failure: the network must not be evaluated as if it had been accepted.
    """
    try:
        rejection = reject(job.genotype) if reject is not None and job.kind == "evaluate" else None
        if rejection is not None and not isinstance(rejection, Rejection):
            raise TypeError(f"reject returned {shown(rejection)}, expected a Rejection or None")
        rejection = rejection or too_long
    except Exception as error:
        archive.add(Evaluation(job, Outcome.CRASHED, message_of(error)))
        return job
    if rejection is None:
        workers.start(job)
        return job
    job = replace(job, cost=0.0, sample_steps=0.0)
    archive.add(Evaluation(job, Outcome.REJECTED, rejection.message, degree=rejection.degree))
    return job


def _see(row: Row, *, view: View, on_row: Callable[[Row], None] | None) -> None:
    view.see(row)
    if on_row is not None:
        on_row(row)


def _job(slot: int, proposal: Proposal, *, start: float, seed: int, ladder: Ladder, predict: Predict | None) -> Job:
    epochs = ladder.epochs[proposal.rung]
    cost = predicted(predict, proposal, epochs)
    return Job(
        slot=slot,
        epochs=epochs,
        cost=cost.operations,
        sample_steps=cost.sample_steps,
        start=start,
        seed=seed,
        **vars(proposal),
    )
