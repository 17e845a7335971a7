"""Sequences as arrays in one file, `.npz` or HDF5: `(samples, time, channels)`, one time step a frame."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, get_args

import numpy as np

from evonas.data.array_parts import classes_of, read_parts
from evonas.data.arrays import Arrays
from evonas.data.class_labels import first_of_each
from evonas.data.dataset import DataSet
from evonas.data.files import path_of, quoted
from evonas.data.publisher_parts import data_of_parts
from evonas.data.reader_options import check_test_part, check_validation_part, checked_limit, said_of
from evonas.data.samples import Samples
from evonas.errors import DataError
from evonas.input_shape import Element
from evonas.options import shown

_BY_TYPE: dict[str, Element] = {"b": "binary", "i": "graded", "u": "graded", "f": "real"}


def read(
    *,
    path: str,
    elements: Literal["binary", "graded", "real"] | None = None,
    limit: int | None = None,
    validation_part: float = 0.2,
    test_part: float = 0.2,
) -> DataSet:
    """Return the sequences of one `.npz` or HDF5 file, for networks of as many time steps as these have frames.

    The file holds `sequences`, `(samples, time, channels)` numbers, and `labels`, and perhaps `split` with a `"train"`,
    `"val"` or `"test"` for each; or `train_sequences`, `train_labels` and perhaps the same with `val_` and `test_`.

    Args:
        path: The file.
        elements: What the numbers are: spikes, 0 or 1 (`"binary"`), whole numbers of spikes (`"graded"`) or any numbers
            (`"real"`, which need a chip that multiplies); by default as their type says: bool, whole numbers, floats.
        limit: Use only this many training sequences: the first of each class, the second of each, and so on. The
            classes are still those of all.
        validation_part: Fraction of the sequences for validation where the file sets none apart.
        test_part: Fraction of the sequences for the test where the file sets none apart.

    Raises:
        DataError: If the file is missing, damaged, or holds other arrays, or an option does not fit.
    """
    file = path_of(path, what="file", example="data/sequences.npz")
    if elements not in (None, *get_args(Element)):
        raise DataError(f"data.elements = {shown(elements)}, expected {', '.join(get_args(Element))}.")
    check_validation_part(validation_part)
    check_test_part(test_part)
    parts, notes = read_parts(file, noun="sequences", check=_check)
    classes = classes_of(file, parts, noun="sequences")
    sequences, labels = parts["train"]
    chosen = first_of_each(labels, checked_limit(limit, most=len(sequences), what="sequences"))
    kind = elements or _BY_TYPE[sequences.dtype.kind]
    samples = {name: Samples(_inputs(file, part, kind), own) for name, (part, own) in parts.items()}
    samples["train"] = samples["train"] if limit is None else samples["train"].take(chosen)
    given = {"limit": limit, "validation_part": validation_part, "test_part": test_part}
    with said_of(file, given, what="sequences"):
        return data_of_parts(
            samples,
            validation_part=validation_part,
            test_part=test_part,
            class_labels=classes,
            notes=tuple(notes),
        )


def _check(file: Path, sequences: np.ndarray, labels: np.ndarray, name: str) -> None:
    """Check that there are sequences and a label for each.

    Raises:
        DataError: If there are not.
    """
    if sequences.ndim != 3 or labels.shape not in ((len(sequences),), (len(sequences), 1)):
        raise DataError(
            f"{quoted(file)} holds {name} of shape {sequences.shape} and labels of shape {labels.shape}; expected "
            "(n, time, channels) and (n,)."
        )
    if sequences.dtype.kind not in _BY_TYPE:
        raise DataError(f"{quoted(file)} holds {name} of {sequences.dtype}; expected numbers or bool.")


def _inputs(file: Path, sequences: np.ndarray, kind: Element) -> Arrays:
    """Return sequences as inputs of shape `(n, time, channels, 1, 1)`.

    Raises:
        DataError: If they hold other numbers than they are said to.
    """
    expected, is_right = "", np.array(True)
    if kind == "binary":
        expected, is_right = "0 and 1", (sequences == 0) | (sequences == 1)
    elif kind == "graded":
        expected, is_right = "whole numbers of at least 0", (sequences >= 0) & (sequences == np.floor(sequences))
    if not is_right.all():
        at = tuple(int(axis[0]) for axis in np.nonzero(~is_right))
        raise DataError(
            f"{quoted(file)} holds {sequences[at]} at {at} of its sequences; expected {expected}, as data.elements or "
            f'their type ({sequences.dtype}) says. Give data.elements = "real" for any numbers.'
        )
    values = sequences.astype(sequences.dtype.newbyteorder("="), copy=False)
    return Arrays(values[..., None, None], kind=kind)
