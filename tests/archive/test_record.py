"""What is written of a dataclass: every field that is a number, a text or a tuple of either, without code of its own."""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from typing import Any, Literal

import h5py
import pytest

from evonas.archive.hdf5_table import read_table, write_table
from evonas.archive.record import CONNECTION, JOB, MEASUREMENT, POPULATION, parts_of, plain_fields
from evonas.engine.job import Job
from evonas.measurement import Connection, Measurement, Population, Shape


@dataclass(frozen=True)
class Before:
    name: str
    shape: Shape
    counts: tuple[int, ...]


@dataclass(frozen=True)
class After(Before):
    """The same with new fields of every type that is written as it is, and one that is not."""

    number: int = 0
    share: float = 0.0
    is_new: bool = False
    kind: Literal["old", "new"] = "old"
    rates: tuple[float, ...] = ()
    names: tuple[str, ...] = ()
    notes: Any = None


NEW = {"number", "share", "is_new", "kind", "rates", "names"}
TOYS = (
    After("one", (1, 2, 3), (4,), 5, 0.5, True, "new", (0.25, 0.75), ("a", "b")),
    After("two", (3, 2, 1), (), -1, 1.5, False, "old", (), ("ü",)),
)


def test_a_new_field_of_a_dataclass_is_a_column_that_comes_back() -> None:
    types = plain_fields(After)
    assert types.keys() - plain_fields(Before).keys() == NEW
    with h5py.File("toy", "w", driver="core", backing_store=False) as file:
        write_table(file, types, columns={name: [getattr(toy, name) for toy in TOYS] for name in types})
        table = {name: column.part() for name, column in read_table(file, types).items()}
    assert [After(**dict(zip(table, row, strict=True))) for row in zip(*table.values(), strict=True)] == [*TOYS]


def test_a_new_field_of_a_dataclass_is_part_of_a_record_that_comes_back() -> None:
    record = {name: [getattr(toy, name) for toy in TOYS] for name in plain_fields(After)}
    assert parts_of(json.loads(json.dumps(record)), After) == TOYS


def test_a_record_of_columns_of_different_lengths_is_rejected() -> None:
    record = json.loads(json.dumps({name: [getattr(toy, name) for toy in TOYS] for name in plain_fields(After)}))
    with pytest.raises(ValueError, match="different lengths"):
        parts_of({**record, "number": [1]}, After)
    with pytest.raises(ValueError, match="share is 'half', expected float"):
        parts_of({**record, "share": [0.5, "half"]}, After)
    with pytest.raises(ValueError, match="rates is missing"):
        parts_of({name: column for name, column in record.items() if name != "rates"}, After)


def test_all_fields_of_what_is_measured_are_written_and_those_of_a_job_but_two() -> None:
    assert POPULATION.keys() == {field.name for field in fields(Population)}
    assert CONNECTION.keys() == {field.name for field in fields(Connection)}
    in_groups_of_their_own = {"activity", "metrics", "counts"}
    assert MEASUREMENT.keys() == {field.name for field in fields(Measurement)} - in_groups_of_their_own
    assert JOB.keys() == {field.name for field in fields(Job)} - {"genotype", "settings"}
