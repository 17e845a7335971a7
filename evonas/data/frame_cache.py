"""Frames of recordings that were counted before, in the memory of one process."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

PART = 1 / 16
"""Part of the bytes of the recordings that frames may take: of four workers on a machine, a quarter together."""


class FrameCache:
    """Keeps the counts of frames of one number, those that came first, as 16-bit numbers, as far as they fit.

    Networks are trained one after the other, each on frames of its own number over several epochs. What is pickled
    is empty: each process counts for itself.

    Args:
        most_bytes: Of all counts together.
    """

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self._frames, self._free, self._counts = 0, most_bytes, dict[int, np.ndarray]()

    def __reduce__(self) -> tuple[type[FrameCache], tuple[int]]:
        return FrameCache, (self._most_bytes,)

    def counts(self, sample: int, *, frames: int, count: Callable[[], np.ndarray]) -> np.ndarray:
        """Return the `(frames, places)` numbers of events of a recording, which are only read.

        Args:
            sample: Position of the recording.
            frames: Number of frames.
            count: Counts them, where they are not known.
        """
        if frames != self._frames:
            self._frames, self._free, self._counts = frames, self._most_bytes, {}
        known = self._counts.get(sample)
        if known is not None:
            return known
        counts = count()
        small = 2 * counts.size
        if small <= self._free and counts.max(initial=0) < 2**16:
            self._counts[sample] = counts.astype(np.uint16)
            self._free -= small
        return counts
