"""Jobs: what to do, and what it is predicted to cost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from evonas.genotype import Genotype
from evonas.options import Number, settle
from evonas.variables import Scalar

Kind = Literal["evaluate", "search"]

_AMOUNT = Number(0, 1e150)


@dataclass(frozen=True)
class Cost:
    """What a job is predicted to cost.

    Attributes:
        operations: What the virtual clock runs on: dense multiply-accumulates over the whole training, or any other
            unit that is the same for all jobs of a run.
        sample_steps: Samples that go through a training step, forward and backward, times their time steps.

    Raises:
        OptionError: If one is negative or not a finite number.

    Example:
        >>> from evonas import Cost
        >>> Cost(operations=2e9, sample_steps=4000).operations
        2000000000.0
    """

    operations: float = 1.0
    sample_steps: float = 0.0

    def __post_init__(self) -> None:
        settle(self, {"operations": _AMOUNT, "sample_steps": _AMOUNT})


@dataclass(frozen=True)
class Job:
    """What to do.

    Attributes:
        slot: Position in the run, from 0 in the order in which jobs start in virtual time.
        kind: `"evaluate"`: evaluate a genotype; `"search"`: search, and propose genotypes.
        genotype: The network to evaluate; empty for a `search` job.
        strategy: Name of the strategy that proposed it.
        parents: Slots of the rows that it was made from.
        rung: Rung of the ladder, from 0.
        epochs: Epochs of training at that rung; those of a `search` job are in its settings.
        cost: Predicted cost, in any unit that is the same for all jobs of a run.
        sample_steps: Predicted sample-steps, as in `Cost`; 0 where nothing is trained.
        start: Virtual time at which it starts, in the same unit.
        seed: Seed of the run.
        settings: Settings of a `search` job; for an evaluation, what its strategy wants to remember about it.

    Example:
        >>> from evonas import Genotype, Job
        >>> job = Job(slot=0, kind="evaluate", genotype=Genotype({"layers": 2}), strategy="random")
        >>> job.genotype["layers"], job.epochs
        (2, 1)
    """

    slot: int
    kind: Kind
    genotype: Genotype
    strategy: str
    parents: tuple[int, ...] = ()
    rung: int = 0
    epochs: int = 1
    cost: float = 1.0
    sample_steps: float = 0.0
    start: float = 0.0
    seed: int = 0
    settings: Mapping[str, Scalar] = field(default_factory=dict)
