"""The doors, end to end: a small run on the digits in this process, resumed, shown, rejected."""

from __future__ import annotations

import csv
import json
import logging
import os
import re
import signal
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator
from pathlib import Path

import h5py
import pytest
from commands import contents, evonas, importable, write_few_digits, write_run_file
from counted import small
from resolved_runs import searched
from typer.testing import Result

from evonas.archive.archive import Archive
from evonas.engine.budget import Ending
from evonas.engine.evaluation import Outcome
from evonas.engine.job import Job
from evonas.measurement import Measurement
from evonas.runfile.resolve import resolve
from evonas.training.fit import Fit

ROOT = Path(__file__).parents[2]


CHIP = ("--set", "hardware.profile=loihi1_davies")


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a test find the data that `write_run_file` puts beside its run file."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Path, Result]]:
    """Return a run file, the results of its run, and what was said."""
    folder = tmp_path_factory.mktemp("finished")
    run_file, output = write_run_file(folder), folder / "results"
    with importable(folder):
        yield run_file, output, evonas("run", run_file, "--output", output)


def test_a_run_ends_in_a_front_and_its_files(finished: tuple[Path, Path, Result]) -> None:
    _, output, said = finished
    assert said.exit_code == 0, said.output
    assert "Pareto front" in said.output
    assert "6/6 evaluations" in said.output
    assert "not counted" in said.output
    assert {path.name for path in output.iterdir()} == {"archive.h5", "run.toml", "front.csv", "log.txt", "report.html"}
    assert len(contents(output)) == 6


def test_higher_rungs_go_on_from_lower_ones_with_the_same_rows_and_nothing_of_that_is_left(
    finished: tuple[Path, Path, Result], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_file, _, _ = finished
    output = tmp_path / "results"
    output.mkdir()
    (output / "unfinished").mkdir()
    (output / "unfinished" / "thesis.state").write_text("not the business of a search")
    epochs: list[int] = []
    run_epoch = Fit.run_epoch

    def counted(fit: Fit) -> float:
        epochs.append(fit.epochs)
        return run_epoch(fit)

    monkeypatch.setattr(Fit, "run_epoch", counted)
    write_few_digits(tmp_path)
    with importable(tmp_path):
        done = evonas("run", run_file, "--output", output, "--set", "search.seed=0")
        assert done.exit_code == 0, done.output
        epochs_kept = epochs.copy()
        epochs.clear()
        anew = searched(resolve(run_file, overrides=("search.seed=0",)), tmp_path / "anew.h5")
    rungs = [row.job.rung for row in anew.rows]
    assert epochs_kept.count(0) == rungs.count(0)  # rungs of 1 and 2 epochs
    assert epochs_kept.count(1) == rungs.count(1) > 0
    assert epochs.count(0) == len(rungs)
    assert [row[4] for row in contents(output)] == [row.evaluation.measurement for row in anew.rows]
    assert [path.name for path in (output / "unfinished").iterdir()] == ["thesis.state"]


def test_the_csv_has_units_and_one_row_a_network(finished: tuple[Path, Path, Result]) -> None:
    _, output, _ = finished
    shown = json.loads(evonas("front", output, "--format", "json").output)
    with open(output / "front.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert "energy [J/sample]" in rows[0]
    assert [row["key"] for row in rows] == [network["key"] for network in shown["networks"]]
    assert all(float(row["energy [J/sample]"]) > 0 for row in rows)


def test_the_front_as_json_has_the_form_that_programs_rely_on(finished: tuple[Path, Path, Result]) -> None:
    _, output, _ = finished
    shown = json.loads(evonas("front", output, "--format", "json").output)
    assert shown["evaluations"] == 6
    assert (shown["failed"], shown["rejected"]) == (0, 0)
    assert shown["objectives"]["accuracy"] == {"unit": "fraction", "direction": "max", "at_least": 0.05}
    assert shown["objectives"]["energy"] == {"unit": "J/sample", "direction": "min", "profile": "arith45_fp32"}
    assert set(shown) == {
        "objectives", "evaluations", "failed", "rejected", "hypervolume", "ideal", "ref_point", "networks"
    }  # fmt: skip
    assert 0 <= shown["hypervolume"] <= 1
    for network in shown["networks"]:
        assert set(network) == {"key", "slot", "strategy", "epochs", "genotype", "objectives"}
        assert network["epochs"] == 2


def test_all_rows_are_shown_in_slot_order_with_their_outcome(finished: tuple[Path, Path, Result]) -> None:
    _, output, _ = finished
    shown = json.loads(evonas("front", output, "--all", "--format", "json").output)
    assert [network["slot"] for network in shown["networks"]] == list(range(6))
    assert all({"outcome", "message", "kind"} <= set(network) for network in shown["networks"])
    assert len(evonas("front", output, "--all", "--format", "csv").output.splitlines()) == 7
    assert "measured" in evonas("front", output, "--all").output


def test_the_same_command_shows_a_finished_run_and_trains_nothing(
    finished: tuple[Path, Path, Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    run_file, output, first = finished
    before = (output / "archive.h5").read_bytes()

    def never(self: object, job: object) -> None:
        raise AssertionError("a stored network was trained again")

    monkeypatch.setattr("evonas.training.trainer.TrainingEvaluator.__call__", never)
    again = evonas("run", run_file, "--output", output)
    assert again.exit_code == 0
    assert "0 new rows" in again.output
    assert again.output.split("Pareto front")[1] == first.output.split("Pareto front")[1]
    assert (output / "archive.h5").read_bytes() == before


def test_showing_a_finished_run_again_adds_one_line_to_its_log_and_replays_without_a_word(
    finished: tuple[Path, Path, Result],
) -> None:
    run_file, output, _ = finished
    before = (output / "log.txt").read_text().splitlines()
    again = evonas("run", run_file, "--output", output)
    assert again.exit_code == 0
    assert "6/6 evaluations" not in again.output
    after = (output / "log.txt").read_text().splitlines()
    assert after[: len(before)] == before
    assert [line.split(" ", 2)[2] for line in after[len(before) :]] == [
        "The budget of evaluations is spent. 0 new rows."
    ]


def test_a_session_leaves_the_process_as_it_found_it(finished: tuple[Path, Path, Result]) -> None:
    run_file, output, _ = finished
    log = logging.getLogger("evonas")
    before = (log.level, log.propagate, list(log.handlers), signal.getsignal(signal.SIGTERM), dict(os.environ))
    assert evonas("run", run_file, "--output", output).exit_code == 0
    assert (log.level, log.propagate, list(log.handlers), signal.getsignal(signal.SIGTERM), dict(os.environ)) == before


@pytest.mark.parametrize(
    ("variable", "value", "sentence"),
    [
        ("RAY_ADDRESS", "my-cluster", "expected a host and a port such as 10.0.0.1:6379"),
        ("RAY_ADDRESS", "127.0.0.1:1", "No cluster can be reached at RAY_ADDRESS=127.0.0.1:1"),
        ("TMPDIR", f"/tmp/{'x' * 85}", "Set RAY_TMPDIR to a short folder"),
    ],
)
def test_an_environment_in_which_ray_cannot_start_is_one_sentence_in_a_run_and_in_a_dry_run(
    finished: tuple[Path, Path, Result],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    variable: str,
    value: str,
    sentence: str,
) -> None:
    run_file, _, _ = finished
    for name in ("RAY_ADDRESS", "RAY_TMPDIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(variable, value)
    for more in ((), ("--dry-run",)):
        said = evonas("run", run_file, "--output", tmp_path / "results", "--set", "workers.count=1", *more)
        assert said.exit_code == 1, said.output
        assert sentence in " ".join(said.output.split())
        assert "Traceback" not in said.output
    assert evonas("run", run_file, "--dry-run").exit_code == 0, "nobody needs Ray with workers.count = 0"


def test_a_gpu_that_this_process_has_not_is_rejected_before_anything_is_evaluated(
    finished: tuple[Path, Path, Result], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_file, _, _ = finished
    monkeypatch.setattr("evonas.runfile.workers_section.sees_gpu", lambda: False)
    said = evonas("run", run_file, "--output", tmp_path / "none", "--set", "workers.num_gpus=1")
    assert said.exit_code == 2
    assert "workers.num_gpus: got 1 with workers.count = 0" in " ".join(said.output.split())
    assert not (tmp_path / "none").exists()


def test_a_time_limit_that_is_not_kept_is_a_note(finished: tuple[Path, Path, Result]) -> None:
    run_file, _, _ = finished
    said = evonas("run", run_file, "--dry-run", "--set", "workers.seconds=60")
    assert "workers.seconds = 60 is not kept with workers.count = 0" in " ".join(said.output.split())


def test_a_dry_run_says_when_a_search_whose_time_is_limited_ends(finished: tuple[Path, Path, Result]) -> None:
    run_file, _, _ = finished
    said = evonas("run", run_file, "--dry-run", "--set", "search.seconds=600", "--set", "search.core_hours=0.5")
    assert "evaluations, 600 s or 0.5 core hours, whichever comes first: nothing is started" in " ".join(
        said.output.split()
    )
    assert "whichever comes first" not in evonas("run", run_file, "--dry-run").output


def test_core_hours_count_the_cores_of_a_worker_and_may_change_on_resuming(
    finished: tuple[Path, Path, Result], tmp_path: Path
) -> None:
    run_file, _, _ = finished

    def run(core_hours: float) -> str:
        said = evonas("run", run_file, "--output", tmp_path / "few", "--set", f"search.core_hours={core_hours}",
                      "--set", "workers.num_cpus=2")  # fmt: skip
        assert said.exit_code == 0, said.output
        return (tmp_path / "few" / "log.txt").read_text(encoding="utf-8")

    assert Ending.CORE_HOURS_SPENT.value in run(1e-9)
    rows = Archive.read(tmp_path / "few" / "archive.h5").rows
    spent = 2 * sum(row.evaluation.seconds for row in rows) / 3600
    assert f"{spent:.3g} of 1e-09 core hours" in run(1e-9)
    assert len(Archive.read(tmp_path / "few" / "archive.h5").rows) == len(rows)
    assert Ending.BUDGET_SPENT.value in run(1.0)


def test_a_run_in_which_everything_fails_ends_early_and_goes_on_with_retry_failed(
    finished: tuple[Path, Path, Result], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_file, _, _ = finished
    output = tmp_path / "results"

    def broken(self: object, job: Job) -> None:
        raise OSError(f"the disk of the data is away, slot {job.slot}")

    more = ("--output", output, "--set", "search.evaluations=30")
    with monkeypatch.context() as patch:
        patch.setattr("evonas.training.trainer.TrainingEvaluator.__call__", broken)
        said = evonas("run", run_file, *more)
    assert said.exit_code == 1
    assert "The first 20 evaluations all failed in the same way" in said.output
    assert "the disk of the data is away" in said.output
    assert said.output.count("the disk of the data is away") < 6
    assert "--retry-failed" in said.output
    failed = len(contents(output))
    assert 20 <= failed < 23, "those that were open beside the twentieth may have ended"

    def quick(self: object, job: Job) -> Measurement:
        return Measurement({"accuracy": 0.5, "loss": 1.0}, 40, 100, 2, silent=False, activity=small())

    monkeypatch.setattr("evonas.training.trainer.TrainingEvaluator.__call__", quick)
    said = evonas("run", run_file, *more)
    assert said.exit_code == 1, "a failed row is kept unless one asks"
    said = evonas("run", run_file, *more, "--retry-failed")
    assert said.exit_code == 0, said.output
    assert f"{failed} failed rows were evaluated again; 0 failed again" in said.output
    assert {outcome for _, outcome, *_ in contents(output)} == {Outcome.MEASURED}


def test_more_budget_extends_a_run_and_equals_the_longer_run(finished: tuple[Path, Path, Result]) -> None:
    run_file, output, _ = finished
    longer = output.parent / "longer"
    extended = output.parent / "extended"
    assert evonas("run", run_file, "--output", extended).exit_code == 0
    for folder in (longer, extended):
        assert evonas("run", run_file, "--output", folder, "--set", "search.evaluations=9").exit_code == 0
    assert contents(longer) == contents(extended)
    assert contents(longer)[:6] == contents(output)


def test_a_changed_run_file_is_rejected_with_the_differing_keys(finished: tuple[Path, Path, Result]) -> None:
    run_file, output, _ = finished
    said = evonas("run", run_file, "--output", output, "--set", "search.seed=4", "--set", "ladder.keep=0.25")
    assert said.exit_code == 2
    assert "search.seed" in said.output
    assert "ladder.keep" in said.output
    assert "0.25" in said.output


def test_the_resolved_run_file_runs_the_same_search(finished: tuple[Path, Path, Result]) -> None:
    _, output, _ = finished
    resolved = tomllib.loads((output / "run.toml").read_text())
    assert resolved["training"]["batch_size"] == 32
    assert "# torch 2" in (output / "run.toml").read_text()
    assert evonas("run", output / "run.toml", "--output", output).exit_code == 0


def test_a_dry_run_builds_a_network_and_writes_nothing(finished: tuple[Path, Path, Result], tmp_path: Path) -> None:
    run_file, _, _ = finished
    said = evonas("run", run_file, "--dry-run", "--output", tmp_path / "none")
    assert said.exit_code == 0
    assert "parameters" in said.output
    assert not (tmp_path / "none").exists()


def test_a_wrong_run_file_ends_with_code_2_and_nothing_is_written(tmp_path: Path) -> None:
    run_file = write_run_file(tmp_path)
    said = evonas(
        "run", run_file, "--output", tmp_path / "none", "--set", "search.evaluations=0", "--set", "data.name=x"
    )
    assert said.exit_code == 2
    assert "search.evaluations" in said.output
    assert not (tmp_path / "none").exists()
    assert evonas("run").exit_code == 2


def test_a_folder_without_results_ends_with_code_2(tmp_path: Path) -> None:
    said = evonas("front", tmp_path)
    assert said.exit_code == 2
    assert "run.toml" in said.output


def test_a_broken_archive_is_told_and_left_as_it_is(finished: tuple[Path, Path, Result], tmp_path: Path) -> None:
    run_file, _, _ = finished
    output = tmp_path / "results"
    output.mkdir()
    (output / "archive.h5").write_bytes(b"not HDF5 at all")
    said = evonas("run", run_file, "--output", output)
    assert said.exit_code == 1
    assert "archive.h5" in said.output
    assert (output / "archive.h5").read_bytes() == b"not HDF5 at all"


def test_networks_that_do_not_fit_on_the_chip_are_rejected_and_shown_with_the_reason(
    finished: tuple[Path, Path, Result], tmp_path: Path
) -> None:
    run_file, _, _ = finished
    said = evonas("run", run_file, "--output", tmp_path / "chip", *CHIP)
    assert said.exit_code == 0, said.output
    shown = json.loads(evonas("front", tmp_path / "chip", "--all", "--format", "json").output)
    outcomes = [network["outcome"] for network in shown["networks"]]
    rejected = outcomes.count("rejected")
    assert (shown["evaluations"], shown["failed"], shown["rejected"]) == (6, 0, rejected)
    assert rejected > 0
    assert f"0 of 6 evaluations failed; {rejected} networks were rejected before training" in said.output
    assert f"{rejected} rejected" in said.output
    causes = ("inputs of real numbers", " > ", "analog", "alif", "attention")
    assert all(
        any(cause in network["message"] for cause in causes)
        for network in shown["networks"]
        if network["outcome"] == "rejected"
    )
    assert "rejected before its evaluation" in " ".join(evonas("front", tmp_path / "chip", "--all").output.split())
    again = evonas("run", run_file, "--output", tmp_path / "chip", *CHIP)
    assert "0 new rows" in again.output
    other = evonas("run", run_file, "--output", tmp_path / "chip", *CHIP, "--set", "hardware.weight_bits=4")
    assert other.exit_code == 2
    assert "hardware.weight_bits: stored 8, now 4" in other.output


def test_a_run_in_which_nothing_fits_ends_with_the_most_common_reason(
    finished: tuple[Path, Path, Result], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_file, _, _ = finished
    monkeypatch.setattr(sys.modules["evonas.engine.search"], "REJECTED_IN_A_ROW", 40)
    said = evonas("run", run_file, "--output", tmp_path / "none", "--set", "hardware.profile=odin28")
    assert said.exit_code == 1
    assert "were all rejected before their evaluation" in said.output
    assert "bits of a weight (40 of 40 rejected networks)" in " ".join(said.output.split())


def test_a_dry_run_says_whether_its_network_fits(finished: tuple[Path, Path, Result]) -> None:
    run_file, _, _ = finished
    said = " ".join(evonas("run", run_file, "--dry-run", "--set", "hardware.profile=odin28").output.split())
    assert "does not fit on odin28: bits of a weight: 8 > 3" in said
    kept = " ".join(evonas("run", run_file, "--dry-run", *CHIP, "--set", "hardware.fit=false").output.split())
    assert "fit on loihi1_davies" in kept or "fits on loihi1_davies" in kept


def test_a_dry_run_says_how_many_networks_would_be_rejected(finished: tuple[Path, Path, Result]) -> None:
    run_file, _, _ = finished
    loihi = ("--set", "objectives.2.profile=loihi1_davies")
    said = " ".join(evonas("run", run_file, "--dry-run", *loihi).output.split())
    counts = re.search(
        r"(\d+) of 50 random networks would be rejected before training, (\d+) of them because of: (.*?)\.", said
    )
    assert counts is not None, said
    assert int(counts[1]) > 25  # of the whole joint space most have gates of attention
    assert 0 < int(counts[2]) <= int(counts[1])
    assert "loihi1_davies has no price for" in counts[3]
    free = evonas("run", run_file, "--dry-run").output
    assert "random networks would be rejected" not in free


def test_any_hdf5_tool_reads_the_archive(finished: tuple[Path, Path, Result]) -> None:
    _, output, _ = finished
    with h5py.File(output / "archive.h5") as file:
        assert list(file["rows/slot"]) == list(range(6))
        assert file["populations/name"].shape == file["populations/kind"].shape
        assert json.loads(file["rows/genotype"].asstr()[0])["time_steps"] >= 2


def run_in_background(run_file: Path, output: Path, *more: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "evonas.run", str(run_file), "--output", str(output), *more],
        cwd=run_file.parent,
        env={**os.environ, "PYTHONPATH": f"{ROOT}:{run_file.parent}", "RAY_USAGE_STATS_ENABLED": "0"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def rows_in(journal: Path) -> int:
    """Return how many evaluations a journal holds now."""
    return journal.read_bytes().count(b'{"evaluation"') if journal.exists() else 0


def begun(run_file: Path, output: Path, *more: str, rows: int = 3) -> subprocess.Popen[str]:
    """Return a run in the background that has kept some rows."""
    process = run_in_background(run_file, output, *more)
    journal = output / "archive.h5.journal"
    while rows_in(journal) < rows:
        assert process.poll() is None, process.communicate()[0]
        time.sleep(0.1)
    return process


def test_a_terminated_run_keeps_what_it_has_and_says_how_to_go_on(tmp_path: Path) -> None:
    run_file, output = write_run_file(tmp_path, evaluations=500), tmp_path / "results"
    process = begun(run_file, output)
    process.send_signal(signal.SIGTERM)
    said, _ = process.communicate()
    assert process.returncode == 1
    assert "Go on with the same command" in said
    assert not (output / "archive.h5.journal").exists()
    assert len(contents(output)) >= 1


@pytest.mark.slow
@pytest.mark.xdist_group("ray")
@pytest.mark.timeout(900)
@pytest.mark.parametrize("signals", [1, 2])
def test_a_terminated_run_with_workers_ends_as_one_without(tmp_path: Path, signals: int) -> None:
    run_file, output = write_run_file(tmp_path, evaluations=500, count=1), tmp_path / "results"
    process = begun(run_file, output)
    for _ in range(signals):
        process.send_signal(signal.SIGTERM)
        time.sleep(0.2)
    said, _ = process.communicate(timeout=200)
    assert process.returncode == 1, said
    assert "every finished evaluation is kept. Go on with the same command:\n  python -m evonas.run" in said
    assert "Traceback" not in said
    assert "Fatal" not in said
    assert not (output / "archive.h5.journal").exists()
    assert len(contents(output)) >= 2


def raylets_of(process: subprocess.Popen[str]) -> list[int]:
    """Return the local schedulers that a process has started."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            command = (folder / "cmdline").read_bytes().split(b"\0")[0]
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
        if command.endswith(b"/raylet") and parent == process.pid:
            found.append(int(folder.name))
    return found


@pytest.mark.slow
@pytest.mark.xdist_group("ray")
@pytest.mark.timeout(900)
def test_a_run_whose_raylet_is_killed_ends_and_says_how_to_go_on(tmp_path: Path) -> None:
    run_file, output = write_run_file(tmp_path, evaluations=500, count=1), tmp_path / "results"
    process = begun(run_file, output)
    [raylet] = raylets_of(process)
    os.kill(raylet, signal.SIGKILL)
    said, _ = process.communicate(timeout=300)
    assert process.returncode == 1, said
    assert "Ray is dead on this machine" in said
    assert "Go on with the same command:\n  python -m evonas.run" in said
    assert "Traceback" not in said
    rows = contents(output)
    assert {outcome for _, outcome, *_ in rows} == {Outcome.MEASURED}
    fewer = ("--set", f"search.evaluations={len(rows) + 1}", "--set", "workers.count=0")
    with importable(tmp_path):
        again = evonas("run", run_file, "--output", output, *fewer)
    assert again.exit_code == 0, again.output
    assert contents(output)[: len(rows)] == rows


@pytest.mark.slow
@pytest.mark.xdist_group("ray")
@pytest.mark.timeout(900)
def test_a_run_killed_at_five_random_moments_equals_one_that_is_not(tmp_path: Path) -> None:
    import numpy as np

    whole, broken = tmp_path / "whole", tmp_path / "broken"
    run_file = write_run_file(tmp_path, evaluations=16, count=0)
    with importable(tmp_path):
        done = evonas("run", run_file, "--output", whole, *CHIP)
    assert done.exit_code == 0, done.output

    rng = np.random.default_rng(2)
    journal = broken / "archive.h5.journal"
    ends = []
    for rows in sorted(rng.choice(np.arange(15), 5, replace=False)):
        process = run_in_background(run_file, broken, *CHIP, "--set", "workers.count=2")
        while rows_in(journal) < rows and process.poll() is None:  # it may be faster than this process looks
            time.sleep(0.01)
        time.sleep(rng.uniform(0, 0.5))
        process.kill()
        said, _ = process.communicate()
        ends.append(process.returncode)
        assert process.returncode in (0, -signal.SIGKILL), said
    assert -signal.SIGKILL in ends
    process = run_in_background(run_file, broken, *CHIP, "--set", "workers.count=2")
    said, _ = process.communicate(timeout=300)
    assert process.returncode == 0, said
    assert contents(whole) == contents(broken)
    assert {outcome for _, outcome, *_ in contents(whole)} == {Outcome.MEASURED, Outcome.REJECTED}
