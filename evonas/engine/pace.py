"""The pace of a search whose time is limited: how long jobs take here, and which of them are too long to start."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from evonas.engine.budget import Budget, Ending
from evonas.engine.evaluation import Evaluation, Outcome
from evonas.engine.job import Job
from evonas.engine.rejection import Rejection

LONGEST_PART = 0.1
"""Part of the seconds, or of the core hours, that the training of one network at the top rung may take."""

LEAST = 3
"""Finished jobs before there is an estimate."""

MOST = 1000
"""Finished jobs that an estimate is made of: the newest."""


@dataclass(frozen=True)
class _Timed:
    """What a job was predicted to cost, and the seconds that it took."""

    operations: float
    sample_steps: float
    seconds: float
    rung: int


class Pace:
    """How long jobs take on the workers of this call, and how much of a budget of time is left.

    The seconds of a job are modelled as a sum of one term for its predicted operations and one for its sample-steps,
    both at least 0, by least squares of relative errors over jobs of the lowest rung and searches. Jobs of a higher
    rung, most of which go on from what a lower one left, take a factor of their own, the median of theirs. All is
    learnt from the jobs that have ended in this call; as long as these are fewer than `LEAST`, from those of earlier
    calls as well, perhaps on other machines. Where the budget does not limit time nothing is ever too long.

    Args:
        budget: Its seconds are counted from now, its core hours over all jobs that are seen and recalled.
    """

    def __init__(self, budget: Budget) -> None:
        self._is_timed = budget.is_timed
        self._seconds = math.inf if budget.seconds is None else budget.seconds
        self._core_seconds = math.inf if budget.core_hours is None else 3600 * budget.core_hours
        self._num_cpus = budget.num_cpus
        self._began = time.monotonic()
        self._ran = 0.0  # seconds of jobs of this call
        self._core_spent = 0.0  # core seconds of all jobs
        self._ended: deque[_Timed] = deque(maxlen=MOST)
        self._earlier: deque[_Timed] = deque(maxlen=MOST)
        self._rates: _Rates | None = None

    @property
    def spent(self) -> Ending | None:
        """What is spent, None while there is time."""
        if self._elapsed > self._seconds:
            return Ending.TIME_SPENT
        return Ending.CORE_HOURS_SPENT if self._core_spent >= self._core_seconds else None

    def see(self, evaluation: Evaluation) -> None:
        """Learn from a job that has ended in this call."""
        self._ran += evaluation.seconds
        self._learn(evaluation, into=self._ended)

    def recall(self, evaluation: Evaluation) -> None:
        """Learn from a job that had ended before this call."""
        self._learn(evaluation, into=self._earlier)

    def _learn(self, evaluation: Evaluation, *, into: deque[_Timed]) -> None:
        self._core_spent += self._num_cpus * evaluation.seconds
        job = evaluation.job
        if evaluation.outcome is Outcome.MEASURED and evaluation.seconds > 0 and job.cost > 0:
            into.append(_Timed(job.cost, job.sample_steps, evaluation.seconds, job.rung))
            self._rates = None

    def estimate(self, job: Job) -> float:
        """Return the seconds that a job will take, 0 as long as too few have ended."""
        known = self._ended if len(self._ended) >= LEAST else [*self._earlier, *self._ended]
        if not self._is_timed or len(known) < LEAST:
            return 0.0
        if self._rates is None:
            self._rates = _Rates.of(known)
        return self._rates.seconds(job.cost, job.sample_steps, rung=job.rung)

    def too_late(self, job: Job, *, others: Iterable[Job]) -> Ending | None:
        """Return what would be spent before a job ended, if it waited for `others` that are open; None if nothing."""
        if not self._is_timed:
            return None
        elapsed, own = self._elapsed, self.estimate(job)
        both = own + sum(map(self.estimate, others))
        at_once = max(1.0, self._ran / max(elapsed, 1e-9))  # jobs that have run at the same time in the mean
        if elapsed + max(own, both / at_once) > self._seconds:
            return Ending.TIME_SPENT
        is_beyond = self._core_spent + self._num_cpus * both > self._core_seconds
        return Ending.CORE_HOURS_SPENT if is_beyond else None

    def rejection(self, job: Job, top_epochs: int) -> Rejection | None:
        """Return why a network is not trained at all: at the top rung it would take too much of the budget."""
        if not self._is_timed or job.kind != "evaluate":
            return None
        own = self.estimate(job) * top_epochs / job.epochs
        longest, longest_core = LONGEST_PART * self._seconds, LONGEST_PART * self._core_seconds
        degree = max(own / longest, own * self._num_cpus / longest_core) - 1
        if degree <= 0:
            return None
        time = f"{own:.2g} s" if own > longest else f"{own * self._num_cpus / 3600:.2g} core hours"
        budget = "seconds" if own > longest else "core hours"
        reason = f"its training would take about {time}, more than {LONGEST_PART:.0%} of the {budget} of the search"
        return Rejection((reason,), degree=degree)

    @property
    def _elapsed(self) -> float:
        return time.monotonic() - self._began


@dataclass(frozen=True)
class _Rates:
    """Seconds an operation, seconds a sample-step, and the factor of each rung above the lowest that has one."""

    operation: float
    sample_step: float
    factors: Mapping[int, float]

    @classmethod
    def of(cls, known: Sequence[_Timed]) -> _Rates:
        """Return the rates of jobs that have ended."""
        lowest = [one for one in known if one.rung == 0]
        fitted = lowest if len(lowest) >= LEAST else known
        costs = np.array([(one.operations, one.sample_steps) for one in fitted])
        alike = cls(*_fitted(costs, np.array([one.seconds for one in fitted])), {})
        ratios: dict[int, list[float]] = {}
        for one in known if fitted is lowest else ():
            if one.rung > 0:
                expected = alike.seconds(one.operations, one.sample_steps, rung=0)
                ratios.setdefault(one.rung, []).append(one.seconds / max(expected, 1e-9))
        factors = {rung: float(np.median(each)) for rung, each in ratios.items() if len(each) >= LEAST}
        return replace(alike, factors=factors)

    def seconds(self, operations: float, sample_steps: float, *, rung: int) -> float:
        """Return the seconds that a job takes."""
        return self.factors.get(rung, 1.0) * (self.operation * operations + self.sample_step * sample_steps)


def _fitted(costs: np.ndarray, took: np.ndarray) -> tuple[float, float]:
    """Return seconds an operation and seconds a sample-step, neither below 0.

    Args:
        costs: `(jobs, 2)` operations and sample-steps.
        took: `(jobs,)` seconds.
    """
    relative = costs / took[:, None]  # (jobs, 2); the model times these should be 1
    both, *_ = np.linalg.lstsq(relative, np.ones(len(took)), rcond=None)
    if (both >= 0).all():
        return float(both[0]), float(both[1])
    norms = (relative**2).sum(0)  # (2,)
    alone = np.divide(relative.sum(0), norms, out=np.zeros(2), where=norms > 0)  # each without the other
    best = int(np.argmin(((relative * alone - 1) ** 2).sum(0)))
    return (float(alone[0]), 0.0) if best == 0 else (0.0, float(alone[1]))
