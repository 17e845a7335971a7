"""Prophesee's `.dat` format, as of N-CARS: a file a recording, eight bytes an event."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Unpack

import numpy as np

from evonas.data.dataset import DataSet
from evonas.data.event_folder import FileKind, folder_data
from evonas.data.event_options import CameraOptions
from evonas.data.files import quoted
from evonas.data.recordings import Events
from evonas.errors import DataError

_BYTES = 8
_SIZE = re.compile(rb"^% (Width|Height) +(\d{1,5})\s*$", re.MULTILINE)
_KINDS = (0, 12)
"""Types of events that are of two dimensions: Event2d and EventCD."""


def read(*, path: str, sensor: list[int] | None = None, **options: Unpack[CameraOptions]) -> DataSet:
    """Return recordings in `.dat` files, such as those of N-CARS: two polarities, as many pixels as they say or use.

    Source of N-CARS: A. Sironi et al., HATS: histograms of averaged time surfaces for robust event-based object
    classification, 2018.

    Args:
        path: The folder with a folder of `.dat` files for each class; or with such folders in `train`, `val` and
            `test`, or in folders whose names end so, as `n-cars_train`.
        sensor: `[height, width]` of the sensor; by default what the files say, or as much as the coordinates of the
            training recordings need.

    Raises:
        DataError: If a file or a folder is missing or not what it should be.
        OptionError: If an option has no such value.
    """
    return folder_data(PROPHESEE, options, path=path, example="data/ncars", sensor=sensor)


def parse(data: bytes, file: Path) -> Events:
    """Return the events of a `.dat` file: 32 bits of microseconds, then x in bits 0 to 13, y to 27, ON in 28.

    Before them are lines that begin with `%`, of which `% Width` and `% Height` may say the size of the sensor, then
    the type of the events and their bytes.

    Raises:
        DataError: If they are of another type, or it does not end with a whole event.
    """
    if not data.startswith(b"%"):
        raise DataError(
            f"{quoted(file)} is no .dat file of events: it begins with {data[:8]!r}, expected % and a line "
            "of its header."
        )
    begin = 0
    while data[begin : begin + 1] == b"%" and (end := data.find(b"\n", begin)) >= 0:
        begin = end + 1
    kind = tuple(data[begin : begin + 2])
    begin += 2
    if len(kind) < 2 or kind[0] not in _KINDS or kind[1] != _BYTES:
        raise DataError(
            f"{quoted(file)} is cut short, or of another kind: byte {begin - 2:,} gives the type and the bytes of an "
            f"event as {kind}, expected {' or '.join(str((one, _BYTES)) for one in _KINDS)}."
        )
    if (len(data) - begin) % _BYTES:
        raise DataError(
            f"{quoted(file)} is cut short: {len(data) - begin:,} bytes follow its header, expected a multiple of "
            f"{_BYTES}, so that the event at byte {len(data) - (len(data) - begin) % _BYTES:,} is whole."
        )
    raw = np.frombuffer(data, "<u4", offset=begin).reshape(-1, 2)
    t, word = raw.T
    sizes = {name: int(size) for name, size in _SIZE.findall(data[: begin - 2])}
    sensor = (sizes[b"Height"], sizes[b"Width"]) if len(sizes) == 2 else None
    return Events(t, word & 0x3FFF, word >> 14 & 0x3FFF, word >> 28 & 1, quoted(file), sensor)


PROPHESEE = FileKind(".dat", "a .dat file of events", parse)
