"""Inputs that are one array in memory, in its own type."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from evonas.data.augmentation import Augmentation
from evonas.errors import DataError
from evonas.input_shape import Element

_CHUNK = 1024
"""Samples that become float at once where statistics are taken."""


@dataclass(frozen=True, eq=False)
class Arrays:
    """Images or frames in one array: `(value / full_scale - mean) / std` is what a network sees.

    Example:
        >>> images = Arrays(np.full((10, 1, 1, 2, 2), 51, np.uint8), full_scale=255)
        >>> images.batch(np.arange(3), time_steps=4, rng=np.random.default_rng(0)).shape
        (1, 3, 1, 2, 2)
        >>> float(images.batch(np.arange(1), time_steps=4, rng=np.random.default_rng(0)).max())
        0.20000000298023224

    Attributes:
        values: `(samples, time, channels, height, width)` in their own type, those of 8 bytes as float32.
        full_scale: The value that stands for 1, such as 255 for the pixels of images.
        kind: What the elements are, checked where a data set is made; by default images (time 1) and what is scaled are
            `"real"`, frames `"graded"`.
        mean: Subtracted from each channel after scaling; empty for 0.
        std: Each channel is divided by it; empty for 1.
        variation: How training varies samples, before they are scaled; None where they are measured.
    """

    values: np.ndarray
    full_scale: float = 1.0
    kind: Element | None = None
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    variation: Augmentation | None = None

    def __post_init__(self) -> None:
        values = np.asarray(self.values)
        if values.dtype.kind in "iuf" and values.dtype.itemsize > 4:
            with np.errstate(over="ignore"):  # `check` finds what is no finite number then
                values = values.astype(np.float32)
        object.__setattr__(self, "values", values)

    def __len__(self) -> int:
        return len(self.values)

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """`(time, channels, height, width)` of a sample; time 1 for static images."""
        time, channels, height, width = self.values.shape[1:]
        return time, channels, height, width

    @property
    def element(self) -> Element:
        """What the first layer of a network reads."""
        if self.mean or self.std:
            return "real"
        return self.kind or ("real" if self.shape[0] == 1 or self.full_scale != 1 else "graded")

    @property
    def seconds(self) -> None:
        """Arrays do not say how long a sample lasts."""

    def measured(self) -> Arrays:
        """Return the samples without variation."""
        return replace(self, variation=None)

    def take(self, index: np.ndarray) -> Arrays:
        """Return the samples at `index`."""
        return replace(self, values=self.values[index])

    def digest(self, into: Any) -> None:
        """Give values, scale, normalisation and variation to a hash of `hashlib`."""
        into.update(f" {self.values.dtype.str} {self.values.shape} ".encode())
        into.update(np.ascontiguousarray(self.values).data)
        rest = (self.full_scale, self.kind, self.mean, self.std, self.variation)
        if rest != (1.0, None, (), (), None):
            into.update(repr(rest).encode())

    def batch(self, index: np.ndarray, *, time_steps: int, rng: np.random.Generator) -> np.ndarray:
        """Return the `(time, batch, channels, height, width)` float32 values of the samples at `index`.

        The time is that of the array, whatever `time_steps` says; `rng` gives the seed of the variation.
        """
        return self.as_float(self.varied(index, rng=rng).swapaxes(0, 1))

    def varied(self, index: np.ndarray, *, rng: np.random.Generator) -> np.ndarray:
        """Return the `(batch, time, channels, height, width)` values of the samples at `index`, in their own type."""
        values: np.ndarray = self.values[index]
        if self.variation is None:
            return values
        return self.variation.applied(values, index=index, seed=int(rng.integers(2**63)))

    def as_float(self, values: np.ndarray) -> np.ndarray:
        """Return values of shape `(..., channels, height, width)` as a network sees them."""
        found = values.astype(np.float32, order="C")  # a new array, which may be changed
        if self.full_scale != 1:
            found /= np.float32(self.full_scale)
        if self.mean:
            found -= np.array(self.mean, np.float32)[:, None, None]
        if self.std:
            found /= np.array(self.std, np.float32)[:, None, None]
        return found

    def normalised_as(self, training: Arrays) -> Arrays:
        """Return these inputs with the mean 0 and the deviation 1 that `training`, all of it, gets in each channel.

        Channels that are constant there are left as they are, but for their mean.
        """
        plain = replace(training, mean=(), std=())
        count, channels = 0, training.shape[1]
        total, squares = np.zeros(channels), np.zeros(channels)
        for first in range(0, len(plain), _CHUNK):
            part = plain.as_float(plain.values[first : first + _CHUNK]).astype(np.float64)
            count += part.size // channels
            total += part.sum(axis=(0, 1, 3, 4))
            squares += np.square(part).sum(axis=(0, 1, 3, 4))
        mean = total / count
        std = np.sqrt(np.maximum(squares / count - mean**2, 0))
        std = np.where(std > 1e-6 * np.maximum(np.abs(mean), 1), std, 1.0)
        return replace(self, mean=tuple(mean.tolist()), std=tuple(std.tolist()))

    def check(self, *, what: str) -> None:
        """Check that these are `(samples, time, channels, height, width)` finite numbers of their kind.

        Args:
            what: What they are, for messages.

        Raises:
            DataError: If they are not.
        """
        values = self.values
        if values.ndim != 5 or values.dtype.kind not in "biuf" or math.prod(values.shape[1:]) == 0:
            raise DataError(
                f"{what} are an array of {values.dtype} of shape {values.shape}, expected numbers of shape "
                "(samples, time, channels, height, width), none of them 0; static images have time 1."
            )
        if not 0 < self.full_scale < math.inf:
            raise DataError(f"{what} have the full scale {self.full_scale}, expected a number above 0, such as 255.")
        if values.dtype.kind == "f" and not all(
            np.isfinite(values[first : first + _CHUNK]).all() for first in range(0, len(values), _CHUNK)
        ):
            raise DataError(f"{what} hold values that are no finite numbers (nan or inf); mend those samples.")
        self._check_element(what)

    def _check_element(self, what: str) -> None:
        """Check that values are what `element` says.

        Raises:
            DataError: If they are not.
        """
        element, is_whole = self.element, self.values.dtype.kind in "bu" and self.full_scale == 1
        if element == "real" or (element == "graded" and is_whole):
            return
        expected = "0 and 1" if element == "binary" else "whole numbers of at least 0"
        for first in range(0, len(self.values), _CHUNK):
            part = self.values[first : first + _CHUNK] / self.full_scale
            is_right = (part == 0) | (part == 1) if element == "binary" else (part >= 0) & (part == np.floor(part))
            if not is_right.all():
                raise DataError(
                    f"{what} hold {part[~is_right][0]:g} where elements are {element!r}, which are {expected}; "
                    'frames are "graded" unless said. Say that they are any numbers: kind = "real" of Arrays, '
                    'element = "real" of DataSet.of.'
                )
