"""CIFAR10-DVS: an AEDAT 2.0 file a recording, in a folder a class."""

from __future__ import annotations

from typing import Unpack

from evonas.data.aedat import parse_dvs128
from evonas.data.dataset import DataSet
from evonas.data.event_data import event_data
from evonas.data.event_folder import FileKind, read_folder
from evonas.data.event_options import CameraOptions, EventOptions
from evonas.data.files import path_of

CIFAR10_DVS = FileKind(".aedat", "an AEDAT 2.0 file", parse_dvs128, (2, 128, 128))


def read(*, path: str, **options: Unpack[CameraOptions]) -> DataSet:
    """Return the recordings of CIFAR10-DVS, or of any DVS128: 128 x 128 pixels, two polarities, AEDAT 2.0.

    No test recordings are set apart. Source: H. Li et al., CIFAR10-DVS: an event-stream dataset for object
    classification, 2017.

    Args:
        path: The folder with a folder of `.aedat` files for each class; or with such folders in `train` and `test`.

    Raises:
        DataError: If a file or a folder is missing or not what it should be.
        OptionError: If an option has no such value.
    """
    given = EventOptions(**options)
    folder = path_of(path, example="data/cifar10_dvs")
    train, test, notes = read_folder(folder, CIFAR10_DVS, limit=given.limit)
    return event_data(train, test, given, path=folder, notes=notes)
