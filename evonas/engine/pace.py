"""The pace of a search with a budget of seconds: how long jobs take here, and which of them are too long to start."""

from __future__ import annotations

import time
from collections.abc import Iterable

import numpy as np

from evonas.engine.evaluation import Evaluation, Outcome
from evonas.engine.job import Job
from evonas.engine.rejection import Rejection

LONGEST_PART = 0.1
"""Part of the seconds that the training of one network at the top rung may take."""

LEAST = 3
"""Finished jobs before there is an estimate."""


class Pace:
    """How long jobs take on the workers of this call, learnt from those that have ended in it.

    The seconds of a job are modelled as a sum of one term for its predicted operations and one for its sample-steps,
    both at least 0, by least squares of relative errors. Without `seconds` nothing is ever too long.

    Args:
        seconds: The budget, counted from now; None where time does not matter.
    """

    def __init__(self, seconds: float | None) -> None:
        self._seconds = seconds
        self._began = time.monotonic()
        self._costs: list[tuple[float, float]] = []  # (jobs, 2): operations, sample-steps
        self._took: list[float] = []  # (jobs,)
        self._rates: tuple[float, float] | None = None

    @property
    def is_over(self) -> bool:
        """Whether the seconds are spent."""
        return self._seconds is not None and time.monotonic() - self._began > self._seconds

    def see(self, evaluation: Evaluation) -> None:
        """Learn from a job that has ended in this call."""
        job = evaluation.job
        if evaluation.outcome is Outcome.MEASURED and evaluation.seconds > 0 and job.cost > 0:
            self._costs.append((job.cost, job.sample_steps))
            self._took.append(evaluation.seconds)
            self._rates = None

    def estimate(self, job: Job) -> float:
        """Return the seconds that a job will take, 0 as long as too few have ended."""
        if self._seconds is None or len(self._took) < LEAST:
            return 0.0
        if self._rates is None:
            self._rates = _rates(np.array(self._costs), np.array(self._took))
        return self._rates[0] * job.cost + self._rates[1] * job.sample_steps

    def is_too_late(self, job: Job, *, others: Iterable[Job]) -> bool:
        """Return whether a job would end after the seconds are spent, if it waited for `others` that are open."""
        if self._seconds is None:
            return False
        elapsed, own = time.monotonic() - self._began, self.estimate(job)
        at_once = max(1.0, sum(self._took) / max(elapsed, 1e-9))  # jobs that have run at the same time in the mean
        waiting = (own + sum(map(self.estimate, others))) / at_once
        return elapsed + max(own, waiting) > self._seconds

    def rejection(self, job: Job, top_epochs: int) -> Rejection | None:
        """Return why a network is not trained at all: at the top rung it would take too much of the budget."""
        if self._seconds is None or job.kind != "evaluate":
            return None
        longest, own = LONGEST_PART * self._seconds, self.estimate(job) * top_epochs / job.epochs
        if own <= longest:
            return None
        reason = f"its training would take about {own:.2g} s, more than {LONGEST_PART:.0%} of the seconds of the search"
        return Rejection((reason,), degree=own / longest - 1)


def _rates(costs: np.ndarray, took: np.ndarray) -> tuple[float, float]:
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
