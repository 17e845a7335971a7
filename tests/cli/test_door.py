"""How the doors end: a code for each kind of error, and sentences on stderr."""

from __future__ import annotations

from pathlib import Path

import pytest
import typer

from evonas.cli.door import command_line, exit_codes, resumable
from evonas.errors import ArchiveError, ChangedRunError, RunFileError


def ended(error: BaseException) -> int:
    with (
        pytest.raises(typer.Exit) as caught,
        exit_codes(Path("a.toml"), cannot="be run"),
        resumable("evonas run a.toml"),
    ):
        raise error
    return caught.value.exit_code


def test_what_the_user_can_correct_ends_with_code_2_and_says_of_which_file(capsys: pytest.CaptureFixture[str]) -> None:
    assert ended(RunFileError(["search.seed: missing", "data: missing"])) == 2
    assert capsys.readouterr().err == "a.toml cannot be run:\n- search.seed: missing\n- data: missing\n"
    assert ended(ChangedRunError("other settings")) == 2
    assert capsys.readouterr().err == "a.toml cannot be run:\nother settings\n"


def test_what_fails_while_running_ends_with_code_1(capsys: pytest.CaptureFixture[str]) -> None:
    assert ended(ArchiveError("archive.h5 is no HDF5 file")) == 1
    assert capsys.readouterr().err == "archive.h5 is no HDF5 file\n"


def test_whoever_stops_a_session_is_told_how_to_go_on(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert ended(KeyboardInterrupt()) == 1
    told = "Stopped; every finished evaluation is kept. Go on with the same command:\n  evonas run a.toml\n"
    assert capsys.readouterr().err == told


def test_other_errors_are_faults_of_evonas_and_keep_their_traceback() -> None:
    with pytest.raises(ZeroDivisionError), exit_codes(Path("a.toml"), cannot="be run"), resumable("evonas run a.toml"):
        raise ZeroDivisionError


def test_what_goes_well_goes_on() -> None:
    with exit_codes(Path("a.toml"), cannot="be run"), resumable("evonas run a.toml"):
        pass


def test_the_command_that_was_typed_is_quoted_for_a_shell() -> None:
    assert command_line("run", ["/bin/evonas", "run", "my run.toml"]) == "evonas run 'my run.toml'"
    assert command_line("sweep", ["/x/evonas/sweep.py", "a.toml"]) == "python -m evonas.sweep a.toml"
    assert command_line("run", ["evonas"]) == "evonas run"
