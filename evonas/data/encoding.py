"""Encodings: images and frames made into spikes on their way into a batch."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from evonas.data.arrays import Arrays
from evonas.data.draws import keys, sixteen_bits
from evonas.errors import DataError

Encoding = Literal["rate", "latency", "delta"]

_CHUNK = 1024


@dataclass(frozen=True, eq=False)
class Encoded:
    """Inputs whose values, from 0 to 1, become spikes, as many steps of them as a network has, or one for each frame.

    Example:
        >>> image = Arrays(np.array([0, 51, 204, 255], np.uint8).reshape(1, 1, 1, 1, 4), full_scale=255)
        >>> Encoded(image, "latency").batch(np.array([0]), time_steps=3, rng=np.random.default_rng(0)).reshape(3, 4)
        array([[0., 0., 1., 1.],
               [0., 0., 0., 0.],
               [0., 1., 0., 0.]], dtype=float32)

    Attributes:
        arrays: The values, not normalised.
        encoding: `"rate"`: a spike at each step with the value as its probability. `"latency"`: one spike of an image,
            the earlier the larger the value, none for 0. `"delta"`: a spike where the value is by `threshold` or more
            above what the spikes so far, each worth `threshold`, add up to; of frames, whose values fall as well, in a
            second set of channels where it is as much below. Times and levels are those of the fractions that whole
            numbers of `full_scale` are; floats may miss a time or a level by the rounding of their own type.
        threshold: Of `"delta"`.

    Raises:
        DataError: If there are values below 0 or above 1, or frames are to be encoded by latency.
    """

    arrays: Arrays
    encoding: Encoding
    threshold: float = 0.1

    def __post_init__(self) -> None:
        if self.encoding == "latency" and not self._is_static:
            raise DataError(
                f'encoding = "latency" gives each pixel of an image one spike; these samples have '
                f'{self.arrays.shape[0]} frames. Take "rate" or "delta".'
            )
        if self.arrays.mean or self.arrays.std:
            raise DataError(
                f'encoding = "{self.encoding}" needs values from 0 to 1, which normalised ones are not; leave one out.'
            )
        lowest, highest = _range(self.arrays)
        if not (lowest >= 0 and highest <= 1):
            raise DataError(
                f'encoding = "{self.encoding}" needs values from 0 to 1; these are {lowest:g} to {highest:g}. Hand '
                "over bytes, or floats that were divided by their largest value."
            )

    @property
    def _is_static(self) -> bool:
        return self.arrays.shape[0] == 1

    @property
    def shape(self) -> tuple[int | None, int, int, int]:
        """`(time, channels, height, width)`; a time of None, of images, stands for as many as a network has steps."""
        time, channels, height, width = self.arrays.shape
        signs = 2 if self.encoding == "delta" and not self._is_static else 1
        return None if self._is_static else time, channels * signs, height, width

    @property
    def element(self) -> Literal["binary"]:
        """Spikes."""
        return "binary"

    @property
    def seconds(self) -> float | None:
        """How long a sample lasts, where the values say it."""
        return self.arrays.seconds

    def __len__(self) -> int:
        return len(self.arrays)

    def take(self, index: np.ndarray) -> Encoded:
        """Return the samples at `index`."""
        return self._with(self.arrays.take(index))

    def measured(self) -> Encoded:
        """Return the samples without variation; spikes are drawn all the same."""
        return self._with(self.arrays.measured())

    def _with(self, arrays: Arrays) -> Encoded:
        """Return the encoding of arrays whose values are among these, so that none is checked again."""
        part = copy.copy(self)
        object.__setattr__(part, "arrays", arrays)
        return part

    def digest(self, into: Any) -> None:
        """Give values and encoding to a hash of `hashlib`."""
        self.arrays.digest(into)
        into.update(repr((self.encoding, self.threshold)).encode())

    def batch(self, index: np.ndarray, *, time_steps: int, rng: np.random.Generator) -> np.ndarray:
        """Return the `(time, batch, channels, height, width)` spikes, float32, of the samples at `index`.

        Args:
            index: `(batch,)` positions.
            time_steps: Time steps of the network: as many, unless the samples are frames.
            rng: Gives the seed of the batch. The spikes of a sample follow from that and its position.
        """
        values = self.arrays.varied(index, rng=rng).swapaxes(0, 1) / np.float64(self.arrays.full_scale)
        steps = time_steps if self._is_static else len(values)
        if self.encoding == "rate":
            return self._by_rate(values, index, steps=steps, seed=int(rng.integers(2**63)))
        if self.encoding == "latency":
            return _by_latency(values[0], steps=steps, rounding=self._rounding)
        if self._is_static:
            return _rising(values[0] + self._rounding, steps=steps, threshold=self.threshold)
        return _rising_and_falling(values, threshold=self.threshold, rounding=self._rounding)

    @property
    def _rounding(self) -> float:
        """By how much a value may lie beside the fraction that it stands for, at most."""
        stored = self.arrays.values.dtype
        return float(np.finfo(stored).eps) if stored.kind == "f" else 1e-12

    def _by_rate(self, values: np.ndarray, index: np.ndarray, *, steps: int, seed: int) -> np.ndarray:
        shape = values.shape[2:]
        chances = np.rint(values * 65536).astype(np.uint32)  # of 65,536
        spikes = np.empty((steps, len(index), *shape), np.float32)
        for position, key in enumerate(keys(seed, index).tolist()):
            np.less(sixteen_bits(key, (steps, *shape)), chances[:, position], out=spikes[:, position], casting="unsafe")
        return spikes


def _range(arrays: Arrays) -> tuple[float, float]:
    """Return the lowest and the highest value."""
    values = arrays.values
    if values.dtype.kind in "bu":
        top = 1 if values.dtype.kind == "b" else np.iinfo(values.dtype).max
        if top <= arrays.full_scale:
            return 0.0, 1.0
    parts = [values[first : first + _CHUNK] for first in range(0, len(values), _CHUNK)]
    lowest, highest = (float(extreme([extreme(part) for part in parts])) for extreme in (np.min, np.max))
    return lowest / arrays.full_scale, highest / arrays.full_scale


def _by_latency(values: np.ndarray, *, steps: int, rounding: float) -> np.ndarray:
    """Return one spike for each of `(batch, ...)` values above 0: at the first step for 1, at the last near 0."""
    when = np.clip(np.floor((1 - values + rounding) * steps), 0, steps - 1)
    when[values <= 0] = -1
    spikes: np.ndarray = (when == _column(np.arange(steps), values)).astype(np.float32)
    return spikes


def _rising(values: np.ndarray, *, steps: int, threshold: float) -> np.ndarray:
    """Return spikes of `(batch, ...)` values as long as those before add up to less by `threshold` or more."""
    levels = threshold * _column(np.arange(1, steps + 1), values)
    return (values >= levels).astype(np.float32)


def _rising_and_falling(values: np.ndarray, *, threshold: float, rounding: float) -> np.ndarray:
    """Return spikes of `(time, batch, channels, ...)` values: twice the channels, first of rises, then of falls."""
    enough, known, spikes = threshold - rounding, np.zeros(values.shape[1:], np.int64), []
    for value in values:
        gap = value - threshold * known
        is_rise, is_fall = gap >= enough, gap <= -enough
        known += is_rise.astype(np.int64) - is_fall
        rises, falls = is_rise.astype(np.float32), is_fall.astype(np.float32)
        spikes.append(np.concatenate([rises, falls], axis=1))
    return np.stack(spikes)


def _column(numbers: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Return `(time, 1, ...)` numbers that meet `(batch, ...)` values at each step."""
    return numbers.reshape(-1, *[1] * values.ndim)
