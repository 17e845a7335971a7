"""Events of one's own: one HDF5 file of all recordings."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Unpack

import h5py
import numpy as np

from evonas.data.dataset import DataSet
from evonas.data.event_data import event_data
from evonas.data.event_options import CameraOptions, EventOptions
from evonas.data.files import path_of, quoted
from evonas.data.hdf5_events import array_of, dataset_of, hdf5_file
from evonas.data.recordings import Events, Part, Shape, first_of_each
from evonas.errors import DataError
from evonas.options import shown

LARGEST_SIDE = 2**14
MOST_PLACES = 2**24
"""Most pixels, those of all channels together."""

_SPLIT = ("train", "test")


def read(*, path: str, **options: Unpack[CameraOptions]) -> DataSet:
    """Return the recordings in an HDF5 file of one's own.

    Arrays: `t` (microseconds), `x`, `y`, `p`, whole numbers, one an event; `offsets`, one more than there are
    recordings: recording `i` has the events `offsets[i]` to `offsets[i + 1]`; `labels`, one a recording, whole numbers
    or texts; where wanted `split`, `"train"` or `"test"` for each. Attributes of the file: `width`, `height` and, if
    there are not two, `channels`, of which `p` says one.

    Args:
        path: The file.

    Raises:
        DataError: If the file is missing or not what it should be.
        OptionError: If an option has no such value.
    """
    given = EventOptions(**options)
    file = path_of(path, what="file", example="data/events.h5")
    with hdf5_file(file, expected="an HDF5 file of events") as opened:
        train, test = _Layout(opened, file).parts(given.limit)
    return event_data(train, test, given, path=file)


class _Layout:
    """What an open file holds, checked as far as that is possible without the events."""

    def __init__(self, file: h5py.File, path: Path) -> None:
        self._path = path
        self._columns = {name: dataset_of(file, name, path=path) for name in ("t", "x", "y", "p")}
        events = len(self._columns["t"])
        for name, column in self._columns.items():
            if column.dtype.kind not in "iub" or len(column) != events:
                raise DataError(
                    f"{quoted(path)}: {name!r} holds {len(column):,} values of {column.dtype}, expected {events:,} "
                    "whole numbers, as many as 't' has."
                )
        self._offsets = array_of(file, "offsets", path=path, kinds="iu").astype(np.int64)
        self._check_offsets(events)
        count = len(self._offsets) - 1
        self._labels = array_of(file, "labels", path=path, kinds="iuU", length=count)
        self._is_test = np.zeros(count, bool)
        if "split" in file:
            split = array_of(file, "split", path=path, kinds="U", length=count)
            if (other := ~np.isin(split, _SPLIT)).any():
                first = int(other.argmax())
                raise DataError(
                    f"{quoted(path)}: 'split' of recording {first} is {shown(str(split[first]))}, expected train or "
                    "test."
                )
            self._is_test = split == "test"
        sizes = (self._size(file, "channels", 2), self._size(file, "height"), self._size(file, "width"))
        if sizes[0] * sizes[1] * sizes[2] > MOST_PLACES:
            raise DataError(
                f"{quoted(path)}: {sizes[0]} channels of {sizes[1]} x {sizes[2]} pixels are too many, expected at most "
                f"{MOST_PLACES:,} in all."
            )
        self._shape: Shape = sizes

    def parts(self, limit: int | None) -> tuple[Part, Part | None]:
        """Return the training recordings and those for the test, where there are some."""
        training, test = np.flatnonzero(~self._is_test), np.flatnonzero(self._is_test)
        if not len(training):
            raise DataError(
                f"{quoted(self._path)}: all {len(test):,} recordings are for the test; none are left to train."
            )
        chosen = training[first_of_each(self._labels[training], limit)]
        classes = tuple(np.unique(self._labels[training]).tolist())
        return self._part(chosen, classes), self._part(test, classes) if len(test) else None

    def _part(self, index: np.ndarray, classes: tuple[Any, ...]) -> Part:
        packed = []
        for recording in index.tolist():
            begin, end = self._offsets[recording : recording + 2].tolist()
            t, x, y, p = (self._columns[name][begin:end] for name in "txyp")
            where = f"{quoted(self._path)}, recording {recording}"
            packed.append(Events(t, x, y, p, where).packed(self._shape))
        return Part.of(packed, self._labels[index], shape=self._shape, classes=classes)

    def _check_offsets(self, events: int) -> None:
        offsets = self._offsets
        if len(offsets) < 2 or offsets[0] != 0 or offsets[-1] != events or (np.diff(offsets) < 0).any():
            raise DataError(
                f"{quoted(self._path)}: 'offsets' has {len(offsets):,} values"
                f"{f' from {offsets[0]} to {offsets[-1]}' if len(offsets) else ''}, expected ascending ones from 0 to "
                f"the number of events, {events:,}, one more than there are recordings."
            )

    def _size(self, file: h5py.File, name: str, default: int | None = None) -> int:
        value = file.attrs.get(name, default)
        plain = value.item() if isinstance(value, np.integer) else value
        if not isinstance(plain, int) or isinstance(plain, bool) or not 1 <= plain <= LARGEST_SIDE:
            raise DataError(
                f"{quoted(self._path)}: the attribute {name!r} of the file is {shown(plain)}, expected a whole number "
                f"from 1 to {LARGEST_SIDE:,}."
            )
        return plain
