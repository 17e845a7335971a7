"""Workers that run jobs in this process; those of `evonas.engine.ray_workers` run them on this machine or a cluster."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

import numpy as np

from evonas.engine.attempt import Evaluate, attempt
from evonas.engine.evaluation import Evaluation
from evonas.engine.job import Job
from evonas.errors import WorkersError


class LazyEvaluate:
    """An `evaluate` that is made when the first job comes, so that a finished run loads neither torch nor data."""

    def __init__(self, make_evaluate: Callable[[], Evaluate]) -> None:
        self._make_evaluate = make_evaluate
        self._evaluate: Evaluate | None = None

    @property
    def device(self) -> str:
        """Kind of device of the `evaluate` that was made."""
        return str(getattr(self._evaluate, "device", "cpu"))

    def __call__(self, job: Job) -> Any:
        """Return what the `evaluate` returns, which the first call makes."""
        if self._evaluate is None:
            self._evaluate = self._make_evaluate()
        return self._evaluate(job)


class InlineWorkers:
    """One worker in this process, for tests, debugging and cheap evaluations. It has no time limit.

    Args:
        evaluate: Does a job.

    Example:
        >>> from evonas import Genotype, InlineWorkers, Job
        >>> workers = InlineWorkers(lambda job: {"size": job.genotype["layers"] ** 2})
        >>> workers.start(Job(slot=0, kind="evaluate", genotype=Genotype({"layers": 3}), strategy="random"))
        >>> workers.next().measurement
        {'size': 9}
    """

    def __init__(self, evaluate: Evaluate) -> None:
        self._evaluate = evaluate
        self._waiting: deque[Job] = deque()

    def start(self, job: Job) -> None:
        """Take `job`; it runs when `next` is called."""
        self._waiting.append(job)

    def next(self) -> Evaluation:
        """Run the job that was started first, and return its evaluation."""
        if not self._waiting:
            raise WorkersError("No job is started, so that none can end: call start() before next().")
        return attempt(self._evaluate, self._waiting.popleft())

    def close(self) -> None:
        """Forget the jobs that have not run."""
        self._waiting.clear()


class SimulatedWorkers:
    """`count` workers in this process whose jobs end in the order of random durations, for tests and simulations.

    Args:
        evaluate: Does a job.
        count: Number of workers.
        rng: Source of the durations.
        duration: `duration(job, rng)` returns how long a job takes, in any unit; by default log-normal, sigma 1.

    Attributes:
        now: Simulated time at which the job that `next` returned last has ended.
        busy: Simulated time that all started jobs take together.

    Example:
        >>> import numpy as np
        >>> from evonas import Genotype, Job, SimulatedWorkers
        >>> rng = np.random.default_rng(0)
        >>> slower_first = lambda job, rng: 5.0 - job.slot
        >>> workers = SimulatedWorkers(lambda job: {"slot": job.slot}, count=2, rng=rng, duration=slower_first)
        >>> for slot in (0, 1):
        ...     workers.start(Job(slot=slot, kind="evaluate", genotype=Genotype({}), strategy="random"))
        >>> workers.next().measurement, workers.now
        ({'slot': 1}, 4.0)
    """

    def __init__(
        self,
        evaluate: Evaluate,
        *,
        count: int,
        rng: np.random.Generator,
        duration: Callable[[Job, np.random.Generator], float] | None = None,
    ) -> None:
        self._evaluate = evaluate
        self._rng = rng
        self._duration = duration or (lambda job, rng: float(rng.lognormal(sigma=1.0)))
        self._free_at = [0.0] * count
        self._running: list[tuple[float, Job]] = []
        self.now = 0.0
        self.busy = 0.0

    def start(self, job: Job) -> None:
        """Take `job`, which runs on the worker that is free first."""
        worker = int(np.argmin(self._free_at))
        takes = self._duration(job, self._rng)
        self.busy += takes
        self._free_at[worker] = max(self._free_at[worker], self.now) + takes
        self._running.append((self._free_at[worker], job))

    def next(self) -> Evaluation:
        """Return the evaluation of the job that ends first in simulated time."""
        if not self._running:
            raise WorkersError("No job is started, so that none can end: call start() before next().")
        first = min(range(len(self._running)), key=lambda index: self._running[index][0])
        ends, job = self._running.pop(first)
        self.now = max(self.now, ends)
        return attempt(self._evaluate, job)

    def close(self) -> None:
        """Forget the jobs that have not run."""
        self._running.clear()
