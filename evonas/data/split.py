"""Stratified splits: a part of the samples in which every stratum, such as a class, has its share, to within one."""

from __future__ import annotations

from collections.abc import Sequence
from math import floor

import numpy as np


def split_off(
    free: np.ndarray, strata: np.ndarray, *, part: float, seed: Sequence[int]
) -> tuple[np.ndarray, np.ndarray]:
    """Return the positions of the samples that are split off and of those that remain, each in random order.

    Each stratum gives `part` of its samples, rounded so that the total is `part` of all samples (largest remainders are
    rounded up). The last free sample of one remains, because training needs it, unless none has more.

    Args:
        free: `(free,)` positions of the samples that may be split off.
        strata: `(samples,)` stratum of every sample, free or not, from 0 on.
        part: Fraction of all samples of each stratum.
        seed: Seed of the draw.
    """
    order = free[np.random.default_rng(seed).permutation(len(free))]
    stratum_of = strata[order]  # (free,)
    sizes = np.bincount(strata)  # (strata,)
    available = np.bincount(stratum_of, minlength=len(sizes))
    most = np.maximum(available - 1, 0)
    shares = _rounded(sizes.tolist(), part=part, most=most if most.any() else available)
    in_turn = np.argsort(stratum_of, kind="stable")  # (free,), stratum after stratum
    first = np.cumsum(available) - available  # where each stratum begins in `in_turn`
    rank = np.empty(len(order), np.int64)  # (free,) of each sample within its stratum
    rank[in_turn] = np.arange(len(order)) - first[stratum_of[in_turn]]
    taken = rank < shares[stratum_of]
    return order[taken], order[~taken]


def _rounded(sizes: Sequence[int], *, part: float, most: np.ndarray) -> np.ndarray:
    """Return whole shares of strata that add up to the rounded share of all, as far as `most` allows."""
    shares = [part * count for count in sizes]
    numbers: np.ndarray = np.minimum(np.floor(shares).astype(np.int64), most)
    missing = round(part * sum(sizes)) - sum(map(floor, shares))
    for index in sorted(range(len(shares)), key=lambda index: (floor(shares[index]) - shares[index], index)):
        if missing > 0 and numbers[index] < most[index]:
            numbers[index] += 1
            missing -= 1
    return numbers
