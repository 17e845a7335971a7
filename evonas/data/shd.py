"""Spiking Heidelberg Digits and Spiking Speech Commands: spoken words as spikes of 700 channels, in HDF5 files."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Unpack

import numpy as np

from evonas.data.class_labels import Label
from evonas.data.dataset import DataSet
from evonas.data.event_data import event_data
from evonas.data.event_options import EventOptions, FrameOptions
from evonas.data.files import entries, path_of, quoted
from evonas.data.hdf5_events import array_of, dataset_of, hdf5_file
from evonas.data.recordings import Events, Part, Shape, first_of_each
from evonas.errors import DataError

CHANNELS = 700

_SETS = (("shd_train.h5", "shd_test.h5"), ("ssc_train.h5", "ssc_test.h5"))
_SHAPE: Shape = (CHANNELS, 1, 1)


def read(*, path: str, downscale: int = 1, **options: Unpack[FrameOptions]) -> DataSet:
    """Return the recordings of SHD (20 spoken digits) or SSC (35 words): 700 channels of one pixel, with its test part.

    Source: B. Cramer et al., The Heidelberg spiking data sets for the systematic evaluation of spiking neural networks,
    2022.

    Args:
        path: The folder with `shd_train.h5` and `shd_test.h5`, or with `ssc_train.h5` and `ssc_test.h5`,
            unpacked.
        downscale: So many channels beside each other become one, whose events are added up.

    Raises:
        DataError: If a file is missing or not what it should be.
        OptionError: If an option has no such value.
    """
    given = EventOptions(downscale=downscale, **options)
    folder = path_of(path, example="data/shd")
    present = {entry.name for entry in entries(folder)}
    names = next((names for names in _SETS if names[0] in present), None)
    if names is None:
        packed = ", ".join(sorted(name for name in present if name.endswith(".h5.gz")))
        raise DataError(
            f"{quoted(folder)} has neither {_SETS[0][0]} nor {_SETS[1][0]}"
            f"{f', but {packed}, which gunzip unpacks' if packed else ''}; expected one of them, and its test "
            "part."
        )
    train, test = (_part(folder / name, given, limit=given.limit if name == names[0] else None) for name in names)
    return event_data(train, test, replace(given, downscale=1), path=folder)


def _part(file: Path, options: EventOptions, *, limit: int | None) -> Part:
    """Return the recordings of a file, at most `limit`."""
    by = options.downscale
    shape = (-(-CHANNELS // by), 1, 1)
    with hdf5_file(file, expected="an HDF5 file of spikes") as opened:
        times, units = (dataset_of(opened, f"spikes/{name}", path=file) for name in ("times", "units"))
        labels = array_of(opened, "labels", path=file, kinds="iu")
        if not len(times) == len(units) == len(labels) > 0:
            raise DataError(
                f"{quoted(file)} has {len(times):,} recordings in 'spikes/times', {len(units):,} in 'spikes/units' and "
                f"{len(labels):,} in 'labels'; expected one number of them, 1 or more."
            )
        chosen = first_of_each(labels, limit)
        packed = [
            _spikes(times[index], units[index], where=f"{quoted(file)}, recording {index}").packed(_SHAPE)
            for index in chosen.tolist()
        ]
    classes: tuple[Label, ...] = tuple(np.unique(labels).tolist())
    part = Part.of(packed, labels[chosen], shape=_SHAPE, classes=classes)
    return replace(part, recordings=part.recordings.moved(np.arange(CHANNELS) // by, shape=shape))


def _spikes(times: np.ndarray, units: np.ndarray, *, where: str) -> Events:
    """Return the spikes of one recording from its times in seconds and its channels.

    Raises:
        DataError: If they do not belong together, or a time is none.
    """
    t, channel = np.asarray(times), np.asarray(units)
    if t.dtype.kind not in "fiu" or channel.dtype.kind not in "iu" or t.shape != channel.shape or t.ndim != 1:
        raise DataError(
            f"{where}: its times are {t.dtype} of shape {t.shape}, its units {channel.dtype} of shape {channel.shape}; "
            "expected numbers of seconds and as many whole numbers."
        )
    microseconds = np.rint(t.astype(np.float64) * 1e6)
    if not (np.abs(microseconds) < 2**53).all():
        first = int((~(np.abs(microseconds) < 2**53)).argmax())
        raise DataError(f"{where}: spike {first} is at {t[first]} seconds, expected a time since the recording began.")
    nothing = np.zeros(len(t), np.int64)
    return Events(microseconds.astype(np.int64), nothing, nothing, channel, where)
