"""The budget of a search, and why a search ended."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from evonas.engine.failures import FAILURES_IN_A_ROW
from evonas.options import Number, OptionRule, OrNone, Whole, settle

REJECTED_IN_A_ROW = 2000
"""Rejected networks in a row after which a search gives up."""

MOST_EVALUATIONS = 10**9

SECONDS = Number(0, 1e9, is_open=True)
"""A time limit."""

CORE_HOURS = Number(0, 1e9, is_open=True)
"""A limit of the time of all workers together."""

_RULES: dict[str, OptionRule] = {
    "evaluations": Whole(1, MOST_EVALUATIONS),
    "seconds": OrNone(SECONDS),
    "core_hours": OrNone(CORE_HOURS),
    "num_cpus": Number(0, 1e6, is_open=True),
}


@dataclass(frozen=True)
class Budget:
    """When to stop: as soon as the first of the limits is reached.

    Seconds and core hours are planned with: as soon as some jobs have ended, none is started that would end beyond a
    limit, and networks whose training would take more than a tenth of one are rejected. How far a search comes then
    depends on the machine.

    Attributes:
        evaluations: Rows of kind `evaluate`, over the whole run and all its restarts; rejected networks cost nothing.
        seconds: Wall-clock seconds that this call takes.
        core_hours: Seconds that jobs take on their workers, times `num_cpus`, over 3,600: summed over all rows of the
            whole run and all its restarts, failed ones and search jobs included. What an interrupted job had taken is
            in no row, and does not count.
        num_cpus: Cores of each worker, for `core_hours` alone.

    Raises:
        OptionError: If a number is out of its range.

    Example:
        >>> from evonas import Budget
        >>> Budget(evaluations=60)
        Budget(evaluations=60, seconds=None, core_hours=None, num_cpus=1)
    """

    evaluations: int
    seconds: float | None = None
    core_hours: float | None = None
    num_cpus: float = 1

    def __post_init__(self) -> None:
        settle(self, _RULES)

    @property
    def is_timed(self) -> bool:
        """Whether time is limited, so that what a network costs decides how many there will be."""
        return self.seconds is not None or self.core_hours is not None


class Ending(Enum):
    """Why a search ended. The value is the sentence that people read."""

    BUDGET_SPENT = "The budget of evaluations is spent."
    TIME_SPENT = "The budget of seconds is spent; the same command goes on from here."
    CORE_HOURS_SPENT = "The budget of core hours is spent; with more of them the same command goes on from here."
    ONLY_REJECTED = (
        f"The last {REJECTED_IN_A_ROW:,} networks were all rejected before their evaluation; the search gives up."
    )
    ONLY_FAILED = (
        f"The first {FAILURES_IN_A_ROW} evaluations all failed in the same way and nothing was measured; the search "
        "gives up."
    )
    EXHAUSTED = "The strategy has nothing left to propose."
