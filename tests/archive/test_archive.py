"""The archive: what goes in comes out, at rest and while it is written, and nothing strange is overwritten."""

from __future__ import annotations

import errno
import json
import math
import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from toys import OBJECTIVES, measure_small, small_space

from evonas.archive import journal as journal_module
from evonas.archive.archive import Archive
from evonas.archive.journal import read_journal
from evonas.archive.journal_lines import encode_all
from evonas.engine.budget import Budget
from evonas.engine.evaluation import Evaluation, Outcome
from evonas.engine.job import Job
from evonas.engine.pareto import Reference, reference
from evonas.engine.search import search
from evonas.engine.training_log import Trained
from evonas.engine.workers import InlineWorkers
from evonas.errors import ArchiveError, ChangedRunError, OptionError, UnpriceableError
from evonas.genotype import Genotype
from evonas.measurement import Activity, Connection, Measurement, Population
from evonas.objective import Objective
from evonas.space import Space
from evonas.strategies.random import RandomSearch
from evonas.variables import Choice

SPACE = Space({"a": Choice(range(100))})


def row(
    slot: int, *, error: float = 0.0, rate: float = 0.0, rung: int = 0, outcome: Outcome = Outcome.MEASURED
) -> Evaluation:
    job = Job(slot, "evaluate", SPACE.genotype({"a": slot}), "toy", rung=rung, epochs=rung + 1)
    measurement = {"error": error or float(slot), "rate": rate or 50.0 - slot}
    return Evaluation(job, outcome, measurement=measurement if outcome is Outcome.MEASURED else None)


def made(path: Path, evaluations: Sequence[Evaluation] = (), **arguments: Any) -> Archive:
    archive = Archive(path, SPACE, arguments.pop("objectives", OBJECTIVES), **arguments)
    for evaluation in evaluations:
        archive.add(evaluation)
    return archive


def closed(path: Path, evaluations: Sequence[Evaluation], **arguments: Any) -> Path:
    made(path, evaluations, **arguments).close()
    return path


# What goes in comes out -----------------------------------------------------------------------------------------------

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)
SCALARS = st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT
GENOTYPES = st.dictionaries(TEXT, SCALARS, max_size=3).map(Genotype)
NUMBERS = st.integers(0, 2**62)
COUNTS = st.lists(NUMBERS, max_size=3).map(tuple)
SHAPES = st.tuples(NUMBERS, NUMBERS, NUMBERS)
FLOATS = st.floats(allow_nan=False)
POPULATIONS = st.builds(
    Population, TEXT, TEXT, shape=SHAPES, state=NUMBERS, static=st.booleans(), spikes=COUNTS, updates=COUNTS
)
CONNECTIONS = st.builds(
    Connection, TEXT, st.lists(TEXT, max_size=3).map(tuple), TEXT, TEXT, TEXT, SHAPES, SHAPES,
    *[NUMBERS] * 8, st.booleans(), *[COUNTS] * 6,
)  # fmt: skip
ACTIVITIES = st.builds(
    Activity, st.integers(1, 99), st.integers(1, 9), st.lists(POPULATIONS, max_size=3).map(tuple),
    st.lists(CONNECTIONS, max_size=3).map(tuple),
)  # fmt: skip
NAMED = st.sampled_from(["accuracy", "error / px", "Überlauf"])
MEASUREMENTS = st.builds(
    Measurement,
    st.dictionaries(NAMED, FLOATS),
    NUMBERS,
    NUMBERS,
    NUMBERS,
    st.booleans(),
    ACTIVITIES,
    st.dictionaries(NAMED, st.lists(NUMBERS, max_size=3).map(tuple)),
)
OWN = st.dictionaries(TEXT, st.recursive(st.none() | SCALARS, st.lists, max_leaves=3), max_size=3)


WIDTHS = st.dictionaries(TEXT, FLOATS, max_size=2)
EPOCHS = st.dictionaries(TEXT, st.none() | FLOATS, max_size=2)
TRAINED = st.builds(Trained, FLOATS, st.lists(WIDTHS, max_size=2).map(tuple), st.lists(EPOCHS, max_size=2).map(tuple))


@st.composite
def evaluations(draw: Callable[..., Any]) -> Evaluation:
    job = Job(
        slot=0,
        kind=draw(st.sampled_from(["evaluate", "search"])),
        genotype=draw(GENOTYPES),
        strategy=draw(TEXT),
        parents=draw(COUNTS),
        rung=draw(NUMBERS),
        epochs=draw(NUMBERS),
        cost=draw(FLOATS),
        sample_steps=draw(FLOATS),
        start=draw(FLOATS),
        seed=draw(NUMBERS),
        settings=draw(st.dictionaries(TEXT, SCALARS, max_size=2)),
    )
    measurement = draw(MEASUREMENTS | OWN | st.none())
    outcomes = [outcome for outcome in Outcome if measurement is not None or outcome is not Outcome.MEASURED]
    return Evaluation(
        job,
        draw(st.sampled_from(outcomes)),
        message=draw(TEXT),
        measurement=measurement,
        proposals=tuple(draw(st.lists(GENOTYPES, max_size=2))),
        trained=draw(st.none() | TRAINED),
        seconds=draw(FLOATS),
        host=draw(TEXT),
        device=draw(TEXT),
        retries=draw(NUMBERS),
        degree=draw(FLOATS),
    )


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(evaluations(), min_size=1, max_size=4), st.randoms())
def test_any_evaluation_survives_the_journal_and_the_file(drawn: list[Evaluation], random: Any) -> None:
    expected = [replace(one, job=replace(one.job, slot=slot)) for slot, one in enumerate(drawn)]
    arriving = random.sample(expected, len(expected))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.h5"
        with Archive(path, SPACE, [Objective("zero", lambda m: 0.0)]) as archive:
            for evaluation in arriving:
                archive.add(evaluation)
            from_journal = Archive.read(path).evaluations
        from_file = Archive.read(path).evaluations
    for read in (from_journal, from_file):
        assert list(read) == expected
        assert repr(read) == repr(tuple(expected)), "types are kept as well: 1 is not 1.0 is not True"


def test_long_columns_are_packed_and_come_back(tmp_path: Path) -> None:
    long = [replace(row(slot), message="x" * (4000 * (slot == 7)), host=f"host-{slot:020}") for slot in range(100)]
    path = closed(tmp_path / "a.h5", long)
    assert list(Archive.read(path).evaluations) == long
    with h5py.File(path) as file:
        assert file["rows/host"].compression == "gzip"
        assert file["rows/message_utf8"].dtype == np.uint8


def test_a_loss_that_is_no_number_comes_back_and_a_folded_journal_may_hold_it_again(tmp_path: Path) -> None:
    one = row(0)
    one = replace(one, measurement={"error": math.nan, "rate": 1.0}, outcome=Outcome.MEASURED)
    path = closed(tmp_path / "a.h5", [one])
    leave_a_journal(path, [one])
    with made(path) as archive:
        assert math.isnan(archive.rows[0].evaluation.measurement["error"])  # type: ignore[index, call-overload]


def test_text_that_cannot_be_stored_is_replaced_at_once_and_not_on_resuming(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    with made(path, [replace(row(0, outcome=Outcome.CRASHED), message="a\0b\udc80c")]) as archive:
        first = archive.rows
    assert first[0].evaluation.message.startswith("a\ufffdb\ufffd")
    assert Archive.read(path, OBJECTIVES).rows == first


def test_a_measurement_of_numpy_numbers_and_tuples_is_plain_json_from_the_start(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    own = {"error": np.float32(0.5), "rate": np.int64(2), "pair": (1, 2)}
    with made(path, [replace(row(0), measurement=own)]) as archive:
        assert archive.rows[0].evaluation.measurement == {"error": 0.5, "rate": 2, "pair": [1, 2]}


class Unprintable(Mapping[str, Any]):
    """A measurement of a user's own that cannot even be shown."""

    def __repr__(self) -> str:
        raise RuntimeError("no text")

    def __iter__(self) -> Any:
        raise OSError("gone")

    def __len__(self) -> int:
        return 1

    def __getitem__(self, name: str) -> Any:
        raise OSError("gone")


@pytest.mark.parametrize(
    "measurement",
    [{"error": object()}, 7, {"error": {1, 2}}, {"error": np.zeros(2)}, Unprintable()],
    ids=["object", "number", "set", "array", "unprintable"],
)
def test_a_measurement_that_cannot_be_kept_makes_the_row_a_failure_that_says_so(
    tmp_path: Path, measurement: Any
) -> None:
    with made(tmp_path / "a.h5") as archive:
        archive.add(replace(row(0), measurement=measurement))
        kept = archive.rows[0].evaluation
    assert (kept.outcome, kept.measurement) == (Outcome.CRASHED, None)
    assert "The measurement cannot be kept" in kept.message
    assert Archive.read(tmp_path / "a.h5").evaluations == (kept,)


def test_a_measurement_that_contains_itself_makes_the_row_a_failure(tmp_path: Path) -> None:
    endless: dict[str, Any] = {"error": 1.0}
    endless["again"] = endless
    with made(tmp_path / "a.h5", [replace(row(0), measurement=endless)]) as archive:
        assert archive.rows[0].evaluation.outcome is Outcome.CRASHED


def test_numbers_of_numpy_anywhere_in_an_evaluation_are_kept_as_plain_ones(tmp_path: Path) -> None:
    population = Population("lif", "lif", (np.int64(2), 1, 1), np.int8(2), np.False_, (np.int32(1), 2), (3, 4))  # type: ignore[arg-type]
    activity = Activity(np.int64(10), 2, (population,), ())  # type: ignore[arg-type]
    measurement = Measurement(
        {"accuracy": np.float32(0.5), "loss": np.float64(1)}, np.int64(10), 20, 2, np.bool_(False), activity
    )  # type: ignore[arg-type]
    told = replace(row(0), measurement=measurement, seconds=np.float32(0.5), retries=np.int64(1))
    told = replace(told, job=replace(told.job, rung=np.int64(0), settings={"price": np.float64(0.5)}))
    path = tmp_path / "a.h5"
    with made(path, [told], objectives=[Objective("accuracy", lambda m: m.accuracy)]):
        from_journal = Archive.read(path).evaluations
    plain = Measurement(
        {"accuracy": 0.5, "loss": 1.0},
        10,
        20,
        2,
        False,
        Activity(10, 2, (Population("lif", "lif", (2, 1, 1), 2, False, (1, 2), (3, 4)),), ()),
    )
    for read in (from_journal, Archive.read(path).evaluations):
        assert repr(read[0].measurement) == repr(plain)
        assert repr(read[0].job.settings) == "{'price': 0.5}"


def test_a_success_without_a_measurement_and_a_second_row_for_a_slot_are_refused(tmp_path: Path) -> None:
    with made(tmp_path / "a.h5", [row(0)]) as archive:
        with pytest.raises(ArchiveError, match="slot 1 ended well but has no measurement"):
            archive.add(replace(row(1), measurement=None))
        with pytest.raises(ArchiveError, match=r"Slot 0 of .* holds a row already"):
            archive.add(row(0))
        assert len(archive.rows) == 1


def test_a_cost_that_is_no_number_is_refused(tmp_path: Path) -> None:
    one = row(0)
    with made(tmp_path / "a.h5") as archive, pytest.raises(ArchiveError, match="cost is nan"):
        archive.add(replace(one, job=replace(one.job, cost=math.nan)))


# The file -------------------------------------------------------------------------------------------------------------


def test_the_file_tells_other_tools_what_it_holds(tmp_path: Path) -> None:
    population = Population("lif", "lif", (2, 1, 1), 2, False, (1, 2), (3, 4))
    measurement = Measurement({"accuracy": 0.5, "loss": 1.5}, 10, 20, 2, False, Activity(10, 2, (population,), ()))
    objectives = [
        Objective("accuracy", lambda m: m.accuracy, direction="max", unit="fraction", at_least=0.2),
        Objective("spikes/step", lambda m: m.activity.spikes, profile="chip"),
    ]
    rows = [replace(row(0), measurement=measurement), row(1, outcome=Outcome.DIVERGED)]
    path = closed(tmp_path / "a.h5", rows, objectives=objectives, seed=3, settings={"search.space": "toy"})
    with h5py.File(path) as file:
        assert (file.attrs["format"], file.attrs["format_version"], file.attrs["seed"]) == ("evonas archive", 2, 3)
        assert json.loads(file["run/settings"][()]) == {"search.space": "toy"}
        assert "numpy" in json.loads(file["run/versions"][()])[0]
        assert list(file["rows/outcome"].asstr()) == ["MEASURED", "DIVERGED"]
        assert list(file["rows/key"].asstr()) == [one.job.genotype.key for one in rows]
        np.testing.assert_array_equal(file["objectives/accuracy"][()], [0.5, np.nan])
        assert dict(file["objectives/accuracy"].attrs) == {"unit": "fraction", "direction": "max", "at_least": 0.2}
        assert file["objectives/spikes%2Fstep"].attrs["profile"] == "chip"
        assert file["populations/spikes"][()].tolist() == [1, 2]
        assert file["populations/spikes_offset"][()].tolist() == [0, 2]
        assert file["populations/row"][()].tolist() == [0]
        assert dict(zip(file["metrics/name"].asstr(), file["metrics/value"], strict=True)) == {
            "accuracy": 0.5,
            "loss": 1.5,
        }


def test_closing_without_new_rows_leaves_the_file_alone_and_no_rows_leave_no_file(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    made(path).close()
    assert list(tmp_path.iterdir()) == []
    closed(path, [row(0)])
    before = path.stat()
    made(path).close()
    assert (path.stat().st_ino, path.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


@pytest.mark.parametrize("content", [b"", b"no HDF5 at all", b"\x89HDF\r\n\x1a\n and then nothing"])
def test_a_file_that_is_no_archive_is_refused_and_left_alone(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.h5"
    path.write_bytes(content)
    for opening in (made, Archive.read):
        with pytest.raises(ArchiveError, match=r"no archive of evonas|without the first line of an archive"):
            opening(path)
    assert path.read_bytes() == content
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_in_the_place_of_the_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.h5").mkdir()
    with pytest.raises(ArchiveError, match="is a folder, expected an archive"):
        made(tmp_path / "a.h5")


def test_somebody_elses_hdf5_file_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        file["data"] = [1, 2]
    content = path.read_bytes()
    with pytest.raises(ArchiveError, match="an HDF5 file without the first line of an archive"):
        made(path)
    assert path.read_bytes() == content


def test_a_truncated_archive_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = closed(tmp_path / "a.h5", [row(slot) for slot in range(20)])
    content = path.read_bytes()[: path.stat().st_size // 2]
    path.write_bytes(content)
    with pytest.raises(ArchiveError, match="Restore it from a copy"):
        made(path)
    assert path.read_bytes() == content


def test_another_format_version_is_refused_in_the_file_and_in_the_journal(tmp_path: Path) -> None:
    path = closed(tmp_path / "a.h5", [row(0)])
    path.write_bytes(path.read_bytes().replace(b"format 2", b"format 7", 1))
    with pytest.raises(ArchiveError, match="archive format 7; this evonas reads format 2 only"):
        made(path)
    path.unlink()
    header = [[{"header": {"format_version": 4}, "writer": "process 1 on here"}]]
    journal_of(path).write_bytes(encode_all(header))
    with pytest.raises(ArchiveError, match="archive format 4"):
        made(path)
    assert journal_of(path).read_bytes() == encode_all(header)


def test_rejected_networks_are_counted_apart_from_failures_and_from_evaluations(tmp_path: Path) -> None:
    no = replace(row(2, outcome=Outcome.REJECTED), message="cores: 9 > 8.", degree=0.125)
    with made(tmp_path / "a.h5", [row(0), row(1, outcome=Outcome.CRASHED), no, row(3)], reference_rows=2) as archive:
        front = archive.front()
    assert (front.evaluations, front.failed, front.rejected) == (3, 1, 1)
    assert front.reference == reference(OBJECTIVES, [archive.rows[0], archive.rows[3]])
    content = json.loads(front.to_json(rows=archive.rows))
    assert (content["evaluations"], content["failed"], content["rejected"]) == (3, 1, 1)
    told = content["networks"][2]
    assert (told["outcome"], told["message"], told["objectives"]) == ("rejected", "cores: 9 > 8.", None)


def test_a_file_that_cannot_be_written_keeps_the_journal_and_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = closed(tmp_path / "a.h5", [row(0)])
    before = path.read_bytes()
    archive = made(path, [row(1)])

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", full)
        with pytest.raises(ArchiveError, match=r"No space left on device. No row is lost"):
            archive.close()
    assert path.read_bytes() == before
    assert sorted(one.name for one in tmp_path.iterdir()) == ["a.h5", "a.h5.journal"]
    assert len(Archive.read(path).rows) == 2
    with made(path) as archive:
        assert len(archive.rows) == 2


# The journal beside it ------------------------------------------------------------------------------------------------


def journal_of(path: Path) -> Path:
    return path.with_name(f"{path.name}.journal")


def leave_a_journal(path: Path, rows: Sequence[Evaluation], **arguments: Any) -> None:
    """Leave the journal of a process that died with `rows` in an archive of its own."""
    elsewhere = path.with_name("elsewhere.h5")
    archive = made(elsewhere, rows, **arguments)
    journal_of(path).write_bytes(journal_of(elsewhere).read_bytes())
    archive.close()
    elsewhere.unlink()


def test_a_reader_sees_rows_while_they_are_written_and_changes_nothing(tmp_path: Path) -> None:
    path = closed(tmp_path / "a.h5", [row(0)])
    with made(path, [row(1)]) as archive:
        before = {one: one.read_bytes() for one in tmp_path.iterdir()}
        assert [one.job.slot for one in Archive.read(path, OBJECTIVES).rows] == [0, 1]
        assert {one: one.read_bytes() for one in tmp_path.iterdir()} == before
        archive.add(row(2))
        with open(journal_of(path), "ab") as file:
            file.write(b"12345678 99 {half a rec")
        read = Archive.read(path, OBJECTIVES)
        assert [one.job.slot for one in read.rows] == [0, 1, 2]
        assert "The last 23 bytes of the journal" in read.notes[0]


def test_reading_where_nothing_is_says_so(tmp_path: Path) -> None:
    with pytest.raises(ArchiveError, match="There is no archive at"):
        Archive.read(tmp_path / "a.h5")
    assert list(tmp_path.iterdir()) == []


def test_a_second_writer_is_refused_until_the_first_has_closed(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    with made(path, [row(0)]), pytest.raises(ArchiveError, match=f"being written by process {os.getpid()}"):
        made(path)
    made(path).close()


def test_a_closed_archive_answers_but_takes_no_rows(tmp_path: Path) -> None:
    archive = made(tmp_path / "a.h5", [row(0)])
    archive.close()
    archive.close()
    assert len(archive.rows) == 1
    with pytest.raises(ArchiveError, match="closed"):
        archive.add(row(1))


def test_a_crash_between_writing_the_file_and_deleting_the_journal_is_tolerated(tmp_path: Path) -> None:
    rows = [row(slot) for slot in range(20)]
    path = closed(tmp_path / "a.h5", rows)
    leave_a_journal(path, rows)
    before = path.stat().st_ino
    with made(path) as archive:
        assert [one.evaluation for one in archive.rows] == rows
    assert path.stat().st_ino == before, "all was there: nothing is written again"
    assert not journal_of(path).exists()


def test_a_journal_of_another_run_beside_the_file_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = closed(tmp_path / "a.h5", [row(0)])
    leave_a_journal(path, [row(0, error=9.0)])
    before = journal_of(path).read_bytes()
    with pytest.raises(ArchiveError, match="both hold slot 0, with different results"):
        made(path)
    assert journal_of(path).read_bytes() == before
    leave_a_journal(path, [row(1)], seed=7)
    with pytest.raises(ChangedRunError, match="seed: stored 0, now 7"):
        made(path)


def test_a_whole_record_of_another_kind_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    leave_a_journal(path, [row(0)])
    records = [[json.loads(bytes(text))] for text in read_journal(journal_of(path)).records]
    for forged in ({"evaluation": {"slot": 1}}, {"rows": 1}, {}, [], 7, {"reference": {"ideal": [1]}}):
        content = encode_all([*records, [forged]])  # type: ignore[list-item]
        journal_of(path).write_bytes(content)
        with pytest.raises(ArchiveError, match=r"Line 3 .* nothing that this evonas writes"):
            made(path)
        assert journal_of(path).read_bytes() == content


def test_rows_are_kept_when_the_search_ends_with_an_error(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    with pytest.raises(KeyboardInterrupt), made(path, [row(0)]):
        raise KeyboardInterrupt
    assert len(Archive.read(path).rows) == 1
    assert not journal_of(path).exists()


def test_adding_writes_the_same_bytes_however_many_rows_there_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[int] = []
    real_write = os.write
    with made(tmp_path / "a.h5", reference_rows=1000) as archive:
        monkeypatch.setattr(journal_module.os, "write", lambda *a: written.append(len(a[1])) or real_write(*a))
        for slot in range(10, 100):
            archive.add(row(slot, error=0.5, rate=0.5))
        monkeypatch.setattr(journal_module.os, "write", real_write)
    assert len(written) == 90
    assert len(set(written)) == 1


# The run --------------------------------------------------------------------------------------------------------------


def test_other_settings_are_refused_and_all_of_them_are_told(tmp_path: Path) -> None:
    first = {"search.space": "a", "search.evaluations": 10, "ladder.epochs": (2, 6), "data.name": "digits"}
    then = {"search.space": "b", "search.evaluations": 20, "ladder.epochs": [2, 6], "workers.count": 4}
    path = closed(tmp_path / "a.h5", [row(0)], settings=first)
    with pytest.raises(ChangedRunError) as caught:
        made(path, settings=then, free=["search.evaluations"], seed=1)
    told = [line for line in str(caught.value).splitlines() if line.startswith("- ")]
    assert told == [
        '- data.name: stored "digits", now absent',
        '- search.space: stored "a", now "b"',
        "- seed: stored 0, now 1",
        "- workers.count: stored absent, now 4",
    ]
    assert not journal_of(path).exists()


def test_free_settings_may_change_and_the_new_ones_are_stored_with_the_next_row(tmp_path: Path) -> None:
    path = closed(tmp_path / "a.h5", [row(0)], settings={"search.evaluations": 10, "workers.count": 1})
    free = ["search.evaluations", "workers"]
    closed(path, [row(1)], settings={"search.evaluations": 20, "workers.count": 2}, free=free)
    assert Archive.read(path).settings == {"search.evaluations": 20, "workers.count": 2}


def test_another_space_is_refused_without_any_settings(tmp_path: Path) -> None:
    path = closed(tmp_path / "a.h5", [row(0)])
    with pytest.raises(ChangedRunError, match=r"space.variables.b.type: stored absent, now \"Integer\""):
        Archive(path, small_space(), OBJECTIVES)


@pytest.mark.parametrize(
    "arguments", [{"seed": -1}, {"seed": 2**63}, {"seed": 1.5}, {"seed": "1"}, {"seed": True}, {"reference_rows": 0}]
)
def test_impossible_numbers_are_rejected(tmp_path: Path, arguments: dict[str, Any]) -> None:
    with pytest.raises(OptionError, match="expected a whole number"):
        made(tmp_path / "a.h5", **arguments)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "fault"),
    [
        ({"path": "."}, r"a file, got the path '\.'"),
        ({"space": {"a": 1}}, "needs a Space, got"),
        ({"objectives": ["error"]}, "needs Objectives, got 'error'"),
        ({"objectives": "error"}, "needs Objectives, got 'error'"),
        ({"objectives": [OBJECTIVES[0], max]}, "needs Objectives, got <built-in function max>"),
    ],
)
def test_what_is_no_path_space_or_objective_is_rejected_in_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: dict[str, Any], fault: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ArchiveError, match=fault):
        Archive(**{"path": "a.h5", "space": SPACE, "objectives": OBJECTIVES, **arguments})
    assert list(tmp_path.iterdir()) == []


def test_a_single_objective_needs_no_list(tmp_path: Path) -> None:
    with Archive(tmp_path / "a.h5", SPACE, OBJECTIVES[0]) as archive:  # type: ignore[arg-type]
        assert archive.objectives == (OBJECTIVES[0],)


def test_objectives_of_one_name_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ArchiveError, match="error, error"):
        made(tmp_path / "a.h5", objectives=[OBJECTIVES[0], OBJECTIVES[0]])
    assert list(tmp_path.iterdir()) == []


# The front ------------------------------------------------------------------------------------------------------------


def test_the_front_holds_feasible_networks_of_the_top_rung_only(tmp_path: Path) -> None:
    search = Evaluation(
        Job(4, "search", Genotype({}), "toy"), Outcome.MEASURED, measurement={"error": 0.1, "rate": 0.1}
    )
    rows = [
        row(0, error=1.0, rate=1.0),
        row(1, error=9.0, rate=9.0, rung=1),
        row(2, outcome=Outcome.CRASHED),
        row(3, error=8.0, rate=9.5, rung=1),
        search,
        row(5, error=9.5, rate=9.9, rung=1),
        row(6, error=math.inf, rate=1.0, rung=1),
    ]
    with made(tmp_path / "a.h5", rows, top_rung=1, reference_rows=3) as archive:
        front = archive.front()
        assert [one.job.slot for one in front.rows] == [1, 3]
        assert (front.evaluations, front.failed) == (6, 2)
        assert archive.rows[6].evaluation.outcome is Outcome.NOT_FINITE
        assert "error" in archive.rows[6].evaluation.message
        assert archive.rows[4].score is None
    stored = Archive.read(tmp_path / "a.h5")
    assert stored.evaluations[6].outcome is Outcome.MEASURED, "the measurement is stored as it came"


def test_the_front_as_json_is_what_other_programs_rely_on(tmp_path: Path) -> None:
    def price(measurement: Any) -> float:
        if measurement["rate"] > 40:
            raise UnpriceableError("it does not fit")
        return float(measurement["rate"])

    objectives = [
        Objective("error", lambda m: m["error"], unit="fraction", at_most=30.0, best=0.0),
        Objective("energy", price, unit="J", profile="chip"),
    ]
    rows = [row(0), row(1, error=2.0, rate=30.0), row(2, error=1.0, rate=35.0), row(3, outcome=Outcome.CRASHED)]
    with made(tmp_path / "a.h5", rows, objectives=objectives, reference_rows=2) as archive:
        front = archive.front()
    content = json.loads(front.to_json())
    assert content["objectives"] == {
        "error": {"unit": "fraction", "direction": "min", "at_most": 30.0},
        "energy": {"unit": "J", "direction": "min", "profile": "chip"},
    }
    assert list(content) == [
        "objectives", "evaluations", "failed", "rejected", "hypervolume", "ideal", "ref_point", "networks"
    ]  # fmt: skip
    assert (content["evaluations"], content["failed"]) == (4, 1)
    assert content["ideal"]["error"] == 0.0
    assert content["ref_point"] == {"error": 30.0, "energy": 35.0}
    assert 0 < content["hypervolume"] < 1
    key = SPACE.genotype({"a": 1}).key
    assert content["networks"][0] == {
        "key": key, "slot": 1, "strategy": "toy", "epochs": 1, "genotype": {"a": 1},
        "objectives": {"error": 2.0, "energy": 30.0},
    }  # fmt: skip
    every = json.loads(front.to_json(rows=archive.rows))["networks"]
    assert [network["slot"] for network in every] == [0, 1, 2, 3]
    assert every[0]["objectives"] == {"error": 0.0, "energy": None}
    assert "does not fit" in every[0]["message"]
    assert (every[1]["outcome"], every[1]["message"], every[1]["kind"]) == ("measured", "", "evaluate")
    assert (every[3]["outcome"], every[3]["objectives"]) == ("crashed", None)
    assert every[3]["message"] == Outcome.CRASHED.value


def test_the_reference_is_that_of_the_first_rows_in_slot_order_whatever_order_they_arrive_in(tmp_path: Path) -> None:
    rows = [row(0, outcome=Outcome.CRASHED), *(row(slot) for slot in range(1, 8))]
    for name, arriving in {"a": rows, "b": rows[::-1], "c": [*rows[4:], *rows[:4]]}.items():
        with made(tmp_path / f"{name}.h5", reference_rows=3) as archive:
            for arrived, evaluation in enumerate(arriving, start=1):
                archive.add(evaluation)
                known = {one.job.slot for one in arriving[:arrived]}
                assert (archive.front().reference is not None) == (known >= {0, 1, 2, 3})
            assert archive.front().reference == reference(OBJECTIVES, archive.rows[:4])


def test_the_reference_never_moves_once_it_is_fixed(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    with made(path, [row(slot) for slot in range(4)], reference_rows=4) as archive:
        fixed = archive.front().reference
    with made(path, [row(4, error=1e6, rate=1e6)], reference_rows=4) as archive:
        assert archive.front().reference == fixed
    leave_a_journal(path, [row(slot) for slot in range(4)], reference_rows=4)
    assert Archive.read(path, OBJECTIVES).front().reference == fixed
    with made(path, reference_rows=4) as archive:
        assert archive.front().reference == fixed


def test_a_run_that_ends_early_shows_a_hypervolume_that_is_not_stored(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    with made(path, [row(1), row(2)], reference_rows=4) as archive:
        assert archive.front().hypervolume is None
    assert archive.front().hypervolume is not None
    assert Archive.read(path, OBJECTIVES).front().hypervolume == archive.front().hypervolume
    with made(path, [row(3), row(0)], reference_rows=4) as archive:
        assert archive.front().reference == reference(OBJECTIVES, archive.rows)


def test_rows_can_be_scored_under_other_objectives_without_touching_what_is_fixed(tmp_path: Path) -> None:
    path = closed(tmp_path / "a.h5", [row(slot) for slot in range(1, 20)], reference_rows=4)
    results = Archive.read(path, OBJECTIVES)
    budget = [replace(OBJECTIVES[0], at_most=5.0), OBJECTIVES[1]]
    other = results.under(budget)
    assert [one.job.slot for one in other.front().rows] == [1, 2, 3, 4, 5]
    assert other.front().reference != results.front().reference
    assert isinstance(other.front().reference, Reference)
    assert len(results.front().rows) == 19


def test_an_empty_front_has_no_hypervolume_and_is_valid_json(tmp_path: Path) -> None:
    with made(tmp_path / "a.h5", [row(0, outcome=Outcome.CRASHED)]) as archive:
        pass
    content = json.loads(archive.front().to_json())
    assert (content["networks"], content["hypervolume"], content["ideal"]) == ([], None, None)


def test_a_search_resumes_from_the_archive_without_evaluating_anything_again(tmp_path: Path) -> None:
    asked: list[str] = []

    def evaluate(job: Job) -> Any:
        asked.append(job.genotype.key)
        return measure_small(job)

    def run(path: Path, evaluations: int) -> tuple[Evaluation, ...]:
        with Archive(path, small_space(), OBJECTIVES, reference_rows=4) as archive:
            workers = InlineWorkers(evaluate)
            search(
                small_space(), archive, strategy=RandomSearch(), workers=workers, budget=Budget(evaluations), parallel=3
            )
        return Archive.read(path).evaluations

    half, whole = run(tmp_path / "a.h5", 8), run(tmp_path / "a.h5", 16)
    assert len(asked) == len(set(asked)) == 16
    straight = run(tmp_path / "b.h5", 16)
    assert all(one.same_result(other) for one, other in zip(whole, straight, strict=True))
    assert whole[:8] == half
