"""Framing: how the events of a recording become frames, one a time step, and how training varies them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

import numpy as np

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
        """Return `(frames + 1,)` positions in `t` at which the frames begin; the last is where they end.

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

    def frame_of(self, t: np.ndarray, *, duration: int, frames: int) -> np.ndarray:
        """Return the `(events,)` frame of each event as `edges` has it, `frames` for what comes too late.

        Args:
            t: `(events,)` times in microseconds since the recording began, in any order; of equal ones the first is
                the earlier.
            duration: Of the recording, in microseconds.
            frames: Number of frames.
        """
        number, among = t.astype(np.int64), self.window(duration)
        if self.by_count:
            among = int((number < among).sum())
            order = np.argsort(number, kind="stable")
            number[order] = np.arange(len(number))
        found: np.ndarray = np.minimum(number * frames // max(among, 1), frames)
        return found


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

    def jittered(self, t: np.ndarray, *, rng: np.random.Generator) -> np.ndarray:
        """Return the `(events,)` times of the events of one recording, moved by whole microseconds."""
        noise = rng.standard_normal(len(t), np.float32) * np.float32(1000 * self.jitter_ms)
        moved: np.ndarray = np.rint(t + noise.astype(np.float64)).clip(0, t[-1] if len(t) else 0).astype(np.int64)
        return moved

    def moved(self, frames: np.ndarray, *, rng: np.random.Generator) -> np.ndarray:
        """Return the `(..., height, width)` frames of one recording, mirrored and moved as a whole."""
        if self.flip and rng.random() < 0.5:
            frames = frames[..., ::-1]
        if not self.shift:
            return frames
        down, right = rng.integers(-self.shift, self.shift, size=2, endpoint=True).tolist()
        height, width = frames.shape[-2:]
        found = np.zeros_like(frames)
        (to_y, from_y), (to_x, from_x) = _overlap(down, height), _overlap(right, width)
        found[..., to_y, to_x] = frames[..., from_y, from_x]
        return found


def _overlap(by: int, size: int) -> tuple[slice, slice]:
    """Return where values that are moved by so many places end and begin, those that stay within `size`."""
    by = max(-size, min(by, size))
    return slice(max(by, 0), size + min(by, 0)), slice(max(-by, 0), size - max(by, 0))
