"""Evaluations: a job and what came of it, equal if they say the same."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from evonas.engine.job import Job
from evonas.engine.training_log import Trained
from evonas.genotype import Genotype
from evonas.measurement import Measurement

MESSAGE_LIMIT = 2000
"""Characters of a message at most: it stands in every copy of an archive, and some errors print whole arrays."""


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


@dataclass(frozen=True)
class Evaluation:
    """A row of the archive: a job and what came of it.

    `seconds`, `host`, `device` and `retries` tell how it was made and are no part of the result:
    `same_result` leaves them out.

    Attributes:
        job: What was to be done.
        outcome: How it ended.
        message: What happened, for people; empty on success. Cut, which it then says, to `MESSAGE_LIMIT` characters.
        measurement: A `Measurement`, or whatever JSON object the user's own `evaluate` returned; None on failure.
        proposals: Genotypes that a `search` job proposes.
        trained: What the training took, None where nobody counted.
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
    measurement: Measurement | Mapping[str, Any] | None = None
    proposals: tuple[Genotype, ...] = ()
    trained: Trained | None = None
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
        """Return whether both rows say the same, whoever computed them and however long it took."""
        return self._result == other._result

    @property
    def sample_steps(self) -> float:
        """Sample-steps of the training: counted, or as they were predicted where nobody counted."""
        return self.job.sample_steps if self.trained is None else self.trained.sample_steps

    @property
    def _result(self) -> tuple[Any, ...]:
        return (self.job, self.outcome, self.message, self.measurement, self.degree, self.proposals, self.trained)
