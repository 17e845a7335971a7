"""ST-MNIST: digits written on a tactile sensor, a MATLAB file a recording."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path
from typing import Any, Unpack

import numpy as np

from evonas.data.dataset import DataSet
from evonas.data.event_folder import FileKind, folder_data
from evonas.data.event_options import CameraOptions
from evonas.data.files import quoted, said
from evonas.data.recordings import Events
from evonas.errors import DataError

SIDE = 10

_HEAD = 128
_COMPRESSED = 15
_LARGEST = 2**27
"""Most bytes of a file when it is unpacked."""


def read(*, path: str, **options: Unpack[CameraOptions]) -> DataSet:
    """Return the recordings of ST-MNIST: 10 x 10 taxels, two polarities.

    No test recordings are set apart. Source: H. H. See et al., ST-MNIST: the spiking tactile-MNIST neuromorphic
    dataset, 2020.

    Args:
        path: The folder with a folder of `.mat` files for each digit; or with such folders in `train`, `val` and
            `test`.

    Raises:
        DataError: If a file or a folder is missing or not what it should be.
        OptionError: If an option has no such value.
    """
    return folder_data(STMNIST, options, path=path, example="data/stmnist")


def parse(data: bytes, file: Path) -> Events:
    """Return the events of a file: the matrix `spiketrain` has a row a taxel and a last row of seconds.

    A 1 is an event of a pressure that grows, a -1 of one that falls; taxel `i` is at row `i // 10`, column `i % 10`.

    Raises:
        DataError: If there is no such matrix.
    """
    from scipy.io import loadmat

    expected = f"a MATLAB 5 file with the matrix 'spiketrain' of {SIDE**2 + 1} rows"
    try:
        found: Any = loadmat(io.BytesIO(_unpacked(data, file)), variable_names=["spiketrain"]).get("spiketrain")
    except DataError:
        raise
    except Exception as error:  # scipy lets through whatever a damaged file brings about
        raise DataError(
            f"{quoted(file)} cannot be read, expected {expected}: {type(error).__name__}, {said(error)}."
        ) from error
    if (
        not isinstance(found, np.ndarray)
        or found.ndim != 2
        or found.dtype.kind not in "iuf"
        or len(found) != SIDE**2 + 1
    ):
        came = f"{found.dtype} of shape {found.shape}" if isinstance(found, np.ndarray) else "none"
        raise DataError(f"{quoted(file)}: 'spiketrain' is {came}, expected {expected}.")
    values, seconds = found[:-1], found[-1].astype(np.float64)
    if not np.isin(values, (-1, 0, 1)).all():
        raise DataError(f"{quoted(file)}: 'spiketrain' holds other numbers than -1, 0 and 1 above its last row.")
    column, taxel = np.nonzero(values.T)
    microseconds = np.rint(seconds[column] * 1e6)
    if not (np.abs(microseconds) < 2**53).all():
        raise DataError(f"{quoted(file)}: the last row of 'spiketrain' holds what is no time in seconds.")
    p = (values[taxel, column] > 0).astype(np.int64)
    return Events(microseconds.astype(np.int64), taxel % SIDE, taxel // SIDE, p, quoted(file))


def _unpacked(data: bytes, file: Path) -> bytes:
    """Return a MATLAB 5 file with no element compressed, so that it takes no more memory than it should.

    Raises:
        DataError: If it is another file, cut short or too large.
    """
    if len(data) < _HEAD or not data.startswith(b"MATLAB 5.0"):
        raise DataError(f"{quoted(file)} is no MATLAB 5 file: it begins with {data[:10]!r}, expected MATLAB 5.0.")
    order = "<" if data[126:128] == b"IM" else ">"
    parts, begin, room = [data[:_HEAD]], _HEAD, _LARGEST
    while begin < len(data):
        head = data[begin : begin + 8]
        kind, size = struct.unpack(f"{order}II", head) if len(head) == 8 else (0, 0)
        if len(head) < 8 or begin + 8 + size > len(data):
            raise DataError(
                f"{quoted(file)} is cut short or damaged: the element at byte {begin:,} announces {size:,} bytes, and "
                f"{max(len(data) - begin - 8, 0):,} follow."
            )
        content = data[begin + 8 : begin + 8 + size]
        parts.append(_inflated(content, file, begin, room) if kind == _COMPRESSED else head + content)
        room -= len(parts[-1])
        if room < 0:
            raise DataError(
                f"{quoted(file)} unpacks to more than {_LARGEST:,} bytes, with the element at byte {begin:,}; expected "
                f"{_HEAD} and the recording."
            )
        begin += 8 + size
    return b"".join(parts)


def _inflated(content: bytes, file: Path, begin: int, room: int) -> bytes:
    """Return a compressed element as it was, one byte more than `room` at most."""
    inflator = zlib.decompressobj()
    try:
        found = inflator.decompress(content, room + 1)
    except zlib.error as error:
        raise DataError(
            f"{quoted(file)}: the element at byte {begin:,} is damaged, so that it cannot be unpacked."
        ) from error
    if not inflator.eof and len(found) <= room:
        raise DataError(f"{quoted(file)}: the element at byte {begin:,} is cut short; expected the recording.")
    return found


STMNIST = FileKind(".mat", "a MATLAB 5 file", parse, (2, SIDE, SIDE))
