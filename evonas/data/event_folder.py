"""Folders of recordings: a folder a class, a file a recording, with the publisher's test part where there is one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from evonas.data.files import entries, opened, quoted, read_at_most
from evonas.data.recordings import MOST_PIXELS, Events, Part, Shape
from evonas.errors import DataError

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


def read_folder(folder: Path, kind: FileKind, *, limit: int | None) -> tuple[Part, Part | None, list[str]]:
    """Return the recordings of a folder, those of its test part where it has one, and notes.

    In `folder` are the folders of the classes; or `train` and, perhaps, `test`, and the folders of the classes in each.
    Names that end in `train` or `test` will do, in capital letters or not.

    Raises:
        DataError: If there are none, or a file is not what it should be.
    """
    train, test = published_parts(folder)
    parts = [_Listing(train, kind, limit=limit), *([_Listing(test, kind, limit=None)] if test else [])]
    notes = [note for part in parts for note in part.notes()]
    if kind.shape is not None:
        packed = [[_events(file, kind).packed(kind.shape) for file in part.files] for part in parts]
        shape = kind.shape
    else:
        events = [[_events(file, kind) for file in part.files] for part in parts]
        shape, more = _shape([one for part in events for one in part], folder)
        notes += more
        packed = [[one.packed(shape) for one in part] for part in events]
    read = [
        Part.of(part, listing.labels, shape=shape, classes=listing.classes)
        for part, listing in zip(packed, parts, strict=True)
    ]
    return read[0], read[1] if test else None, notes


def _shape(events: Sequence[Events], folder: Path) -> tuple[Shape, list[str]]:
    """Return the shape of the sensor, as the files say or as their largest coordinates have it, and a note of that.

    Raises:
        DataError: If files say different ones, or it is too large.
    """
    told = {size: one.where for one in events if (size := one.sensor) is not None}
    if len(told) > 1:
        (first, one), (second, other) = list(told.items())[:2]
        raise DataError(
            f"{one} is of a sensor of {_pixels(first)}, {other} of one of {_pixels(second)}; expected recordings of "
            "one sensor. Give those of one alone."
        )
    largest = max(int(one.y.max()) for one in events) + 1, max(int(one.x.max()) for one in events) + 1
    found = next(iter(told), None) or largest
    if 2 * found[0] * found[1] > MOST_PIXELS or min(found) < 1:
        widest = max(events, key=lambda one: int(one.x.max()) + int(one.y.max())).where
        raise DataError(
            f"The recordings in {quoted(folder)} are of a sensor of {_pixels(found)}, expected 1 to "
            f"{MOST_PIXELS // 2:,} pixels. The largest coordinates are those of {widest}, which may be damaged."
        )
    note = f"The files do not say how large the sensor is; {_pixels(found)} is what the largest coordinates leave."
    return (2, *found), [] if told else [note]


def _pixels(size: tuple[int, int]) -> str:
    return f"{size[1]:,} x {size[0]:,} pixels"


def published_parts(folder: Path) -> tuple[Path, Path | None]:
    """Return the folders of the training and of the test part."""
    names = [entry.name for entry in entries(folder) if entry.is_dir()]
    train, test = ([name for name in names if name.lower().endswith(part)] for part in ("train", "test"))
    if not train and not test:
        return folder, None
    if len(train) != 1 or len(test) > 1:
        raise DataError(
            f"{quoted(folder)} has the folders {', '.join([*train, *test])}; expected one whose name ends in train and "
            "at most one whose name ends in test, or the folders of the classes alone."
        )
    return folder / train[0], folder / test[0] if test else None


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
