"""Spectrograms: inputs whose channels are bands of sound, coded as spikes or numbers on their way into a batch."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from evonas.input_shape import Element


@dataclass(frozen=True)
class SoundCode:
    """How the loudness of bands becomes what a network sees. Loudness is in deviations from the mean of a recording.

    Attributes:
        kind: `"delta"` (a channel for rises and one for falls by `threshold` from the level that was last told, which
            begins at the mean), `"rate"` (a spike with a probability of a third of the loudness), or `"analog"`.
        threshold: Of `"delta"`, in deviations.
        is_graded: Whether `"delta"` tells how many thresholds a rise or fall has at once; otherwise one a time step,
            and the level follows.
    """

    kind: str = "delta"
    threshold: float = 0.5
    is_graded: bool = False

    @property
    def element(self) -> Element:
        """What the first layer of a network reads."""
        if self.kind == "analog":
            return "real"
        return "graded" if self.is_graded and self.kind == "delta" else "binary"

    @property
    def channels_per_band(self) -> int:
        """2 for `"delta"`, otherwise 1."""
        return 2 if self.kind == "delta" else 1

    def coded(self, loudness: np.ndarray, *, draws: np.ndarray | None = None) -> np.ndarray:
        """Return `(time, ..., channels)` float32 from `(time, ..., bands)`; all rises come before all falls.

        Args:
            loudness: In deviations from the mean.
            draws: Of `"rate"`: evenly distributed numbers of the same shape from 0 to 1.

        Example:
            >>> SoundCode("delta", 1.0).coded(np.array([[0.0], [2.5], [2.5], [0.0]])).astype(int).tolist()
            [[0, 0], [1, 0], [1, 0], [0, 1]]
        """
        if self.kind == "analog":
            return loudness.astype(np.float32)
        if self.kind == "rate":
            assert draws is not None
            return (draws < loudness / 3).astype(np.float32)
        level = np.zeros(loudness.shape[1:], np.float32)
        coded = np.empty((*loudness.shape[:-1], 2 * loudness.shape[-1]), np.float32)
        for now, told in zip(loudness, coded, strict=True):
            steps = np.trunc((now - level) / self.threshold)
            if not self.is_graded:
                steps = steps.clip(-1, 1)
            level += np.float32(self.threshold) * steps
            told[...] = np.concatenate([steps.clip(0), -steps.clip(None, 0)], axis=-1)
        return coded


@dataclass(frozen=True, eq=False)
class Spectrograms:
    """Inputs made of recordings of sound: loudness by band and window, averaged over each time step.

    Example:
        >>> values = np.array([[0.0], [0.0], [1.0], [1.0]], np.float32)
        >>> sounds = Spectrograms(values, np.array([0, 4]), hop_ms=10.0, code=SoundCode("analog"))
        >>> sounds.shape, sounds.seconds
        ((None, 1, 1, 1), 0.04)
        >>> sounds.batch(np.array([0]), time_steps=2, rng=np.random.default_rng(0)).ravel().tolist()
        [0.0, 1.0]

    Attributes:
        values: `(windows, bands)` float32 loudness of all recordings, one after the other, in deviations from the mean
            of each.
        offsets: `(recordings + 1,)` where each begins.
        hop_ms: Milliseconds from one window to the next.
        code: What networks see of them.
        frames: Number of time steps; None for as many as a network has.
        milliseconds: How much of a recording is used, from its beginning; None for all of it, however long. Behind the
            end of a shorter one it is as silent as ever in it.
    """

    values: np.ndarray
    offsets: np.ndarray
    hop_ms: float
    code: SoundCode = field(default_factory=SoundCode)
    frames: int | None = None
    milliseconds: float | None = None

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def shape(self) -> tuple[int | None, int, int, int]:
        """`(time, channels, 1, 1)`; a time of None stands for as many frames as a network has time steps."""
        return self.frames, self.values.shape[1] * self.code.channels_per_band, 1, 1

    @property
    def element(self) -> Element:
        """What the first layer of a network reads."""
        return self.code.element

    @property
    def seconds(self) -> float:
        """Mean length in seconds of what is cut into frames; with n frames, each is 1/n of it."""
        if self.milliseconds is not None:
            return self.milliseconds / 1000
        return int(self.offsets[-1]) / len(self) * self.hop_ms / 1000

    def take(self, index: np.ndarray) -> Spectrograms:
        """Return the samples at `index`."""
        parts = [self.values[self.offsets[i] : self.offsets[i + 1]] for i in np.asarray(index).tolist()]
        offsets = np.cumsum([0, *map(len, parts)])
        return replace(self, values=np.concatenate(parts) if parts else self.values[:0], offsets=offsets)

    def measured(self) -> Spectrograms:
        """Return the samples as they are: training varies nothing."""
        return self

    def digest(self, into: Any) -> None:
        """Give loudness and settings to a hash of `hashlib`."""
        for array in (self.values, self.offsets):
            into.update(f" {array.dtype.str} {array.shape} ".encode())
            into.update(np.ascontiguousarray(array).data)
        into.update(repr((self.hop_ms, self.code, self.frames, self.milliseconds)).encode())

    def batch(self, index: np.ndarray, *, time_steps: int, rng: np.random.Generator) -> np.ndarray:
        """Return the `(time, batch, channels, 1, 1)` float32 values of the recordings at `index`.

        Args:
            index: `(batch,)` positions.
            time_steps: Number of frames, unless `frames` says another.
            rng: Of the spikes of `"rate"`; what a recording gets does not depend on the others.
        """
        frames, bands = self.frames or time_steps, self.values.shape[1]
        loudness = np.empty((frames, len(index), bands), np.float32)
        draws, seed = None, int(rng.integers(2**63))
        for position, sample in enumerate(index.tolist()):
            loudness[:, position] = self._means(self.values[self.offsets[sample] : self.offsets[sample + 1]], frames)
        if self.code.kind == "rate":
            each = [
                np.random.default_rng((seed, sample)).random((frames, bands), np.float32) for sample in index.tolist()
            ]
            draws = np.stack(each, axis=1)
        return self.code.coded(loudness, draws=draws)[..., None, None]

    def _means(self, windows: np.ndarray, frames: int) -> np.ndarray:
        """Return the `(frames, bands)` means of the windows of each frame; a short one takes that where it begins."""
        length = len(windows) if self.milliseconds is None else max(1, round(self.milliseconds / self.hop_ms))
        edges = np.arange(frames + 1) * length // frames
        begin, end = edges[:-1], np.maximum(edges[1:], edges[:-1] + 1).clip(max=len(windows))
        sums = np.concatenate([np.zeros_like(windows[:1], np.float64), windows.cumsum(axis=0, dtype=np.float64)])
        is_there = begin < len(windows)
        means = np.full((frames, windows.shape[1]), windows.min(), np.float64)
        begin, end = begin[is_there], end[is_there]
        means[is_there] = (sums[end] - sums[begin]) / (end - begin)[:, None]
        return means
