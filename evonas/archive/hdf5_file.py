"""The archive at rest: one HDF5 file, which any tool for HDF5 can read.

::

    /                        attributes format, format_version, seed
    /run/…                   what run it is, as JSON: settings, variables, objectives, versions, references, …
    /rows/…                  one data set a column, in slot order
    /objectives/<name>       values under the run's objectives, NaN where there is none: a copy for other tools,
                             evonas computes them from the measurements whenever it reads them
    /measurement/…           one entry a measured row; `row` is its slot
    /populations/…           one entry a layer of neurons; `row` is its slot
    /connections/…           one entry a connection; `row` is its slot
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import groupby, islice
from pathlib import Path
from typing import Any, get_type_hints

import h5py
import numpy as np

from evonas.archive.atomic_file import sync_folder
from evonas.archive.contents import Stored
from evonas.archive.hdf5_table import read_table, write_table
from evonas.archive.record import EVALUATION, JOB, SINCE_2, from_record, to_record
from evonas.archive.run_header import FORMAT_VERSION, Header, check_format
from evonas.engine.evaluation import Evaluation, Outcome
from evonas.engine.job import Job
from evonas.engine.training_log import Trained
from evonas.errors import ArchiveError
from evonas.measurement import Activity, Connection, Measurement, Population
from evonas.objective import Objective
from evonas.space import Genotype

_FORMAT = "evonas archive"
_JOB = {**JOB, "parents": tuple[int, ...]}
_WRITTEN = {"key": str, "genotype": str, "settings": str, "outcome": str, "proposals": str, "own_measurement": str,
            "warm": str, "trained": str}  # fmt: skip
_ROWS: dict[str, Any] = {**_JOB, **EVALUATION, **_WRITTEN}
_SINCE: dict[int, dict[str, Any]] = {
    2: SINCE_2,
    3: {"warm": "[]", "trained": ""},
}
"""Columns that older formats have not, and what stands for them."""

_POPULATIONS = get_type_hints(Population)
_CONNECTIONS = get_type_hints(Connection)
_MEASUREMENT = {name: type_ for name, type_ in get_type_hints(Measurement).items() if name != "activity"}
_ACTIVITY = {"activity_samples": int, "activity_time_steps": int}


Values = Sequence[tuple[Objective, Sequence[float]]]


def write_archive(path: Path, stored: Stored, *, values: Values) -> None:
    """Write `stored` to `path`, in one step: whatever happens, `path` holds the former content or the new one.

    Args:
        path: Where to.
        stored: What to write.
        values: Each objective with its values in slot order, NaN where there is none: a copy for other tools.

    Raises:
        ArchiveError: If it cannot be written; `path` is then unchanged.
    """
    unfinished = _unfinished(path)
    try:
        image = _image(stored, values)
        with open(unfinished, "wb") as file:
            file.write(image)
            file.flush()
            os.fsync(file.fileno())
        os.replace(unfinished, path)
        sync_folder(path.parent)
    except (OSError, ValueError, OverflowError) as error:
        with suppress(OSError):
            unfinished.unlink(missing_ok=True)
        raise ArchiveError(
            f"The archive cannot be written to {path}: {error}. No row is lost: all are in {path.name}.journal beside "
            "it, and reading commands see them there. Remove the cause (a full disk?) and start the same command again."
        ) from error


def remove_unfinished(path: Path) -> None:
    """Delete what a process that died while it wrote the archive at `path` has left beside it."""
    _unfinished(path).unlink(missing_ok=True)


def read_archive(path: Path) -> Stored:
    """Return what the HDF5 file at `path` holds, without touching it.

    Raises:
        FileNotFoundError: If there is no file.
        ArchiveError: If it is no archive, is broken, or is written in a format version that is not known.
    """
    if not path.exists():
        raise FileNotFoundError(path)
    try:
        with h5py.File(path, "r", locking=False) as file:
            if _text(file.attrs.get("format", "")) != _FORMAT:
                raise ArchiveError(
                    f"{path} is an HDF5 file but no archive of evonas. It was not changed. Give another output folder."
                )
            check_format(int(file.attrs["format_version"]), path=path)
            run = {name: json.loads(_text(dataset[()])) for name, dataset in file["run"].items()}
            references = tuple(run.pop("references"))
            return Stored(Header.from_json(run, path=path), references, _read_evaluations(file))
    except (OSError, KeyError, ValueError, TypeError, IndexError, RuntimeError) as error:
        raise ArchiveError(
            f"{path} is no readable HDF5 archive ({error}). It was not changed. If it is a damaged archive, restore "
            "it from a copy; if it is another file, give another output folder."
        ) from error


def _unfinished(path: Path) -> Path:
    return path.with_name(f"{path.name}.unfinished")


def _image(stored: Stored, values: Values) -> memoryview | bytes:
    """Return the bytes of the HDF5 file, made in memory: HDF5 does not survive a full disk, plain files do."""
    with h5py.File("archive", "w", driver="core", backing_store=False) as file:
        file.attrs["format"] = _FORMAT
        file.attrs["format_version"] = FORMAT_VERSION
        file.attrs["seed"] = stored.header.seed
        run = file.create_group("run")
        for name, value in {**stored.header.to_json(), "references": stored.references}.items():
            run.create_dataset(name, data=json.dumps(value))
        _write_evaluations(file, stored.evaluations)
        _write_objectives(file.create_group("objectives"), values)
        file.flush()
        image: bytes = file.id.get_file_image()
        return image


def _write_objectives(group: h5py.Group, values: Values) -> None:
    for objective, column in values:
        dataset = group.create_dataset(objective.name.replace("/", "%2F"), data=np.array(column, np.float64))
        dataset.attrs["unit"] = objective.unit
        dataset.attrs["direction"] = objective.direction
        for name in ("at_least", "at_most", "profile"):
            if getattr(objective, name) is not None:
                dataset.attrs[name] = getattr(objective, name)


def _write_evaluations(file: h5py.File, evaluations: Sequence[Evaluation]) -> None:
    jobs = [evaluation.job for evaluation in evaluations]
    columns = {name: [getattr(job, name) for job in jobs] for name in _JOB}
    columns |= {name: [getattr(evaluation, name) for evaluation in evaluations] for name in EVALUATION}
    columns["key"] = [job.genotype.key for job in jobs]
    columns["genotype"] = [job.genotype.to_json() for job in jobs]
    columns["settings"] = [json.dumps(dict(job.settings)) for job in jobs]
    columns["outcome"] = [evaluation.outcome.name for evaluation in evaluations]
    columns["proposals"] = [json.dumps([dict(genotype) for genotype in row.proposals]) for row in evaluations]
    columns["warm"] = [json.dumps([to_record(one) for one in row.warm]) for row in evaluations]
    columns["trained"] = ["" if row.trained is None else json.dumps(row.trained.to_json()) for row in evaluations]
    columns["own_measurement"] = [_own(evaluation) for evaluation in evaluations]
    write_table(file.create_group("rows"), _ROWS, columns=columns)

    measured = [(row.job.slot, row.measurement) for row in evaluations if isinstance(row.measurement, Measurement)]
    slots, measurements = [slot for slot, _ in measured], [measurement for _, measurement in measured]
    columns = {name: [getattr(measurement, name) for measurement in measurements] for name in _MEASUREMENT}
    columns["row"] = slots
    columns["activity_samples"] = [measurement.activity.samples for measurement in measurements]
    columns["activity_time_steps"] = [measurement.activity.time_steps for measurement in measurements]
    write_table(file.create_group("measurement"), {"row": int, **_MEASUREMENT, **_ACTIVITY}, columns=columns)
    populations = [(slot, item) for slot, measurement in measured for item in measurement.activity.populations]
    connections = [(slot, item) for slot, measurement in measured for item in measurement.activity.connections]
    _write_parts(file.create_group("populations"), _POPULATIONS, parts=populations)
    _write_parts(file.create_group("connections"), _CONNECTIONS, parts=connections)


def _own(evaluation: Evaluation) -> str:
    """Return the user's own measurement as JSON, or the empty text, which is no JSON."""
    measurement = evaluation.measurement
    return "" if measurement is None or isinstance(measurement, Measurement) else json.dumps(dict(measurement))


def _write_parts(group: h5py.Group, types: Mapping[str, Any], *, parts: Sequence[tuple[int, Any]]) -> None:
    columns = {name: [getattr(part, name) for _, part in parts] for name in types}
    write_table(group, {"row": int, **types}, columns={"row": [slot for slot, _ in parts], **columns})


def _read_evaluations(file: h5py.File) -> list[Evaluation]:
    measurements = _read_measurements(file)
    table = file["rows"]
    written = int(file.attrs["format_version"])
    missing = {name: value for since, columns in _SINCE.items() if written < since for name, value in columns.items()}
    columns = read_table(table, {name: type_ for name, type_ in _ROWS.items() if name not in missing})
    columns |= {name: [value] * len(columns["slot"]) for name, value in missing.items()}
    evaluations = []
    for values in zip(*columns.values(), strict=True):
        row = dict(zip(columns, values, strict=True))
        own = row["own_measurement"]
        job = Job(
            **{name: row[name] for name in _JOB},
            genotype=Genotype(json.loads(row["genotype"])),
            settings=json.loads(row["settings"]),
        )
        evaluations.append(
            Evaluation(
                job,
                Outcome[row["outcome"]],
                **{name: row[name] for name in EVALUATION},
                measurement=json.loads(own) if own else measurements.get(job.slot),
                proposals=tuple(Genotype(genotype) for genotype in json.loads(row["proposals"])),
                warm=tuple(from_record(record) for record in json.loads(row["warm"])),
                trained=Trained.from_json(json.loads(row["trained"])) if row["trained"] else None,
            )
        )
    return evaluations


def _read_measurements(file: h5py.File) -> dict[int, Measurement]:
    """Return slot to measurement."""
    populations = _read_parts(file["populations"], _POPULATIONS, make=Population)
    connections = _read_parts(file["connections"], _CONNECTIONS, make=Connection)
    columns = read_table(file["measurement"], {"row": int, **_ACTIVITY, **_MEASUREMENT})
    measurements = {}
    for slot, samples, time_steps, *values in zip(*columns.values(), strict=True):
        activity = Activity(samples, time_steps, populations.get(slot, ()), connections.get(slot, ()))
        measurements[slot] = Measurement(**dict(zip(_MEASUREMENT, values, strict=True)), activity=activity)
    return measurements


def _read_parts(group: h5py.Group, types: Mapping[str, Any], *, make: Any) -> dict[int, tuple[Any, ...]]:
    """Return slot to its parts, in their order."""
    slots, *columns = read_table(group, {"row": int, **types}).values()
    parts: Iterator[Any] = map(make, *columns)
    return {slot: tuple(islice(parts, sum(1 for _ in run))) for slot, run in groupby(slots)}


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
