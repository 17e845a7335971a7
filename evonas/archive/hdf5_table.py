"""Tables in HDF5: one data set a column, for values of the plain types that rows are made of.

Whole numbers have the fewest bytes that hold them, other numbers 64 bits, and text is UTF-8 of one width. A column of
tuples of any length holds all their members one after the other, and `<column>_offset`, one longer than the table, says
where each begins and the last ends. Text that would mostly be padding is stored likewise, as bytes in `<column>_utf8`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import Any

import h5py
import numpy as np

from evonas.measurement import Shape

_KINDS = {int: "iu", float: "f", bool: "b", str: "S"}
_WORTH_PACKING = 2048  # bytes; compressing a data set costs about as much in bookkeeping
_PADDING = 4  # text of one width compresses well unless most is padding, as of one long message among empty ones


@dataclass(frozen=True)
class Column:
    """A column of a table in a file; only the rows that are asked for are read.

    Attributes:
        type: Type of its values: `int`, `float`, `bool`, `str`, `Shape`, or `tuple` of any length of one of these.
        values: The values, or the members of all tuples, or the bytes of all texts, one after the other.
        offsets: `(rows + 1,)` where each tuple or text begins in `values`; None where each row is one value.
    """

    type: Any
    values: h5py.Dataset
    offsets: h5py.Dataset | None = None

    def __len__(self) -> int:
        return len(self.values) if self.offsets is None else len(self.offsets) - 1

    def part(self, begin: int = 0, end: int | None = None) -> list[Any]:
        """Return the values of the rows from `begin` to before `end`.

        Raises:
            ValueError: If the offsets do not divide the values.
        """
        end = len(self) if end is None else end
        if self.offsets is None:
            values = self.values[begin:end].tolist()
            if self.type is str:
                return _decoded(values)
            return [tuple(value) for value in values] if self.type == Shape else values
        offsets = self._checked_offsets(begin, end)
        first = offsets[0]
        members = self.values[first : offsets[-1]]
        if self.type is str:
            text = members.tobytes()
            return [text[low - first : high - first].decode() for low, high in pairwise(offsets)]
        members = _decoded(members.tolist()) if self.type.__args__[0] is str else members.tolist()
        return [tuple(members[low - first : high - first]) for low, high in pairwise(offsets)]

    def _checked_offsets(self, begin: int, end: int) -> list[int]:
        assert self.offsets is not None
        total = len(self.values)
        offsets = self.offsets[begin : end + 1].astype(np.int64)
        is_right = bool((np.diff(offsets) >= 0).all()) and offsets[0] >= 0 and offsets[-1] <= total
        is_right = is_right and (begin > 0 or offsets[0] == 0) and (end < len(self) or offsets[-1] == total)
        if not is_right:
            raise ValueError(f"{self.offsets.name} does not divide the {total} members of {self.values.name}")
        found: list[int] = offsets.tolist()
        return found


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
            _write(group, name, _narrow(np.array(values, np.int64).reshape(-1, 3)))
        elif type_ is str:
            _write_text(group, name, values)
        elif type_ in _KINDS:
            _write(group, name, _numbers(values, type_))
        else:
            members = [member for value in values for member in value]
            _write(group, name, _texts(members) if type_.__args__[0] is str else _numbers(members, type_.__args__[0]))
            _write(group, f"{name}_offset", _offsets(values))


def read_table(group: h5py.Group, types: Mapping[str, Any]) -> dict[str, Column]:
    """Return the columns that `write_table` wrote, all of one length.

    Raises:
        KeyError: If a column is missing.
        ValueError: If a column is not of its type or length.
    """
    columns = {name: _column(group, name, type_) for name, type_ in types.items()}
    lengths = {name: len(column) for name, column in columns.items()}
    if len(set(lengths.values())) > 1:
        raise ValueError(f"the columns of {group.name} are of different lengths: {lengths}")
    return columns


def _column(group: h5py.Group, name: str, type_: Any) -> Column:
    if type_ is str and f"{name}_utf8" in group:
        return Column(type_, _dataset(group, f"{name}_utf8", kinds="u", width=1), _offset_column(group, name))
    if type_ == Shape:
        return Column(type_, _dataset(group, name, kinds=_KINDS[int], shape=(3,)))
    if type_ in _KINDS:
        return Column(type_, _dataset(group, name, kinds=_KINDS[type_]))
    return Column(type_, _dataset(group, name, kinds=_KINDS[type_.__args__[0]]), _offset_column(group, name))


def _offset_column(group: h5py.Group, name: str) -> h5py.Dataset:
    offsets = _dataset(group, f"{name}_offset", kinds="iu")
    if not len(offsets):
        raise ValueError(f"{offsets.name} is empty, expected where each of the rows begins, and the end")
    return offsets


def _dataset(
    group: h5py.Group, name: str, *, kinds: str, width: int | None = None, shape: tuple[int, ...] = ()
) -> h5py.Dataset:
    dataset = group[name]
    dtype = dataset.dtype
    if dtype.kind not in kinds or dataset.shape[1:] != shape or dataset.ndim != 1 + len(shape):
        raise ValueError(f"{dataset.name} is of type {dtype} and shape {dataset.shape}, which is not as it is written")
    if (width is not None and dtype.itemsize != width) or (kinds == "f" and dtype.itemsize != 8):
        raise ValueError(f"{dataset.name} is of type {dtype}, which is not as it is written")
    return dataset


def _numbers(values: Sequence[Any], type_: type) -> np.ndarray:
    if type_ is int:
        return _narrow(np.array(values, np.int64))
    return np.array(values, np.float64 if type_ is float else np.bool_)


def _narrow(array: np.ndarray) -> np.ndarray:
    """Return the same whole numbers in the fewest bytes."""
    low, high = (int(array.min()), int(array.max())) if array.size else (0, 0)
    names = ("uint8", "uint16", "uint32") if low >= 0 else ("int8", "int16", "int32")
    fits = [name for name in names if np.iinfo(name).min <= low and high <= np.iinfo(name).max]
    return array.astype(fits[0]) if fits else array


def _offsets(values: Sequence[Any]) -> np.ndarray:
    return _narrow(np.array([0, *accumulate(map(len, values))], np.int64))


def _write_text(group: h5py.Group, name: str, values: Sequence[str]) -> None:
    coded = [text.encode() for text in values]
    if any(b"\0" in text for text in set(coded)):
        raise ValueError("a text holds a NUL character, which HDF5 cannot store")
    width, total = max(map(len, coded), default=1), sum(map(len, coded))
    if width * len(values) > _PADDING * total + 16 * len(values):
        _write(group, f"{name}_utf8", np.frombuffer(b"".join(coded), np.uint8))
        _write(group, f"{name}_offset", _offsets(coded))
    else:
        _write(group, name, _texts(values))


def _texts(values: Sequence[str]) -> np.ndarray:
    coded = {text: text.encode() for text in set(values)}
    if any(b"\0" in text for text in coded.values()):
        raise ValueError("a text holds a NUL character, which HDF5 cannot store")
    width = max(1, max(map(len, coded.values()), default=1))
    return np.array([coded[text] for text in values], h5py.string_dtype(length=width))


def _decoded(values: list[bytes]) -> list[str]:
    decoded = {value: value.decode() for value in set(values)}
    return [decoded[value] for value in values]


def _write(group: h5py.Group, name: str, array: np.ndarray) -> None:
    if array.nbytes < _WORTH_PACKING:
        group.create_dataset(name, data=array)
    else:
        group.create_dataset(name, data=array, chunks=True, compression="gzip", compression_opts=1, shuffle=True)
