"""Framing: how the events of a recording become frames, one a time step, and how training varies them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from evonas.data.recordings import Shape

N = TypeVar("N", int, float)


@dataclass(frozen=True)
class Framing:
    """How recordings are cut into frames.

    Attributes:
        frames: Their number; None for as many as a network has time steps.
        by_count: Whether frames hold equally many events; otherwise they last equally long.
        milliseconds: How much of a recording is used, from its first event on; None for all of it.
        is_binary: Whether an element is 1 where there are events; otherwise it is their number.
    """

    frames: int | None = None
    by_count: bool = False
    milliseconds: float | None = None
    is_binary: bool = False

    def window(self, duration: N) -> N | int:
        """Return how many microseconds are cut into frames of a recording that lasts `duration` microseconds."""
        return duration if self.milliseconds is None else max(1, round(1000 * self.milliseconds))

    def edges(self, t: np.ndarray, *, duration: int, frames: int) -> np.ndarray:
        """Return where the events of each frame begin, `(frames + 1,)` positions in `t`; the last is their end.

        By time, the event at `t` lies in the frame `floor(t * frames / window)`, all in whole microseconds. By count,
        the event `i` of the `n` within the window lies in the frame `floor(i * frames / n)`.

        Args:
            t: `(events,)` ascending times in microseconds since the recording began.
            duration: Of the recording, in microseconds.
            frames: Number of frames.
        """
        window, steps = self.window(duration), np.arange(frames + 1, dtype=np.int64)
        if self.by_count:
            return -(-steps * int(np.searchsorted(t, window)) // frames)
        return np.searchsorted(t, -(-steps * window // frames))


@dataclass(frozen=True)
class Variation:
    """How training varies recordings, each time anew.

    Attributes:
        flip: Whether every other recording is mirrored, left to right.
        shift: By how many pixels at most recordings are moved in both directions; events that leave the sensor are
            lost.
        jitter_ms: Standard deviation in milliseconds of the normal distribution by which each event is moved in time;
            none moves beyond the first or the last.
    """

    flip: bool = False
    shift: int = 0
    jitter_ms: float = 0.0

    def moved(self, place: np.ndarray, shape: Shape, *, rng: np.random.Generator) -> np.ndarray:
        """Return the `(events,)` new places of the events of one recording, -1 for those that leave the sensor."""
        is_flipped = self.flip and rng.random() < 0.5
        down, right = rng.integers(-self.shift, self.shift, size=2, endpoint=True)
        p, y, x = np.ogrid[: shape[0], : shape[1], : shape[2]]
        y, x = y + down, (shape[2] - 1 - x if is_flipped else x) + right
        is_inside = (y >= 0) & (y < shape[1]) & (x >= 0) & (x < shape[2])
        table = np.where(is_inside, (p * shape[1] + y) * shape[2] + x, -1)
        moved: np.ndarray = table.reshape(-1)[place]
        return moved

    def jittered(self, t: np.ndarray, *, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Return the `(events,)` times of the events of one recording, moved and ascending again, and their order."""
        noise = rng.normal(scale=1000 * self.jitter_ms, size=len(t))
        moved = np.rint(t + noise).clip(0, t[-1] if len(t) else 0).astype(np.int64)
        both = np.sort(moved << 32 | np.arange(len(t)))  # numbers are sorted faster than positions
        return both >> 32, both & 0xFFFFFFFF
