"""Folders of recordings: a folder a class, a file a recording, with the parts of the publisher where there are any."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from evonas.data.dataset import DataSet
from evonas.data.event_data import event_data
from evonas.data.event_options import EventOptions
from evonas.data.files import entries, opened, path_of, quoted, read_at_most
from evonas.data.publisher_parts import part_folders
from evonas.data.reader_options import is_whole
from evonas.data.recordings import MOST_PIXELS, Events, Part, Shape
from evonas.errors import DataError
from evonas.options import shown

LARGEST_FILE = 2**30
"""Most bytes of one recording."""

_LEFT_OUT = 3
"""Files that a note names at most."""


@dataclass(frozen=True)
class FileKind:
    """A format with one recording a file.

    Attributes:
        ending: How the names of such files end, in small letters.
        noun: What such a file is, for messages: `"an N-MNIST file"`.
        parse: Returns the events of a file from its bytes and its path.
        shape: `(2, height, width)` of the sensor; None where the files say it, or their largest
            coordinates.
    """

    ending: str
    noun: str
    parse: Callable[[bytes, Path], Events]
    shape: Shape | None = None


def folder_data(kind: FileKind, options: Mapping[str, Any], *, path: Any, example: str, sensor: Any = None) -> DataSet:
    """Return the data set of a folder of recordings, as `read_folder` reads it.

    Args:
        kind: The format of its files.
        options: What the run file says, by name.
        path: The folder, as the run file names it.
        example: A folder for messages.
        sensor: `[height, width]` of the sensor, as the run file says them; None where the files say them.

    Raises:
        DataError: If a file or a folder is missing or not what it should be.
        OptionError: If an option has no such value.
    """
    given = EventOptions(**options)
    folder = path_of(path, example=example)
    if sensor is not None:
        kind = replace(kind, shape=_checked(sensor))
    parts, notes = read_folder(folder, kind, limit=given.limit)
    return event_data(parts["train"], parts.get("test"), given, path=folder, validation=parts.get("val"), notes=notes)


def read_folder(folder: Path, kind: FileKind, *, limit: int | None) -> tuple[dict[str, Part], list[str]]:
    """Return the recordings of each part of a folder, `train` and where there are such folders `val` and `test`; notes.

    In `folder` are the folders of the classes; or those of the parts, and the folders of the classes in each.

    Raises:
        DataError: If there are none, a file is not what it should be, or does not fit the sensor of training.
    """
    listings = {
        name: _Listing(place, kind, limit=limit if name == "train" else None)
        for name, place in part_folders(folder).items()
    }
    notes = [note for listing in listings.values() for note in listing.notes()]
    several: list[str] = []
    events: dict[str, Iterable[Events]] = {name: _read(one, kind, several) for name, one in listings.items()}
    shape, hint = kind.shape, ""
    if shape is None:
        every = {name: list(some) for name, some in events.items()}
        _check_one_sensor([one for some in every.values() for one in some])
        shape, is_told = _shape(every["train"], folder)
        events = {**every}
        if not is_told:
            size = f"{_pixels(shape[1:])} is what the largest coordinates of training leave"
            notes.append(f"The files do not say how large the sensor is; {size}.")
            hint = f" The files do not say how large it is: {size}. data.sensor = [height, width] gives another size."
    parts = {name: _part(events[name], listing, shape, hint) for name, listing in listings.items()}
    if several:
        notes.append(
            f"{len(several):,} files have more than one stream of events, of which the first is read: {several[0]}."
        )
    return parts, notes


def _read(listing: _Listing, kind: FileKind, several: list[str]) -> Iterator[Events]:
    """Yield the events of each file; add to `several` what has more than one stream of them."""
    for file in listing.files:
        events = _events(file, kind)
        if events.streams > 1:
            several.append(f"{events.where} has {events.streams}")
        yield events


def _part(events: Iterable[Events], listing: _Listing, shape: Shape, hint: str) -> Part:
    """Return the recordings of one part, in the form in which they are kept."""
    packed = []
    for one in events:
        try:
            packed.append(one.packed(shape))
        except DataError as error:
            raise DataError(f"{error}{hint}") from error
    return Part.of(packed, listing.labels, shape=shape, classes=listing.classes)


def _check_one_sensor(events: Sequence[Events]) -> None:
    """Check that files do not say different sensors.

    Raises:
        DataError: If they do.
    """
    told = {size: one.where for one in events if (size := one.sensor) is not None}
    if len(told) > 1:
        (first, one), (second, other) = list(told.items())[:2]
        raise DataError(
            f"{one} is of a sensor of {_pixels(first)}, {other} of one of {_pixels(second)}; expected recordings of "
            "one sensor. Give those of one alone, or say data.sensor = [height, width]."
        )


def _shape(events: Sequence[Events], folder: Path) -> tuple[Shape, bool]:
    """Return the shape of the sensor, as files say or as the largest coordinates have it, and whether files say it.

    Raises:
        DataError: If it is too large.
    """
    told = next((one.sensor for one in events if one.sensor is not None), None)
    found = told or (max(int(one.y.max()) for one in events) + 1, max(int(one.x.max()) for one in events) + 1)
    if 2 * found[0] * found[1] > MOST_PIXELS or min(found) < 1:
        widest = max(events, key=lambda one: int(one.x.max()) + int(one.y.max())).where
        raise DataError(
            f"The recordings in {quoted(folder)} are of a sensor of {_pixels(found)}, expected 1 to "
            f"{MOST_PIXELS // 2:,} pixels. The largest coordinates are those of {widest}, which may be damaged."
        )
    return (2, *found), told is not None


def _checked(sensor: Any) -> Shape:
    """Return the shape of the sensor that a run file says.

    Raises:
        DataError: If it says none.
    """
    is_size = isinstance(sensor, list | tuple) and len(sensor) == 2 and all(map(is_whole, sensor))
    if not is_size or min(sensor) < 1 or 2 * sensor[0] * sensor[1] > MOST_PIXELS:
        raise DataError(
            f"data.sensor = {shown(sensor)}, expected [height, width] in whole pixels, {MOST_PIXELS // 2:,} at most in "
            "all, such as [260, 346]."
        )
    return 2, int(sensor[0]), int(sensor[1])


def _pixels(size: tuple[int, int]) -> str:
    return f"{size[1]:,} x {size[0]:,} pixels"


class _Listing:
    """The files of one part of a data set, the first of each class, then the second of each, and so on."""

    def __init__(self, folder: Path, kind: FileKind, *, limit: int | None) -> None:
        classes = [entry.name for entry in entries(folder) if entry.is_dir() and not entry.name.startswith(".")]
        found = {name: [entry.name for entry in entries(folder / name)] for name in classes}
        fitting = {name: [file for file in files if _fits(file, kind)] for name, files in found.items()}
        if empty := [name for name, files in fitting.items() if not files]:
            raise DataError(
                f"{quoted(folder / empty[0])} holds no file whose name ends in {kind.ending}; expected {kind.noun} for "
                "each recording of the class that the folder is named after."
            )
        if not fitting:
            raise DataError(
                f"{quoted(folder)} has no folders; expected one for each class, with {kind.noun} for each recording."
            )
        self._folder, self._kind = folder, kind
        self._left_out = [f"{name}/{file}" for name in classes for file in found[name] if not _fits(file, kind)]
        self._left_out += [entry.name for entry in entries(folder) if entry.name not in classes]
        label = folder_labels(classes)
        classes = sorted(classes, key=lambda name: label[name])
        self.classes = tuple(label[name] for name in classes)
        turns = [(turn, index) for index, name in enumerate(classes) for turn in range(len(fitting[name]))]
        ordered = [(turn, classes[index]) for turn, index in sorted(turns)[:limit]]
        self.files = [folder / name / fitting[name][turn] for turn, name in ordered]
        self.labels = np.array([label[name] for _, name in ordered])

    def notes(self) -> Iterator[str]:
        """Yield a sentence if there are other files."""
        if self._left_out:
            first = ", ".join(quoted(name) for name in self._left_out[:_LEFT_OUT])
            more = ", …" if len(self._left_out) > _LEFT_OUT else ""
            yield (
                f"{len(self._left_out):,} files in {quoted(self._folder)} are left out, because they are not "
                f"CLASS/….{self._kind.ending.lstrip('.')}: {first}{more}."
            )


def _fits(name: str, kind: FileKind) -> bool:
    return name.lower().endswith(kind.ending) and not name.startswith(".")


def folder_labels(names: Sequence[str]) -> dict[str, Any]:
    """Return the label of each folder: its name, as a whole number where all are different ones."""
    are_numbers = all(name.isascii() and name.isdigit() and len(name) < 10 for name in names)
    if are_numbers and len(set(map(int, names))) == len(names):
        return {name: int(name) for name in names}
    return {name: name for name in names}


def _events(file: Path, kind: FileKind) -> Events:
    """Return the events of a file.

    Raises:
        DataError: If it holds none, or is not what it should be.
    """
    with opened(file, expected=kind.noun) as (stream, size):
        if size > LARGEST_FILE:
            raise DataError(f"{quoted(file)} is too large: {size:,} bytes, and {LARGEST_FILE:,} are read at most.")
        events = kind.parse(bytes(read_at_most(stream, size)), file)
    if not len(events.t):
        raise DataError(f"{quoted(file)} holds no events ({size:,} bytes); expected {kind.noun} with one or more.")
    return events
