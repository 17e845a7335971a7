"""Tables in HDF5: one data set a column, for values of the plain types that rows are made of.

Numbers are 64-bit and text is UTF-8. A column of tuples of any length holds all their members one after the other,
and `<column>_offset`, one longer than the table, says where each begins and the last ends.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import accumulate, pairwise
from typing import Any

import h5py
import numpy as np

from evonas.measurement import Shape

_NUMBERS = {int: np.int64, float: np.float64, bool: np.bool_}
_WORTH_PACKING = 2048  # bytes; a packed data set costs about as much in bookkeeping
_PADDING = 4  # text of one width packs well, unless most of it is padding: one long message among many empty ones


def write_table(group: h5py.Group, types: Mapping[str, Any], *, columns: Mapping[str, Sequence[Any]]) -> None:
    """Write `columns` into `group`.

    Args:
        group: Where to.
        types: Name to type of every column: `int`, `float`, `bool`, `str`, `Shape`, or `tuple` of any length of these.
        columns: Name to values.

    Raises:
        ValueError: If a text holds a NUL character or half a surrogate pair.
        OverflowError: If a number has more than 64 bits.
    """
    for name, type_ in types.items():
        values = columns[name]
        if type_ == Shape:
            _write(group, name, np.array(values, np.int64).reshape(-1, 3))
        elif type_ in _NUMBERS or type_ is str:
            _write(group, name, _array(values, type_))
        else:
            _write(group, name, _array([member for value in values for member in value], type_.__args__[0]))
            _write(group, f"{name}_offset", np.array([0, *accumulate(map(len, values))], np.int64))


def read_table(group: h5py.Group, types: Mapping[str, Any]) -> dict[str, list[Any]]:
    """Return the columns that `write_table` wrote, as plain Python values.

    Raises:
        KeyError: If a column is missing.
    """
    columns: dict[str, list[Any]] = {}
    for name, type_ in types.items():
        values = _read(group[name])
        if type_ == Shape:
            values = [tuple(value) for value in values]
        elif type_ not in _NUMBERS and type_ is not str:
            offsets = _read(group[f"{name}_offset"])
            values = [tuple(values[begin:end]) for begin, end in pairwise(offsets)]
        columns[name] = values
    return columns


def _array(values: Sequence[Any], type_: type) -> np.ndarray:
    if type_ is not str:
        return np.array(values, _NUMBERS[type_])
    coded = {text: text.encode() for text in set(values)}
    if any(b"\0" in text for text in coded.values()):
        raise ValueError("a text holds a NUL character, which HDF5 cannot store")
    lengths = [len(coded[text]) for text in values]
    width = max(1, max(lengths, default=1))
    if width * len(values) > _PADDING * sum(lengths) + 16 * len(values):
        return np.array(list(values), h5py.string_dtype())
    return np.array([coded[text] for text in values], h5py.string_dtype(length=width))


def _write(group: h5py.Group, name: str, array: np.ndarray) -> None:
    if array.nbytes < _WORTH_PACKING:
        group.create_dataset(name, data=array)
    else:
        group.create_dataset(name, data=array, chunks=True, compression="gzip", compression_opts=1, shuffle=True)


def _read(dataset: h5py.Dataset) -> list[Any]:
    values: list[Any] = dataset[()].tolist()
    if h5py.check_string_dtype(dataset.dtype) is None:
        return values
    decoded = {value: value.decode() for value in set(values)}
    return [decoded[value] for value in values]
