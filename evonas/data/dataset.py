"""A data set in memory, and its parts: training, validation and test."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from numbers import Real

import numpy as np

from evonas.data.class_labels import LISTED, Label, coded, counts, labels_in, listed, small_classes
from evonas.data.split import split_off
from evonas.errors import DataError
from evonas.options import shown

_TEST_SEED, _VALIDATION_SEED = 0x7E57, 0x5917
"""First entries of the seeds of both draws. The test part has no other, so that it depends on the data alone."""


@dataclass(frozen=True)
class Samples:
    """Images or recordings with their labels.

    Attributes:
        inputs: `(samples, time, channels, height, width)` float32; static images have time 1.
        labels: `(samples,)`: in a `SearchData` int64 class indices, in a `DataSet` whole numbers or texts as they come.
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
    """What a search may see: it holds no test samples, and no way to them.

    Attributes:
        train: Samples that networks are trained on.
        validation: Samples that they are measured on.
        classes: Number of classes.
        class_labels: The label of each class in the data; empty where unknown.
        notes: Sentences for people about what is allowed but perhaps not intended.
    """

    train: Samples
    validation: Samples
    classes: int
    class_labels: tuple[Label, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def frames(self) -> int | None:
        """Frames of a sample, one a time step; None for static images."""
        time = self.train.inputs.shape[1]
        return None if time == 1 else time

    @property
    def input_shape(self) -> tuple[int, ...]:
        """`(channels, height, width)` of static images, `(time, channels, height, width)` of event frames."""
        shape: tuple[int, ...] = self.train.inputs.shape
        return shape[2:] if self.frames is None else shape[1:]

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256, in hexadecimal, of everything a search sees: the same for the same data on every machine."""
        digest = hashlib.sha256(f"{self.classes} classes".encode())
        for part in (self.train, self.validation):
            for array in (part.inputs, part.labels):
                digest.update(f" {array.dtype.str} {array.shape} ".encode())
                digest.update(np.ascontiguousarray(array).data)
        return digest.hexdigest()


@dataclass(frozen=True)
class DataSet:
    """A whole data set. A search is given its `for_search` only; `test` is for the final training.

    The labels that occur stand for the classes 0 to n - 1, in ascending order, whatever numbers or texts they are.

    Attributes:
        samples: The samples that are split here.
        classes: Number of classes. May be given to say how many are expected.
        official_test: The test samples, if the publisher sets them apart; otherwise `test_part` of `samples`.
        validation_part: Fraction of `samples` that is for validation.
        test_part: Fraction of `samples` that is for the test; unused if there is an official test set.
        class_labels: The label of each class, ascending; by default those that occur in `samples`. There are more if
            `samples` are a part of a larger set.
        notes: What the reader has to say about the data: sentences for people.

    Raises:
        DataError: If samples are not what they should be, there are fewer than two classes or more than `classes`,
            test samples differ in shape or have other labels, or the parts leave nothing for training.
    """

    samples: Samples
    classes: int = 0
    official_test: Samples | None = None
    validation_part: float = 0.2
    test_part: float = 0.2
    class_labels: tuple[Label, ...] = ()
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "samples", _checked(self.samples, what="The samples"))
        self._check_parts()
        if len(self.samples) < 2:
            raise DataError(f"{len(self.samples)} samples are too few to split into training and validation.")
        occurring = labels_in(self.samples.labels)
        if len(occurring) < 2:
            raise DataError(
                f"All {len(self.samples):,} labels are {listed(occurring)}, so that there is nothing to tell apart; "
                "expected two classes or more."
            )
        labels = tuple(self.class_labels) or occurring
        object.__setattr__(self, "notes", (*self.notes, *_class_count_notes(self.classes, labels)))
        object.__setattr__(self, "class_labels", labels)
        object.__setattr__(self, "classes", len(labels))
        if self.official_test is not None:
            test = _checked(self.official_test, what="The test samples")
            object.__setattr__(self, "official_test", test)
            shape, test_shape = self.samples.inputs.shape[1:], test.inputs.shape[1:]
            if shape != test_shape:
                raise DataError(
                    f"The test samples have the shape {test_shape}, the training samples {shape}; expected one shape "
                    "(time, channels, height, width)."
                )
        _ = self._test_indices  # raises where a label is not known
        if not all(map(len, self._train_and_validation(0))):  # the sizes are the same for any seed
            raise DataError(
                f"{len(self.samples)} samples of {self.classes} classes are too few to split into training and "
                "validation."
            )

    def for_search(self, *, seed: int = 0) -> SearchData:
        """Return the training and validation samples, drawn with `seed` from all but the test samples."""
        train, validation = self._train_and_validation(seed)
        parts = self._part(train), self._part(validation)
        return SearchData(*parts, self.classes, self.class_labels, (*self.notes, *self._remarks(*parts)))

    def test(self) -> Samples:
        """Return the test samples, the same for every seed: to be read once, after the final training, by no search."""
        if self.official_test is not None:
            assert self._test_indices is not None
            return Samples(_float32(self.official_test.inputs), self._test_indices)
        return self._part(self._test_split[0])

    def _train_and_validation(self, seed: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the positions of the training and of the validation samples."""
        free, by_class = self._test_split[1], self._by_class
        seeds = (seed, _VALIDATION_SEED)
        validation, train = split_off(free, self._indices, part=self.validation_part, by_class=by_class, seed=seeds)
        return train, validation

    def _part(self, index: np.ndarray) -> Samples:
        return Samples(_float32(self.samples.inputs[index]), self._indices[index])

    @cached_property
    def _indices(self) -> np.ndarray:
        return coded(self.samples.labels, self.class_labels, what="The samples")

    @cached_property
    def _test_indices(self) -> np.ndarray | None:
        if self.official_test is None:
            return None
        return coded(self.official_test.labels, self.class_labels, what="The test samples")

    @cached_property
    def _by_class(self) -> list[int]:
        return counts(self._indices, classes=self.classes)

    @cached_property
    def _test_split(self) -> tuple[np.ndarray, np.ndarray]:
        """Positions of the test samples and of all others."""
        every = np.arange(len(self.samples))
        part = 0.0 if self.official_test is not None else self.test_part
        return split_off(every, self._indices, part=part, by_class=self._by_class, seed=(_TEST_SEED,))

    def _remarks(self, train: Samples, validation: Samples) -> Iterator[str]:
        """Yield a sentence for each kind of class with too few samples."""
        in_train, in_validation = (counts(part.labels, classes=self.classes) for part in (train, validation))
        rows = list(zip(self.class_labels, self._by_class, in_train, in_validation, strict=True))
        if untrained := [label for label, _, count, _ in rows if not count]:
            yield f"Classes without training samples, which no network can learn: {listed(untrained)}."
        if small := [f"{shown(rows[index][0])} ({rows[index][1]:,})" for index in small_classes(self._by_class)]:
            yield (
                f"Classes with far fewer samples than the others: {', '.join(small[:LISTED])}. Each is an output of "
                "every network; if it is a wrong label, mend or leave out its samples."
            )
        if unseen := [label for label, count, _, measured in rows if count and not measured]:
            yield f"Classes with too few samples to have any for validation, which nothing measures: {listed(unseen)}."

    def _check_parts(self) -> None:
        parts = {"validation_part": self.validation_part, "test_part": self.test_part}
        for name, value in parts.items():
            if not isinstance(value, Real) or isinstance(value, bool) or not 0 <= value <= 1:
                raise DataError(f"{name} = {shown(value)}, expected a number between 0 and 1, such as 0.2.")
        apart = self.validation_part + (self.test_part if self.official_test is None else 0)
        if self.validation_part == 0 or apart >= 1:
            raise DataError(
                f"validation_part = {self.validation_part} and test_part = {self.test_part} leave no training or no "
                "validation data; expected parts above 0 that add up to less than 1."
            )


def _class_count_notes(classes: int, labels: Sequence[Label]) -> Iterator[str]:
    """Yield a sentence if more classes are announced than there are labels.

    Raises:
        DataError: If fewer are announced.
    """
    if not isinstance(classes, int) or isinstance(classes, bool) or (classes != 0 and classes < len(labels)):
        raise DataError(
            f"classes = {shown(classes)}, but the labels {listed(labels)} are {len(labels)} classes; give the right "
            "number or leave it out."
        )
    if classes > len(labels):
        known = set(labels)
        first = list(islice((number for number in range(classes) if number not in known), LISTED))
        yield (
            f"{classes:,} classes are announced, but {len(labels)} labels occur, each of which is an output of every "
            f"network; nothing is labelled {listed(first)}{' and so on' if len(first) == LISTED else ''}."
        )


def _float32(inputs: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(inputs, np.float32)


def _checked(samples: Samples, *, what: str) -> Samples:
    """Return samples as arrays of `(samples, time, channels, height, width)` finite numbers, each with a label.

    Raises:
        DataError: If they are not.
    """
    if not isinstance(samples, Samples):
        raise DataError(f"{what} are a {type(samples).__name__}, expected Samples(inputs, labels).")
    try:
        inputs, labels = np.asarray(samples.inputs), np.asarray(samples.labels)
    except (TypeError, ValueError) as error:  # lists of different lengths, values that are no numbers
        raise DataError(f"{what} are no arrays of one shape ({error}); expected as many values for each.") from error
    if not labels.size:
        raise DataError(f"{what} are none: 0 labels; expected one or more.")
    if inputs.ndim != 5 or inputs.dtype.kind not in "biuf" or math.prod(inputs.shape[1:]) == 0:
        raise DataError(
            f"{what} are an array of {inputs.dtype} of shape {inputs.shape}, expected numbers of shape "
            "(samples, time, channels, height, width), none of them 0; static images have time 1."
        )
    if labels.shape != (len(inputs),):
        raise DataError(
            f"{what} are {len(inputs):,}, their labels have the shape {labels.shape}; expected one label a sample, and "
            "samples first, then time."
        )
    if inputs.dtype.kind == "f" and not np.isfinite(inputs).all():
        raise DataError(f"{what} hold values that are no finite numbers (nan or inf); mend those samples.")
    return Samples(inputs, labels)
