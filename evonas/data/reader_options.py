"""Options that several readers take, checked, and what a sentence says of those that were given."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from evonas.data.files import quoted
from evonas.errors import DataError
from evonas.options import shown

_LONGEST_TEXT = 200


def is_whole(value: Any) -> bool:
    """Return whether a value is a whole number, and no bool."""
    return isinstance(value, int | np.integer) and not isinstance(value, bool)


def checked_limit(limit: Any, *, most: int, what: str = "images") -> int:
    """Return how many of `most` training samples are used: `limit`, all of them if it is None.

    Raises:
        DataError: If it is none of 1 to `most`.
    """
    if limit is None:
        return most
    expected = f"expected 1 to {most}, the number of training {what}"
    if not is_whole(limit):
        raise DataError(f"data.limit = {shown(limit)} is no whole number; {expected}.")
    if not 1 <= limit <= most:
        raise DataError(f"data.limit = {shown(limit)}, {expected}.")
    return int(limit)


def check_validation_part(part: Any) -> None:
    """Check a fraction for validation.

    Raises:
        DataError: If it is no number above 0 and below 1.
    """
    if not isinstance(part, int | float) or isinstance(part, bool) or not 0 < part < 1:
        raise DataError(
            f"data.validation_part = {shown(part)} would leave no training or no validation data; expected a number "
            "above 0 and below 1, such as 0.2."
        )


def check_test_part(part: Any) -> None:
    """Check a fraction for the test.

    Raises:
        DataError: If it is no number of at least 0 and below 1.
    """
    if not isinstance(part, int | float) or isinstance(part, bool) or not 0 <= part < 1:
        raise DataError(f"data.test_part = {shown(part)}, expected a number of at least 0 and below 1, such as 0.2.")


def checked_texts(texts: np.ndarray, *, what: str, expected: str) -> np.ndarray:
    """Return an array of texts, or of their bytes in UTF-8, as texts that can be printed on one line.

    Args:
        texts: `(n,)` array of the kind `U` or `S`.
        what: What they are, for messages: `"a.npz holds labels"`.
        expected: What was expected, for messages.

    Raises:
        DataError: If one cannot be printed, is empty, very long, or no UTF-8.
    """
    wrong = f"{what} of texts that are empty, longer than {_LONGEST_TEXT} characters or cannot be"
    if texts.dtype.itemsize > 4 * 10 * _LONGEST_TEXT:
        raise DataError(f"{wrong} printed; {expected}.")
    try:
        if texts.dtype.kind == "S":
            texts = np.char.decode(texts, "utf-8")
        different = np.unique(texts).tolist()
    except ValueError as error:  # no UTF-8, no code points
        raise DataError(f"{wrong} read as UTF-8; {expected}.") from error
    for text in different:
        if not text.strip() or not text.isprintable() or len(text) > _LONGEST_TEXT:
            raise DataError(f"{wrong} printed, such as {shown(text)}; {expected}.")
    return texts


@contextmanager
def said_of(path: Path, given: Mapping[str, Any], *, what: str = "images") -> Iterator[None]:
    """Let what a `DataSet` says of its samples end with where they come from and the options that were given.

    Args:
        path: The file or folder.
        given: Options by name; those that are None were not given.
        what: What the samples are.

    Raises:
        DataError: In place of the one that is raised inside, or of a MemoryError.
    """
    try:
        yield
    except DataError as error:
        options = ", ".join(f"data.{name} = {shown(value)}" for name, value in given.items() if value is not None)
        means = f" with {options}" if options else ""
        raise DataError(f"{error} These are the {what} of {quoted(path)}{means}.") from error
    except MemoryError as error:
        raise DataError(
            f"The {what} of {quoted(path)} do not fit into memory; use fewer (data.limit) or smaller ones."
        ) from error
