"""The budget of a search, and why a search ended."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from evonas.engine.failures import FAILURES_IN_A_ROW
from evonas.options import Number, OrNone, Whole, settle

REJECTED_IN_A_ROW = 2000
"""Rejected networks in a row after which a search gives up."""

MOST_EVALUATIONS = 10**9

SECONDS = Number(0, 1e9, is_open=True)
"""A time limit."""


@dataclass(frozen=True)
class Budget:
    """When to stop.

    Attributes:
        evaluations: Rows of kind `evaluate`, over the whole run and all its restarts; rejected networks cost nothing.
        seconds: Wall-clock seconds that this call takes: as soon as some jobs have ended, none is started that would
            end later, and networks whose training would take more than a tenth of them are rejected. How far a
            search comes depends on the machine.

    Raises:
        OptionError: If a number is out of its range.

    Example:
        >>> from evonas import Budget
        >>> Budget(evaluations=60)
        Budget(evaluations=60, seconds=None)
    """

    evaluations: int
    seconds: float | None = None

    def __post_init__(self) -> None:
        settle(self, {"evaluations": Whole(1, MOST_EVALUATIONS), "seconds": OrNone(SECONDS)})


class Ending(Enum):
    """Why a search ended. The value is the sentence that people read."""

    BUDGET_SPENT = "The budget of evaluations is spent."
    TIME_SPENT = "The budget of seconds is spent; the same command goes on from here."
    ONLY_REJECTED = (
        f"The last {REJECTED_IN_A_ROW:,} networks were all rejected before their evaluation; the search gives up."
    )
    ONLY_FAILED = (
        f"The first {FAILURES_IN_A_ROW} evaluations all failed in the same way and nothing was measured; the search "
        "gives up."
    )
    EXHAUSTED = "The strategy has nothing left to propose: every network it can make is known."
