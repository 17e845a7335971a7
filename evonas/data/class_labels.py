"""Labels of a data set, texts or whole numbers with gaps, and the classes 0 to n - 1 that they stand for."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from evonas.errors import DataError
from evonas.options import shown

Label = int | str

FEW = 10
"""A class is small if the median class has more than this many times its samples."""

LISTED = 8
"""Labels that a sentence names at most."""


def labels_in(labels: np.ndarray) -> tuple[Label, ...]:
    """Return the different labels, ascending: each stands for one class.

    Raises:
        DataError: If they are neither whole numbers nor texts.
    """
    return tuple(np.unique(_comparable(labels)).tolist())


def coded(labels: np.ndarray, known: Sequence[Label], *, what: str) -> np.ndarray:
    """Return the `(samples,)` int64 classes of labels: their positions in `known`.

    Args:
        labels: As the data set has them.
        known: The label of each class, ascending.
        what: What they are labels of, for messages.

    Raises:
        DataError: If a label is not known, or the labels are neither whole numbers nor texts.
    """
    came = _comparable(labels)
    occurring = tuple(np.unique(came).tolist())
    classes = set(known)
    unknown = [label for label in occurring if label not in classes]
    if unknown:
        raise DataError(
            f"{what} have the labels {listed(unknown)}, which are none of the {len(known)} classes of training, "
            f"{listed(known)}. Leave those samples out, or add training samples of these classes."
        )
    index = {label: position for position, label in enumerate(known)}
    positions = np.array([index[label] for label in occurring], np.int64)
    return positions[np.unique(came, return_inverse=True)[1].reshape(-1)]


def counts(indices: np.ndarray, *, classes: int) -> list[int]:
    """Return the number of samples of each class, from their `(samples,)` classes."""
    found: list[int] = np.bincount(indices, minlength=classes).tolist()
    return found


def first_of_each(labels: np.ndarray, limit: int | None) -> np.ndarray:
    """Return `limit` positions: of the first of each class, then of the second of each, and so on; all without it."""
    classes = np.unique(labels, return_inverse=True)[1].reshape(-1)
    by_class = np.argsort(classes, kind="stable")
    first = np.searchsorted(classes[by_class], classes)  # where the class of each begins in `by_class`
    turn = np.empty(len(labels), np.int64)
    turn[by_class] = np.arange(len(labels))
    return np.lexsort((classes, turn - first))[:limit]


def small_classes(by_class: Sequence[int]) -> list[int]:
    """Return the classes with samples, but far fewer than the median class: a wrong label may have made them."""
    median = float(np.median([count for count in by_class if count]))
    return [index for index, count in enumerate(by_class) if 0 < count * FEW < median]


def listed(labels: Sequence[Label]) -> str:
    """Return labels for a sentence: the first `LISTED`, and how many more there are."""
    first = ", ".join(shown(label) for label in labels[:LISTED])
    return first if len(labels) <= LISTED else f"{first} and {len(labels) - LISTED:,} more"


def _comparable(labels: np.ndarray) -> np.ndarray:
    """Return the labels as an array of integers or of texts."""
    array = np.asarray(labels)
    if array.dtype.kind == "O":
        kinds = {type(label) for label in array.tolist()}
        if kinds == {str} or (kinds and all(issubclass(kind, int | np.integer) for kind in kinds)):
            array = np.array(array.tolist())
    if array.dtype.kind == "f" and np.array_equal(array, np.rint(array)) and (np.abs(array) < 2**53).all():
        array = array.astype(np.int64)
    if array.dtype.kind == "b":
        array = array.astype(np.int64)
    if array.ndim != 1 or array.dtype.kind not in "iuU":
        raise DataError(
            f"Labels are an array of {array.dtype} of shape {array.shape}, expected one whole number or one text a "
            "sample."
        )
    return array
