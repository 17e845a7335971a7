"""The log of a run: lines are added to a plain file, and nothing else happens to anything."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import pytest

from evonas.cli.session_log import LogFile
from evonas.errors import ArchiveError


def line(text: str) -> logging.LogRecord:
    return logging.LogRecord("evonas", logging.INFO, "here", 1, text, (), None)


def test_lines_are_added_to_those_of_before(tmp_path: Path) -> None:
    for text in ("one", "two"):
        handler = LogFile(tmp_path / "log.txt")
        handler.emit(line(text))
        handler.close()
    assert (tmp_path / "log.txt").read_text() == "one\ntwo\n"


def test_a_link_a_folder_and_a_named_pipe_are_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "target").write_text("mine")
    (tmp_path / "link").symlink_to(tmp_path / "target")
    (tmp_path / "nowhere").symlink_to(tmp_path / "missing")
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    for name in ("link", "nowhere", "folder", "pipe"):
        with pytest.raises(ArchiveError, match=r"The log .*(Move it away)"):
            LogFile(tmp_path / name)
    assert (tmp_path / "target").read_text() == "mine"
    assert not (tmp_path / "missing").exists()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no device that is always full")
def test_a_full_disk_is_told_once_and_raises_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    handler = LogFile(tmp_path / "log.txt")
    full = os.open("/dev/full", os.O_WRONLY)
    os.dup2(full, handler.stream.fileno())
    os.close(full)
    for text in ("one", "two"):
        handler.emit(line(text))
    handler.close()
    said = capsys.readouterr().err
    assert said.count("takes no more lines") == 1
    assert "Traceback" not in said
