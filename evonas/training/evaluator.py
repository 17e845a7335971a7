"""The job evaluator: what a worker does with a job, whatever its kind."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from evonas.engine.attempt import Evaluate
from evonas.engine.evaluation import Result
from evonas.engine.job import Job
from evonas.errors import EvonasError
from evonas.genotype import Genotype


class Searcher(Protocol):
    """Does the `search` jobs of a strategy."""

    def __call__(self, job: Job) -> Result | Sequence[Genotype]:
        """Return the genotypes that `job` proposes. What it raises becomes the outcome of the row."""


class JobEvaluator:
    """Gives `search` jobs to the searcher of their strategy, and all others to `evaluate`.

    Args:
        evaluate: Measures networks.
        searchers: Name of a strategy to what does its searches.

    Attributes:
        device: Kind of device, as it is stored with each row: that of `evaluate`.
    """

    def __init__(self, evaluate: Evaluate, *, searchers: Mapping[str, Searcher]) -> None:
        self._evaluate = evaluate
        self._searchers = dict(searchers)
        self.device = str(getattr(evaluate, "device", "cpu"))

    def __call__(self, job: Job) -> Any:
        """Return the measurement of an `evaluate` job, the genotypes that a `search` job proposes.

        Raises:
            EvonasError: If there is no searcher for the strategy that proposed the job.
        """
        if job.kind == "evaluate":
            return self._evaluate(job)
        if job.strategy not in self._searchers:
            known = ", ".join(self._searchers) or "none"
            raise EvonasError(
                f"There is no searcher for the strategy {job.strategy!r}; there are searchers for: {known}."
            )
        return self._searchers[job.strategy](job)
