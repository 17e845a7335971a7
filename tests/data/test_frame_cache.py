from __future__ import annotations

import pickle

import numpy as np

from evonas.data.frame_cache import FrameCache


class Counting:
    """Counts how often it was asked; recordings have as many events in a bin as their position says."""

    def __init__(self) -> None:
        self.asked = 0

    def of(self, cache: FrameCache, sample: int, *, frames: int = 2) -> np.ndarray:
        def count() -> np.ndarray:
            self.asked += 1
            return np.full((frames, 5), sample)

        return cache.counts(sample, frames=frames, count=count)


def test_counts_are_made_once_until_another_number_of_frames_is_wanted() -> None:
    cache, counting = FrameCache(10_000), Counting()
    for _ in range(3):
        for sample in (7, 300, 0):
            assert np.array_equal(counting.of(cache, sample), np.full((2, 5), sample))
    assert counting.asked == 3
    assert counting.of(cache, 7, frames=3).shape == (3, 5)
    assert counting.of(cache, 7).shape == (2, 5)
    assert counting.asked == 5


def test_no_more_bytes_are_kept_than_allowed() -> None:
    cache, counting = FrameCache(2 * 20 + 19), Counting()  # two recordings of ten 16-bit numbers, and not quite a third
    for _ in range(2):
        for sample in range(4):
            assert np.array_equal(counting.of(cache, sample), np.full((2, 5), sample))
    assert counting.asked == 4 + 2


def test_numbers_that_do_not_fit_are_counted_each_time() -> None:
    cache, counting = FrameCache(10_000), Counting()
    for sample in (2**16 - 1, 2**16):
        for _ in range(2):
            assert counting.of(cache, sample).max() == sample
    assert counting.asked == 1 + 2


def test_what_is_pickled_is_empty_and_allows_as_much() -> None:
    cache, counting = FrameCache(20), Counting()
    counting.of(cache, 1)
    copied = pickle.loads(pickle.dumps(cache))
    counting.of(copied, 2)
    counting.of(copied, 2)
    assert counting.asked == 2
