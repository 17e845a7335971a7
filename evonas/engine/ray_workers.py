"""Workers on this machine or on a cluster: Ray actors that are kept, replaced when lost and stopped when late."""

from __future__ import annotations

import logging
import math
import os
import sys
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import ray
from ray.exceptions import OutOfMemoryError, RayActorError, RayError

from evonas.engine.evaluation import Evaluation, Outcome
from evonas.engine.job import Job
from evonas.engine.workers import Evaluate, attempt
from evonas.errors import WorkersError

log = logging.getLogger("evonas")


class _Worker:
    """Lives in a process of its own, keeps what `make_evaluate` returned, and runs one job at a time."""

    def __init__(self, make_evaluate: Callable[[], Evaluate], paths: list[str]) -> None:
        sys.path[:0] = [path for path in paths if path not in sys.path and os.path.isdir(path)]
        self._fault = ""
        try:
            self._evaluate = make_evaluate()
        except Exception as error:  # told by `fault`, because an actor that raises here looks like a lost one
            self._fault = f"{type(error).__name__}: {error}"

    def fault(self) -> str:
        """Return why this worker cannot work; empty where it can."""
        return self._fault

    def run(self, job: Job) -> Evaluation:
        """Return what came of `job`."""
        return attempt(self._evaluate, job)


@dataclass
class _Running:
    job: Job
    worker: Any
    retries: int
    began: float


class RayWorkers:
    """Kept Ray actors: on the cluster that the environment variable `RAY_ADDRESS` names, else on this machine.

    Nothing is started before the first job. A worker that dies is replaced and its job tried again on another; one
    that takes longer than `seconds` is stopped and replaced.

    Args:
        make_evaluate: Called once in each worker; returns its `evaluate`. Must be picklable.
        count: Number of workers; by default as many as the cluster has room for.
        num_cpus: CPUs of each worker, fractions allowed.
        num_gpus: GPUs of each worker, fractions allowed.
        seconds: Time limit of an evaluation; None for none.
        search_seconds: Time limit of a `search` job; None for none.
        retries: How often the job of a lost worker is tried again.
        at_most: Never more workers than this, which could only idle.
    """

    def __init__(
        self,
        make_evaluate: Callable[[], Evaluate],
        *,
        count: int | None = None,
        num_cpus: float = 1,
        num_gpus: float = 0,
        seconds: float | None = None,
        search_seconds: float | None = None,
        retries: int = 2,
        at_most: int | None = None,
    ) -> None:
        self._make_evaluate = make_evaluate
        self._count = count
        self._num_cpus = num_cpus
        self._num_gpus = num_gpus
        self._limits = {"evaluate": (seconds, "seconds"), "search": (search_seconds, "search_seconds")}
        self._retries = retries
        self._at_most = at_most
        self._waiting: deque[tuple[Job, int]] = deque()
        self._running: dict[ray.ObjectRef, _Running] = {}
        self._idle: deque[Any] = deque()
        self._starting: dict[ray.ObjectRef, Any] = {}
        self._failed_starts = 0
        self._done: deque[Evaluation] = deque()
        self._is_started = False
        self._owns_ray = False

    @property
    def count(self) -> int:
        """Workers there are, those that are just starting included; 0 before the first job."""
        return len(self._idle) + len(self._running) + len(self._starting)

    def start(self, job: Job) -> None:
        """Take `job`; it runs as soon as a worker is free, in the order of starting.

        Raises:
            WorkersError: If the workers cannot be started.
        """
        if not self._is_started:
            self._start_all()
        self._waiting.append((job, 0))
        self._dispatch()

    def ready(self) -> None:
        """Start all workers now and wait until they can work, so that start-up can be told from work."""
        if not self._is_started:
            self._start_all()
        while self._starting:
            self._welcome(ray.wait(list(self._starting), num_returns=1)[0][0])

    def next(self) -> Evaluation:
        """Return the evaluation of any started job; wait for one if need be."""
        while not self._done:
            if not self._running and not self._waiting:
                raise WorkersError("No job is started, so that none can end: call start() before next().")
            awaited = [*self._running, *self._starting]
            ended, _ = ray.wait(awaited, num_returns=1, timeout=self._patience())
            if ended:
                ended, _ = ray.wait(awaited, num_returns=len(awaited), timeout=0)
            elif not self._running:
                log.info("Still waiting for a worker: the cluster is busy, or starts slowly.")
            for reference in ended:
                if reference in self._starting:
                    self._welcome(reference)
                else:
                    self._collect(reference)
            self._stop_late()
            self._dispatch()
        return self._done.popleft()

    def close(self) -> None:
        """Stop every worker, and Ray too where these workers started it."""
        if self._is_started and ray.is_initialized():
            running = (running.worker for running in self._running.values())
            for worker in (*self._idle, *self._starting.values(), *running):
                ray.kill(worker)
            if self._owns_ray:
                ray.shutdown()
        self._idle.clear()
        self._running.clear()
        self._starting.clear()
        self._waiting.clear()
        self._is_started = False

    def _start_all(self) -> None:
        if not ray.is_initialized():
            os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
            os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
            # without a name Ray would look for the cluster that ran here last, and wait for it should it be dead
            where = None if os.environ.get("RAY_ADDRESS") else "local"
            ray.init(where, logging_level=logging.ERROR, log_to_driver=False)
            self._owns_ray = True
        for _ in range(self._room()):
            self._start_one()
        self._is_started = True

    def _room(self) -> int:
        there = ray.cluster_resources()
        rooms = []
        if self._num_cpus:
            rooms.append(int(there.get("CPU", 0) / self._num_cpus + 1e-9))
        if self._num_gpus:
            rooms.append(int(there.get("GPU", 0) / self._num_gpus + 1e-9))
        room = min(rooms, default=1)
        wanted = self._count if self._count is not None else min(room, self._at_most or room)
        if wanted < 1 or wanted > room:
            raise WorkersError(
                f"{max(wanted, 1)} worker(s) of {self._num_cpus:g} CPUs and {self._num_gpus:g} GPUs do not fit: the "
                f"cluster has {there.get('CPU', 0):g} CPUs and {there.get('GPU', 0):g} GPUs, room for {room}. "
                "Lower workers.count, workers.num_cpus or workers.num_gpus."
            )
        return wanted

    def _start_one(self) -> None:
        actor: Any = ray.remote(num_cpus=self._num_cpus, num_gpus=self._num_gpus, max_restarts=0)(_Worker)
        worker: Any = actor.remote(self._make_evaluate, [os.getcwd()])
        self._starting[worker.fault.remote()] = worker

    def _welcome(self, reference: ray.ObjectRef) -> None:
        """Let a worker that has started work; only from here on does its time count."""
        worker = self._starting.pop(reference)
        try:
            fault = ray.get(reference)
        except RayError as error:
            self._failed_starts += 1
            if self._failed_starts > self._retries:
                raise WorkersError(f"The workers do not start: {error}") from error
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
            reference = worker.run.remote(job)
            self._running[reference] = _Running(job, worker, retries, time.monotonic())

    def _patience(self) -> float:
        ends = [self._ends(running) for running in self._running.values()]
        return min(max(min(ends, default=math.inf) - time.monotonic(), 0.01), 60.0)

    def _ends(self, running: _Running) -> float:
        """Return when the time of a job is up."""
        seconds, _ = self._limits[running.job.kind]
        return math.inf if seconds is None else running.began + seconds

    def _collect(self, reference: ray.ObjectRef) -> None:
        running = self._running.pop(reference)
        try:
            evaluation = ray.get(reference)
        except OutOfMemoryError as error:
            self._replace(running, Outcome.OUT_OF_MEMORY, f"Ray stopped the worker: {str(error).splitlines()[0]}")
        except RayActorError as error:
            if running.retries < self._retries:
                self._start_one()
                self._waiting.appendleft((running.job, running.retries + 1))
            else:
                self._replace(running, Outcome.WORKER_LOST, str(error).splitlines()[0])
        else:
            self._idle.append(running.worker)
            self._done.append(replace(evaluation, retries=running.retries))

    def _stop_late(self) -> None:
        for reference, running in list(self._running.items()):
            if time.monotonic() >= self._ends(running):
                del self._running[reference]
                ray.kill(running.worker)
                seconds, key = self._limits[running.job.kind]
                self._replace(running, Outcome.TIME_LIMIT, f"Stopped after {seconds:g} s (workers.{key}).")

    def _replace(self, running: _Running, outcome: Outcome, message: str) -> None:
        self._start_one()
        seconds = time.monotonic() - running.began
        self._done.append(Evaluation(running.job, outcome, message, seconds=seconds, retries=running.retries))
