"""N-MNIST, and every set in its format: a `.bin` file a recording, five bytes an event."""

from __future__ import annotations

from pathlib import Path
from typing import Unpack

import numpy as np

from evonas.data.dataset import DataSet
from evonas.data.event_folder import FileKind, folder_data
from evonas.data.event_options import CameraOptions
from evonas.data.files import quoted
from evonas.data.recordings import Events
from evonas.errors import DataError

_BYTES = 5
_OVERFLOW_Y = 240
_OVERFLOW = 2**13


def read(*, path: str, **options: Unpack[CameraOptions]) -> DataSet:
    """Return the recordings of N-MNIST: 34 x 34 pixels, two polarities, 300 ms of three saccades, with its test part.

    Source: G. Orchard et al., Converting static image datasets to spiking neuromorphic datasets using saccades, 2015.

    Args:
        path: The folder with `Train` and `Test`, and in each a folder of `.bin` files for each digit;
            or one with such folders alone.

    Raises:
        DataError: If a file or a folder is missing or not what it should be.
        OptionError: If an option has no such value.
    """
    return folder_data(NMNIST, options, path=path, example="data/nmnist")


def parse(data: bytes, file: Path) -> Events:
    """Return the events of a `.bin` file: x, y, then the polarity in one bit and microseconds in 23, big-endian.

    The row 240 is no event: from there on, all times are 2^13 microseconds later.

    Raises:
        DataError: If it does not end with a whole event.
    """
    if len(data) % _BYTES:
        raise DataError(
            f"{quoted(file)} is cut short or no N-MNIST file: it has {len(data):,} bytes, expected a multiple of "
            f"{_BYTES}, so that the event at byte {len(data) - len(data) % _BYTES:,} is whole."
        )
    raw = np.frombuffer(data, np.uint8).reshape(-1, _BYTES)
    high = raw[:, 2].astype(np.int64)
    is_overflow = raw[:, 1] == _OVERFLOW_Y
    t = (high & 127) << 16 | raw[:, 3].astype(np.int64) << 8 | raw[:, 4]
    t += np.cumsum(is_overflow) * _OVERFLOW
    kept = ~is_overflow
    return Events(t[kept], raw[kept, 0], raw[kept, 1], (high >> 7)[kept], quoted(file))


NMNIST = FileKind(".bin", "an N-MNIST file", parse, (2, 34, 34))
