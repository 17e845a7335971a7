"""The journal: what was appended is there, what was torn is not, and what is broken is left alone."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import zlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evonas.archive.journal import Journal, read_journal
from evonas.archive.journal_lines import Contents, encode, encode_all
from evonas.errors import ArchiveError

HEADER = {"header": {"seed": 0}, "writer": "process 1 on here"}


def write(path: Path, *records: object) -> None:
    journal, _ = Journal.open(path)
    journal.append(HEADER)
    for record in records:
        journal.append({"evaluation": record})
    journal.close()


def records(path: Path) -> list[object]:
    return texts_of(read_journal(path))


def texts_of(contents: Contents) -> list[object]:
    return [json.loads(bytes(text)) for text in contents.records]


def test_what_was_appended_is_read_back(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    write(path, {"message": "line\nbreak \0 ünïcode \ud800"}, {"value": 0.1})
    expected = [HEADER, {"evaluation": {"message": "line\nbreak \0 ünïcode \ud800"}}, {"evaluation": {"value": 0.1}}]
    assert records(path) == expected
    journal, contents = Journal.open(path)
    journal.close()
    assert texts_of(contents) == expected
    assert contents.notes == ()


def test_a_line_can_be_checked_with_the_crc32_of_all_texts_so_far_and_read_as_json() -> None:
    lines = encode_all([[{"a": 1}], [{"b": 22}]]).splitlines()
    so_far = b""
    for line, record in zip(lines, ({"a": 1}, {"b": 22}), strict=True):
        checksum, length, text = line.split(b" ", 2)
        so_far += text
        assert json.loads(text) == record
        assert int(length) == len(text)
        assert int(checksum, 16) == zlib.crc32(so_far)


LAST = {"evaluation": {"slot": 1, "message": "x" * 20}}


@pytest.mark.parametrize("cut", range(2, 60))
def test_a_torn_last_line_is_dropped_which_is_said_and_the_next_record_takes_its_place(
    tmp_path: Path, cut: int
) -> None:
    path = tmp_path / "journal"
    write(path, {"slot": 0}, LAST["evaluation"])
    whole = path.read_bytes()
    kept = path.read_bytes()[:-cut]
    path.write_bytes(kept)
    read = read_journal(path)
    assert texts_of(read) == [HEADER, {"evaluation": {"slot": 0}}]
    assert path.read_bytes() == kept, "reading must not change the file"
    rest = len(kept) - whole.rstrip(b"\n").rfind(b"\n") - 1
    assert f"The last {rest} bytes of the journal {path} are a record that was not written to its end" in read.notes[0]
    journal, contents = Journal.open(path)
    assert len(contents.records) == 2
    assert contents.notes == read.notes
    journal.append({"evaluation": {"slot": 7}})
    journal.close()
    assert records(path) == [HEADER, {"evaluation": {"slot": 0}}, {"evaluation": {"slot": 7}}]


@pytest.mark.parametrize("end", [b"", b"\0", b"x", b"\x8a"])
def test_a_whole_record_whose_newline_is_lost_is_still_a_record(tmp_path: Path, end: bytes) -> None:
    path = tmp_path / "journal"
    write(path, {"slot": 0}, {"slot": 1})
    path.write_bytes(path.read_bytes()[:-1] + end)
    expected = [HEADER, {"evaluation": {"slot": 0}}, {"evaluation": {"slot": 1}}]
    assert records(path) == expected
    assert "its record is whole and was kept" in read_journal(path).notes[0]
    journal, contents = Journal.open(path)
    assert texts_of(contents) == expected
    journal.append({"evaluation": {"slot": 2}})
    journal.close()
    assert records(path) == [*expected, {"evaluation": {"slot": 2}}]
    assert read_journal(path).notes == ()


@pytest.mark.parametrize(
    "tail",
    [b"00000000 2 {}\n", b"\0" * 20, b"\0" * 20 + b"\n", b"zzzzzzzz 2 {}\n", b"\n", b"0000\0\0", b"00000000 9 {\0"],
)
def test_what_is_no_torn_write_at_the_end_is_damage_and_the_command_to_give_it_up_is_told(
    tmp_path: Path, tail: bytes
) -> None:
    path = tmp_path / "my journal"
    write(path, {"slot": 0})
    good = path.read_bytes()
    path.write_bytes(good + tail)
    for opening in (Journal.open, read_journal):
        with pytest.raises(ArchiveError, match="Line 3 of the journal") as caught:
            opening(path)
    assert path.read_bytes() == good + tail
    assert str(caught.value).endswith(f"truncate -s {len(good)} '{path}'")
    os.truncate(path, len(good))
    assert records(path) == [HEADER, {"evaluation": {"slot": 0}}]


def test_a_line_that_is_missing_stands_twice_or_elsewhere_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    write(path, {"slot": 0}, {"slot": 1}, {"slot": 2})
    first, one, two, three = path.read_bytes().splitlines(keepends=True)
    for wrong in (
        [first, one, three],
        [first, two, three],
        [one, two],
        [first, one, one, two],
        [first, two, one, three],
    ):
        path.write_bytes(b"".join(wrong))
        with pytest.raises(ArchiveError, match="damaged"):
            read_journal(path)


@pytest.mark.parametrize("width", [1, 16])
def test_whatever_byte_is_flipped_or_zeroed_no_row_is_lost_in_silence_and_none_is_another(
    tmp_path: Path, width: int
) -> None:
    path = tmp_path / "journal"
    write(path, *({"slot": slot, "message": "x" * slot} for slot in range(6)))
    data, right = path.read_bytes(), records(path)
    for at in range(len(data)):
        changed = bytes([data[at] ^ 1 << at % 8]) if width == 1 else bytes(len(data[at : at + width]))
        damaged = data[:at] + changed + data[at + len(changed) :]
        path.write_bytes(damaged)
        try:
            read = read_journal(path)
        except ArchiveError:
            assert path.read_bytes() == damaged
            continue
        assert texts_of(read) == right
        assert damaged == data or read.notes


@pytest.mark.parametrize("cut", range(0, 30, 3))
def test_a_torn_first_line_leaves_an_empty_journal(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "journal"
    path.write_bytes(encode(HEADER)[0][:cut])
    journal, contents = Journal.open(path)
    journal.close()
    assert contents.records == ()
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
    with pytest.raises(ArchiveError, match=r"No such file or directory. Nothing was changed. Give an output folder"):
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
    assert set(written) == {len(encode({"evaluation": {"slot": 100}})[0])}


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(), st.lists))
def test_any_json_survives_a_line(value: object) -> None:
    line, _ = encode({"evaluation": value})
    assert json.loads(line.split(b" ", 2)[2]) == {"evaluation": value}
    assert b"\n" not in line[:-1]


# What stands in the way -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("number", "cause", "remedy"),
    [
        (errno.ENOLCK, "its file system has no locks", "on a local disk"),
        (errno.EOPNOTSUPP, "its file system has no locks", "on a local disk"),
        (errno.EACCES, "Permission denied", "Give yourself the permission"),
        (errno.EROFS, "Read-only file system", "that you can write to"),
        (errno.ENOSPC, "the disk is full", "Free some space"),
    ],
)
def test_the_cause_why_a_journal_cannot_be_opened_is_named_with_its_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, cause: str, remedy: str
) -> None:
    def failing(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    call = (fcntl, "flock") if cause.startswith("its file system") else (os, "open")
    monkeypatch.setattr(*call, failing)
    with pytest.raises(ArchiveError) as caught:
        Journal.open(tmp_path / "journal")
    assert cause in str(caught.value)
    assert remedy in str(caught.value)


def test_a_link_a_folder_or_a_named_pipe_in_the_place_of_the_journal_is_refused_and_left_alone(tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.write_bytes(b"mine")
    (tmp_path / "link").symlink_to(target)
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    for name, cause in {"link": "symbolic link", "folder": "Is a directory", "pipe": "it is no file"}.items():
        for opening in (Journal.open, read_journal):
            if (name, opening) == ("folder", read_journal):
                cause = "it is no file"
            with pytest.raises(ArchiveError, match=cause):
                opening(tmp_path / name)
    assert target.read_bytes() == b"mine"


def test_a_journal_that_is_deleted_or_replaced_while_it_is_written_is_noticed_at_the_next_record(
    tmp_path: Path,
) -> None:
    path = tmp_path / "journal"
    journal, _ = Journal.open(path)
    journal.append(HEADER)
    path.unlink()
    with pytest.raises(ArchiveError, match="was deleted or replaced while this process was writing it"):
        journal.append({"evaluation": {}})
    path.write_bytes(b"another's")
    with pytest.raises(ArchiveError, match="was deleted or replaced"):
        journal.append({"evaluation": {}})
    with pytest.raises(ArchiveError, match="no longer the journal of this process"):
        journal.check_alone()
    journal.remove()
    assert path.read_bytes() == b"another's"
