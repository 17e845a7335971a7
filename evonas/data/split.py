"""Stratified splits: a part of the samples in which every class has its share, to a sample."""

from __future__ import annotations

from collections.abc import Sequence
from math import floor

import numpy as np


def split_off(
    free: np.ndarray, classes: np.ndarray, *, part: float, by_class: Sequence[int], seed: Sequence[int]
) -> tuple[np.ndarray, np.ndarray]:
    """Return the positions of a part of the samples and those that remain, each in random order.

    Each class gives `part` of its samples, rounded up or down so that the whole part has the size it should have
    (the largest remainders are rounded up). The last free sample of a class remains, for training needs it,
    unless all classes are down to their last.

    Args:
        free: Positions of the samples that may be taken.
        classes: `(samples,)` class of every sample, taken or not.
        part: Of all samples of each class.
        by_class: Number of all samples of each class.
        seed: Of the draw.
    """
    order = free[np.random.default_rng(seed).permutation(len(free))]
    of = classes[order]
    there = np.bincount(of, minlength=len(by_class))
    most = np.maximum(there - 1, 0)
    wanted = _rounded(by_class, part=part, most=most if most.any() else there)
    by = np.argsort(of, kind="stable")
    rank = np.empty(len(order), np.int64)  # of each sample within its class
    rank[by] = np.arange(len(order)) - (np.cumsum(there) - there)[of[by]]
    taken = rank < wanted[of]
    return order[taken], order[~taken]


def _rounded(by_class: Sequence[int], *, part: float, most: np.ndarray) -> np.ndarray:
    """Return whole shares of the classes that add up to the rounded share of all, as far as `most` allows."""
    shares = [part * count for count in by_class]
    numbers: np.ndarray = np.minimum(np.floor(shares).astype(np.int64), most)
    missing = round(part * sum(by_class)) - sum(map(floor, shares))
    for index in sorted(range(len(shares)), key=lambda index: (floor(shares[index]) - shares[index], index)):
        if missing > 0 and numbers[index] < most[index]:
            numbers[index] += 1
            missing -= 1
    return numbers
