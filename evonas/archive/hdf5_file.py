"""The archive at rest: one sealed HDF5 file, which any tool for HDF5 can read.

::

    /                        attributes format, format_version, seed
    /run/…                   what run it is, as JSON: settings, space, objectives, search, versions, references, …
    /rows/…                  one data set a column, in slot order
    /objectives/<name>       values under the objectives of the run, NaN where there is none
    /measurement/…           one entry a measured row; `row` is its slot
    /populations/…           one entry a layer of neurons; `row` is its slot
    /connections/…           one entry a connection; `row` is its slot
    /proxy_scores/…          one entry a network scored without training; `row` is the slot of the search job; not
                             there where none is
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from evonas.archive.contents import Stored, Values, check_reference, checked_values
from evonas.archive.hdf5_table import read_table, write_table
from evonas.archive.measured_columns import MeasuredColumns, write_measurements
from evonas.archive.proxy_table import read_proxy_scores, write_proxy_scores
from evonas.archive.record import (
    EVALUATION,
    JOB,
    SLOTS,
    check_job,
    checked_number,
    genotype_of,
    settings_of,
    trained_of,
)
from evonas.archive.run_header import Header
from evonas.archive.sealed_file import FORMAT_VERSION, damage_named, open_sealed, write_sealed
from evonas.engine.evaluation import Evaluation, Outcome
from evonas.engine.job import Job
from evonas.engine.proxy_score import ProxyScore
from evonas.errors import ArchiveError
from evonas.genotype import Genotype
from evonas.measurement import Measurement

_FORMAT = "evonas archive"
_WRITTEN = {"key": str, "genotype": str, "settings": str, "outcome": str, "proposals": str, "own_measurement": str,
            "trained": str, "unpriced": str}  # fmt: skip
_ROWS: dict[str, Any] = {**JOB, **EVALUATION, **_WRITTEN}
_AT_ONCE = 500  # genotypes that are parsed together


def write_archive(path: Path, stored: Stored) -> None:
    """Write `stored` to `path` atomically.

    Raises:
        ArchiveError: If it cannot be written; `path` is then unchanged.
    """
    try:
        write_sealed(path, _image(stored))
    except (OSError, ValueError, OverflowError) as error:
        raise ArchiveError(
            f"The archive cannot be written to {path}: {error}. No row is lost: all are in {path.name}.journal beside "
            "it, and reading commands see them there. Remove the cause (a full disk?) and start the same command again."
        ) from error


def read_archive(path: Path) -> Stored:
    """Return what the HDF5 file at `path` holds, verified before HDF5 reads it.

    Raises:
        FileNotFoundError: If there is no file.
        ArchiveError: If it is not an archive, is damaged, is of another format version, or holds anything that evonas
            does not write.
    """
    file = open_sealed(path)
    with damage_named(path):
        run = {name: json.loads(dataset[()]) for name, dataset in file["run"].items()}
        references = run.pop("references")
        if not isinstance(references, list):
            raise ValueError(f"references are {references!r:.60}, expected a list")
        for reference in references:
            check_reference(reference)
        header = Header.from_json(run, path=path)
        measurements = MeasuredColumns(file, path).by_slot()
        rows = {name: column.part() for name, column in read_table(file["rows"], _ROWS).items()}
        evaluations = _evaluations(rows, measurements, read_proxy_scores(file, parse=_genotypes))
        values = _read_values(file["objectives"], header, slots=rows["slot"], unpriced=rows["unpriced"])
        return Stored(header, tuple(references), evaluations, values)


def _image(stored: Stored) -> bytes:
    """Return the bytes of the HDF5 file, made in memory: HDF5 does not survive a full disk, plain files do."""
    with h5py.File("archive", "w", driver="core", backing_store=False) as file:
        file.attrs["format"] = _FORMAT
        file.attrs["format_version"] = FORMAT_VERSION
        file.attrs["seed"] = stored.header.seed
        run = file.create_group("run")
        for name, value in {**stored.header.to_json(), "references": stored.references}.items():
            run.create_dataset(name, data=np.bytes_(json.dumps(value)))
        _write_evaluations(file, stored)
        _write_objectives(file.create_group("objectives"), stored)
        file.flush()
        image: bytes = file.id.get_file_image()
        return image


def _write_objectives(group: h5py.Group, stored: Stored) -> None:
    slots = [row.job.slot for row in stored.evaluations]
    for index, objective in enumerate(stored.header.objectives):
        values = [stored.values[slot][index] if slot in stored.values else math.nan for slot in slots]
        column = [math.nan if isinstance(value, str) else value for value in values]
        dataset = group.create_dataset(_escaped(objective["name"]), data=np.array(column, np.float64))
        for name in ("unit", "direction", "at_least", "at_most", "profile"):
            if objective[name] is not None:
                dataset.attrs[name] = objective[name]


def _read_values(
    group: h5py.Group, header: Header, *, slots: Sequence[int], unpriced: Sequence[str]
) -> dict[int, Values]:
    """Return slot to values, of the rows that have values."""
    names = [objective["name"] for objective in header.objectives]
    columns = [group[_escaped(name)] for name in names]
    if any(column.shape != (len(slots),) or column.dtype != np.float64 for column in columns):
        raise ValueError("the values of the objectives are not one for each row")
    if not names:
        return {}
    reasons = {text: json.loads(text) for text in set(unpriced) if text}
    if not all(isinstance(reason, dict) for reason in reasons.values()):
        raise ValueError("the reasons why rows have no value are no JSON objects")
    table = np.stack([column[()] for column in columns], axis=1)
    has_all, has_any = np.isfinite(table).all(axis=1).tolist(), np.isfinite(table).any(axis=1).tolist()
    found: dict[int, Values] = {}
    for slot, row, is_whole, is_partial, text in zip(slots, table.tolist(), has_all, has_any, unpriced, strict=True):
        if is_whole:
            found[slot] = tuple(row)
        elif is_partial or text:
            why = reasons.get(text, {})
            values = [value if math.isfinite(value) else why.get(name) for name, value in zip(names, row, strict=True)]
            found[slot] = checked_values(values, count=len(names))
    return found


def _escaped(name: str) -> str:
    """Return the name of an objective as that of a data set."""
    text = name.replace("%", "%25").replace("/", "%2F").replace("\0", "%00")
    return {"": "%", ".": "%2E", "..": "%2E%2E"}.get(text, text)


def _write_evaluations(file: h5py.File, stored: Stored) -> None:
    evaluations = stored.evaluations
    jobs = [evaluation.job for evaluation in evaluations]
    columns: dict[str, list[Any]] = {name: [getattr(job, name) for job in jobs] for name in JOB}
    columns |= {name: [getattr(evaluation, name) for evaluation in evaluations] for name in EVALUATION}
    columns["key"] = [job.genotype.key for job in jobs]
    columns["genotype"] = [job.genotype.to_json() for job in jobs]
    columns["settings"] = [json.dumps(dict(job.settings)) for job in jobs]
    columns["outcome"] = [evaluation.outcome.name for evaluation in evaluations]
    columns["proposals"] = [json.dumps([dict(genotype) for genotype in row.proposals]) for row in evaluations]
    columns["trained"] = ["" if row.trained is None else json.dumps(row.trained.to_json()) for row in evaluations]
    columns["own_measurement"] = [_own_measurement(evaluation) for evaluation in evaluations]
    names = [objective["name"] for objective in stored.header.objectives]
    columns["unpriced"] = [_unpriced(names, stored.values.get(job.slot, ())) for job in jobs]
    write_table(file.create_group("rows"), _ROWS, columns=columns)
    write_measurements(
        file, [(row.job.slot, row.measurement) for row in evaluations if isinstance(row.measurement, Measurement)]
    )
    write_proxy_scores(file, [(row.job.slot, one) for row in evaluations for one in row.proxy_scores])


def _own_measurement(evaluation: Evaluation) -> str:
    """Return the user's own measurement as JSON, or the empty text, which is no JSON."""
    measurement = evaluation.measurement
    return "" if measurement is None or isinstance(measurement, Measurement) else json.dumps(dict(measurement))


def _unpriced(names: Sequence[str], values: Values) -> str:
    """Return the reasons for missing values, as a JSON object by objective; the empty text if none is missing."""
    reasons = {name: value for name, value in zip(names, values, strict=False) if isinstance(value, str)}
    return json.dumps(reasons) if reasons else ""


def _evaluations(
    rows: Mapping[str, list[Any]],
    measurements: Mapping[int, Measurement],
    proxies: Mapping[int, tuple[ProxyScore, ...]],
) -> list[Evaluation]:
    """Return the evaluations in the columns; raise ValueError for anything that evonas does not write."""
    slots = rows["slot"]
    if any(one >= other for one, other in pairwise(slots)):
        raise ValueError("a slot has two rows, or they are not in the order of slots")
    if not measurements.keys() <= {*slots}:
        raise ValueError("a measurement belongs to no row")
    if not proxies.keys() <= {*slots}:
        raise ValueError("a score belongs to no row")
    for combination in set(zip(rows["kind"], rows["outcome"], strict=True)):
        check_job(0, kind=combination[0], outcome=combination[1])
    for name, type_ in {**JOB, **EVALUATION}.items():
        if type_ in (int, float) and slots:
            for value in (min(rows[name]), max(rows[name]), math.nan if _has_nan(rows[name]) else 0):
                checked_number(value, name)
    if slots and slots[-1] >= SLOTS:
        check_job(slots[-1], kind="evaluate", outcome="MEASURED")
    genotypes = _genotypes(rows["genotype"], keys=rows["key"])
    settings = _each(rows["settings"], settings_of)
    proposals = _each(rows["proposals"], lambda found: tuple(genotype_of(values) for values in _listed(found)))
    trained = _each(rows["trained"], trained_of)
    own = _each(rows["own_measurement"], _mapping)
    job_columns = zip(*(rows[name] for name in JOB), strict=True)
    evaluation_columns = zip(*(rows[name] for name in EVALUATION), strict=True)
    return [
        Evaluation(
            Job(**dict(zip(JOB, job, strict=True)), genotype=genotypes[i], settings=settings[rows["settings"][i]]),
            Outcome[rows["outcome"][i]],
            **dict(zip(EVALUATION, evaluation, strict=True)),
            measurement=own[text] if (text := rows["own_measurement"][i]) else measurements.get(slots[i]),
            proposals=proposals[rows["proposals"][i]],
            proxy_scores=proxies.get(slots[i], ()),
            trained=trained.get(rows["trained"][i]),
        )
        for i, (job, evaluation) in enumerate(zip(job_columns, evaluation_columns, strict=True))
    ]


def _has_nan(values: Sequence[float]) -> bool:
    return bool(np.isnan(values).any())


def _each(texts: Sequence[str], make: Any) -> dict[str, Any]:
    """Return each different text, the empty one apart, to what `make` makes of its JSON."""
    return {text: make(json.loads(text)) for text in set(texts) if text}


def _listed(found: Any) -> list[Any]:
    if not isinstance(found, list):
        raise ValueError(f"there is {found!r:.60}, expected a list")
    return found


def _mapping(found: Any) -> dict[str, Any]:
    if not isinstance(found, dict):
        raise ValueError(f"a measurement is {found!r:.60}, expected a JSON object")
    return found


def _genotypes(texts: Sequence[str], *, keys: Sequence[str]) -> list[Genotype]:
    """Return the genotypes of texts; raise ValueError unless each is written as `to_json` does, and has its key."""
    genotypes: list[Genotype] = []
    encode = json.JSONEncoder(separators=(",", ":")).encode
    for begin in range(0, len(texts), _AT_ONCE):
        part = texts[begin : begin + _AT_ONCE]
        found = json.loads(f"[{','.join(part)}]")  # at once, so that many rows share the names of variables
        if len(found) != len(part):
            raise ValueError("the genotypes are not one for each row")
        for values, text, key in zip(found, part, keys[begin : begin + _AT_ONCE], strict=True):
            genotype = genotype_of(values)
            if hashlib.sha256(text.encode()).hexdigest()[:16] != key or encode(dict(genotype)) != text:
                raise ValueError(f"the key {key!r:.40} is not that of its genotype {text:.60}")
            genotypes.append(genotype)
    return genotypes
