"""Recordings of an event camera, or of any sensor that sends events: those of a data set in flat arrays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from evonas.data.class_labels import Label
from evonas.errors import DataError

LONGEST = 2**31 - 1
"""Longest recording in microseconds, 35 minutes: times are kept as 32-bit numbers."""

MOST_PIXELS = 2**22
"""Most pixels of a sensor, those of both polarities together: twice those of 1,280 x 720."""

Shape = tuple[int, int, int]


@dataclass(frozen=True)
class Recordings:
    """Events of many recordings, one recording after the other, each in order of time.

    Attributes:
        t: `(events,)` int32 time in microseconds since the recording began, with its first event.
        place: `(events,)` uint16 or uint32, where the event is among `shape`: `(polarity * height + y) * width + x`.
        offsets: `(recordings + 1,)` int64: recording `i` has the events `offsets[i]` to `offsets[i + 1]`.
        durations: `(recordings,)` int64 microseconds from the first event up to and including the last; 0 without any.
        shape: `(polarities, height, width)` of the sensor.
    """

    t: np.ndarray
    place: np.ndarray
    offsets: np.ndarray
    durations: np.ndarray
    shape: Shape

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def take(self, index: np.ndarray) -> Recordings:
        """Return the recordings at `index`, in that order."""
        events, offsets = events_of(self.offsets, index)
        return Recordings(self.t[events], self.place[events], offsets, self.durations[index], self.shape)

    def without(self, dropped: np.ndarray) -> Recordings:
        """Return the recordings without the events where `(events,)` bools are true; they last as long as before."""
        kept = ~dropped
        before = np.concatenate([[0], np.cumsum(kept)])
        return replace(self, t=self.t[kept], place=self.place[kept], offsets=before[self.offsets])

    def moved(self, table: np.ndarray, *, shape: Shape) -> Recordings:
        """Return the recordings with each place replaced by `table[place]`, a place of `shape`."""
        return replace(self, place=table.astype(_kind(shape))[self.place], shape=shape)


def events_of(offsets: np.ndarray, index: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the positions of all events of the recordings at `index`, and their own offsets among those."""
    begins, lengths = offsets[index], offsets[np.asarray(index) + 1] - offsets[index]
    own = np.concatenate([[0], np.cumsum(lengths)])
    return np.arange(own[-1]) + np.repeat(begins - own[:-1], lengths), own


@dataclass(frozen=True)
class Events:
    """The events of one recording as a reader finds them.

    Attributes:
        t: `(events,)` time in microseconds, whole numbers of any kind.
        x: `(events,)` column, from 0.
        y: `(events,)` row, from 0.
        p: `(events,)` polarity: 0 or 1.
        where: What they are events of, for messages: a file, or a part of one.
        sensor: `(height, width)` where the file says them.
        streams: Streams of events in the file, of which these are one.
    """

    t: np.ndarray
    x: np.ndarray
    y: np.ndarray
    p: np.ndarray
    where: str
    sensor: tuple[int, int] | None = None
    streams: int = 1

    def packed(self, shape: Shape) -> Packed:
        """Return the events in the form of `Recordings`.

        Raises:
            DataError: If an event lies outside of `shape`, or the recording is too long.
        """
        for values, name, size in ((self.p, "polarity", shape[0]), (self.y, "y", shape[1]), (self.x, "x", shape[2])):
            outside = (values < 0) | (values >= size)
            if outside.any():
                first = int(outside.argmax())
                raise DataError(
                    f"{self.where}: event {first} of {len(values):,} has {name} = {values[first]}, expected 0 to "
                    f"{size - 1}. The file is damaged, or of another sensor."
                )
        t = self.t.astype(np.int64)
        place = ((self.p.astype(np.int64) * shape[1] + self.y) * shape[2] + self.x).astype(_kind(shape))
        is_unordered = bool((t[1:] < t[:-1]).any())
        if is_unordered:
            order = np.argsort(t, kind="stable")
            t, place = t[order], place[order]
        # as whole numbers of Python, which do not overflow
        duration = int(t[-1]) - int(t[0]) + 1 if len(t) else 0
        if duration > LONGEST:
            raise DataError(
                f"{self.where}: its times go from {t[0]} to {t[-1]} microseconds; expected at most {LONGEST:,} from "
                "the first to the last, 35 minutes. Cut the recording, or mend its times."
            )
        return Packed((t - t[:1]).astype(np.int32), place, duration, is_unordered)


@dataclass(frozen=True)
class Packed:
    """One recording as in `Recordings`: its times, its places, how long it is, and whether it had to be sorted."""

    t: np.ndarray
    place: np.ndarray
    duration: int
    is_unordered: bool


def joined(recordings: Sequence[Packed], *, shape: Shape) -> Recordings:
    """Return recordings one after the other."""
    lengths = [len(one.t) for one in recordings]
    return Recordings(
        np.concatenate([np.empty(0, np.int32), *(one.t for one in recordings)]),
        np.concatenate([np.empty(0, _kind(shape)), *(one.place for one in recordings)]),
        np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
        np.array([one.duration for one in recordings], np.int64),
        shape,
    )


@dataclass(frozen=True)
class Part:
    """A part of a data set: recordings with their labels.

    Attributes:
        recordings: The recordings.
        labels: `(recordings,)` whole numbers or texts.
        classes: The labels of the set, ascending, of which those of this part may be a few.
        unordered: Recordings whose events came out of order; they are sorted.
    """

    recordings: Recordings
    labels: np.ndarray
    classes: tuple[Label, ...]
    unordered: int

    @classmethod
    def of(cls, recordings: Sequence[Packed], labels: np.ndarray, *, shape: Shape, classes: tuple[Label, ...]) -> Part:
        """Return a part of recordings that were read one by one."""
        return cls(joined(recordings, shape=shape), labels, classes, sum(one.is_unordered for one in recordings))


def without_hot_pixels(recordings: Recordings, *, hertz: float) -> Recordings:
    """Return the recordings without the events of hot pixels.

    A pixel is hot in a recording if it has two events or more and more than `hertz` for each second of the recording,
    both polarities together. Each recording is looked at by itself, so that none depends on another part of the data.
    """
    _, height, width = recordings.shape
    pixels = height * width
    dropped = np.zeros(len(recordings.t), bool)
    for begin, end, duration in zip(recordings.offsets[:-1], recordings.offsets[1:], recordings.durations, strict=True):
        pixel = recordings.place[begin:end] % pixels
        counts = np.bincount(pixel, minlength=pixels)
        dropped[begin:end] = ((counts > 1) & (counts * 1e6 > hertz * duration))[pixel]
    return recordings.without(dropped)


def downscaled(recordings: Recordings, *, by: int) -> Recordings:
    """Return the recordings with blocks of `by` x `by` pixels as one, whose events are those of all of them.

    Where `by` does not divide the sensor, the last blocks of a row or a column are smaller.
    """
    polarities, height, width = recordings.shape
    shape = (polarities, -(-height // by), -(-width // by))
    p, y, x = np.indices(recordings.shape)
    return recordings.moved(((p * shape[1] + y // by) * shape[2] + x // by).reshape(-1), shape=shape)


def merged(recordings: Recordings) -> Recordings:
    """Return the recordings with all polarities as one channel."""
    polarities, height, width = recordings.shape
    table = np.arange(polarities * height * width) % (height * width)
    return recordings.moved(table, shape=(1, height, width))


def _kind(shape: Shape) -> type[np.uint16 | np.uint32]:
    return np.uint16 if shape[0] * shape[1] * shape[2] <= 2**16 else np.uint32
