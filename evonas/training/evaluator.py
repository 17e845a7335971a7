"""The job evaluator: what a worker does with a job, whatever its kind."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from evonas.engine.attempt import Evaluate
from evonas.engine.job import Job
from evonas.engine.returned import Returned
from evonas.errors import EvonasError
from evonas.space import Genotype
from evonas.training.torch_process import torch_threads


class Searcher(Protocol):
    """Whoever does the `search` jobs of a strategy."""

    def __call__(self, job: Job) -> Returned | Sequence[Genotype]:
        """Return the genotypes that `job` proposes. What it raises becomes the outcome of the row."""


class JobEvaluator:
    """Gives `search` jobs to the searcher of their strategy, and all others to `evaluate`.

    Args:
        evaluate: Measures networks.
        searchers: Name of a strategy to what does its searches.
        threads: Threads of torch during a job.
    """

    def __init__(self, evaluate: Evaluate, *, searchers: Mapping[str, Searcher], threads: int = 1) -> None:
        self._evaluate = evaluate
        self._threads = threads
        self._searchers = dict(searchers)

    @property
    def device(self) -> str:
        """Kind of device, as it is stored with each row."""
        return str(getattr(self._evaluate, "device", "cpu"))

    def __call__(self, job: Job) -> Any:
        """Return the measurement of an `evaluate` job, the genotypes that a `search` job proposes.

        Raises:
            EvonasError: If nobody does the searches of the strategy that proposed the job.
        """
        with torch_threads(self._threads):
            return self._work(job)

    def _work(self, job: Job) -> Any:
        if job.kind == "evaluate":
            return self._evaluate(job)
        if job.strategy not in self._searchers:
            known = ", ".join(self._searchers) or "none"
            raise EvonasError(f"Nobody here does search jobs of {job.strategy!r}; there are searchers for: {known}.")
        return self._searchers[job.strategy](job)
