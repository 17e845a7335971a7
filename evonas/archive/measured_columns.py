"""Measurements as columns of an archive, of which objects are made only where an objective asks for them.

A network has dozens of layers and connections with counts by time step. For twenty thousand networks these are millions
of values, none of which an accuracy needs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property, partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from evonas.archive.hdf5_table import Column, read_table, write_table
from evonas.archive.record import ACTIVITY, CONNECTION, MEASUREMENT, POPULATION
from evonas.archive.sealed_file import damage_named
from evonas.measurement import Activity, Connection, Measurement, Population

_ACTIVITY = {f"activity_{name}": type_ for name, type_ in ACTIVITY.items()}
_NAMED = {
    "metrics": {"row": int, "name": str, "value": float},
    "counts": {"row": int, "name": str, "values": tuple[int, ...]},
}
_AHEAD = 64  # most networks whose activity is made at once

Part = tuple[int, Any]


def write_measurements(file: h5py.File, measured: Sequence[tuple[int, Measurement]]) -> None:
    """Write slots and their measurements, in the order of slots."""
    columns: dict[str, list[Any]] = {"row": [slot for slot, _ in measured]}
    columns |= {name: [getattr(measurement, name) for _, measurement in measured] for name in MEASUREMENT}
    columns |= {name: [] for name in _ACTIVITY}
    populations, connections = [], []
    for slot, measurement in measured:
        activity = measurement.activity
        for name in ACTIVITY:
            columns[f"activity_{name}"].append(getattr(activity, name))
        populations += [(slot, part) for part in activity.populations]
        connections += [(slot, part) for part in activity.connections]
    write_table(file.create_group("measurement"), {"row": int, **MEASUREMENT, **_ACTIVITY}, columns=columns)
    for group, types in _NAMED.items():
        named = [(slot, *item) for slot, measurement in measured for item in getattr(measurement, group).items()]
        values = zip(*named, strict=True) if named else ([], [], [])
        write_table(file.create_group(group), types, columns=dict(zip(types, values, strict=True)))
    _write_parts(file.create_group("populations"), POPULATION, parts=populations)
    _write_parts(file.create_group("connections"), CONNECTION, parts=connections)


class MeasuredColumns:
    """The measurements of an archive at rest. Keeps the file open for the activities, which are read when asked for.

    Args:
        file: The open archive, from which all but the activities is read at once.
        path: Where it was read from, for messages.

    Raises:
        ValueError: If the table of measurements is not as `write_measurements` writes it.
    """

    def __init__(self, file: h5py.File, path: Path) -> None:
        self._file = file
        self._path = path
        table = read_table(file["measurement"], {"row": int, **_ACTIVITY, **MEASUREMENT})
        self._table = {name: column.part() for name, column in table.items()}
        self._slots = np.array(self._table["row"], np.int64)
        if bool((np.diff(self._slots) <= 0).any()):
            raise ValueError("a slot has two measurements, or they are not in the order of slots")
        self._named = {group: self._by_name(file[group], types) for group, types in _NAMED.items()}
        self._first = 0
        self._activities: list[Activity] = []

    def by_slot(self) -> dict[int, Measurement]:
        """Return slot to measurement; its activity is made when it is asked for."""
        columns = [self._table[name] for name in MEASUREMENT]
        return {
            slot: Measurement.deferred(
                partial(self.activity, index),
                **dict(zip(MEASUREMENT, values, strict=True)),
                **{group: named[slot] for group, named in self._named.items()},
            )
            for index, (slot, *values) in enumerate(zip(self._slots.tolist(), *columns, strict=True))
        }

    def activity(self, index: int) -> Activity:
        """Return the activity of the measurement at `index` of the table.

        The activities of a front lie far apart and are made one by one; if all are asked for in turn, more and more are
        made at once.

        Raises:
            ArchiveError: If the tables that hold it are not as `write_measurements` writes them.
        """
        made = len(self._activities)
        if not 0 <= index - self._first < made:
            is_next = index == self._first + made
            end = index + (min(max(2 * made, 1), _AHEAD) if is_next else 1)
            with damage_named(self._path):
                self._first, self._activities = index, self._made(index, min(end, len(self._slots)))
        return self._activities[index - self._first]

    def _by_name(self, group: h5py.Group, types: Mapping[str, Any]) -> dict[int, dict[str, Any]]:
        """Return slot to values by name."""
        columns = [column.part() for column in read_table(group, types).values()]
        found: dict[int, dict[str, Any]] = {slot: {} for slot in self._slots.tolist()}
        for slot, name, value in zip(*columns, strict=True):
            if slot not in found or name in found[slot]:
                raise ValueError(f"{group.name} has {name!r} of slot {slot} twice, or of no measurement")
            found[slot][name] = value
        return found

    @cached_property
    def _parts(self) -> Mapping[str, tuple[Mapping[str, Column], np.ndarray]]:
        """Tables of populations and connections, each with the `(measurements + 1,)` rows where those of each begin."""
        found = {}
        for name, types in {"populations": POPULATION, "connections": CONNECTION}.items():
            table = read_table(self._file[name], {"row": int, **types})
            slots = np.array(table["row"].values[()], np.int64)
            if bool((np.diff(slots) < 0).any()) or not bool(np.isin(slots, self._slots).all()):
                raise ValueError(f"{name} belong to no measurement, or are not in the order of slots")
            found[name] = (table, np.append(np.searchsorted(slots, self._slots), len(slots)))
        return found

    def _made(self, begin: int, end: int) -> list[Activity]:
        return [
            Activity(**dict(zip(ACTIVITY, plain, strict=True)), populations=populations, connections=connections)
            for *plain, populations, connections in zip(
                *(self._table[name][begin:end] for name in _ACTIVITY),
                self._made_parts("populations", Population, begin=begin, end=end),
                self._made_parts("connections", Connection, begin=begin, end=end),
                strict=True,
            )
        ]

    def _made_parts(self, name: str, kind: type, *, begin: int, end: int) -> list[tuple[Any, ...]]:
        table, begins = self._parts[name]
        names = [column for column in table if column != "row"]
        low, high = int(begins[begin]), int(begins[end])
        values = zip(*(table[column].part(low, high) for column in names), strict=True)
        parts = [_instance(kind, dict(zip(names, one, strict=True))) for one in values]
        bounds = (begins[begin : end + 1] - low).tolist()
        return [tuple(parts[first:last]) for first, last in pairwise(bounds)]


def _instance(kind: type, values: dict[str, Any]) -> Any:
    # the constructor of a frozen dataclass sets each field through a function: five times slower, for millions of them
    made: Any = object.__new__(kind)
    object.__setattr__(made, "__dict__", values)
    return made


def _write_parts(group: h5py.Group, types: Mapping[str, Any], *, parts: Sequence[Part]) -> None:
    columns = {name: [getattr(part, name) for _, part in parts] for name in types}
    write_table(group, {"row": int, **types}, columns={"row": [slot for slot, _ in parts], **columns})
