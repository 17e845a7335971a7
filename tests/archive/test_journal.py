"""The journal: what was appended is there, what was torn is not, and what is broken is left alone."""

from __future__ import annotations

import errno
import json
import os
import zlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evonas.archive.journal import Journal, encode, read_journal
from evonas.errors import ArchiveError

HEADER = {"header": {"seed": 0}, "writer": "process 1 on here"}


def write(path: Path, *records: object) -> None:
    journal, _ = Journal.open(path)
    journal.append(HEADER)
    for record in records:
        journal.append({"evaluation": record})
    journal.close()


def records(path: Path) -> list[object]:
    return [json.loads(text) for text in read_journal(path)]


def test_what_was_appended_is_read_back(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    write(path, {"message": "line\nbreak \0 ünïcode \ud800"}, {"value": 0.1})
    expected = [HEADER, {"evaluation": {"message": "line\nbreak \0 ünïcode \ud800"}}, {"evaluation": {"value": 0.1}}]
    assert records(path) == expected
    journal, texts = Journal.open(path)
    journal.close()
    assert [json.loads(text) for text in texts] == expected


def test_a_line_can_be_checked_with_a_crc32_and_read_as_json() -> None:
    line = encode({"a": 1})
    checksum, text = line.rstrip(b"\n").split(b" ", 1)
    assert json.loads(text) == {"a": 1}
    assert int(checksum, 16) == zlib.crc32(text)


@pytest.mark.parametrize("cut", range(1, 40))
def test_a_torn_last_line_is_dropped_and_the_next_record_takes_its_place(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "journal"
    write(path, {"slot": 0}, {"slot": 1})
    data = path.read_bytes()
    last = len(encode({"evaluation": {"slot": 1}}))
    path.write_bytes(data[: -min(cut, last)])
    assert records(path) == [HEADER, {"evaluation": {"slot": 0}}]
    assert path.read_bytes() == data[: -min(cut, last)], "reading must not change the file"
    journal, texts = Journal.open(path)
    assert len(texts) == 2
    journal.append({"evaluation": {"slot": 7}})
    journal.close()
    assert records(path) == [HEADER, {"evaluation": {"slot": 0}}, {"evaluation": {"slot": 7}}]


@pytest.mark.parametrize("tail", [b"00000000 {}\n", b"\0" * 20, b"\0" * 20 + b"\n", b"zzzzzzzz {}\n", b"\n"])
def test_a_damaged_last_line_is_dropped(tmp_path: Path, tail: bytes) -> None:
    path = tmp_path / "journal"
    write(path, {"slot": 0})
    good = path.read_bytes()
    path.write_bytes(good + tail)
    journal, texts = Journal.open(path)
    journal.close()
    assert len(texts) == 2
    assert path.read_bytes() == good


@pytest.mark.parametrize("cut", range(0, 30, 3))
def test_a_torn_first_line_leaves_an_empty_journal(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "journal"
    path.write_bytes(encode(HEADER)[:cut])
    journal, texts = Journal.open(path)
    journal.close()
    assert texts == []
    assert path.read_bytes() == b""


def test_a_damaged_line_before_the_end_is_refused_with_its_number_and_the_file_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    write(path, {"slot": 0}, {"slot": 1}, {"slot": 2})
    damaged = path.read_bytes().replace(b'"slot":1', b'"slot":9')
    path.write_bytes(damaged)
    with pytest.raises(ArchiveError, match=r"Line 3 of the journal .* damaged"):
        Journal.open(path)
    with pytest.raises(ArchiveError, match="Line 3"):
        read_journal(path)
    assert path.read_bytes() == damaged


@pytest.mark.parametrize("content", [b"my notes", b"my notes\n", b"my\nnotes\n"])
def test_a_foreign_file_in_the_place_of_the_journal_is_refused_and_left_alone(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "journal"
    path.write_bytes(content)
    with pytest.raises(ArchiveError):
        Journal.open(path)
    assert path.read_bytes() == content


def test_a_second_writer_is_told_who_writes(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    journal, _ = Journal.open(path)
    with pytest.raises(ArchiveError, match="another process"):
        Journal.open(path)
    journal.append(HEADER)
    with pytest.raises(ArchiveError, match="being written by process 1 on here"):
        Journal.open(path)
    journal.close()
    Journal.open(path)[0].close()


def test_a_writer_that_waited_for_a_deleted_journal_makes_a_new_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "journal"
    path.touch()
    real_open = os.open

    def delete_after_opening(name: os.PathLike[str], flags: int, mode: int = 0o777) -> int:
        descriptor = real_open(name, flags, mode)
        monkeypatch.setattr(os, "open", real_open)
        path.unlink()  # the former writer closes just now
        return descriptor

    monkeypatch.setattr(os, "open", delete_after_opening)
    journal, _ = Journal.open(path)
    journal.append(HEADER)
    journal.close()
    assert records(path) == [HEADER]


@pytest.mark.parametrize("call", ["write", "fsync"])
def test_a_record_that_the_disk_does_not_take_is_not_kept_and_the_journal_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    path = tmp_path / "journal"
    journal, _ = Journal.open(path)
    journal.append(HEADER)
    good = path.read_bytes()
    real_write = os.write

    def half(file: int, data: bytes) -> int:
        real_write(file, data[: len(data) // 2])
        raise OSError(errno.ENOSPC, "No space left on device")

    def full(file: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, call, half if call == "write" else full)
        with pytest.raises(ArchiveError, match=r"the disk is full. Every row added before is safe"):
            journal.append({"evaluation": {}})
    assert path.read_bytes() == good
    journal.append({"evaluation": {"slot": 0}})
    journal.close()
    assert records(path) == [HEADER, {"evaluation": {"slot": 0}}]


def test_a_journal_that_cannot_be_put_right_takes_no_more_records(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "journal"
    journal, _ = Journal.open(path)
    journal.append(HEADER)

    def broken(file: int, *_: object) -> None:
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", broken)
        patch.setattr(os, "ftruncate", broken)
        with pytest.raises(ArchiveError, match="the disk reports: Input/output error"):
            journal.append({"evaluation": {}})
    with pytest.raises(ArchiveError, match=r"closed, or an earlier failure"):
        journal.append({"evaluation": {}})
    journal.close()


def test_an_interrupted_append_leaves_no_half_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "journal"
    journal, _ = Journal.open(path)
    journal.append(HEADER)

    def interrupt(file: int) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", interrupt)
        with pytest.raises(KeyboardInterrupt):
            journal.append({"evaluation": {}})
    journal.close()
    assert records(path) == [HEADER]


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ArchiveError, match=r"No such file or directory. Give an output folder"):
        Journal.open(tmp_path / "missing" / "journal")


def test_every_record_costs_its_own_bytes_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[int] = []
    real_write = os.write

    def counting(file: int, data: bytes) -> int:
        written.append(len(data))
        return real_write(file, data)

    journal, _ = Journal.open(tmp_path / "journal")
    monkeypatch.setattr(os, "write", counting)
    for slot in range(100, 140):
        journal.append({"evaluation": {"slot": slot}})
    journal.close()
    assert len(written) == 40
    assert set(written) == {len(encode({"evaluation": {"slot": 100}}))}


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(), st.lists))
def test_any_json_survives_a_line(value: object) -> None:
    line = encode({"evaluation": value})
    assert json.loads(line[9:]) == {"evaluation": value}
    assert b"\n" not in line[:-1]
