"""Stratified splits: a part of the samples in which every class has its share, to within one sample."""

from __future__ import annotations

from collections.abc import Sequence
from math import floor

import numpy as np


def split_off(
    free: np.ndarray, classes: np.ndarray, *, part: float, by_class: Sequence[int], seed: Sequence[int]
) -> tuple[np.ndarray, np.ndarray]:
    """Return the positions of the samples that are split off and of those that remain, each in random order.

    Each class gives `part` of its samples, rounded so that the total is `part` of all samples (largest remainders are
    rounded up). The last free sample of a class remains, because training needs it, unless no class has more than one.

    Args:
        free: `(free,)` positions of the samples that may be split off.
        classes: `(samples,)` class of every sample, free or not.
        part: Fraction of all samples of each class.
        by_class: Number of all samples of each class.
        seed: Seed of the draw.
    """
    order = free[np.random.default_rng(seed).permutation(len(free))]
    class_of = classes[order]  # (free,)
    available = np.bincount(class_of, minlength=len(by_class))  # (classes,)
    most = np.maximum(available - 1, 0)
    shares = _rounded(by_class, part=part, most=most if most.any() else available)  # (classes,)
    by_label = np.argsort(class_of, kind="stable")  # (free,), class after class
    first = np.cumsum(available) - available  # (classes,) where each class begins in `by_label`
    rank = np.empty(len(order), np.int64)  # (free,) of each sample within its class
    rank[by_label] = np.arange(len(order)) - first[class_of[by_label]]
    taken = rank < shares[class_of]
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
