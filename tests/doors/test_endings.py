"""How the doors end where something is in the way: a sentence and a code, never a traceback."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest
import typer
from commands import evonas, write_run_file

from evonas.cli.door import exit_codes, sentence_of
from evonas.cli.session import make_output, output_faults
from evonas.errors import RunFileError

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a test find the data that `write_run_file` puts beside its run file."""
    monkeypatch.chdir(tmp_path)


def shell(command: str, *, folder: Path) -> subprocess.CompletedProcess[str]:
    """Return what came of a line of the shell, in which `evonas` is the command."""
    program = f'evonas() {{ {sys.executable} -m evonas "$@"; }}; '
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}:{folder}", "RAY_USAGE_STATS_ENABLED": "0"}
    return subprocess.run(
        ["bash", "-c", f"set -o pipefail; {program}{command}"],
        cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=250,
    )  # fmt: skip


@pytest.mark.parametrize("command", ["profiles", "front .", "run tiny.toml --dry-run"])
def test_a_closed_standard_output_is_told(tmp_path: Path, command: str) -> None:
    write_run_file(tmp_path)
    done = shell(f"evonas {command} >&-", folder=tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith("Standard output is closed, so that nothing could be shown.")
    assert "Traceback" not in done.stderr


def test_a_full_disk_and_a_closed_pipe_are_told(tmp_path: Path) -> None:
    done = shell("evonas profiles > /dev/full", folder=tmp_path)
    assert (done.returncode, done.stderr) == (1, "What is shown cannot be read or written: No space left on device.\n")
    done = shell("evonas profiles loihi1_davies sram45_int8 truenorth28 odin28 --format json | true", folder=tmp_path)
    assert done.returncode == 1
    assert done.stderr == "Standard output was closed before everything was shown.\n"


@pytest.mark.parametrize("door", ["run", "sweep"])
@pytest.mark.parametrize("more", [[], ["--dry-run"]])
def test_an_output_that_is_a_file_or_lies_below_one_is_told_before_anything_runs(
    tmp_path: Path, door: str, more: list[str]
) -> None:
    run_file = write_run_file(tmp_path)
    (tmp_path / "taken").write_text("mine")
    swept = ["--profiles", "loihi1_davies", "--budget", "energy=1"] if door == "sweep" else []
    for output, told in (
        ("taken", "is a file"),
        ("taken/below/it", f"lies below {tmp_path / 'taken'}, which is a file"),
    ):
        said = evonas(door, run_file, *swept, "--output", tmp_path / output, "--set", "search.evaluations=0", *more)
        assert said.exit_code == 2
        assert f"--output: {tmp_path / output} {told}" in said.output
        assert "search.evaluations" in said.output, "all faults at once"
    assert (tmp_path / "taken").read_text() == "mine"


def test_an_output_that_cannot_be_written_is_a_wrong_command(tmp_path: Path) -> None:
    assert output_faults(tmp_path / "new" / "er") == []
    make_output(tmp_path / "new" / "er")
    assert list((tmp_path / "new" / "er").iterdir()) == []
    with pytest.raises(RunFileError, match="--output: /proc/evonas cannot be written to: No such file"):
        make_output(Path("/proc/evonas"))
    assert "--output: " in output_faults(tmp_path / ("x" * 300) / "y")[0]


@pytest.mark.skipif(os.getuid() == 0, reason="nothing is read-only for root")
def test_a_folder_that_is_read_only_is_told_by_the_dry_run(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    assert output_faults(tmp_path / "new") == [f"--output: {tmp_path} cannot be written to"]
    tmp_path.chmod(0o700)


def test_every_refusal_of_the_system_is_a_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    assert (
        sentence_of(OSError(13, "Permission denied", "a.txt")) == "a.txt cannot be read or written: Permission denied."
    )
    assert sentence_of(OSError("no words")) == "What is shown cannot be read or written: no words."
    with pytest.raises(typer.Exit) as caught, exit_codes(Path("x\x1b[2J"), cannot="be shown"):
        raise RunFileError(["a \x07 fault"])
    assert caught.value.exit_code == 2
    assert capsys.readouterr().err == "x\\x1b[2J cannot be shown:\n- a \\x07 fault\n"


def test_whoever_interrupts_a_reader_is_told_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(typer.Exit) as caught, exit_codes(Path("x"), cannot="be shown"):
        raise KeyboardInterrupt
    assert caught.value.exit_code == 130
    assert capsys.readouterr() == ("", "")


def test_a_run_in_which_nothing_was_measured_ends_with_code_1_and_its_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_file = write_run_file(tmp_path, evaluations=3)
    monkeypatch.chdir(tmp_path)

    def fail(self: object, job: object) -> None:
        raise RuntimeError(f"no room for {id(job)} bytes")

    monkeypatch.setattr("evonas.training.trainer.TrainingEvaluator.__call__", fail)
    monkeypatch.setattr(sys, "argv", ["evonas", "run", "tiny.toml", "--output", "my [/red] run"])
    said = evonas("run", run_file, "--output", tmp_path / "my [/red] run")
    text = " ".join(said.output.split())
    assert said.exit_code == 1, said.output
    assert "3 of 3 keep off the front: 3 x failed: RuntimeError: no room for" in text
    assert "Results: " in text
    assert "evonas run tiny.toml --output 'my [/red] run'" in text, "the command to go on is quoted"
    assert evonas("front", tmp_path / "my [/red] run").exit_code == 0, "an empty front is an answer"


def test_what_was_understood_of_budgets_is_told_before_a_search_and_a_decimal_comma_is_noted(tmp_path: Path) -> None:
    run_file = write_run_file(tmp_path)
    budget = ("--profiles", "loihi1_davies", "--budget", "energy=1,5e-6", "--dry-run")
    said = " ".join(evonas("sweep", run_file, *budget).output.split())
    assert "- loihi1_davies at most energy 5e-06 - loihi1_davies at most energy 1" in said
    assert "--budget energy was understood as 5e-06 and 1, which span 5.3 decades. A comma separates numbers" in said
    narrow = evonas("sweep", run_file, *budget[:3], "energy=1e-6,5e-6", "--dry-run").output
    assert "decades" not in narrow


def test_the_list_of_chips_fits_100_columns() -> None:
    said = evonas("profiles")
    assert said.exit_code == 0
    lines = said.output.splitlines()
    assert max(map(len, lines)) <= 100
    assert len(lines) <= 60
    assert "evonas profiles NAME" in said.output


def test_standard_output_is_flushed_within_the_guard(monkeypatch: pytest.MonkeyPatch) -> None:
    class Full(io.StringIO):
        def flush(self) -> None:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(sys, "stdout", Full())
    with pytest.raises(typer.Exit) as caught, exit_codes(Path("x"), cannot="be shown"):
        pass
    assert caught.value.exit_code == 1
