"""DVS128 Gesture: AEDAT 3.1 files of several gestures each, and a table for each that says when which was made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Unpack

import numpy as np

from evonas.data.class_labels import Label, first_of_each
from evonas.data.dataset import DataSet
from evonas.data.event_data import event_data
from evonas.data.event_folder import LARGEST_FILE
from evonas.data.event_options import CameraOptions, EventOptions
from evonas.data.files import opened, path_of, quoted, read_at_most
from evonas.data.formats.aedat import parse_packets
from evonas.data.recordings import Events, Packed, Part
from evonas.errors import DataError

SHAPE = (2, 128, 128)

_LISTS = ("trials_to_train.txt", "trials_to_test.txt")
_TABLE_HEAD = ["class", "startTime_usec", "endTime_usec"]
_LARGEST_TEXT = 2**20


def read(*, path: str, **options: Unpack[CameraOptions]) -> DataSet:
    """Return the gestures of DVS128 Gesture: 11 classes, 128 x 128 pixels, two polarities, with its test part.

    Source: A. Amir et al., A low power, fully event-based gesture recognition system, 2017.

    Args:
        path: The folder with `trials_to_train.txt`, `trials_to_test.txt`, and for each name there an `.aedat` file and
            a table `_labels.csv`.

    Raises:
        DataError: If a file is missing or not what it should be.
        OptionError: If an option has no such value.
    """
    given = EventOptions(**options)
    folder = path_of(path, example="data/dvs_gesture")
    train, test = (_gestures(folder / name) for name in _LISTS)
    labels = np.array([gesture.label for gesture in train])
    classes = tuple(np.unique(labels).tolist())
    chosen = [train[index] for index in first_of_each(labels, given.limit)]
    return event_data(_part(chosen, classes), _part(test, classes), given, path=folder)


@dataclass(frozen=True)
class Gesture:
    """One gesture of a file.

    Attributes:
        file: The `.aedat` file.
        label: 1 to 11.
        begin: Microseconds, included.
        end: Microseconds, left out.
    """

    file: Path
    label: int
    begin: int
    end: int


def _gestures(trials: Path) -> list[Gesture]:
    """Return the gestures of the files that a list names, in its order."""
    names = [line.strip() for line in _text(trials, expected="a list of .aedat files").splitlines()]
    found = []
    for number, name in enumerate(names, 1):
        if name and (not name.endswith(".aedat") or Path(name).name != name):
            raise DataError(f"{quoted(trials)}, line {number}: {name!r} is no name of an .aedat file in its folder.")
        if name:
            found += _table(trials.with_name(name))
    if not found:
        raise DataError(f"{quoted(trials)} names no files; expected the name of an .aedat file in each line.")
    return found


def _table(file: Path) -> list[Gesture]:
    """Return the gestures of a file as its table has them."""
    table = file.with_name(f"{file.stem}_labels.csv")
    lines = _text(table, expected="a table of gestures").splitlines()
    if not lines or [cell.strip() for cell in lines[0].split(",")] != _TABLE_HEAD:
        raise DataError(
            f"{quoted(table)}, line 1: {lines[0] if lines else ''!r}, expected the heading {','.join(_TABLE_HEAD)}."
        )
    found = []
    for number, line in enumerate(lines[1:], 2):
        if not line.strip():
            continue
        cells = [cell.strip() for cell in line.split(",")]
        is_number = all(cell.isascii() and cell.isdigit() and len(cell) <= 12 for cell in cells)
        if len(cells) != len(_TABLE_HEAD) or not is_number or int(cells[1]) >= int(cells[2]):
            raise DataError(
                f"{quoted(table)}, line {number}: {line!r}, expected a class, where it begins and where it ends, in "
                "microseconds, such as 1,80048239,85092709."
            )
        found.append(Gesture(file, int(cells[0]), int(cells[1]), int(cells[2])))
    return found


def _part(gestures: Sequence[Gesture], classes: tuple[Label, ...]) -> Part:
    """Return the recordings of gestures, reading each file once."""
    packed: dict[int, Packed] = {}
    for file in dict.fromkeys(gesture.file for gesture in gestures):
        with opened(file, expected="an AEDAT 3.1 file") as (stream, size):
            if size > LARGEST_FILE:
                raise DataError(f"{quoted(file)} is too large: {size:,} bytes, and {LARGEST_FILE:,} are read at most.")
            events = parse_packets(bytes(read_at_most(stream, size)), file)
        for index, gesture in enumerate(gestures):
            if gesture.file == file:
                packed[index] = _cut(events, gesture).packed(SHAPE)
    labels = np.array([gesture.label for gesture in gestures])
    return Part.of([packed[index] for index in range(len(gestures))], labels, shape=SHAPE, classes=classes)


def _cut(events: Events, gesture: Gesture) -> Events:
    """Return the events of a gesture."""
    kept = (events.t >= gesture.begin) & (events.t < gesture.end)
    where = f"{events.where}, from {gesture.begin} to {gesture.end} microseconds"
    if not kept.any():
        last = f"the last is at {events.t.max()}" if len(events.t) else "there are none at all"
        raise DataError(f"{where}: no events, though its table has a gesture of class {gesture.label} there; {last}.")
    return Events(events.t[kept], events.x[kept], events.y[kept], events.p[kept], where)


def _text(file: Path, *, expected: str) -> str:
    """Return what a small file of text holds."""
    with opened(file, expected=expected) as (stream, size):
        if size > _LARGEST_TEXT:
            raise DataError(
                f"{quoted(file)} is too large: {size:,} bytes; expected {expected} of at most {_LARGEST_TEXT:,}."
            )
        try:
            return bytes(read_at_most(stream, size)).decode()
        except UnicodeDecodeError as error:
            raise DataError(
                f"{quoted(file)}: byte {error.start:,} is no text in UTF-8; expected {expected}."
            ) from error
