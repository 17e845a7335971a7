"""A data set in memory, and its parts: training, validation and test."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from evonas.errors import DataError


@dataclass(frozen=True)
class Samples:
    """Images or recordings with their classes.

    Attributes:
        inputs: `(samples, time, channels, height, width)` float32; static images have time 1.
        labels: `(samples,)` int64 class indices.
    """

    inputs: np.ndarray
    labels: np.ndarray

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, index: np.ndarray) -> Samples:
        """Return the samples at `index`."""
        return Samples(self.inputs[index], self.labels[index])


@dataclass(frozen=True)
class SearchData:
    """What a search may see: no test samples here, and no way to them.

    Attributes:
        train: What networks are trained on.
        validation: What they are measured on.
        classes: Number of classes.
    """

    train: Samples
    validation: Samples
    classes: int

    @property
    def input_shape(self) -> tuple[int, int, int]:
        """`(channels, height, width)` of one time step of one sample."""
        channels, height, width = self.train.inputs.shape[2:]
        return channels, height, width

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of everything a search sees, in hexadecimal: the same data elsewhere have it, other data have not."""
        digest = hashlib.sha256(f"{self.classes} classes".encode())
        for part in (self.train, self.validation):
            for array in (part.inputs, part.labels):
                digest.update(f" {array.dtype.str} {array.shape} ".encode())
                digest.update(np.ascontiguousarray(array).data)
        return digest.hexdigest()


@dataclass(frozen=True)
class DataSet:
    """A whole data set. The search is given `for_search` of it only; final training alone reads `test`.

    Attributes:
        samples: The samples that are split here.
        official_test: The test samples, where the publisher sets them apart; else a part of `samples` is kept.
        classes: Number of classes.
        validation_part: Part of `samples` that is for validation.
        test_part: Part of `samples` that is for the test; 0 where there is an official test set.
    """

    samples: Samples
    classes: int
    official_test: Samples | None = None
    validation_part: float = 0.2
    test_part: float = 0.2

    def __post_init__(self) -> None:
        parts = self.validation_part + (self.test_part if self.official_test is None else 0)
        if not (0 < self.validation_part < 1 and 0 <= parts < 1):
            raise DataError(
                f"validation_part = {self.validation_part} and test_part = {self.test_part} leave no training data; "
                "expected parts above 0 that add up to less than 1."
            )

    def for_search(self, *, seed: int) -> SearchData:
        """Return the training and validation samples of the split that `seed` fixes."""
        validation, _, train = self._parts(seed)
        return SearchData(self.samples.take(train), self.samples.take(validation), self.classes)

    def test(self, *, seed: int) -> Samples:
        """Return the test samples of the split that `seed` fixes. For final training, once; never for a search."""
        if self.official_test is not None:
            return self.official_test
        return self.samples.take(self._parts(seed)[1])

    def _parts(self, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        order = np.random.default_rng([seed, 0x5917]).permutation(len(self.samples))
        n_validation = round(self.validation_part * len(order))
        n_test = 0 if self.official_test is not None else round(self.test_part * len(order))
        validation, test, train = np.split(order, [n_validation, n_validation + n_test])
        if not (len(train) and len(validation)):
            raise DataError(f"{len(order)} samples are too few to split into training and validation.")
        return validation, test, train
