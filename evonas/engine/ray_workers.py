"""Workers on this machine or on a cluster: long-lived Ray actors, replaced when lost and stopped when late."""

from __future__ import annotations

import math
import os
import pickle
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import ray
from ray.exceptions import ObjectStoreFullError, OutOfMemoryError, RayError, RayTaskError

from evonas.engine.attempt import Evaluate, first_line
from evonas.engine.evaluation import Evaluation, Outcome
from evonas.engine.job import Job
from evonas.engine.ray_actor import Worker, maker
from evonas.engine.ray_cluster import CHECK_EVERY, CLOSE_SECONDS, RayCluster, answer_within
from evonas.errors import WorkersError


@dataclass
class _Running:
    job: Job
    worker: Any
    retries: int
    began: float


class RayWorkers:
    """Long-lived Ray actors on the cluster that the environment variable `RAY_ADDRESS` names, else on this machine.

    Nothing is started before the first job. A worker that dies is replaced and its job tried again on another; one
    that takes longer than `seconds` is stopped and replaced. Where Ray itself is dead on this machine, the search ends.

    Args:
        make_evaluate: Called once in each worker, without arguments; returns its `evaluate`. Or `evaluate` itself,
            a function of a job. Must be picklable.
        count: Number of workers; by default as many as the cluster has room for.
        num_cpus: CPUs of each worker, fractions allowed.
        num_gpus: GPUs of each worker, fractions allowed.
        seconds: Time limit of an evaluation; None for none.
        search_seconds: Time limit of a `search` job; None for none.
        retries: How often the job of a lost worker is tried again.
        at_most: Limit of the default `count`: more workers could only idle.
        sent: Called once what evaluates lies in the memory that Ray shares with workers, once a machine, so that its
            owner may let go of what it holds itself.

    Example:
        >>> from evonas import RayWorkers
        >>> workers = RayWorkers(lambda job: {"size": job.genotype["layers"] ** 2}, count=4, seconds=60)
        >>> workers.count  # Ray is started with the first job
        0
        >>> workers.close()
    """

    def __init__(
        self,
        make_evaluate: Callable[[], Evaluate] | Evaluate,
        *,
        count: int | None = None,
        num_cpus: float = 1,
        num_gpus: float = 0,
        seconds: float | None = None,
        search_seconds: float | None = None,
        retries: int = 2,
        at_most: int | None = None,
        sent: Callable[[], None] | None = None,
    ) -> None:
        self._make_evaluate = maker(make_evaluate)
        self._count = count
        self._num_cpus = num_cpus
        self._num_gpus = num_gpus
        self._limits = {"evaluate": (seconds, "seconds"), "search": (search_seconds, "search_seconds")}
        self._retries = retries
        self._at_most = at_most
        self._sent = sent
        self._shared: ray.ObjectRef | None = None
        self._waiting: deque[tuple[Job, int]] = deque()
        self._running: dict[ray.ObjectRef, _Running] = {}
        self._idle: deque[Any] = deque()
        self._starting: dict[ray.ObjectRef, Any] = {}
        self._failed_starts = 0
        self._done: deque[Evaluation] = deque()
        self._cluster: RayCluster | None = None

    @property
    def count(self) -> int:
        """Number of workers, those that are starting included; 0 before the first job."""
        return len(self._idle) + len(self._running) + len(self._starting)

    def start(self, job: Job) -> None:
        """Take `job`; it runs as soon as a worker is free, in the order of starting.

        Raises:
            WorkersError: If the workers cannot be started.
        """
        if self._cluster is None:
            self._start_all()
        self._waiting.append((job, 0))
        self._dispatch()

    def ready(self) -> None:
        """Start all workers now and wait until they can work, so that start-up can be told from work."""
        if self._cluster is None:
            self._start_all()
        while self._starting:
            self._admit(ray.wait(list(self._starting), num_returns=1)[0][0])

    def next(self) -> Evaluation:
        """Return the evaluation of any started job; wait for one if need be.

        Raises:
            LostWorkersError: If Ray is dead on this machine.
            WorkersError: If no job is started, or the workers that replace lost ones cannot work.
        """
        while not self._done:
            if not self._running and not self._waiting:
                raise WorkersError("No job is started, so that none can end: call start() before next().")
            ended = self._ended()
            self._check(is_waiting=not ended and not self._running)
            for reference in ended:
                if reference in self._starting:
                    self._admit(reference)
                else:
                    self._collect(reference)
            self._stop_late()
            self._dispatch()
        return self._done.popleft()

    def close(self) -> None:
        """Stop every worker, and Ray too where these workers started it."""
        if self._cluster is not None and ray.is_initialized():
            if not self._cluster.is_owned:
                workers = [running.worker for running in self._running.values()]
                workers += [*self._idle, *self._starting.values()]
                answer_within(CLOSE_SECONDS, lambda: [ray.kill(worker) for worker in workers])
            self._cluster.close()
        self._idle.clear()
        self._running.clear()
        self._starting.clear()
        self._waiting.clear()
        self._shared = None
        self._cluster = None

    def _start_all(self) -> None:
        self._cluster = RayCluster()
        room = self._cluster.room(num_cpus=self._num_cpus, num_gpus=self._num_gpus)
        count = self._count if self._count is not None else min(room, self._at_most or room)
        if count < 1 or count > room:
            raise WorkersError(
                f"{max(count, 1)} worker(s) of {self._num_cpus:g} CPUs and {self._num_gpus:g} GPUs do not fit: the "
                f"cluster has {self._cluster.size()}, room for {room}. "
                "Lower workers.count, workers.num_cpus or workers.num_gpus."
            )
        self._share()
        for _ in range(count):
            self._start_one()

    def _start_one(self) -> None:
        actor: Any = ray.remote(num_cpus=self._num_cpus, num_gpus=self._num_gpus, max_restarts=0)(Worker)
        worker: Any = actor.remote(self._shared, [os.getcwd()])
        self._starting[worker.fault.remote()] = worker

    def _share(self) -> None:
        """Put what evaluates into Ray's object store: workers on one machine share its arrays, which they only read."""
        try:
            self._shared = ray.put(self._make_evaluate)
        except ObjectStoreFullError as error:
            raise WorkersError(
                f"What evaluates, its data included, does not fit into the memory that Ray shares with workers: "
                f"{first_line(error)}. Use less data, or give Ray more memory (`ray start --object-store-memory`)."
            ) from error
        except Exception as error:
            raise WorkersError(
                f"What evaluates cannot be sent to workers: {first_line(error)}. Give a function that can be pickled, "
                "and let it open files, locks and connections itself."
            ) from error
        if self._sent is not None:
            self._sent()

    def _ended(self) -> list[ray.ObjectRef]:
        """Return the jobs and starts that have ended; wait for a while if none has."""
        awaited = [*self._running, *self._starting]
        try:
            ended, _ = ray.wait(awaited, num_returns=1, timeout=self._wait_seconds())
            if ended:
                ended, _ = ray.wait(awaited, num_returns=len(awaited), timeout=0)
        except RayError as error:
            self._check(now=True)
            raise WorkersError(f"Ray cannot go on: {first_line(error)}.") from error
        return list(ended)

    def _check(self, *, is_waiting: bool = False, now: bool = False) -> None:
        if self._cluster is not None:
            self._cluster.check(num_cpus=self._num_cpus, num_gpus=self._num_gpus, is_waiting=is_waiting, now=now)

    def _admit(self, reference: ray.ObjectRef) -> None:
        """Take on a worker that has started; only from here on does the time of its jobs count."""
        worker = self._starting.pop(reference)
        try:
            fault = ray.get(reference)
        except RayError as error:
            self._check(now=True)
            self._failed_starts += 1
            if self._failed_starts > self._retries:
                raise WorkersError(f"The workers do not start: {first_line(error)}.") from error
            self._discard(worker)
            self._start_one()
            return
        if fault:
            raise WorkersError(f"The workers cannot work: {fault}")
        self._failed_starts = 0
        self._idle.append(worker)

    def _dispatch(self) -> None:
        while self._waiting and self._idle:
            job, retries = self._waiting.popleft()
            worker = self._idle.popleft()
            try:
                reference = worker.run.remote(job)
            except Exception as error:
                self._idle.append(worker)
                message = f"The job cannot be sent to a worker: {first_line(error)}."
                self._done.append(Evaluation(job, Outcome.CRASHED, message, retries=retries))
                continue
            self._running[reference] = _Running(job, worker, retries, time.monotonic())

    def _wait_seconds(self) -> float:
        ends = [self._ends(running) for running in self._running.values()]
        return min(max(min(ends, default=math.inf) - time.monotonic(), 0.01), CHECK_EVERY)

    def _ends(self, running: _Running) -> float:
        """Return when the time of a job is up."""
        seconds, _ = self._limits[running.job.kind]
        return math.inf if seconds is None else running.began + seconds

    def _collect(self, reference: ray.ObjectRef) -> None:
        """Take the result of a job; any error of Ray becomes a row or another try, and never ends the search."""
        running = self._running.pop(reference)
        try:
            evaluation = pickle.loads(ray.get(reference))
        except OutOfMemoryError as error:
            self._replace(running, Outcome.OUT_OF_MEMORY, f"Ray stopped the worker: {first_line(error)}.")
        except RayTaskError as error:  # the worker lives, but could not read the job or report its error
            self._idle.append(running.worker)
            self._fail(running, Outcome.CRASHED, f"The worker could not do the job: {_last_line(error)}")
        except RayError as error:
            self._check(now=True)
            if running.retries < self._retries:
                self._discard(running.worker)
                self._start_one()
                self._waiting.appendleft((running.job, running.retries + 1))
            else:
                self._replace(running, Outcome.WORKER_LOST, f"{first_line(error)}.")
        except Exception as error:  # it was pickled there and cannot be unpickled here
            self._idle.append(running.worker)
            self._fail(running, Outcome.CRASHED, f"The result cannot be read here: {first_line(error)}.")
        else:
            self._idle.append(running.worker)
            self._done.append(replace(evaluation, retries=running.retries))

    def _stop_late(self) -> None:
        for reference, running in list(self._running.items()):
            if time.monotonic() >= self._ends(running):
                del self._running[reference]
                seconds, key = self._limits[running.job.kind]
                self._replace(running, Outcome.TIME_LIMIT, f"Stopped after {seconds:g} s (workers.{key}).")

    def _replace(self, running: _Running, outcome: Outcome, message: str) -> None:
        self._discard(running.worker)
        self._start_one()
        self._fail(running, outcome, message)

    def _discard(self, worker: Any) -> None:
        """Stop a worker that is lost or late, in case it still runs and takes up room."""
        answer_within(CHECK_EVERY, partial(ray.kill, worker))

    def _fail(self, running: _Running, outcome: Outcome, message: str) -> None:
        seconds = time.monotonic() - running.began
        self._done.append(Evaluation(running.job, outcome, message, seconds=seconds, retries=running.retries))


def _last_line(error: RayError) -> str:
    """Return the line of a remote traceback that says what was raised."""
    lines = str(error).strip().splitlines()
    return lines[-1] if lines else type(error).__name__
