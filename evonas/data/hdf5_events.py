"""HDF5 files of events: opened so that nothing outside of them is read, and read no further than they are long."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from evonas.data.files import opened, quoted
from evonas.errors import DataError

MOST_VALUES = 2**30
"""Most values of one array."""

_MOST_PACKED = 1032  # bytes that one byte of gzip can stand for, at most


@contextmanager
def hdf5_file(file: Path, *, expected: str) -> Iterator[h5py.File]:
    """Open a file for reading.

    Args:
        file: The file.
        expected: What it should be, for messages: `"an HDF5 file of events"`.

    Raises:
        DataError: If it is none, or cannot be read while it is open.
    """
    with opened(file, expected=expected) as (stream, _):
        try:
            with h5py.File(stream, "r") as found:
                yield found
        except DataError:
            raise
        except (
            OSError,
            RuntimeError,
            KeyError,
            ValueError,
            TypeError,
            UnicodeError,
            OverflowError,
            MemoryError,
        ) as error:
            reason = " ".join(str(error).split())
            raise DataError(f"{quoted(file)} cannot be read as {expected}: {reason[:300]}.") from error


def array_of(file: h5py.File, name: str, *, path: Path, kinds: str, length: int | None = None) -> np.ndarray:
    """Return a whole array of one dimension.

    Args:
        file: The open file.
        name: Of the array.
        path: Of the file, for messages.
        kinds: Kinds of numpy that its values may have, such as `"iu"`; `"U"` for texts.
        length: The length that it has to have.

    Raises:
        DataError: If it is missing, lies elsewhere, or is of another kind or length.
    """
    found = dataset_of(file, name, path=path)
    dtype = h5py.string_dtype() if h5py.check_string_dtype(found.dtype) else found.dtype
    kind = "U" if h5py.check_string_dtype(found.dtype) else dtype.kind
    if kind not in kinds:
        raise DataError(f"{quoted(path)}: {name!r} holds {found.dtype}, expected {_words(kinds)}.")
    if length is not None and len(found) != length:
        raise DataError(f"{quoted(path)}: {name!r} has {len(found):,} values, expected {length:,}.")
    values: np.ndarray = found.asstr()[:].astype("U") if kind == "U" else found[:]
    return values


def dataset_of(file: h5py.File, name: str, *, path: Path) -> h5py.Dataset:
    """Return an array of one dimension that lies in the file itself, and is no longer than the file can hold.

    Raises:
        DataError: If there is none.
    """
    parts = name.split("/")
    for depth in range(len(parts)):
        part = "/".join(parts[: depth + 1])
        link = file.get(part, getlink=True)
        if link is None:
            raise DataError(f"{quoted(path)} has no {name!r}; it has {', '.join(sorted(file)[:10]) or 'nothing'}.")
        if not isinstance(link, h5py.HardLink):
            raise DataError(f"{quoted(path)}: {part!r} is a link to elsewhere, expected an array in the file itself.")
    found: Any = file[name]
    if not isinstance(found, h5py.Dataset) or found.ndim != 1:
        came = f"has the shape {found.shape}" if isinstance(found, h5py.Dataset) else "is a group"
        raise DataError(f"{quoted(path)}: {name!r} {came}, expected an array of one dimension.")
    plist = found.id.get_create_plist()
    if found.is_virtual or plist.get_external_count():
        raise DataError(f"{quoted(path)}: the values of {name!r} lie in other files; expected them in the file itself.")
    stored = found.id.get_storage_size()
    if len(found) > MOST_VALUES or found.nbytes > stored * (_MOST_PACKED if plist.get_nfilters() else 1):
        raise DataError(
            f"{quoted(path)}: {name!r} announces {len(found):,} values of {found.dtype}, and {stored:,} bytes are "
            f"stored; expected as many as it announces, and at most {MOST_VALUES:,}."
        )
    return found


def _words(kinds: str) -> str:
    words = {"i": "whole numbers", "f": "numbers with a point", "b": "true and false", "U": "texts"}
    return " or ".join(words[kind] for kind in kinds if kind in words)
