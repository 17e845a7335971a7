from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from searching import cost, work
from toys import ListMemory, measure, measure_badly, mixed_space, reject_deep

from evonas.engine.budget import Budget
from evonas.engine.evaluation import Outcome
from evonas.engine.job import Cost, Job
from evonas.engine.search import search
from evonas.engine.workers import InlineWorkers
from evonas.errors import WorkersError
from evonas.genotype import Genotype
from evonas.strategies.differentiable import Differentiable
from evonas.strategies.evolution import Evolution

pytestmark = pytest.mark.filterwarnings("ignore")  # Ray's own


@pytest.fixture(scope="module", autouse=True)
def _ray() -> Iterator[None]:
    import ray

    toys = {"env_vars": {"PYTHONPATH": str(Path(__file__).parents[1])}}
    ray.init("local", num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="ERROR", runtime_env=toys)
    yield
    ray.shutdown()


def make(evaluate: Callable[[Job], Any], **options: Any) -> Any:
    from evonas.engine.ray_workers import RayWorkers

    return RayWorkers(lambda: evaluate, **options)


def job(slot: int, **genotype: Any) -> Job:
    return Job(slot, "evaluate", Genotype(genotype), "toy")


def test_the_archive_of_one_worker_equals_that_of_two_and_of_none() -> None:
    memories = []
    for workers in (InlineWorkers(measure_badly), make(measure_badly, count=1), make(measure_badly, count=2)):
        memory = ListMemory()
        search(
            mixed_space(),
            memory,
            strategy=Evolution(pop_size=6),
            workers=workers,
            budget=Budget(40),
            parallel=4,
            predict=lambda proposal, epochs: Cost(float(proposal.genotype["layers"])),
            reject=reject_deep,
        )
        workers.close()
        memories.append(
            [(r.job, r.outcome, r.message, r.degree, str(r.measurement)) for _, r in sorted(memory.stored.items())]
        )
    assert memories[0] == memories[1] == memories[2]
    assert Outcome.REJECTED in [outcome for _, outcome, *_ in memories[0]]


def test_an_evaluation_that_takes_too_long_is_stopped_and_the_worker_replaced() -> None:
    def sleep(job: Job) -> dict[str, int]:
        time.sleep(600 if job.slot == 0 else 0)
        return {"error": 1, "rate": 1}

    workers = make(sleep, count=1, seconds=5.0)
    for slot in range(3):
        workers.start(job(slot))
    rows = {row.job.slot: row for row in (workers.next() for _ in range(3))}
    workers.close()
    assert rows[0].outcome is Outcome.TIME_LIMIT
    assert "workers.seconds" in rows[0].message
    assert rows[1].outcome is rows[2].outcome is Outcome.MEASURED


def test_a_search_job_has_a_time_limit_of_its_own() -> None:
    def sleep(job: Job) -> Any:
        time.sleep(60 if job.slot == 0 else 1.5)
        return [] if job.kind == "search" else {"error": 1, "rate": 1}

    workers = make(sleep, count=2, seconds=60.0, search_seconds=0.8)
    workers.start(Job(0, "search", Genotype({}), "toy"))
    workers.start(job(1))
    rows = {row.job.slot: row for row in (workers.next() for _ in range(2))}
    workers.close()
    assert rows[0].outcome is Outcome.TIME_LIMIT
    assert "workers.search_seconds" in rows[0].message
    assert rows[1].outcome is Outcome.MEASURED


def test_searches_and_their_networks_are_the_same_on_two_workers_with_a_kill_between_and_on_none(
    tmp_path: Path,
) -> None:
    def die_once(job: Job) -> Any:
        mark = tmp_path / "killed"
        if job.slot == 3 and not mark.exists():
            mark.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return work(job)

    strategy = Differentiable("rate", prices=(0.01, 1.0), contexts={"layers": [1, 2, 4, 6]})
    memories = []
    for evaluate, budgets in ((work, [12]), (die_once, [3, 7, 12])):
        memory = ListMemory()
        for budget in budgets:  # each time with new workers, as after a kill of everything
            workers = InlineWorkers(work) if evaluate is work else make(evaluate, count=2)
            search(
                mixed_space(),
                memory,
                strategy=strategy,
                workers=workers,
                budget=Budget(budget),
                parallel=3,
                predict=cost,
            )
            workers.close()
        memories.append([(r.job, r.outcome, r.proposals, str(r.measurement)) for _, r in sorted(memory.stored.items())])
    assert memories[0] == memories[1]
    assert {job.kind for job, *_ in memories[0]} == {"search", "evaluate"}
    assert (tmp_path / "killed").exists()


def test_the_job_of_a_lost_worker_is_tried_again_on_another(tmp_path: Path) -> None:
    def die_once(job: Job) -> dict[str, int]:
        mark = tmp_path / str(job.slot)
        if job.slot == 1 and not mark.exists():
            mark.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return {"error": 1, "rate": 1}

    workers = make(die_once, count=2)
    for slot in range(4):
        workers.start(job(slot))
    rows = {row.job.slot: row for row in (workers.next() for _ in range(4))}
    workers.close()
    assert {row.outcome for row in rows.values()} == {Outcome.MEASURED}
    assert [rows[slot].retries for slot in range(4)] == [0, 1, 0, 0]


def test_a_job_that_kills_every_worker_is_a_row_with_a_reason() -> None:
    def die(job: Job) -> dict[str, int]:
        if job.slot == 0:
            os._exit(1)
        return {"error": 1, "rate": 1}

    workers = make(die, count=1, retries=1)
    for slot in range(2):
        workers.start(job(slot))
    rows = {row.job.slot: row for row in (workers.next() for _ in range(2))}
    workers.close()
    assert (rows[0].outcome, rows[0].retries) == (Outcome.WORKER_LOST, 1)
    assert rows[0].message
    assert rows[1].outcome is Outcome.MEASURED


def test_fractional_workers_share_a_cpu() -> None:
    workers = make(measure, num_cpus=0.5)
    workers.start(job(0, kind="leaky", layers=1, threshold=0.5, tau=1.0))
    workers.next()
    assert workers.count == 4
    workers.close()


def test_no_more_workers_are_started_than_can_have_a_job() -> None:
    workers = make(measure, num_cpus=0.25, at_most=3)
    workers.start(job(0, kind="leaky", layers=1, threshold=0.5, tau=1.0))
    workers.next()
    assert workers.count == 3
    workers.close()


@pytest.mark.parametrize("options", [{"count": 3}, {"num_cpus": 5}, {"num_gpus": 1}])
def test_workers_that_do_not_fit_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(WorkersError, match="do not fit"):
        make(measure, **options).start(job(0))


def test_a_worker_that_cannot_be_made_says_why() -> None:
    from evonas.engine.ray_workers import RayWorkers

    for error in (ImportError("no module named nowhere"), SystemExit("no module named nowhere")):

        def broken(error: BaseException = error) -> Any:
            raise error

        workers = RayWorkers(broken, count=1)
        workers.start(job(0))
        with pytest.raises(WorkersError, match="no module named nowhere"):
            workers.next()
        workers.close()


class Unpicklable(dict[str, Any]):
    def __reduce__(self) -> Any:
        raise TypeError("cannot pickle a lock")


class Mute(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no words")


class Unsendable(Exception):
    def __reduce__(self) -> Any:
        raise TypeError("cannot pickle this error")


def fails(job: Job) -> Any:
    kind = job.genotype["kind"]
    if kind == "interrupt":
        raise KeyboardInterrupt
    if kind == "exit":
        raise SystemExit(3)
    if kind == "mute":
        raise Mute
    if kind == "unsendable":
        raise Unsendable("not sent")
    if kind == "long":
        raise ValueError("x" * 5_000_000)
    if kind == "memory":
        raise MemoryError("16 GiB")
    if kind == "returned":
        from evonas.engine.evaluation import Result

        return Result(proposals=(), trained=Unpicklable(), measurement={"a": 1})  # type: ignore[arg-type]
    return {"error": Unpicklable if kind == "class" else object()}


FAILURES = {
    "interrupt": "KeyboardInterrupt",
    "exit": "SystemExit: 3",
    "mute": "its __str__ raises RuntimeError",
    "unsendable": "Unsendable: not sent",
    "long": "5,000,000 characters",
    "memory": "MemoryError",
    "returned": "cannot be pickled",
    "class": "cannot be kept",
    "object": "cannot be kept",
}


def test_whatever_goes_wrong_in_a_worker_is_a_row_with_a_reason_and_the_worker_goes_on() -> None:
    workers = make(fails, count=1)
    for slot, kind in enumerate(FAILURES):
        workers.start(job(slot, kind=kind))
    rows = {row.job.genotype["kind"]: row for row in (workers.next() for _ in FAILURES)}
    workers.close()
    for kind, reason in FAILURES.items():
        row = rows[kind]
        assert row.outcome is (Outcome.OUT_OF_MEMORY if kind == "memory" else Outcome.CRASHED)
        assert reason in row.message
        assert len(row.message) <= 2000
        assert row.retries == 0


def test_what_fails_in_a_worker_fails_in_this_process_in_the_same_words() -> None:
    inline = InlineWorkers(fails)
    for slot, kind in enumerate(FAILURES):
        inline.start(job(slot, kind=kind))
    rows = {row.job.genotype["kind"]: row for row in (inline.next() for _ in FAILURES)}
    for kind, reason in FAILURES.items():
        assert kind == "returned" or reason in rows[kind].message


def test_a_plain_function_of_a_job_is_taken_as_the_evaluation_itself() -> None:
    from evonas.engine.ray_workers import RayWorkers

    workers = RayWorkers(lambda job: {"error": job.slot}, count=1)
    workers.start(job(5))
    assert workers.next().measurement == {"error": 5}
    workers.close()


def test_arrays_lie_in_the_memory_that_workers_share_and_their_owner_hears_of_it() -> None:
    import numpy as np

    from evonas.engine.ray_workers import RayWorkers

    values, told = np.arange(10**6, dtype=np.uint8), []

    def make_evaluate() -> Callable[[Job], Any]:
        is_copy = values.flags.owndata or values.flags.writeable
        return lambda job: {"copies": float(is_copy), "sum": float(values.sum(dtype=np.int64))}

    workers = RayWorkers(make_evaluate, count=2, sent=lambda: told.append("sent"))
    for slot in range(4):
        workers.start(job(slot))
    rows = [workers.next().measurement for _ in range(4)]
    workers.close()
    assert rows == [{"copies": 0.0, "sum": float(values.sum(dtype=np.int64))}] * 4
    assert told == ["sent"]


def test_what_cannot_be_sent_to_a_worker_is_a_sentence() -> None:
    import threading

    from evonas.engine.ray_workers import RayWorkers

    lock = threading.Lock()
    with pytest.raises(WorkersError, match="can be pickled"):
        RayWorkers(lambda job: {"error": lock.locked()}, count=1).start(job(0))


def test_workers_that_have_no_job_say_so() -> None:
    with pytest.raises(WorkersError, match="call start"):
        make(measure).next()
