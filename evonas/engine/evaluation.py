"""Evaluations: a job, how it ended, and its result."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from enum import Enum
from typing import Any

from evonas.engine.job import Job
from evonas.engine.plain import as_stored
from evonas.engine.proxy_score import ProxyScore
from evonas.engine.training_log import Trained
from evonas.genotype import Genotype
from evonas.measurement import Measurement

MESSAGE_LIMIT = 2000
"""Most characters of a message: every copy of an archive holds it, and some errors print whole arrays."""

_PROVENANCE = ("seconds", "host", "device", "retries")


class Outcome(Enum):
    """How a job ended. The value is the sentence that people read; success is the empty sentence.

    Example:
        >>> from evonas import Outcome
        >>> Outcome.OUT_OF_MEMORY.value
        'The evaluation ran out of memory.'
    """

    MEASURED = ""
    DIVERGED = "The training diverged: its loss is no longer a finite number."
    NOT_FINITE = "An objective of the measurement is no finite number, or could not be computed."
    CRASHED = "The evaluation raised an error."
    OUT_OF_MEMORY = "The evaluation ran out of memory."
    TIME_LIMIT = "The evaluation took longer than the time limit."
    WORKER_LOST = "The worker died during the evaluation, and so did those that tried it again."
    REJECTED = "The network was rejected before its evaluation."


@dataclass(frozen=True, kw_only=True)
class Result:
    """What an `evaluate` returns. A user's own may return only the measurement, or only the genotypes.

    Attributes:
        measurement: Of a network: a `Measurement` or a JSON object.
        proposals: Genotypes that a `search` job proposes.
        proxy_scores: Networks that it has scored without training.
        trained: Effort of the training, None where it was not counted.
    """

    measurement: Measurement | Mapping[str, Any] | None = None
    proposals: tuple[Genotype, ...] = ()
    proxy_scores: tuple[ProxyScore, ...] = ()
    trained: Trained | None = None

    @classmethod
    def of(cls, result: Any, *, kind: str) -> Result:
        """Return what `evaluate` returned for a job of this kind as a `Result`, in the form in which it is stored.

        Raises:
            TypeError: If it is no result of a job of this kind, or cannot be stored.
            ValueError: If it contains itself.
        """
        whole = result if type(result) is Result else None  # an Evaluation is a row, made here and nowhere else
        if whole is not None and not all(isinstance(one, ProxyScore) for one in whole.proxy_scores):
            raise TypeError(
                f"evaluate returned proxy_scores {whole.proxy_scores!r:.60}, expected a tuple of ProxyScore"
            )
        if kind == "search":
            proposals = result if whole is None else whole.proposals
            if not isinstance(proposals, Sequence) or not all(isinstance(one, Genotype) for one in proposals):
                raise TypeError(
                    f"evaluate returned {type(result).__name__} for a search job, expected a sequence of genotypes"
                )
            return whole or cls(proposals=tuple(proposals))
        measurement = result if whole is None else whole.measurement
        if not isinstance(measurement, Measurement | Mapping):
            raise TypeError(f"evaluate returned {type(measurement).__name__}, expected a Measurement or a mapping")
        return replace(whole or cls(), measurement=as_stored(measurement))


@dataclass(frozen=True)
class Evaluation(Result):
    """A row of the archive: a job, how it ended, and its result.

    `seconds`, `host`, `device` and `retries` say how the result was obtained and are no part of it:
    `same_result` leaves them out.

    Attributes:
        job: What was to be done.
        outcome: How it ended.
        message: What happened, for people; empty on success. Cut to `MESSAGE_LIMIT` characters, which it then says.
        measurement: As in `Result`; None on failure.
        proposals: As in `Result`.
        proxy_scores: As in `Result`.
        trained: As in `Result`.
        seconds: Wall-clock seconds on the worker.
        host: Name of the machine.
        device: Kind of device, such as `"cpu"` or the name of the GPU.
        retries: Earlier tries of the job, which lost their worker or failed.
        degree: By how much a rejected network breaks the rules; 0 for all others.

    Example:
        >>> from evonas import Evaluation, Genotype, Job, Outcome
        >>> job = Job(slot=0, kind="evaluate", genotype=Genotype({"layers": 2}), strategy="random")
        >>> fast, slow = (Evaluation(job, Outcome.MEASURED, measurement={"error": 0.1}, seconds=s) for s in (1.0, 9.0))
        >>> fast.same_result(slow)
        True
    """

    job: Job
    outcome: Outcome
    message: str = ""
    seconds: float = 0.0
    host: str = ""
    device: str = ""
    retries: int = 0
    degree: float = 0.0

    def __post_init__(self) -> None:
        if len(self.message) > MESSAGE_LIMIT:
            end = f" … (cut, {len(self.message):,} characters)"
            object.__setattr__(self, "message", self.message[: MESSAGE_LIMIT - len(end)] + end)

    def same_result(self, other: Evaluation) -> bool:
        """Return whether both rows have the same job, outcome and result, wherever they were computed."""
        return self._result == other._result

    @property
    def sample_steps(self) -> float:
        """Sample-steps of the training: as counted, else as predicted."""
        return self.job.sample_steps if self.trained is None else self.trained.sample_steps

    @property
    def _result(self) -> tuple[Any, ...]:
        names = (field.name for field in fields(self))
        return tuple(getattr(self, name) for name in names if name not in _PROVENANCE)
