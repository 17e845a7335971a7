"""The virtual clock, which makes the proposals of a search independent of the speed of its workers."""

from __future__ import annotations

import heapq

from evonas.engine.job import Job
from evonas.errors import OptionError
from evonas.options import Whole, faults_of

MOST_PARALLEL = 100_000


class VirtualClock:
    """Time as it would pass on `parallel` equal workers on which every job takes its predicted cost."""

    def __init__(self, parallel: int) -> None:
        faults = faults_of({"parallel": parallel}, {"parallel": Whole(1, MOST_PARALLEL)})
        if faults:
            raise OptionError(faults)
        self.now = 0.0
        self._parallel = parallel
        self._endings: list[tuple[float, int, Job]] = []

    @property
    def has_room(self) -> bool:
        """Whether one more job can be open."""
        return len(self._endings) < self._parallel

    @property
    def is_idle(self) -> bool:
        """Whether no job is open."""
        return not self._endings

    @property
    def next_ending(self) -> Job:
        """The open job that ends next in virtual time; if several end together, the one of the lowest slot."""
        return self._endings[0][2]

    def open(self, job: Job) -> None:
        """Start `job` now."""
        heapq.heappush(self._endings, (self.now + job.cost, job.slot, job))

    def advance(self) -> None:
        """Advance to the end of `next_ending`, which is then no longer open."""
        self.now = heapq.heappop(self._endings)[0]
