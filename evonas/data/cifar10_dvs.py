"""CIFAR10-DVS: an AEDAT 2.0 file a recording, in a folder a class."""

from __future__ import annotations

from typing import Unpack

from evonas.data.dataset import DataSet
from evonas.data.event_folder import FileKind, folder_data
from evonas.data.event_options import CameraOptions
from evonas.data.formats.aedat import parse_dvs128

CIFAR10_DVS = FileKind(".aedat", "an AEDAT 2.0 file", parse_dvs128, (2, 128, 128))


def read(*, path: str, **options: Unpack[CameraOptions]) -> DataSet:
    """Return the recordings of CIFAR10-DVS, or of any DVS128: 128 x 128 pixels, two polarities, AEDAT 2.0.

    No test recordings are set apart. Source: H. Li et al., CIFAR10-DVS: an event-stream dataset for object
    classification, 2017.

    Args:
        path: The folder with a folder of `.aedat` files for each class; or with such folders in `train`, `val` and
            `test`.

    Raises:
        DataError: If a file or a folder is missing or not what it should be.
        OptionError: If an option has no such value.
    """
    return folder_data(CIFAR10_DVS, options, path=path, example="data/cifar10_dvs")
