"""Arrays in an `.npz` file, of which no more is read than their headers announce; pickled objects are never read."""

from __future__ import annotations

import math
import re
import struct
import zipfile
import zlib
from collections.abc import Collection
from pathlib import Path
from typing import IO, BinaryIO, NoReturn, cast

import numpy as np

from evonas.data.files import LARGEST, MOST_PACKED, opened, quoted, read_at_most, said
from evonas.errors import DataError
from evonas.options import shown

_MAGIC = b"\x93NUMPY"
_LONGEST_HEADER = 10_000
_HEADER = re.compile(
    r"\{'descr': '(?P<kind>[<>|=]?[a-zA-Z]\d{0,9})', 'fortran_order': (?P<order>True|False), "
    r"'shape': \((?P<shape>(?:\d{1,19}L?, ?){0,8}(?:\d{1,19}L?)?)\), ?\}\s*"
)
_MEMBERS = 1000


def read_npz(file: Path, names: Collection[str]) -> tuple[dict[str, np.ndarray], list[str]]:
    """Return the arrays of those of the names that a file has, and the names of all other arrays in it.

    Raises:
        DataError: If it is no such file, is damaged, or holds an array that is too large or of pickled objects.
    """
    with opened(file, expected="an .npz file") as (raw, size):
        try:
            with zipfile.ZipFile(raw) as archive:
                members = archive.infolist()
                if len(members) > _MEMBERS:
                    raise DataError(f"{quoted(file)} holds {len(members):,} arrays, expected {_MEMBERS} at most.")
                found: dict[str, np.ndarray] = {}
                others = []
                for member in members:
                    name = member.filename.removesuffix(".npy")
                    if name in found:
                        raise DataError(f"{quoted(file)} holds {shown(name)} twice; expected each array once.")
                    if name in names:
                        found[name] = _member(archive, member, file=file, most=MOST_PACKED * size)
                    else:
                        others.append(name)
                return found, others
        except (zipfile.BadZipFile, zlib.error, EOFError, struct.error) as error:
            raise DataError(f"{quoted(file)} is no .npz file, or is damaged: {said(error)}.") from error
        except (NotImplementedError, RuntimeError, ValueError) as error:  # other compression, encrypted, odd offsets
            raise DataError(f"{quoted(file)} cannot be read as an .npz file: {said(error)}.") from error


def _member(archive: zipfile.ZipFile, member: zipfile.ZipInfo, *, file: Path, most: int) -> np.ndarray:
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise DataError(
            f"{quoted(file)} holds {shown(member.filename)} in a compression that numpy does not write; write it with "
            "numpy.savez or numpy.savez_compressed."
        )
    with archive.open(member) as stream:
        return _array(stream, name=member.filename, file=file, most=most)


def _array(stream: IO[bytes], *, name: str, file: Path, most: int) -> np.ndarray:
    """Return the array in a stream that holds `most` bytes at most."""

    def refuse(what: str) -> NoReturn:
        raise DataError(f"{quoted(file)} holds {shown(name)}, which {what}.")

    head = stream.read(len(_MAGIC) + 2)
    if head[:-2] != _MAGIC or head[-2] not in (1, 2, 3):
        refuse(f"is no array: it begins with {head[:6].hex() or 'nothing'}, expected {_MAGIC.hex()}")
    width = 2 if head[-2] == 1 else 4
    length = int.from_bytes(stream.read(width), "little")
    if length > _LONGEST_HEADER:
        refuse(f"has a header of {length:,} bytes, expected {_LONGEST_HEADER:,} at most")
    text = stream.read(length).decode("latin-1")
    header = _HEADER.fullmatch(text)
    if header is None:
        refuse(f"has the header {shown(text)}, expected type, order and shape of an array of numbers or texts")
    code = header["kind"]
    if code.lstrip("<>|=").startswith("O"):
        refuse("holds Python objects, that is a pickle, which could run code; expected numbers or texts")
    kind = _dtype(code)
    if kind is None:
        refuse(f"is of the type {shown(code)}, expected numbers or texts")
    shape = tuple(int(size) for size in re.findall(r"\d+", header["shape"]))
    announced = math.prod(shape) * kind.itemsize
    says = f"of shape {shown(shape)} in its header, {announced:,} bytes,"
    if announced > most:
        refuse(f"is {says} and the whole file can hold {most:,} at the very most")
    if announced > LARGEST:
        refuse(f"is {says} and {LARGEST:,} are read into memory at most; make a file of fewer or smaller images")
    values = read_at_most(cast(BinaryIO, stream), announced + 1)
    if len(values) != announced:
        came = f"{len(values):,}" if len(values) < announced else "more"
        refuse(f"is {says} and {came} follow it")
    if not announced:
        return np.zeros(shape, kind)
    return np.frombuffer(values, kind).reshape(shape, order="F" if header["order"] == "True" else "C")


def _dtype(code: str) -> np.dtype | None:
    """Return a type of numbers or texts, None if the code is that of another."""
    try:
        kind = np.dtype(code) if code.lstrip("<>|=")[0] in "biufUS" else None
    except (TypeError, ValueError, OverflowError):
        return None
    return kind if kind is not None and kind.itemsize else None
