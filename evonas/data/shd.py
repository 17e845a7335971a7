"""Spiking Heidelberg Digits and Spiking Speech Commands: spoken words as spikes of 700 channels, in HDF5 files."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Unpack

import numpy as np

from evonas.data.class_labels import Label, first_of_each
from evonas.data.dataset import DataSet
from evonas.data.event_data import event_data
from evonas.data.event_options import EventOptions, FrameOptions
from evonas.data.files import entries, path_of, quoted
from evonas.data.formats.hdf5_arrays import read_hdf5
from evonas.data.recordings import Events, Part, Shape
from evonas.errors import DataError

CHANNELS = 700

_SETS = ({"train": "shd_train.h5", "test": "shd_test.h5"},
         {"train": "ssc_train.h5", "validation": "ssc_valid.h5", "test": "ssc_test.h5"})  # fmt: skip
_TIMES, _UNITS = "spikes/times", "spikes/units"
_SHAPE: Shape = (CHANNELS, 1, 1)


def read(*, path: str, downscale: int = 1, **options: Unpack[FrameOptions]) -> DataSet:
    """Return the recordings of SHD (20 spoken digits) or SSC (35 words): 700 channels of one pixel, with its test part.

    Source: B. Cramer et al., The Heidelberg spiking data sets for the systematic evaluation of spiking neural networks,
    2022.

    Args:
        path: The folder with `shd_train.h5` and `shd_test.h5`, or with `ssc_train.h5`, `ssc_valid.h5` and
            `ssc_test.h5`, unpacked.
        downscale: So many channels beside each other become one, whose events are added up.

    Raises:
        DataError: If a file is missing or not what it should be.
        OptionError: If an option has no such value.
    """
    given = EventOptions(downscale=downscale, **options)
    folder = path_of(path, example="data/shd")
    present = {entry.name for entry in entries(folder)}
    names = next((names for names in _SETS if names["train"] in present), None)
    if names is None:
        packed = ", ".join(sorted(name for name in present if name.endswith(".h5.gz")))
        raise DataError(
            f"{quoted(folder)} has neither {_SETS[0]['train']} nor {_SETS[1]['train']}"
            f"{f', but {packed}, which gunzip unpacks' if packed else ''}; expected one of them, and its test part."
        )
    limits = {"train": given.limit}
    parts = {part: _part(folder / name, given, limit=limits.get(part)) for part, name in names.items()}
    given = replace(given, downscale=1)  # done already
    return event_data(parts["train"], parts["test"], given, path=folder, validation=parts.get("validation"))


def _part(file: Path, options: EventOptions, *, limit: int | None) -> Part:
    """Return the recordings of a file, at most `limit`."""
    by = options.downscale
    shape = (-(-CHANNELS // by), 1, 1)
    names = (_TIMES, _UNITS, f"{_TIMES}/lengths", f"{_UNITS}/lengths", "labels")
    arrays, _ = read_hdf5(file, ["labels"], lists=[_TIMES, _UNITS])
    if missing := [name for name in names if name not in arrays]:
        raise DataError(f"{quoted(file)} has no {missing[0]!r}; expected an HDF5 file of SHD or SSC.")
    times, units, lengths, unit_lengths, labels = (arrays[name] for name in names)
    if labels.dtype.kind not in "iu" or labels.ndim != 1 or not len(lengths) == len(unit_lengths) == len(labels) > 0:
        raise DataError(
            f"{quoted(file)} has {len(lengths):,} recordings in {_TIMES!r}, {len(unit_lengths):,} in {_UNITS!r}, and "
            f"labels of {labels.dtype} of shape {labels.shape}; expected as many of each, 1 or more, and whole labels."
        )
    if (differ := lengths != unit_lengths).any():
        first = int(differ.argmax())
        raise DataError(
            f"{quoted(file)}, recording {first}: {lengths[first]:,} times and {unit_lengths[first]:,} units; expected "
            "as many of both."
        )
    chosen, begins = first_of_each(labels, limit), np.cumsum(lengths) - lengths
    packed = []
    for index in chosen.tolist():
        within = slice(begins[index], begins[index] + lengths[index])
        packed.append(_spikes(times[within], units[within], where=f"{quoted(file)}, recording {index}").packed(_SHAPE))
    classes: tuple[Label, ...] = tuple(np.unique(labels).tolist())
    part = Part.of(packed, labels[chosen], shape=_SHAPE, classes=classes)
    return replace(part, recordings=part.recordings.moved(np.arange(CHANNELS) // by, shape=shape))


def _spikes(times: np.ndarray, units: np.ndarray, *, where: str) -> Events:
    """Return the spikes of one recording from its times in seconds and its channels.

    Raises:
        DataError: If they are no such numbers.
    """
    if times.dtype.kind not in "fiu" or units.dtype.kind not in "iu":
        raise DataError(f"{where}: times of {times.dtype}, units of {units.dtype}; expected seconds and whole numbers.")
    microseconds = np.rint(times.astype(np.float64) * 1e6)
    if not (np.abs(microseconds) < 2**53).all():
        first = int((~(np.abs(microseconds) < 2**53)).argmax())
        raise DataError(f"{where}: spike {first} is at {times[first]} seconds, expected a time of the recording.")
    nothing = np.zeros(len(times), np.int64)
    return Events(microseconds.astype(np.int64), nothing, nothing, units, where)
