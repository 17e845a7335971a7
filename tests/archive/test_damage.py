"""Damaged and made-up archives: told in one sentence, before HDF5 sees a byte of what is damaged, and left alone."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from counted import small
from toys import OBJECTIVES

from evonas.archive.archive import Archive
from evonas.archive.journal import read_journal
from evonas.archive.journal_lines import encode_all, parts_of_line
from evonas.archive.sealed_file import BLOCK, read_sealed, write_sealed
from evonas.engine.evaluation import Evaluation, Outcome
from evonas.engine.job import Job
from evonas.errors import ArchiveError
from evonas.measurement import Measurement
from evonas.objective import Objective
from evonas.space import Space
from evonas.variables import Choice

SPACE = Space({"a": Choice(range(100))})
MEASURED = (
    Objective("accuracy", lambda m: m.accuracy, direction="max"),
    Objective("spikes", lambda m: m.activity.spikes),
)


def archive_of(path: Path, *, rows: int = 12) -> Path:
    with Archive(path, SPACE, MEASURED, reference_rows=4) as archive:
        for slot in range(rows):
            measurement = Measurement({"accuracy": slot / 100, "loss": 1.0}, 10, 20, 2, False, small())
            job = Job(slot, "evaluate", SPACE.genotype({"a": slot}), "toy", settings={"price": 0.5})
            archive.add(Evaluation(job, Outcome.MEASURED, measurement=measurement))
    return path


def remade(path: Path, change: Callable[[h5py.File], None]) -> None:
    """Change the content of an archive, and seal it anew: somebody made this up."""
    with h5py.File(path.with_name("made_up"), "w", driver="core", backing_store=False) as made:
        with h5py.File(h5py.h5f.open_file_image(read_sealed(path))) as file:
            for name in file:
                file.copy(name, made)
        change(made)
        made.flush()
        write_sealed(path, made.id.get_file_image())


def put(name: str, value: Any) -> Callable[[h5py.File], None]:
    def change(file: h5py.File) -> None:
        if name in file:
            del file[name]
        if value is not None:
            file[name] = value

    return change


def edited(name: str, index: int, value: Any) -> Callable[[h5py.File], None]:
    def change(file: h5py.File) -> None:
        values = file[name][()]
        values = values.astype(np.int64 if values.dtype.kind in "iu" and values.dtype != np.uint8 else values.dtype)
        if values.dtype.kind in "iu":
            values = values.astype(np.int64)
        values[index] = value
        del file[name]
        file[name] = values

    return change


def refused(path: Path, match: str) -> None:
    before = path.read_bytes()
    for opening in (
        lambda: Archive.read(path, MEASURED).rows,
        lambda: Archive(path, SPACE, MEASURED, reference_rows=4),
    ):
        with pytest.raises(ArchiveError, match=match) as caught:
            opening()
        assert "\n" not in str(caught.value)
    assert path.read_bytes() == before
    assert [one.name for one in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize("width", [1, 16])
def test_of_200_flipped_bytes_and_200_zeroed_runs_none_is_wrong_in_silence(tmp_path: Path, width: int) -> None:
    path = archive_of(tmp_path / "a.h5")
    data, rng = path.read_bytes(), np.random.default_rng(width)
    places = [*range(0, BLOCK, 10), *rng.integers(0, len(data) - width, 200).tolist()]
    for at in places:
        changed = bytes([data[at] ^ int(rng.integers(1, 256))]) if width == 1 else bytes(width)
        damaged = data[:at] + changed + data[at + width :]
        if damaged == data:
            continue
        path.write_bytes(damaged)
        with pytest.raises(ArchiveError):
            Archive.read(path)
        assert path.read_bytes() == damaged


@pytest.mark.parametrize("length", [0, 1, BLOCK - 1, BLOCK, BLOCK + 1, -1])
def test_an_archive_that_is_cut_or_goes_on_is_refused(tmp_path: Path, length: int) -> None:
    path = archive_of(tmp_path / "a.h5")
    data = path.read_bytes()
    path.write_bytes(data[:length])
    refused(path, r"no archive of evonas|is damaged")
    path.write_bytes(data + b"\0")
    refused(path, r"is damaged: it holds \d+ bytes behind its first line, which says \d+")


def test_every_tool_for_hdf5_reads_an_archive(tmp_path: Path) -> None:
    path = archive_of(tmp_path / "a.h5")
    assert path.read_bytes()[:BLOCK].decode().rstrip().startswith("evonas archive, format 2, ")
    with h5py.File(path) as file:
        assert file.userblock_size == BLOCK
        assert file["metrics/value"][4] == 0.02


CRAFTED: dict[str, Callable[[h5py.File], None]] = {
    "a data set in the place of a group": put("run", 3),
    "a group in the place of a data set": lambda file: (put("rows/slot", None)(file), file.create_group("rows/slot"))[
        0
    ],
    "no rows": put("rows", None),
    "no column": put("rows/cost", None),
    "no run": put("run/seed", None),
    "a header that is no JSON": put("run/seed", b"{"),
    "a header of another type": put("run/seed", b'"zero"'),
    "numbers in the place of text": put("rows/strategy", np.zeros(12)),
    "text in the place of numbers": put("rows/cost", np.array([b"1"] * 12)),
    "one row too few in a column": put("rows/cost", np.zeros(11)),
    "columns of tables": put("rows/cost", np.zeros((12, 2))),
    "a trial number of 2^50": edited("rows/slot", 11, 2**50),
    "a trial number below zero": edited("rows/slot", 0, -1),
    "two rows of one slot": edited("rows/slot", 1, 0),
    "a key of another genotype": edited("rows/key", 3, b"0" * 16),
    "a genotype of another key": edited("rows/genotype", 3, b'{"a":99}'),
    "a genotype that is not as it is written": put("rows/genotype", np.array([b'{"a": 1}'] * 12)),
    "a genotype that is a list": put("rows/genotype", np.array([b"[1]"] * 12)),
    "two genotypes in one": put("rows/genotype", np.array([b'{"a":1},{"a":2}'] + [b'{"a":1}'] * 11)),
    "settings that are a list": put("rows/settings", np.array([b"[1]"] * 12)),
    "settings of lists": put("rows/settings", np.array([b'{"price":[1]}'] * 12)),
    "settings without end": put("rows/settings", np.array([b'{"price":Infinity}'] * 12)),
    "settings that are nested deeply": put("rows/settings", np.array([b"[" * 5000] * 12)),
    "an outcome that there is not": put("rows/outcome", np.array([b"FINE"] * 12)),
    "a kind that there is not": put("rows/kind", np.array([b"guess"] * 12)),
    "a cost that is no number": edited("rows/cost", 2, np.nan),
    "parents that lie elsewhere": put("rows/parents_offset", np.array([0] * 12 + [7])),
    "references of another form": put("run/references", b'[{"x":1}]'),
    "references that are no numbers": put("run/references", b'[{"objectives":[{}],"ideal":[NaN],"ref_point":[1]}]'),
    "objectives of another form": put("run/objectives", b'[{"name":1}]'),
    "objectives without values": put("objectives/accuracy", None),
    "two measurements of one row": edited("measurement/row", 1, 0),
    "two metrics of one name": edited("metrics/row", 2, 0),
    "a metric of no row": edited("metrics/row", 0, 77),
    "a measurement of no row": edited("measurement/row", 11, 77),
    "a population of no measurement": edited("populations/row", -1, 77),
    "populations that divide nothing": edited("populations/spikes_offset", 1, 10**6),
    "a soft link": put("rows/cost", h5py.SoftLink("/rows/start")),
    "a link to another file": put("rows/cost", h5py.ExternalLink("/etc/passwd", "/")),
    "a group that is a link": put("populations", h5py.SoftLink("/rows")),
}


def _external(file: h5py.File) -> None:
    del file["rows/host"]
    file.create_dataset("rows/host", (12,), "S16", external=[("/etc/passwd", 0, 12 * 16)])


def _virtual(file: h5py.File) -> None:
    del file["rows/cost"]
    layout = h5py.VirtualLayout((12,), "f8")
    layout[:] = h5py.VirtualSource("/etc/passwd", "cost", shape=(12,))
    file.create_virtual_dataset("rows/cost", layout)


def _references(file: h5py.File) -> None:
    del file["rows/cost"]
    file.create_dataset("rows/cost", data=np.array([file.ref] * 12, h5py.ref_dtype), dtype=h5py.ref_dtype)


def _huge(file: h5py.File) -> None:
    del file["rows/cost"]
    file.create_dataset("rows/cost", (2**40,), "f8", chunks=(2**20,))


CRAFTED |= {
    "data in another file": _external,
    "a view into another file": _virtual,
    "references": _references,
    "more than memory holds": _huge,
}


@pytest.mark.parametrize("change", CRAFTED.values(), ids=CRAFTED.keys())
def test_an_archive_that_somebody_made_up_with_a_right_checksum_is_refused_in_one_sentence(
    tmp_path: Path, change: Callable[[h5py.File], None]
) -> None:
    path = archive_of(tmp_path / "a.h5")
    remade(path, change)
    refused(path, r"is damaged: its first line is right, what it holds is not as evonas writes it")


def test_an_archive_that_is_only_sealed_anew_is_read(tmp_path: Path) -> None:
    path = archive_of(tmp_path / "a.h5")
    right = Archive.read(path, MEASURED).rows
    remade(path, lambda file: None)
    assert Archive.read(path, MEASURED).rows == right


def test_a_named_pipe_and_a_file_without_permission_are_told_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.h5")
    with pytest.raises(ArchiveError, match="is no file"):
        Archive.read(tmp_path / "pipe.h5")
    with pytest.raises(ArchiveError, match="There is no archive"):
        Archive.read(tmp_path / "archive.h5")


def test_what_no_longer_stands_beside_a_journal_is_told(tmp_path: Path) -> None:
    path = archive_of(tmp_path / "a.h5")
    archive = Archive(path, SPACE, MEASURED, reference_rows=4)
    job = Job(12, "evaluate", SPACE.genotype({"a": 12}), "toy")
    archive.add(Evaluation(job, Outcome.CRASHED))
    path.unlink()
    read = Archive.read(path)
    assert [row.job.slot for row in read.rows] == [12]
    assert "beside an archive of 12 rows, of which the one there now holds 0" in read.notes[0]
    archive.close()
    assert len(Archive.read(path).rows) == 13, "all were in memory"


def test_a_journal_that_is_deleted_while_a_search_runs_loses_no_row_but_the_one_that_finds_out(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"

    def evaluation(slot: int) -> Evaluation:
        job = Job(slot, "evaluate", SPACE.genotype({"a": slot}), "toy")
        return Evaluation(job, Outcome.MEASURED, measurement={"error": 1.0, "rate": 2.0})

    with Archive(path, SPACE, OBJECTIVES) as archive:
        archive.add(evaluation(0))
        archive.add(evaluation(1))
        path.with_name("a.h5.journal").unlink()
        with pytest.raises(ArchiveError, match="deleted or replaced"):
            archive.add(evaluation(2))
    assert [row.job.slot for row in Archive.read(path).rows] == [0, 1]


# Read without its objectives ------------------------------------------------------------------------------------------


def test_an_archive_is_read_with_the_values_and_the_definitions_of_its_objectives(tmp_path: Path) -> None:
    path = archive_of(tmp_path / "archive.h5")
    right = Archive.read(path, MEASURED)
    read = Archive.read(path)
    assert [one.name for one in read.objectives] == ["accuracy", "spikes"]
    assert read.objectives[0].direction == "max"
    assert read.rows == right.rows
    assert read.front().to_json() == right.front().to_json()


def test_values_of_rows_that_are_only_in_the_journal_are_read_as_well(tmp_path: Path) -> None:
    with Archive(tmp_path / "archive.h5", SPACE, OBJECTIVES, reference_rows=1) as archive:
        for slot, measurement in enumerate([{"error": 1.0, "rate": 2.0}, {"error": "no number", "rate": 1.0}]):
            job = Job(slot, "evaluate", SPACE.genotype({"a": slot}), "toy")
            archive.add(Evaluation(job, Outcome.MEASURED, measurement=measurement))
        running = Archive.read(tmp_path / "archive.h5")
        assert running.front().to_json() == archive.front().to_json()
    assert Archive.read(tmp_path / "archive.h5").front().to_json() == archive.front().to_json()
    assert [row.is_failure for row in Archive.read(tmp_path / "archive.h5").rows] == [False, True]
    assert json.loads(Archive.read(tmp_path / "archive.h5").front().to_json())["networks"][0]["objectives"] == {
        "error": 1.0,
        "rate": 2.0,
    }


def test_made_up_counts_of_a_journal_are_rejected_when_they_are_asked_for_and_before_a_run_goes_on(
    tmp_path: Path,
) -> None:
    path, journal = tmp_path / "a.h5", tmp_path / "a.h5.journal"
    archive = Archive(path, SPACE, MEASURED, reference_rows=4)
    measurement = Measurement({"accuracy": 0.5, "loss": 1.0}, 10, 20, 2, False, small())
    job = Job(0, "evaluate", SPACE.genotype({"a": 0}), "toy")
    archive.add(Evaluation(job, Outcome.MEASURED, measurement=measurement))
    lines = [[json.loads(part) for part in parts_of_line(record)] for record in read_journal(journal).records]
    assert Archive.read(path, MEASURED).rows[0].evaluation.measurement == measurement
    archive.close()
    path.unlink()
    lines[1][1]["populations"]["spikes"][0] = ["many"]
    journal.write_bytes(encode_all(lines))
    assert Archive.read(path, MEASURED[:1]).rows[0].costs == (-0.5,), "an accuracy needs no counts"
    for opening in (lambda: Archive.read(path, MEASURED).rows, lambda: Archive(path, SPACE, MEASURED)):
        with pytest.raises(ArchiveError, match="Line 2 of the journal .* spikes is "):
            opening()
