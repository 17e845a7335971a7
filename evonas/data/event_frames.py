"""Event frames: recordings that are cut into frames on their way into a batch, as many as a network has time steps."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from itertools import pairwise
from typing import Any, Literal

import numpy as np

from evonas.data.frame_cache import PART, FrameCache
from evonas.data.framing import Framing, Variation
from evonas.data.jitter import Jitter
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
        frames, variation = self.framing.frames or time_steps, self.variation
        seed, jitter_seed = rng.integers(2**63, size=2).tolist()
        batch = np.empty((frames, len(index), *self.recordings.shape), np.float32)
        for position, sample in enumerate(index.tolist()):
            counts = self._cache.counts(sample, frames=frames, count=partial(self._counts, sample, frames=frames))
            batch[:, position] = counts.reshape(frames, *self.recordings.shape)
        if variation is not None and variation.jitter_ms:
            counts = batch.reshape(frames, len(index), math.prod(self.recordings.shape))
            Jitter(variation.jitter_ms).apply(counts, self.recordings, self.framing, index=index, seed=jitter_seed)
        if self.framing.is_binary:
            np.minimum(batch, 1, out=batch)
        if variation is None or variation.of_frames is None:
            return batch
        return variation.of_frames.applied(batch.swapaxes(0, 1), index=index, seed=seed).swapaxes(0, 1)

    def _counts(self, sample: int, *, frames: int) -> np.ndarray:
        """Return the `(frames, places)` numbers of events of a recording."""
        t, place = self._events(sample)
        edges = self.framing.edges(t, duration=self._duration(sample), frames=frames).tolist()
        size = math.prod(self.recordings.shape)
        return np.stack([np.bincount(place[begin:end], minlength=size) for begin, end in pairwise(edges)])

    @cached_property
    def _cache(self) -> FrameCache:
        recordings = self.recordings
        return FrameCache(int(PART * (recordings.t.nbytes + recordings.place.nbytes)))

    def _events(self, sample: int) -> tuple[np.ndarray, np.ndarray]:
        """Return times and places of the events of a recording."""
        begin, end = self.recordings.offsets[sample : sample + 2].tolist()
        return self.recordings.t[begin:end], self.recordings.place[begin:end]

    def _duration(self, sample: int) -> int:
        return int(self.recordings.durations[sample])
