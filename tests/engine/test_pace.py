"""A budget of seconds or core hours: jobs are timed as they end, and none is started that would end too late."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from toys import ListMemory, measure, mixed_space

from evonas.engine import pace as pace_module
from evonas.engine.budget import Budget, Ending
from evonas.engine.evaluation import Evaluation, Outcome
from evonas.engine.job import Cost, Job
from evonas.engine.ladder import Ladder
from evonas.engine.pace import LONGEST_PART, MOST, Pace
from evonas.engine.search import search
from evonas.engine.view import Proposal, Row, Strategy
from evonas.genotype import Genotype
from evonas.strategies.evolution import Evolution
from evonas.strategies.random import RandomSearch


class Clock:
    """Time that passes only where a test says so."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        """Return the seconds that have passed."""
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Return the clock that the pace of a search looks at."""
    clock = Clock()
    monkeypatch.setattr(pace_module, "time", clock)
    return clock


class TimedWorker:
    """One worker on which a job takes as many seconds as it costs, one after the other.

    Attributes:
        ran: The seconds of each job.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._started: list[Job] = []
        self.ran: list[float] = []

    def start(self, job: Job) -> None:
        """Take a job."""
        self._started.append(job)

    def next(self) -> Evaluation:
        """Return the evaluation of the first job that has not been returned."""
        job = self._started.pop(0)
        self._clock.now += job.cost
        self.ran.append(job.cost)
        return Evaluation(job, Outcome.MEASURED, measurement=measure(job), seconds=job.cost)

    def close(self) -> None:
        """Do nothing."""


def predict(proposal: Proposal, epochs: int) -> Cost:
    """Return 1 to 32 seconds an epoch, by the number of layers."""
    return Cost(epochs * 2.0 ** (int(proposal.genotype["layers"]) - 1), 0.0)


def rows_of(memory: ListMemory) -> list[Row]:
    return [Row.of(evaluation, memory.objectives) for evaluation in memory.stored.values()]


def job(cost: float, sample_steps: float, *, epochs: int = 1) -> Job:
    return Job(slot=0, kind="evaluate", genotype=Genotype({"a": 1}), epochs=epochs, cost=cost, sample_steps=sample_steps,
               start=0.0, seed=0, strategy="random")  # fmt: skip


def test_the_time_of_a_job_is_learnt_from_operations_and_sample_steps(clock: Clock) -> None:
    rng, pace = np.random.default_rng(0), Pace(Budget(1, seconds=1000))
    assert pace.estimate(job(1e9, 1e4)) == 0  # nothing is known yet
    for _ in range(20):
        one = job(10 ** rng.uniform(8, 11), 10 ** rng.uniform(3, 5))
        pace.see(Evaluation(one, Outcome.MEASURED, measurement={}, seconds=2e-10 * one.cost + 3e-4 * one.sample_steps))
    assert pace.estimate(job(1e10, 1e4)) == pytest.approx(2.0 + 3.0)


def test_where_one_term_would_be_negative_the_other_is_left_alone(clock: Clock) -> None:
    pace = Pace(Budget(1, seconds=1000))
    for cost, steps in ((1.0, 1.0), (2.0, 5.0), (4.0, 2.0)):
        pace.see(Evaluation(job(cost, steps), Outcome.MEASURED, measurement={}, seconds=cost - 0.05 * steps))
    assert pace.estimate(job(10.0, 0.0)) == pytest.approx(9.5, rel=0.1)
    assert pace.estimate(job(0.0, 10.0)) == 0


def test_higher_rungs_that_go_on_from_lower_ones_have_a_pace_of_their_own(clock: Clock) -> None:
    pace = Pace(Budget(10**6, seconds=1e6))
    for cost in (1.0, 2.0, 5.0):
        pace.see(Evaluation(job(cost, cost), Outcome.MEASURED, measurement={}, seconds=10 * cost))
    higher = replace(job(6.0, 6.0), rung=1)
    assert pace.estimate(higher) == pytest.approx(60.0)
    parts = {3.0: 0.6, 6.0: 0.7, 9.0: 2.0}  # the last was trained from the beginning, on a busy machine
    for cost, part in parts.items():
        one = replace(job(cost, cost), rung=1)
        pace.see(Evaluation(one, Outcome.MEASURED, measurement={}, seconds=10 * part * cost))
    assert pace.estimate(higher) == pytest.approx(42.0)
    assert pace.estimate(job(6.0, 6.0)) == pytest.approx(60.0)


@pytest.mark.parametrize("parallel", [1, 3])
@pytest.mark.parametrize("seconds", [100.0, 300.0, 1000.0])
def test_a_search_uses_its_seconds_and_ends_in_time(clock: Clock, seconds: float, parallel: int) -> None:
    memory = ListMemory()
    ending = search(mixed_space(), memory, strategy=RandomSearch(), workers=TimedWorker(clock), predict=predict,
                    budget=Budget(10**6, seconds=seconds), parallel=parallel, ladder=Ladder((1, 3)))  # fmt: skip
    assert ending is Ending.TIME_SPENT
    assert 0.85 * seconds <= clock.now <= 1.05 * seconds


def test_networks_that_would_take_too_much_of_the_seconds_are_not_trained(clock: Clock) -> None:
    memory = ListMemory()
    search(mixed_space(), memory, strategy=RandomSearch(), workers=TimedWorker(clock), predict=predict,
           budget=Budget(10**6, seconds=100.0), ladder=Ladder((1, 3)))  # fmt: skip
    rejected = [row for row in rows_of(memory) if row.is_rejected]
    assert rejected
    assert all("of the seconds of the search" in row.evaluation.message for row in rejected)
    long = [
        row for row in rows_of(memory) if 3 * predict(Proposal(row.job.genotype, ""), 1).operations > LONGEST_PART * 100
    ]
    assert sum(not row.is_rejected for row in long) <= 3  # those that came before there was an estimate
    assert all(row.evaluation.degree > 0 for row in rejected)


def test_without_seconds_nothing_is_too_long(clock: Clock) -> None:
    pace = Pace(Budget(1))
    for _ in range(5):
        pace.see(Evaluation(job(1.0, 1.0), Outcome.MEASURED, measurement={}, seconds=1e6))
    assert pace.spent is None
    assert pace.rejection(job(1.0, 1.0), 10) is None
    assert pace.too_late(job(1.0, 1.0), others=[]) is None


def test_what_seconds_have_ended_goes_on_where_it_was(clock: Clock) -> None:
    memory = ListMemory()
    parts = {"strategy": RandomSearch(), "predict": predict, "parallel": 2}
    search(mixed_space(), memory, workers=TimedWorker(clock), budget=Budget(10**6, seconds=60.0), **parts)  # type: ignore[arg-type]
    before = {row.job.slot: row.job for row in rows_of(memory)}
    search(mixed_space(), memory, workers=TimedWorker(clock), budget=Budget(60), **parts)  # type: ignore[arg-type]
    after = {row.job.slot: row.job for row in rows_of(memory)}
    assert len(after) > len(before)
    assert all(after[slot] == one for slot, one in before.items())
    assert replace(before[0]) == after[0]


@pytest.mark.parametrize("parallel", [2, 3])
@pytest.mark.parametrize("strategy", [RandomSearch(), Evolution(pop_size=4)], ids=["random", "evolution"])
def test_resuming_repeats_what_came_after_a_network_that_would_have_ended_too_late(
    clock: Clock, strategy: Strategy, parallel: int
) -> None:
    for seconds in (60.0, 90.0, 150.0):
        memory, parts = ListMemory(), {"strategy": strategy, "predict": predict, "parallel": parallel}
        limits = [Budget(10**6, seconds=seconds), Budget(10**6, seconds=seconds), Budget(80)]
        before: list[Job] = []
        for budget in limits:  # the memory takes no slot twice
            clock.now = 0.0
            search(mixed_space(), memory, workers=TimedWorker(clock), budget=budget, ladder=Ladder((1, 3)), **parts)  # type: ignore[arg-type]
            rows = sorted(rows_of(memory), key=lambda row: row.job.slot)
            assert [row.job for row in rows][: len(before)] == before
            before = [row.job for row in rows]


def core_hours_of(worker: TimedWorker, *, num_cpus: float) -> float:
    return num_cpus * sum(worker.ran) / 3600


@pytest.mark.parametrize("parallel", [1, 3])
@pytest.mark.parametrize("core_hours", [0.05, 0.2, 1.0])
def test_a_search_uses_its_core_hours_and_no_more(clock: Clock, core_hours: float, parallel: int) -> None:
    worker = TimedWorker(clock)
    ending = search(mixed_space(), ListMemory(), strategy=RandomSearch(), workers=worker, predict=predict,
                    budget=Budget(10**6, core_hours=core_hours, num_cpus=2), parallel=parallel,
                    ladder=Ladder((1, 3)))  # fmt: skip
    assert ending is Ending.CORE_HOURS_SPENT
    assert 0.85 * core_hours <= core_hours_of(worker, num_cpus=2) <= 1.05 * core_hours


@pytest.mark.parametrize(
    ("seconds", "core_hours", "ending"),
    [(300.0, 1.0, Ending.TIME_SPENT), (3000.0, 0.2, Ending.CORE_HOURS_SPENT), (None, None, Ending.BUDGET_SPENT)],
)
def test_of_several_limits_the_first_ends_the_search(
    clock: Clock, seconds: float | None, core_hours: float | None, ending: Ending
) -> None:
    worker, budget = TimedWorker(clock), Budget(500, seconds, core_hours, num_cpus=2)
    assert search(mixed_space(), ListMemory(), strategy=RandomSearch(), workers=worker, predict=predict,
                  budget=budget) is ending  # fmt: skip
    assert seconds is None or clock.now <= 1.05 * seconds
    assert core_hours is None or core_hours_of(worker, num_cpus=2) <= 1.05 * core_hours


def test_networks_that_would_take_too_much_of_the_core_hours_are_not_trained(clock: Clock) -> None:
    memory = ListMemory()
    search(mixed_space(), memory, strategy=RandomSearch(), workers=TimedWorker(clock), predict=predict,
           budget=Budget(10**6, core_hours=0.05, num_cpus=2), ladder=Ladder((1, 3)))  # fmt: skip
    rejected = [row for row in rows_of(memory) if row.is_rejected]
    assert rejected
    assert all(
        "core hours, more than 10% of the core hours of the search" in row.evaluation.message for row in rejected
    )
    for row in rejected:
        whole = 2 * 3 * predict(Proposal(row.job.genotype, ""), 1).operations / 3600  # core hours, to the top rung
        assert row.evaluation.degree == pytest.approx(whole / (LONGEST_PART * 0.05) - 1)


def test_core_hours_are_those_of_the_whole_run_however_often_it_was_stopped(clock: Clock) -> None:
    memory, spent = ListMemory(), 0.0

    def go_on(core_hours: float, *, rows: int = 10**6) -> Ending:
        nonlocal spent
        worker = TimedWorker(clock)
        ending = search(mixed_space(), memory, strategy=RandomSearch(), workers=worker, predict=predict, parallel=2,
                        budget=Budget(rows, core_hours=core_hours))  # fmt: skip
        spent += core_hours_of(worker, num_cpus=1)
        return ending

    for rows in (5, 9, 14):
        assert go_on(0.2, rows=rows) is Ending.BUDGET_SPENT
    assert go_on(0.2) is Ending.CORE_HOURS_SPENT
    assert 0.85 * 0.2 <= spent <= 1.05 * 0.2
    before = {row.job.slot: row.job for row in rows_of(memory)}
    assert go_on(0.2) is Ending.CORE_HOURS_SPENT
    assert len(rows_of(memory)) == len(before)  # a finished run trains nothing
    assert go_on(0.4) is Ending.CORE_HOURS_SPENT
    after = {row.job.slot: row.job for row in rows_of(memory)}
    assert all(after[slot] == one for slot, one in before.items())
    assert 0.85 * 0.4 <= spent <= 1.05 * 0.4


def test_what_jobs_took_before_is_known_until_enough_have_ended_now(clock: Clock) -> None:
    pace = Pace(Budget(1, seconds=1000))
    slow, fast = (
        [Evaluation(job(cost, 0.0), Outcome.MEASURED, measurement={}, seconds=pace_ * cost) for cost in (1.0, 2.0, 4.0)]
        for pace_ in (3.0, 0.5)
    )
    for evaluation in slow:
        pace.recall(evaluation)
    assert pace.estimate(job(10.0, 0.0)) == pytest.approx(30.0)
    for evaluation in fast:
        pace.see(evaluation)
    assert pace.estimate(job(10.0, 0.0)) == pytest.approx(5.0)


def test_an_estimate_follows_the_newest_jobs(clock: Clock) -> None:
    pace = Pace(Budget(1, core_hours=1.0))
    for number in range(2 * MOST):
        one = job(1.0 + number % 7, 0.0)
        pace.see(Evaluation(one, Outcome.MEASURED, measurement={}, seconds=one.cost * (1.0 if number < MOST else 4.0)))
    assert pace.estimate(job(1.0, 0.0)) == pytest.approx(4.0)
