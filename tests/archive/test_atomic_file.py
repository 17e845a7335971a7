"""Files are replaced whole, by a new file that nobody could have prepared."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from evonas.archive.atomic_file import remove_unfinished, write_bytes, write_text
from evonas.errors import ArchiveError


def test_a_link_is_replaced_and_its_target_stays_as_it_is(tmp_path: Path) -> None:
    target, path = tmp_path / "target", tmp_path / "report.html"
    target.write_text("mine")
    path.symlink_to(target)
    for name in (".report.html.tmp", "report.html.unfinished"):
        (tmp_path / name).symlink_to(target)
    write_text(path, "new")
    assert (path.read_text(), path.is_symlink()) == ("new", False)
    assert target.read_text() == "mine"


def test_a_file_is_made_for_everybody_whom_the_mask_allows(tmp_path: Path) -> None:
    write_bytes(tmp_path / "a", b"x", b"y")
    mask = os.umask(0)
    os.umask(mask)
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o666 & ~mask
    assert (tmp_path / "a").read_bytes() == b"xy"


def test_the_unfinished_file_is_new_and_its_name_is_another_each_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = []
    real_replace = os.replace

    def noting(source: Path, target: Path) -> None:
        names.append(Path(source).name)
        real_replace(source, target)

    monkeypatch.setattr(os, "replace", noting)
    for _ in range(3):
        write_text(tmp_path / "a", "x")
    assert len(set(names)) == 3


@pytest.mark.parametrize("call", ["replace", "fsync"])
def test_an_error_leaves_the_old_file_and_nothing_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    path = tmp_path / "a"
    write_text(path, "old")

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, call, full)
    with pytest.raises(ArchiveError, match="What was there before is unchanged"):
        write_text(path, "new")
    assert path.read_text() == "old"
    assert [one.name for one in tmp_path.iterdir()] == ["a"]


def test_only_what_a_dead_process_left_of_this_file_is_removed(tmp_path: Path) -> None:
    mine = [".a.0123456789abcdef.tmp", ".a.tmp", ".b.0123456789abcdef.tmp", "a"]
    for name in mine:
        (tmp_path / name).touch()
    remove_unfinished(tmp_path / "a")
    assert sorted(one.name for one in tmp_path.iterdir()) == sorted(mine[1:])


def test_a_folder_in_the_way_is_told(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    with pytest.raises(ArchiveError, match="cannot be written"):
        write_text(tmp_path / "a", "new")
    assert [one.name for one in tmp_path.iterdir()] == ["a"]
