"""Parts that a publisher made of a data set: the words for them, in the names of folders and in arrays of texts."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from evonas.data.dataset import DataSet
from evonas.data.files import entries, quoted
from evonas.data.reader_options import checked_texts
from evonas.data.samples import Samples
from evonas.errors import DataError
from evonas.options import shown

PARTS = ("train", "val", "test")
WORDS = {
    "train": "train", "training": "train",
    "val": "val", "valid": "val", "validation": "val",
    "test": "test", "testing": "test",
}  # fmt: skip
"""Words that readers know, with the part that each stands for."""


def part_named(name: str) -> str | None:
    """Return the part that a folder is named after, None if it is named after none.

    Its last word counts, in capital letters or not.

    Examples:
        >>> part_named("n-cars_Train"), part_named("valid"), part_named("terrain")
        ('train', 'val', None)
    """
    return WORDS.get(re.split(r"[\W_]+", name.lower())[-1])


def part_folders(folder: Path) -> dict[str, Path]:
    """Return the folder of each part; `{"train": folder}` where the publisher made none.

    There are parts where a folder that is named after one holds folders, or where all folders are named after parts. A
    class may be called `train`, therefore.

    Raises:
        DataError: If there are parts but none to train, one of them twice, or other folders beside them.
    """
    names = [entry.name for entry in entries(folder) if entry.is_dir() and not entry.name.startswith(".")]
    named = {name: part_named(name) for name in names}
    if not names or not (
        all(named.values()) or any(part and _has_folders(folder / name) for name, part in named.items())
    ):
        return {"train": folder}
    expected = "expected one for train, at most one each for val and test, or one folder for each class"
    found: dict[str, Path] = {}
    for name, part in named.items():
        if part is None:
            raise DataError(f"{quoted(folder)} has the folder {shown(name)} beside those of parts; {expected}.")
        if part in found:
            both = f"{quoted(found[part].name)} and {quoted(name)}"
            raise DataError(f"{quoted(folder)} has two folders for {part}, {both}; {expected}.")
        found[part] = folder / name
    if "train" not in found:
        raise DataError(f"{quoted(folder)} has folders for {' and '.join(found)} and none for train; {expected}.")
    return found


def parts_of(split: np.ndarray, *, count: int, what: str) -> np.ndarray:
    """Return `(count,)` names of parts, each one of `PARTS`, for an array of words or of their bytes.

    Args:
        split: The array, `(count,)` or `(count, 1)`.
        count: Number of samples.
        what: What it is, for messages: `"a.npz holds split"`.

    Raises:
        DataError: If it has another shape or other values.
    """
    expected = f"expected {count:,} texts, each train, val or test"
    if split.shape not in ((count,), (count, 1)) or split.dtype.kind not in "SU":
        raise DataError(f"{what} as {split.dtype} of shape {split.shape}; {expected}.")
    names, index = np.unique(checked_texts(split.reshape(-1), what=what, expected=expected), return_inverse=True)
    for position, name in enumerate(names.tolist()):
        if name not in WORDS:
            at = int(np.flatnonzero(index.reshape(-1) == position)[0])
            raise DataError(f"{what} with {shown(name)} at index {at:,}; {expected}.")
    return np.array([WORDS[name] for name in names.tolist()])[index.reshape(-1)]


def data_of_parts(samples: Mapping[str, Samples], **options: Any) -> DataSet:
    """Return the data set of a publisher's parts, by their names in `PARTS`; only `"train"` has to be there.

    Args:
        samples: The samples of each part.
        options: Further arguments of `DataSet`.

    Raises:
        DataError: If `DataSet` does.
    """
    return DataSet(
        samples["train"], official_validation=samples.get("val"), official_test=samples.get("test"), **options
    )


def _has_folders(folder: Path) -> bool:
    return any(entry.is_dir() and not entry.name.startswith(".") for entry in entries(folder))
