"""Event frames: recordings that are cut into frames on their way into a batch, as many as a network has time steps."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any, Literal

import numpy as np

from evonas.data.framing import Framing, Variation
from evonas.data.recordings import Recordings


@dataclass(frozen=True, eq=False)
class EventFrames:
    """Inputs made of recordings, which are kept as events, a few bytes each.

    Example:
        >>> from evonas.data.recordings import Events, joined
        >>> t, x, y, p = np.array([[0, 10, 25, 39], [0, 1, 1, 0], [0, 0, 0, 0], [1, 0, 0, 1]])
        >>> events = Events(t, x, y, p, "an example")
        >>> inputs = EventFrames(joined([events.packed((2, 1, 2))], shape=(2, 1, 2)))
        >>> inputs.batch(np.array([0]), time_steps=2, rng=np.random.default_rng(0)).reshape(2, 4)  # OFF, then ON
        array([[0., 1., 1., 0.],
               [0., 1., 1., 0.]], dtype=float32)

    Attributes:
        recordings: Events of all samples.
        framing: How they become frames.
        variation: How they are varied, each time anew; None where they are measured.
    """

    recordings: Recordings
    framing: Framing = field(default_factory=Framing)
    variation: Variation | None = None

    def __len__(self) -> int:
        return len(self.recordings)

    @property
    def shape(self) -> tuple[int | None, int, int, int]:
        """`(time, channels, height, width)`; a time of None stands for as many frames as a network has time steps."""
        return (self.framing.frames, *self.recordings.shape)

    @property
    def element(self) -> Literal["graded", "binary"]:
        """Numbers of events, or whether there are some."""
        return "binary" if self.framing.is_binary else "graded"

    @property
    def seconds(self) -> float:
        """Mean length in seconds of what is cut into frames; with n frames, each is 1/n of it."""
        durations = self.recordings.durations
        return self.framing.window(float(durations.mean()) if len(durations) else 0) / 1e6

    def take(self, index: np.ndarray) -> EventFrames:
        """Return the samples at `index`."""
        return replace(self, recordings=self.recordings.take(index))

    def measured(self) -> EventFrames:
        """Return the samples without variation."""
        return replace(self, variation=None)

    def digest(self, into: Any) -> None:
        """Give events and settings to a hash of `hashlib`."""
        recordings = self.recordings
        for array in (recordings.t, recordings.place, recordings.offsets, recordings.durations):
            into.update(f" {array.dtype.str} {array.shape} ".encode())
            into.update(np.ascontiguousarray(array).data)
        into.update(repr((recordings.shape, self.framing, self.variation)).encode())

    def batch(self, index: np.ndarray, *, time_steps: int, rng: np.random.Generator) -> np.ndarray:
        """Return the `(time, batch, channels, height, width)` float32 frames of the recordings at `index`.

        Args:
            index: `(batch,)` positions.
            time_steps: Number of frames, unless the framing says another.
            rng: Of the variation, where there is one; what a recording gets does not depend on the others.
        """
        recordings, frames = self.recordings, self.framing.frames or time_steps
        seed = int(rng.integers(2**63))
        batch = np.empty((frames, len(index), *recordings.shape), np.float32)
        for position, sample in enumerate(index.tolist()):
            own = None if self.variation is None else np.random.default_rng((seed, sample))
            counts = self._counts(sample, frames=frames, rng=own)
            batch[:, position] = counts > 0 if self.framing.is_binary else counts
        return batch

    def _counts(self, sample: int, *, frames: int, rng: np.random.Generator | None) -> np.ndarray:
        """Return the `(frames, channels, height, width)` numbers of events of a recording, varied if there is `rng`."""
        recordings, variation = self.recordings, self.variation
        begin, end = recordings.offsets[sample : sample + 2].tolist()
        t, place = recordings.t[begin:end], recordings.place[begin:end]
        duration, size = int(recordings.durations[sample]), math.prod(recordings.shape)
        if rng is not None and variation is not None and variation.jitter_ms:
            moved = variation.jittered(t, rng=rng)
            first = self.framing.frame_of(moved, duration=duration, frames=frames) * size
            counts = np.bincount(first + place, minlength=frames * size)[: frames * size]
        else:
            edges = self.framing.edges(t, duration=duration, frames=frames).tolist()
            counts = np.stack([np.bincount(place[first:end], minlength=size) for first, end in pairwise(edges)])
        counts = counts.reshape(frames, *recordings.shape)
        return counts if rng is None or variation is None else variation.moved(counts, rng=rng)
