"""Draws by sample: random numbers that depend on a seed and the position of a sample, not on the batch it comes in."""

from __future__ import annotations

import numpy as np


def keys(seed: int, index: np.ndarray) -> np.ndarray:
    """Return a `(batch,)` uint64 key of the generator of each sample, from a seed and the positions of the samples.

    Source: SplitMix64 (Steele et al., OOPSLA 2014), whose output is a bijection of its counter, here the position.
    """
    return mixed(mixed(np.array([seed], np.uint64)) + index.astype(np.uint64))


def mixed(keys: np.ndarray) -> np.ndarray:
    """Return uint64 numbers that look random, a different one for each key; mixed again, they are the next ones."""
    found: np.ndarray = keys + np.uint64(0x9E3779B97F4A7C15)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        found ^= found >> np.uint64(shift)
        found *= np.uint64(factor)
    found ^= found >> np.uint64(31)
    return found


def below(limit: int, keys: np.ndarray) -> np.ndarray:
    """Return whole numbers from 0 to `limit` - 1, one for each key; `limit` is far below 2^32."""
    numbers: np.ndarray = ((keys >> np.uint64(32)) * np.uint64(limit) >> np.uint64(32)).astype(np.int64)
    return numbers


def sixteen_bits(key: int, shape: tuple[int, ...]) -> np.ndarray:
    """Return uint16 numbers of a shape, uniform from 0 to 65,535, drawn with the key of a sample."""
    number = int(np.prod(shape))
    raw = np.random.Philox(key=int(key)).random_raw(-(-number // 4))
    numbers: np.ndarray = np.asarray(raw).astype("<u8", copy=False).view("<u2")[:number].reshape(shape)
    return numbers


def sixteen_bits_each(keys: np.ndarray, numbers: np.ndarray) -> np.ndarray:
    """Return uint16 numbers, uniform from 0 to 65,535: `numbers[i]` of them drawn with `keys[i]`, key after key.

    Each key draws four of them at once, by as many mixed numbers that follow it.
    """
    words = -(-numbers // 4)
    begins = np.cumsum(words) - words
    mixed_keys = mixed(np.repeat(keys - begins.astype(np.uint64), words) + np.arange(words.sum(), dtype=np.uint64))
    drawn = mixed_keys.astype("<u8", copy=False).view("<u2")
    parts = zip((4 * begins).tolist(), numbers.tolist(), strict=True)
    return np.concatenate([drawn[begin : begin + number] for begin, number in parts])
