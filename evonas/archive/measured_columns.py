"""What networks did, as the columns of an archive: objects are made of them where an objective asks for them.

A network has dozens of layers and connections with counts by time step; of twenty thousand networks these are millions
of values, of which an accuracy needs none.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property, partial
from itertools import pairwise
from typing import Any

import h5py
import numpy as np

from evonas.archive.hdf5_table import Column, read_table, write_table
from evonas.archive.record import CONNECTION, MEASUREMENT, POPULATION
from evonas.measurement import Activity, Connection, Measurement, Population

_ACTIVITY = {"activity_samples": int, "activity_time_steps": int}
_BLOCK = 16  # networks whose activity is made at once: those of a front lie far apart

Part = tuple[int, Any]


def write_measurements(file: h5py.File, measured: Sequence[tuple[int, Measurement]]) -> None:
    """Write slots and their measurements, in the order of slots."""
    slots = [slot for slot, _ in measured]
    columns: dict[str, list[Any]] = {
        name: [getattr(measurement, name) for _, measurement in measured] for name in MEASUREMENT
    }
    samples, steps, populations, connections = [], [], [], []
    for slot, measurement in measured:
        activity = measurement.activity
        samples.append(activity.samples)
        steps.append(activity.time_steps)
        populations += [(slot, part) for part in activity.populations]
        connections += [(slot, part) for part in activity.connections]
    columns |= {"row": slots, "activity_samples": samples, "activity_time_steps": steps}
    write_table(file.create_group("measurement"), {"row": int, **MEASUREMENT, **_ACTIVITY}, columns=columns)
    _write_parts(file.create_group("populations"), POPULATION, parts=populations)
    _write_parts(file.create_group("connections"), CONNECTION, parts=connections)


class MeasuredColumns:
    """The measurements of an archive at rest.

    Args:
        file: The open archive, from which the measurements are read at once.
        parts: Returns the tables `populations` and `connections`, with their types, when they are asked for first.

    Raises:
        ValueError: If the table of measurements is not as it is written.
    """

    def __init__(self, file: h5py.File, *, parts: Callable[[Mapping[str, Any]], Mapping[str, Any]]) -> None:
        table = read_table(file["measurement"], {"row": int, **_ACTIVITY, **MEASUREMENT})
        self._slots = np.array(table["row"].values, np.int64)
        if bool((np.diff(self._slots) <= 0).any()):
            raise ValueError("a slot has two measurements, or they are not in the order of slots")
        self._table = {name: column.part() for name, column in table.items()}
        self._read_parts = parts
        self._block: tuple[int, list[Activity]] = (-1, [])

    def by_slot(self) -> dict[int, Measurement]:
        """Return slot to measurement, the activity of which is made when it is asked for."""
        columns = [self._table[name] for name in MEASUREMENT]
        return {
            slot: Measurement.deferred(partial(self.activity, index), **dict(zip(MEASUREMENT, values, strict=True)))
            for index, (slot, *values) in enumerate(zip(self._slots.tolist(), *columns, strict=True))
        }

    def activity(self, index: int) -> Activity:
        """Return the activity of the measurement at `index` of the table.

        Raises:
            ArchiveError: If the tables that hold it are not as they are written.
        """
        block, first = index // _BLOCK, index // _BLOCK * _BLOCK
        if self._block[0] != block:
            self._block = (block, self._activities(first, min(first + _BLOCK, len(self._slots))))
        return self._block[1][index - first]

    @cached_property
    def _parts(self) -> Mapping[str, tuple[Mapping[str, Column], np.ndarray]]:
        """Both tables, with where the parts of each measurement begin."""
        read = self._read_parts({"populations": {"row": int, **POPULATION}, "connections": {"row": int, **CONNECTION}})
        found = {}
        for name, table in read.items():
            slots = np.array(table["row"].values, np.int64)
            begins = np.searchsorted(slots, self._slots).tolist()
            found[name] = (table, np.array([*begins, len(slots)]))
        return found

    def _activities(self, begin: int, end: int) -> list[Activity]:
        populations = self._made("populations", Population, begin=begin, end=end)
        connections = self._made("connections", Connection, begin=begin, end=end)
        samples, steps = self._table["activity_samples"], self._table["activity_time_steps"]
        return [
            Activity(samples[begin + i], steps[begin + i], populations[i], connections[i]) for i in range(end - begin)
        ]

    def _made(self, name: str, kind: type, *, begin: int, end: int) -> list[tuple[Any, ...]]:
        table, begins = self._parts[name]
        names = [column for column in table if column != "row"]
        low, high = int(begins[begin]), int(begins[end])
        values = zip(*(table[column].part(low, high) for column in names), strict=True)
        parts = [_instance(kind, dict(zip(names, one, strict=True))) for one in values]
        borders = (begins[begin : end + 1] - low).tolist()
        return [tuple(parts[one:other]) for one, other in pairwise(borders)]


def check_parts(slots: np.ndarray, *, of: np.ndarray, name: str) -> None:
    """Check that parts lie in the order of the measurements that they belong to; raise ValueError otherwise."""
    if bool((np.diff(slots) < 0).any()) or not bool(np.isin(slots, of).all()):
        raise ValueError(f"{name} belong to no measurement, or are not in the order of slots")


def _instance(kind: type, values: dict[str, Any]) -> Any:
    # the constructor of a frozen dataclass sets each field through a function: five times slower, for millions of them
    made: Any = object.__new__(kind)
    object.__setattr__(made, "__dict__", values)
    return made


def _write_parts(group: h5py.Group, types: Mapping[str, Any], *, parts: Sequence[Part]) -> None:
    columns = {name: [getattr(part, name) for _, part in parts] for name in types}
    write_table(group, {"row": int, **types}, columns={"row": [slot for slot, _ in parts], **columns})
