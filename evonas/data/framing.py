"""Framing: how the events of a recording become frames, one a time step, and how training varies them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from statistics import NormalDist
from typing import TypeVar

import numpy as np

from evonas.data.augmentation import Augmentation
from evonas.data.draws import sixteen_bits

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
        if self.by_count:
            within = int(_positions(t, np.array(self.window(duration))))
            return -(-np.arange(frames + 1, dtype=np.int64) * within // frames)
        return _positions(t, self._borders(duration, frames))

    def frame_of(self, t: np.ndarray, *, duration: int, frames: int) -> np.ndarray:
        """Return the `(events,)` frame of each event as `edges` has it, `frames` for what comes too late.

        Args:
            t: `(events,)` times in microseconds since the recording began, in any order; of equal ones the first is
                the earlier. By count they are those of all events.
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

    def near_borders(self, t: np.ndarray, *, duration: int, frames: int, within: int) -> np.ndarray:
        """Return the ascending positions of the events that may change their frame if none moves by more than `within`.

        Args:
            t: `(events,)` ascending times in microseconds since the recording began.
            duration: Of the recording, in microseconds.
            frames: Number of frames.
            within: Microseconds.
        """
        if self.by_count:  # an event that moves changes the places of others
            return np.arange(len(t))
        borders = self._borders(duration, frames)[1:]
        begins, ends = _positions(t, np.stack([borders - within, borders + within]))
        begins = np.maximum(begins, np.concatenate([[0], ends[:-1]]))  # near two borders, an event counts once
        return np.concatenate([np.arange(begin, end) for begin, end in zip(begins, ends, strict=True)])

    def _borders(self, duration: int, frames: int) -> np.ndarray:
        """Return the `(frames + 1,)` int64 microseconds at which frames begin, and the last one ends."""
        return -(-np.arange(frames + 1, dtype=np.int64) * self.window(duration) // frames)


@dataclass(frozen=True)
class Variation:
    """How training varies recordings, each time anew.

    Attributes:
        flip: Whether every other recording is mirrored, left to right.
        shift: By how many pixels at most recordings are moved in both directions; events that leave the sensor are
            lost.
        jitter_ms: Standard deviation in milliseconds of the normal distribution by which each event is moved in time,
            in whole microseconds; none moves beyond the first or the last.
    """

    flip: bool = False
    shift: int = 0
    jitter_ms: float = 0.0

    @property
    def of_frames(self) -> Augmentation | None:
        """What is done to the frames of a recording as a whole; None where nothing is."""
        return Augmentation(flip=self.flip, crop=self.shift) if self.flip or self.shift else None

    @property
    def farthest(self) -> int:
        """By how many microseconds an event moves at most, 4.3 standard deviations."""
        return int(self._moves[-1])

    def jittered(self, t: np.ndarray, *, last: int, key: int) -> np.ndarray:
        """Return the int64 times of `(events,)` events of one recording, moved; the last event of all is at `last`."""
        moved: np.ndarray = (t + self._moves[sixteen_bits(key, t.shape)]).clip(0, last)
        return moved

    @property
    def _moves(self) -> np.ndarray:
        """65,536 moves in microseconds, ascending, each as likely as any other."""
        return _moves(1000 * self.jitter_ms)


@cache
def _moves(deviation: float) -> np.ndarray:
    """Return the medians of 65,536 equally likely parts of a normal distribution of mean 0, rounded, ascending."""
    positive = [NormalDist().inv_cdf(0.5 + (index + 0.5) / 65536) for index in range(32768)]
    moves: np.ndarray = np.rint(deviation * np.array(positive)).astype(np.int64)
    return np.concatenate([-moves[::-1], moves])


def _positions(t: np.ndarray, times: np.ndarray) -> np.ndarray:
    """Return how many of the ascending times `t` lie before each of `times`, without a copy of `t` in another type."""
    limits = np.iinfo(t.dtype)
    return np.searchsorted(t, times.clip(limits.min, limits.max).astype(t.dtype))
