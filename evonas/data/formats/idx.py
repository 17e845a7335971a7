"""The idx format, gzipped or not: one file, of which no more is read than its header announces."""

from __future__ import annotations

import gzip
import math
import struct
import zlib
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np

from evonas.data.files import LARGEST, MOST_PACKED, opened, read_at_most
from evonas.errors import DataError

_DIMENSIONS = 8
_GZIP = b"\x1f\x8b"
_BEGINNINGS = {
    _GZIP: "a gzip file inside another",
    b"PK": "a zip file",
    b"BZ": "a bzip2 file",
    b"\xfd7": "an xz file",
    b"<": "a web page, perhaps of a download that failed",
}
_TYPES = {8: "unsigned bytes", 9: "signed bytes", 11: "short integers", 12: "integers", 13: "floats", 14: "doubles"}


def read_idx(file: Path) -> np.ndarray:
    """Return the uint8 array of an idx file of unsigned bytes; its first bytes say whether it is gzipped.

    The format: two zero bytes, the type (8: unsigned byte), the number of dimensions, their sizes as big-endian
    32-bit numbers, then the values.

    Raises:
        DataError: If the file is missing, broken, empty, too large, or not of this format.
    """
    with opened(file, expected="a file in the idx format") as (raw, size):
        if raw.read(2) != _GZIP:
            raw.seek(0)
            return _array(raw, file=file, least=size, most=size)
        raw.seek(0)
        try:
            with gzip.GzipFile(fileobj=raw) as unpacked:
                return _array(cast(BinaryIO, unpacked), file=file, least=0, most=MOST_PACKED * size)
        except (EOFError, zlib.error) as error:
            raise DataError(f"{file} cannot be read: its gzip data are cut short or damaged ({error}).") from error


def _array(stream: BinaryIO, *, file: Path, least: int, most: int) -> np.ndarray:
    """Return the array in `stream`, which holds `least` to `most` bytes."""
    head = read_at_most(stream, 4)
    if not head:
        raise DataError(f"{file} is empty: it begins with nothing, expected the idx header 000008.")
    if head[:3] != b"\x00\x00\x08" or len(head) < 4:
        raise DataError(
            f"{file} cannot be read as an idx file of unsigned bytes: it begins with {head.hex()}{_guess(head)}, "
            "expected 000008."
        )
    dimensions = head[3]
    sizes = read_at_most(stream, 4 * dimensions)
    if not 1 <= dimensions <= _DIMENSIONS or len(sizes) < 4 * dimensions:
        raise DataError(
            f"{file} is cut short or broken: its header announces {dimensions} dimensions; expected 1 for labels, 3 "
            "for images, and their sizes."
        )
    shape = struct.unpack(f">{dimensions}I", sizes)
    says = f"its header says {' x '.join(map(str, shape))}"
    announced = math.prod(shape)  # in Python integers, which do not overflow
    begin = 4 + len(sizes)
    if not announced:
        raise DataError(f"{file} holds nothing: {says}; expected sizes above 0.")
    if not least <= begin + announced <= most:
        came = f"{least - begin:,} values follow it" if least == most else f"the file holds {most:,} at the very most"
        raise DataError(f"{file} is cut short or too long: {says}, {announced:,} values in all, and {came}.")
    if announced > LARGEST:
        raise DataError(
            f"{file} is too large: {says}, {announced:,} values in all, and {LARGEST:,} are read into memory at most; "
            "make a file of fewer or smaller images."
        )
    values = read_at_most(stream, announced + 1)
    if len(values) != announced:
        came = f"{len(values):,} values follow it" if len(values) < announced else "more values follow it"
        raise DataError(f"{file} is cut short or too long: {says}, {announced:,} values in all, and {came}.")
    return np.frombuffer(values, dtype=np.uint8).reshape(shape)


def _guess(head: bytearray) -> str:
    if head[:2] == b"\0\0" and len(head) > 2 and head[2] in _TYPES:
        return f" ({_TYPES[head[2]]})"
    return next((f" ({what})" for begin, what in _BEGINNINGS.items() if head.startswith(begin)), "")
