"""Augmentation: how training varies images and frames, each time anew."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from evonas.data.draws import below, keys, mixed


@dataclass(frozen=True)
class Augmentation:
    """What is done to each sample, to all of its frames alike, in this order.

    Example:
        >>> image = np.arange(1, 5).reshape(1, 1, 1, 2, 2)
        >>> Augmentation(flip=True).applied(image, index=np.array([0]), seed=0).reshape(2, 2)
        array([[2, 1],
               [4, 3]])

    Attributes:
        flip: Whether every other sample is mirrored, left to right.
        crop: Zeros that are added at each border, before a part of the former size is cut out at random.
        cutout: Side in pixels of a square at a random place, cut off at the borders, that becomes 0; 0 for none.
    """

    flip: bool = False
    crop: int = 0
    cutout: int = 0

    def applied(self, values: np.ndarray, *, index: np.ndarray, seed: int) -> np.ndarray:
        """Return `(batch, time, channels, height, width)` values, varied; those that came are left as they are.

        Args:
            values: Of any type.
            index: `(batch,)` positions of the samples in their part.
            seed: Of all draws. What a sample gets depends on it and its position alone.
        """
        height, width = values.shape[-2:]
        chain = [keys(seed, index)]
        for _ in range(4):
            chain.append(mixed(chain[-1]))
        first, second, third, fourth, fifth = chain
        is_flipped = (first >> np.uint64(63)).astype(bool) if self.flip else np.zeros(len(values), bool)
        downs, rights = (below(2 * self.crop + 1, key) - self.crop for key in (second, third))
        rows, columns = below(height, fourth), below(width, fifth)
        varied = np.zeros_like(values)
        for sample, (down, right) in enumerate(zip(downs.tolist(), rights.tolist(), strict=True)):
            source = values[sample, ..., ::-1] if is_flipped[sample] else values[sample]
            to_rows, from_rows = _overlap(down, height)
            to_columns, from_columns = _overlap(right, width)
            varied[sample, ..., to_rows, to_columns] = source[..., from_rows, from_columns]
            if self.cutout:
                top, left = int(rows[sample]) - self.cutout // 2, int(columns[sample]) - self.cutout // 2
                varied[sample, ..., max(top, 0) : top + self.cutout, max(left, 0) : left + self.cutout] = 0
        return varied


def _overlap(shift: int, size: int) -> tuple[slice, slice]:
    """Return where the pixels of an axis come to lie that is moved, and where they come from."""
    kept = max(size - abs(shift), 0)
    return slice(max(shift, 0), max(shift, 0) + kept), slice(max(-shift, 0), max(-shift, 0) + kept)
