"""Events of one's own: one HDF5 file of all recordings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Unpack

import numpy as np

from evonas.data.class_labels import first_of_each
from evonas.data.dataset import DataSet
from evonas.data.event_data import event_data
from evonas.data.event_options import CameraOptions, EventOptions
from evonas.data.files import path_of, quoted
from evonas.data.formats.hdf5_arrays import read_hdf5
from evonas.data.publisher_parts import PARTS, parts_of
from evonas.data.reader_options import checked_texts
from evonas.data.recordings import MOST_PIXELS, Events, Part, Shape
from evonas.errors import DataError
from evonas.options import shown

LARGEST = 2**31
"""Most bytes of one array."""

LARGEST_SIDE = 2**14

_COLUMNS = ("t", "x", "y", "p")
_PER_RECORDING = ("offsets", "labels", "split")
_SIZES = ("channels", "height", "width")


def read(*, path: str, **options: Unpack[CameraOptions]) -> DataSet:
    """Return the recordings in an HDF5 file of one's own.

    Its data sets: `t` (microseconds), `x`, `y` and `p`, whole numbers, one an event; `offsets`, one more than there are
    recordings: recording `i` has the events `offsets[i]` to `offsets[i + 1]`; `labels`, one a recording, whole numbers
    or texts; `width` and `height`, one number each; where wanted `channels`, of which `p` says one, 2 by default; and
    `split`, `"train"`, `"val"` or `"test"` for each recording.

    Args:
        path: The file.

    Raises:
        DataError: If the file is missing or not what it should be.
        OptionError: If an option has no such value.
    """
    given = EventOptions(**options)
    file = path_of(path, what="file", example="data/events.h5")
    arrays, _ = read_hdf5(file, (*_COLUMNS, *_PER_RECORDING, *_SIZES), largest=LARGEST)
    layout = _Layout(arrays, quoted(file))
    train, validation, test = (layout.part(name, limit=given.limit if name == "train" else None) for name in PARTS)
    if train is None:
        raise DataError(f"{quoted(file)}: none of its {len(layout.labels):,} recordings is for training.")
    return event_data(train, test, given, path=file, validation=validation)


class _Layout:
    """The arrays of a file, checked as far as that is possible without looking at each event."""

    def __init__(self, arrays: Mapping[str, np.ndarray], where: str) -> None:
        self._arrays, self._where = arrays, where
        events = len(self._of("t", kinds="iu"))
        self._columns = [self._of(name, kinds="iub", length=events) for name in _COLUMNS]
        self._offsets = self._of("offsets", kinds="iu").astype(np.int64)
        ends = f" from {self._offsets[0]} to {self._offsets[-1]}" if len(self._offsets) else ""
        if len(self._offsets) < 2 or ends != f" from 0 to {events}" or (np.diff(self._offsets) < 0).any():
            raise DataError(
                f"{where}: 'offsets' has {len(self._offsets):,} values{ends}, expected ascending ones from 0 to the "
                f"number of events, {events:,}, one more than there are recordings."
            )
        count = len(self._offsets) - 1
        self.labels = self._of("labels", kinds="iuSU", length=count)
        self._split = np.full(count, "train")
        if "split" in arrays:
            self._split = parts_of(arrays["split"], count=count, what=f"{where} holds split")
        self._shape: Shape = (self._size("channels", default=2), self._size("height"), self._size("width"))
        if np.prod(self._shape, dtype=object) > MOST_PIXELS:
            raise DataError(
                f"{where}: {self._shape[0]:,} channels of {self._shape[1]:,} x {self._shape[2]:,} pixels are too many, "
                f"expected at most {MOST_PIXELS:,} pixels in all."
            )

    def part(self, name: str, *, limit: int | None) -> Part | None:
        """Return the recordings of a part, at most `limit`; None if it has none."""
        index = np.flatnonzero(self._split == name)
        if not len(index):
            return None
        index = index[first_of_each(self.labels[index], limit)]
        packed = []
        for recording in index.tolist():
            begin, end = self._offsets[recording : recording + 2].tolist()
            t, x, y, p = (column[begin:end] for column in self._columns)
            packed.append(Events(t, x, y, p, f"{self._where}, recording {recording}").packed(self._shape))
        classes = tuple(np.unique(self.labels[self._split == "train"]).tolist())
        return Part.of(packed, self.labels[index], shape=self._shape, classes=classes)

    def _of(self, name: str, *, kinds: str, length: int | None = None) -> np.ndarray:
        """Return an array of one dimension."""
        found = self._arrays.get(name)
        if found is None:
            raise DataError(f"{self._where} has no {name!r}; it has {', '.join(sorted(self._arrays)) or 'nothing'}.")
        if found.ndim != 1 or found.dtype.kind not in kinds or length not in (None, len(found)):
            what = "whole numbers or texts" if "U" in kinds else "whole numbers"
            many = "" if length is None else f"{length:,} "
            raise DataError(
                f"{self._where}: {name!r} holds {found.dtype} of shape {found.shape}, expected {many}{what}."
            )
        if found.dtype.kind in "SU":
            expected = "expected the name of a class for each recording"
            return checked_texts(found, what=f"{self._where} holds {name}", expected=expected)
        return found

    def _size(self, name: str, *, default: int | None = None) -> int:
        found = self._arrays.get(name)
        if found is None and default is not None:
            return default
        if found is None or found.size != 1 or found.dtype.kind not in "iu" or not 1 <= found.item() <= LARGEST_SIDE:
            came = "missing" if found is None else shown(found.item() if found.size == 1 else found.tolist())
            raise DataError(f"{self._where}: {name!r} is {came}, expected one whole number from 1 to {LARGEST_SIDE:,}.")
        return int(found.item())
