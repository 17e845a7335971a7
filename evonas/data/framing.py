"""Framing: how the events of a recording become frames, one a time step, and how training varies them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from evonas.data.augmentation import Augmentation

N = TypeVar("N", int, float, np.ndarray)


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
            within = int(positions(t, np.array(self.window(duration))))
            return -(-np.arange(frames + 1, dtype=np.int64) * within // frames)
        return positions(t, self.borders(np.array([duration]), frames)[0])

    def frame_of(self, t: np.ndarray, *, duration: int | np.ndarray, frames: int) -> np.ndarray:
        """Return the `(events,)` frame of each event as `edges` has it, `frames` for what comes too late.

        Args:
            t: `(events,)` times in microseconds since the recording began, in any order; of equal ones the first is
                the earlier. By count they are those of all events.
            duration: Of the recording, in microseconds; of frames of time also `(events,)`, one for each event.
            frames: Number of frames.
        """
        number, among = t.astype(np.int64), np.asarray(self.window(np.asarray(duration)))
        if self.by_count:
            among = (number < among).sum()
            order = np.argsort(number, kind="stable")
            number[order] = np.arange(len(number))
        found: np.ndarray = np.minimum(number * frames // np.maximum(among, 1), frames)
        return found

    def borders(self, durations: np.ndarray, frames: int) -> np.ndarray:
        """Return the `(recordings, frames + 1)` int64 microseconds at which frames begin, and the last one ends.

        Args:
            durations: `(recordings,)` microseconds.
            frames: Number of frames.
        """
        windows = np.broadcast_to(self.window(durations), durations.shape)
        found: np.ndarray = -(-np.arange(frames + 1, dtype=np.int64) * windows[:, np.newaxis] // frames)
        return found


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


def positions(t: np.ndarray, times: np.ndarray) -> np.ndarray:
    """Return how many of the ascending times `t` lie before each of `times`, without a copy of `t` in another type."""
    return np.searchsorted(t, as_times(times, t))


def as_times(times: np.ndarray, t: np.ndarray) -> np.ndarray:
    """Return times in the type of `t`; those that it cannot hold are its ends, beyond which there are no events."""
    limits = np.iinfo(t.dtype)
    return times.clip(limits.min, limits.max).astype(t.dtype)
