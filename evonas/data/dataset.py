"""A data set in memory, and its parts: training, validation and test."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property, partial
from numbers import Real
from typing import Any

import numpy as np

from evonas.data.arrays import Arrays
from evonas.data.class_labels import Label
from evonas.data.joined import Joined
from evonas.data.objects import Items, samples_of
from evonas.data.samples import Samples
from evonas.data.search_data import SearchData
from evonas.data.split import split_off
from evonas.data.targets import ClassTargets, Targets, TaskTargets, announced_notes, class_targets
from evonas.errors import DataError
from evonas.input_shape import Element
from evonas.options import shown
from evonas.task import Task

__all__ = ["DataSet", "Samples", "SearchData"]

_TEST_SEED, _VALIDATION_SEED = 0x7E57, 0x5917
"""First entries of the seeds of both draws. The test part has no other, so that it depends on the data alone."""


@dataclass(frozen=True)
class DataSet:
    """A whole data set. A search is given its `for_search` only; `test` is for the final training.

    The labels that occur stand for the classes 0 to n - 1, in ascending order, whatever numbers or texts they are. With
    a `task` they are its targets, `(samples, ...)` numbers, which what varies the inputs leaves as they are.

    Attributes:
        samples: The samples that are split here.
        classes: Number of classes. May be given to say how many are expected.
        official_test: The test samples, if the publisher sets them apart; otherwise `test_part` of `samples`.
        official_validation: The validation samples, if the publisher sets them apart; otherwise `validation_part`.
        validation_part: Fraction of `samples` that is for validation; unused if there are official validation samples.
        test_part: Fraction of `samples` that is for the test; unused if there is an official test set.
        class_labels: The label of each class, ascending; by default those that occur in `samples`. There are more if
            `samples` are a part of a larger set.
        notes: What the reader has to say about the data: sentences for people.
        normalise: Whether each channel gets mean 0 and deviation 1, those of the training part.
        task: What is learnt, if it is no classification.

    Raises:
        DataError: If samples are not what they should be, there are fewer than two classes or more than `classes`,
            test samples differ in shape or have other labels, or the parts leave nothing for training.
    """

    samples: Samples
    classes: int = 0
    official_test: Samples | None = None
    official_validation: Samples | None = None
    validation_part: float = 0.2
    test_part: float = 0.2
    class_labels: tuple[Label, ...] = ()
    notes: tuple[str, ...] = ()
    normalise: bool = False
    task: Task | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "samples", self._checked(self.samples, what="The samples"))
        self._check_parts()
        if self.normalise and not isinstance(self.samples.inputs, Arrays):
            raise DataError("normalise is for images and frames in arrays; these samples are read another way.")
        if len(self.samples) < 2:
            raise DataError(f"{len(self.samples)} samples are too few to split into training and validation.")
        if self.task is None:
            labels = class_targets(self.samples.labels, known=self.class_labels).labels
            object.__setattr__(self, "notes", (*self.notes, *announced_notes(self.classes, labels)))
            object.__setattr__(self, "class_labels", labels)
            object.__setattr__(self, "classes", len(labels))
        elif self.classes or self.class_labels:
            raise DataError("classes and class_labels are of a classification; leave them out beside another task.")
        if self.official_test is not None:
            object.__setattr__(self, "official_test", self._apart(self.official_test, what="test"))
        if self.official_validation is not None:
            object.__setattr__(self, "official_validation", self._apart(self.official_validation, what="validation"))
        _ = self._test_targets, self._validation_targets  # raises where a label is not known
        train, validation = self._train_and_validation(0)  # the sizes are the same for any seed
        if not len(train) or not (len(validation) or self.official_validation is not None):
            of_classes = f" of {self.classes} classes" if self.task is None else ""
            raise DataError(
                f"{len(self.samples)} samples{of_classes} are too few to split into training and validation."
            )

    def _apart(self, samples: Samples, *, what: str) -> Samples:
        """Return samples that are set apart, checked.

        Raises:
            DataError: If they are not like the others.
        """
        samples = self._checked(samples, what=f"The {what} samples")
        shape, own = self.samples.inputs.shape, samples.inputs.shape
        if shape != own:
            raise DataError(
                f"The {what} samples have the shape {own}, the training samples {shape}; expected one shape (time, "
                "channels, height, width)."
            )
        return samples

    @classmethod
    def of(
        cls,
        train: Items,
        test: Items | None = None,
        *,
        validation: Items | None = None,
        keys: tuple[str, str] = ("image", "label"),
        element: Element | None = None,
        **options: Any,
    ) -> DataSet:
        """Return the data set of objects whose items are pairs of an input and its label, read once into memory.

        Data sets of torchvision, of Hugging Face and, cut into frames, of Tonic are such objects, and so are lists of
        pairs. Inputs are arrays, tensors or images of one shape: `(height, width)`, `(channels, height, width)`,
        `(height, width, channels)` or, of frames, `(time, channels, height, width)`. Whole numbers of 8 and 16 bits
        without a sign become values from 0 to 1 where they are images; all others are what a network sees.

        Args:
            train: Training samples, and those that are split off.
            test: Test samples, if they are set apart.
            validation: Validation samples, if they are set apart.
            keys: Of the input and of the label where items are mappings, as those of Hugging Face.
            element: What the numbers are: `"real"`, `"graded"` or `"binary"`; by default those of images are real and
                those of frames graded.
            **options: Further attributes of a `DataSet`.

        Raises:
            DataError: If an item cannot be read, or inputs differ in shape or type.

        Example:
            >>> import numpy as np
            >>> pairs = [(np.full((4, 4), 10 * n, np.uint8), "dark" if n < 10 else "light") for n in range(20)]
            >>> data = DataSet.of(pairs, validation_part=0.3).for_search()
            >>> data.task.labels, data.input_shape, len(data.train), len(data.validation)
            (('dark', 'light'), (1, 4, 4), 10, 6)
        """
        read = partial(samples_of, keys=keys, element=element)
        return cls(
            read(train, what="The training samples"),
            official_test=None if test is None else read(test, what="The test samples"),
            official_validation=None if validation is None else read(validation, what="The validation samples"),
            **options,
        )

    def for_search(self, *, seed: int = 0) -> SearchData:
        """Return the training and validation samples, drawn with `seed` from all but the test samples."""
        train, validation = self._train_and_validation(seed)
        official = self._official_validation
        measured = (self._part(validation) if official is None else official).measured()
        parts = self._normalised(self._part(train), seed=seed), self._normalised(measured, seed=seed)
        remarks = self._meaning.remarks(self._targets, *(part.labels for part in parts))
        return SearchData(*parts, self._meaning.task, (*self.notes, *remarks))

    def for_final_training(self, *, seed: int = 0) -> SearchData:
        """Return the data once a network is chosen: its training part holds the validation samples as well.

        They are varied as the others are. The normalisation is that of the search with this seed, in which networks
        were chosen; so is the validation part, which is no longer held out.
        """
        train, validation = self._train_and_validation(seed)
        if self._official_validation is None:
            whole = self._normalised(self._part(np.concatenate([train, validation])), seed=seed)
        else:
            parts = [self._normalised(one, seed=seed) for one in (self._part(train), self._official_validation)]
            labels = np.concatenate([one.labels for one in parts])
            whole = Samples(Joined(parts[0].inputs, parts[1].inputs), labels)
        return replace(self.for_search(seed=seed), train=whole)

    def test(self, *, seed: int = 0) -> Samples:
        """Return the test samples: to be read once, after the final training, by no search.

        They are the same for every seed, but for the normalisation, which is that of the search with this seed.
        """
        if self.official_test is None:
            return self._normalised(self._part(self._test_split[0]).measured(), seed=seed)
        assert self._test_targets is not None
        test = Samples(self.official_test.inputs.measured(), self._test_targets)
        return self._normalised(test, seed=seed)

    def _normalised(self, part: Samples, *, seed: int) -> Samples:
        if not self.normalise:
            return part
        train = self.samples.inputs.take(self._train_and_validation(seed)[0])
        assert isinstance(part.inputs, Arrays)
        assert isinstance(train, Arrays)
        return Samples(part.inputs.normalised_as(train), part.labels)

    def _train_and_validation(self, seed: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the positions of the training and of the validation samples."""
        seeds = (seed, _VALIDATION_SEED)
        part = 0.0 if self.official_validation is not None else self.validation_part
        validation, train = split_off(self._test_split[1], self._strata, part=part, seed=seeds)
        return train, validation

    def _part(self, index: np.ndarray) -> Samples:
        return Samples(self.samples.inputs.take(index), self._targets[index])

    @cached_property
    def _meaning(self) -> Targets:
        return ClassTargets(self.class_labels) if self.task is None else TaskTargets(self.task)

    @cached_property
    def _targets(self) -> np.ndarray:
        return self._meaning.of(self.samples.labels, what="The samples")

    @cached_property
    def _test_targets(self) -> np.ndarray | None:
        if self.official_test is None:
            return None
        return self._meaning.of(self.official_test.labels, what="The test samples")

    @cached_property
    def _validation_targets(self) -> np.ndarray | None:
        if self.official_validation is None:
            return None
        return self._meaning.of(self.official_validation.labels, what="The validation samples")

    @property
    def _official_validation(self) -> Samples | None:
        if self.official_validation is None or self._validation_targets is None:
            return None
        return Samples(self.official_validation.inputs, self._validation_targets)

    @cached_property
    def _strata(self) -> np.ndarray:
        return self._meaning.strata(self._targets)

    @cached_property
    def _test_split(self) -> tuple[np.ndarray, np.ndarray]:
        """Positions of the test samples and of all others."""
        part = 0.0 if self.official_test is not None else self.test_part
        return split_off(np.arange(len(self.samples)), self._strata, part=part, seed=(_TEST_SEED,))

    def _checked(self, samples: Samples, *, what: str) -> Samples:
        """Return samples with arrays of labels, one for each of the inputs.

        Raises:
            DataError: If they are something else.
        """
        if not isinstance(samples, Samples):
            raise DataError(f"{what} are a {type(samples).__name__}, expected Samples(inputs, labels).")
        try:
            labels = np.asarray(samples.labels)
        except (TypeError, ValueError) as error:  # lists of different lengths
            raise DataError(f"The labels of {what.lower()} are no array ({error}); expected one a sample.") from error
        if not labels.size:
            raise DataError(f"{what} are none: 0 labels; expected one or more.")
        if isinstance(samples.inputs, Arrays):
            samples.inputs.check(what=what)
        if (labels.shape if self.task is None else labels.shape[:1]) != (len(samples.inputs),):
            raise DataError(
                f"{what} are {len(samples.inputs):,}, their labels have the shape {labels.shape}; expected one label a "
                "sample, and samples first, then time."
            )
        return Samples(samples.inputs, labels)

    def _check_parts(self) -> None:
        parts = {"validation_part": self.validation_part, "test_part": self.test_part}
        for name, value in parts.items():
            if not isinstance(value, Real) or isinstance(value, bool) or not 0 <= value <= 1:
                raise DataError(f"{name} = {shown(value)}, expected a number between 0 and 1, such as 0.2.")
        apart = self.test_part if self.official_test is None else 0
        if self.official_validation is None:
            apart += self.validation_part
        if apart >= 1 or (self.validation_part == 0 and self.official_validation is None):
            raise DataError(
                f"validation_part = {self.validation_part} and test_part = {self.test_part} leave no training or no "
                "validation data; expected parts above 0 that add up to less than 1."
            )
