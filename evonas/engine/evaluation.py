"""Evaluations: a job and what came of it, equal if they say the same."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from enum import Enum
from typing import Any

from evonas.engine.job import Job
from evonas.engine.plain import kept
from evonas.engine.training_log import Trained
from evonas.genotype import Genotype
from evonas.measurement import Measurement

MESSAGE_LIMIT = 2000
"""Characters of a message at most: it stands in every copy of an archive, and some errors print whole arrays."""

_HOW_IT_WAS_MADE = ("seconds", "host", "device", "retries")


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

    @property
    def is_machine_made(self) -> bool:
        """Whether another machine, or the same on another day, might have ended otherwise."""
        return self in (Outcome.OUT_OF_MEMORY, Outcome.TIME_LIMIT, Outcome.WORKER_LOST)


@dataclass(frozen=True, kw_only=True)
class Result:
    """What an `evaluate` returns. Functions of a user's own may return the bare measurement, or the bare genotypes.

    Attributes:
        measurement: Of a network: a `Measurement` or a JSON object.
        proposals: Genotypes that a `search` job proposes.
        trained: What the training took, None where nobody counted.
    """

    measurement: Measurement | Mapping[str, Any] | None = None
    proposals: tuple[Genotype, ...] = ()
    trained: Trained | None = None

    @classmethod
    def of(cls, result: Any, *, kind: str) -> Result:
        """Return what an `evaluate` has returned for a job of this kind, in the form in which it can be kept.

        Raises:
            TypeError: If it is nothing that a job of this kind comes to, or cannot be kept.
            ValueError: If it holds what JSON cannot.
        """
        whole = result if type(result) is Result else None  # an Evaluation is a row, made here and nowhere else
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
        return replace(whole or cls(), measurement=kept(measurement))


@dataclass(frozen=True)
class Evaluation(Result):
    """A row of the archive: a job, how it ended, and its result.

    `seconds`, `host`, `device` and `retries` tell how it was made and are no part of the result:
    `same_result` leaves them out.

    Attributes:
        job: What was to be done.
        outcome: How it ended.
        message: What happened, for people; empty on success. Cut, which it then says, to `MESSAGE_LIMIT` characters.
        measurement: As in `Result`; None on failure.
        proposals: As in `Result`.
        trained: As in `Result`.
        seconds: Wall-clock seconds on the worker.
        host: Name of the machine.
        device: Kind of device, such as `"cpu"` or the name of the GPU.
        retries: Tries before the one that this came of: workers that were lost, failures that were tried again.
        degree: By how much a rejected network misses what it would have to keep; 0 for all others.

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
        """Return whether both rows say the same, on whatever machine they were computed, and however long it took."""
        return self._result == other._result

    @property
    def sample_steps(self) -> float:
        """Sample-steps of the training: counted, or as they were predicted where nobody counted."""
        return self.job.sample_steps if self.trained is None else self.trained.sample_steps

    @property
    def _result(self) -> tuple[Any, ...]:
        names = (field.name for field in fields(self))
        return tuple(getattr(self, name) for name in names if name not in _HOW_IT_WAS_MADE)
