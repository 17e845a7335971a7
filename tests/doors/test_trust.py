"""Results folders of somebody else: nothing of them is executed, nothing of them steers what shows them."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import tomli_w
from counted import small
from typer.testing import CliRunner, Result

from evonas.__main__ import app
from evonas.archive.archive import Archive
from evonas.engine.evaluation import Evaluation, Outcome
from evonas.engine.job import Job
from evonas.measurement import Measurement
from evonas.objective import Objective
from evonas.runfile.form import parse
from evonas.runfile.objective_sections import objectives_of
from evonas.runfile.schema import RunFile
from evonas.space import Space
from evonas.variables import Choice

EVIL = "\x1b]0;title\x07[/red]<script>alert(1)</script>"
SPACE = Space({"a": Choice(range(20)), "=cmd()": Choice(["@SUM(A1)", "-x", EVIL])})
RUN: dict[str, Any] = {
    "search": {"space": "spatial_temporal", "evaluations": 4},
    "data": {"name": "digits"},
    "objectives": [{"name": "accuracy"}, {"name": "energy", "profile": "loihi1_davies"}],
    "strategies": [{"name": "random"}],
    "ladder": {"epochs": [1]},
}


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Return a working directory of its own, in which modules of one's own are forgotten afterwards."""
    before, finders = set(sys.modules), list(sys.meta_path)
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    sys.meta_path[:] = finders
    for name in set(sys.modules) - before:
        if str(tmp_path) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]


def parsed(document: dict[str, Any]) -> RunFile:
    file, faults = parse(document)
    assert file is not None, faults
    return file


def results(folder: Path, **sections: Any) -> Path:
    """Return a results folder whose archive knows the run of its run file."""
    document = {**RUN, **sections}
    folder.mkdir()
    (folder / "run.toml").write_text(tomli_w.dumps(document))
    file = parsed(document)
    objectives, faults = objectives_of(file.objectives)
    assert not faults
    with Archive(folder / "archive.h5", SPACE, objectives, settings=file.settings(), reference_rows=2) as archive:
        for slot in range(3):
            job = Job(slot, "evaluate", SPACE.genotype({"a": slot, "=cmd()": ("@SUM(A1)", "-x", EVIL)[slot]}), EVIL)
            measurement = Measurement({"accuracy": 0.5 + slot / 10, "loss": 1.0}, 10, 30, 2, False, small())
            archive.add(Evaluation(job, Outcome.MEASURED, measurement=measurement))
        job = Job(3, "evaluate", SPACE.genotype({"a": 3, "=cmd()": "-x"}), "=1+1")
        archive.add(Evaluation(job, Outcome.CRASHED, f"=HYPERLINK({EVIL}"))
    return folder


def rename(folder: Path, name: str, **options: Any) -> Path:
    """Return the folder, whose run file asks for another second objective."""
    document = tomllib.loads((folder / "run.toml").read_text())
    document["objectives"][1] = {"name": name, **options}
    (folder / "run.toml").write_text(tomli_w.dumps(document))
    return folder


def front(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["front", *map(str, arguments)])


def canary(file: Path) -> Path:
    """Return a file that is there as soon as a module, or an objective that it defines, is executed."""
    hatched = file.parent / "hatched"
    file.parent.mkdir(exist_ok=True, parents=True)
    file.write_text(
        f"from evonas import Objective\nopen({str(hatched)!r}, 'w').close()\n"
        "def objective(**options): return Objective('energy', lambda m: 7.0, unit='J/sample')\n"
    )
    return hatched


@pytest.mark.parametrize(
    "name", ["os:system", "subprocess:call", "builtins:exit", "theirs:objective", "theirs", "no:x"]
)
def test_code_that_a_folder_names_is_told_by_name_and_not_executed(here: Path, name: str) -> None:
    hatched = [canary(here / "theirs.py"), canary(here / "objectives" / "theirs.py")]
    folder = rename(results(here / "run"), name, command=f"touch {here / 'pwned'}")
    said = front(folder)
    assert f"asks for the objective {name}, which is code of its own; give --trust to run it" in said.output
    assert said.exit_code in (0, 2)
    assert not any(path.exists() for path in [*hatched, here / "pwned"])


def test_without_trust_the_values_that_the_archive_holds_are_shown_and_bounded(here: Path) -> None:
    canary(here / "mine.py")
    folder = results(here / "run", objectives=[{"name": "accuracy"}, {"name": "mine:objective"}])
    (here / "hatched").unlink()
    sys.modules.pop("mine")
    shown = front(folder, "--format", "json")
    assert shown.exit_code == 0, shown.output
    networks = json.loads(shown.stdout)["networks"]
    assert [(one["slot"], one["objectives"]["energy"]) for one in networks] == [(2, 7.0)]
    assert "asks for the objective mine:objective, which is code of its own" in shown.stderr
    assert "The values of accuracy, energy are those that the archive holds" in shown.stderr
    bounded = front(folder, "--budget", "accuracy=0.95")
    assert "3 x accuracy below 0.95 (best 0.7)" in " ".join(bounded.output.split())
    assert front(folder, "--profile", "odin28").exit_code == 2
    assert front(folder, "--budget", "spikes=3").exit_code == 2
    assert front(folder, "--html", "--pick", "knee").exit_code == 0
    assert not (here / "hatched").exists()


def test_an_archive_without_a_run_file_is_shown_as_it_is_stored(here: Path) -> None:
    folder = results(here / "run")
    (folder / "run.toml").unlink()
    for given in (folder, folder / "archive.h5"):
        shown = json.loads(front(given, "--format", "json").stdout)
        assert [one["slot"] for one in shown["networks"]] == [2]
        assert front(given, "--budget", "accuracy=0.65", "--all").exit_code == 0
    assert front(here).exit_code == 2
    assert "holds no run.toml and no archive.h5" in front(here).output


def test_a_library_archive_is_shown_within_bounds(here: Path) -> None:
    space = Space({"a": Choice(range(9))})
    objectives = [Objective("error", lambda m: m["error"], direction="min")]
    with Archive(here / "mine.h5", space, objectives, reference_rows=2) as archive:
        for slot in range(4):
            job = Job(slot, "evaluate", space.genotype({"a": slot}), "toy")
            archive.add(Evaluation(job, Outcome.MEASURED, measurement={"error": 4.0 - slot}))
    assert [one["slot"] for one in json.loads(front(here / "mine.h5", "--format", "json").stdout)["networks"]] == [3]
    said = front(here / "mine.h5", "--budget", "error=0.5")
    assert "4 of 4 keep off the front: 4 x error above 0.5 (best 1)." in said.output
    assert "error <= 0.5: 0 of 4 networks keep it, the best has 1" in " ".join(said.output.split())


def test_results_that_are_links_are_replaced_and_not_followed(here: Path) -> None:
    folder, victim = results(here / "run"), here / "victim"
    victim.write_text("mine")
    for name in ("report.html", ".report.html.tmp"):
        (folder / name).symlink_to(victim)
    assert front(folder, "--html").exit_code == 0
    assert victim.read_text() == "mine"
    assert not (folder / "report.html").is_symlink()


@pytest.mark.parametrize("name", ["os:system", "subprocess:call", "builtins:exit"])
def test_trust_runs_objectives_and_nothing_else(here: Path, name: str) -> None:
    said = front(rename(results(here / "run"), name, command=f"touch {here / 'pwned'}"), "--trust")
    assert said.exit_code == 2
    assert "belongs to Python itself" in said.output
    assert not (here / "pwned").exists()


def test_with_trust_an_objective_of_ones_own_is_run(here: Path) -> None:
    hatched = canary(here / "objectives" / "mine.py")
    folder = results(here / "run", objectives=[{"name": "accuracy"}, {"name": "mine"}])
    hatched.unlink()
    sys.modules.pop("objectives.mine")
    shown = json.loads(front(folder, "--trust", "--format", "json").stdout)
    assert hatched.exists()
    assert {network["objectives"]["energy"] for network in shown["networks"]} == {7.0}


def test_a_namesake_of_what_is_shipped_is_told_and_not_executed(here: Path) -> None:
    folder = results(here / "run")
    hatched = [canary(here / "objectives" / "energy.py"), canary(folder / "objectives" / "energy.py")]
    said = front(folder)
    assert said.exit_code == 0, said.output
    assert "objectives/energy.py of the working directory is not used" in " ".join(said.output.split())
    assert not any(path.exists() for path in hatched)
    trusted = json.loads(front(folder, "--trust", "--format", "json").stdout)
    assert trusted["networks"][0]["objectives"]["energy"] == 7.0


def test_a_profile_of_the_folders_own_is_read_with_trust_only(here: Path) -> None:
    shipped = Path(__file__).parents[2] / "objectives/profiles/odin28.toml"
    mine = here / "mine.toml"
    mine.write_text(shipped.read_text(encoding="utf-8").replace('id = "odin28"', 'id = "mine"'), encoding="utf-8")
    folder = results(here / "run", objectives=[{"name": "accuracy"}, {"name": "energy", "profile": str(mine)}])
    assert f"asks for the chip {mine}, which is a file of its own; give --trust to read it" in front(folder).output
    assert front(folder, "--trust").exit_code == 0


def test_a_folder_is_shown_from_within_without_executing_what_lies_there(here: Path) -> None:
    folder = results(here / "run")
    hatched = [canary(folder / f"{name}.py") for name in ("objectives", "spaces", "scipy")]
    done = subprocess.run(
        [sys.executable, "-c", "import sys; from evonas.__main__ import app; sys.argv = ['evonas', 'front', '.', '--html']; app()"],
        cwd=folder, capture_output=True, text=True, check=False, env={"PYTHONPATH": str(Path(__file__).parents[2]), "PYTHONSAFEPATH": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert not any(path.exists() for path in hatched)


@pytest.mark.parametrize(
    "arguments", [[], ["--all"], ["--format", "csv", "--all"], ["--pick", "best:accuracy"], ["--format", "csv"]]
)
def test_what_an_archive_says_steers_no_terminal(here: Path, arguments: list[str]) -> None:
    said = front(results(here / "run"), *arguments)
    assert said.exit_code == 0, said.output
    assert all(ord(char) >= 32 or char == "\n" for char in said.output)
    assert "\\x1b]0;title\\x07[/red]" in said.output.replace("\n", "") or "…" not in said.output


def test_cells_of_a_csv_are_no_formulas(here: Path) -> None:
    said = front(results(here / "run"), "--all", "--format", "csv")
    cells = [cell for line in csv.reader(io.StringIO(said.stdout)) for cell in line]
    assert {"'=cmd()", "'@SUM(A1)", "'-x", "'=1+1"} <= set(cells)
    assert not [cell for cell in cells if cell[:1] in ("=", "@", "+", "-")]


def test_the_page_holds_no_tags_of_an_archive(here: Path) -> None:
    folder = results(here / "x[red]<b>")
    said = front(folder, "--html")
    assert said.exit_code == 0, said.output
    text = (folder / "report.html").read_text(encoding="utf-8")
    assert "<script>alert(1)" not in text
    assert "<b>" not in text.split("<body>")[0] + text.split("<h1>")[1][:40]
    assert "x[red]&lt;b&gt;" in text


def test_a_run_file_of_another_run_is_told(here: Path) -> None:
    folder = results(here / "run")
    rename(folder, "energy", profile="odin28")
    said = front(folder)
    assert said.exit_code == 2
    text = " ".join(said.output.split())
    assert (
        'of another run than the archive beside it: objectives.1.profile is "odin28", in the archive "loihi1_davies"'
        in text
    )


@pytest.mark.parametrize(
    ("change", "key"),
    [
        ({"objectives": [{"name": "accuracy"}]}, "objectives.1.name"),
        ({"search": {**RUN["search"], "seed": 3}}, "search.seed"),
        ({"ladder": {"epochs": [1, 2]}}, "ladder.epochs"),
        ({"strategies": [{"name": "evolution"}, {"name": "random"}]}, "strategies.0.name"),
    ],
)
def test_every_key_that_decides_what_a_run_finds_is_compared(here: Path, change: dict[str, Any], key: str) -> None:
    folder = results(here / "run")
    (folder / "run.toml").write_text(tomli_w.dumps({**RUN, **change}))
    said = front(folder)
    assert said.exit_code == 2
    assert key in said.output


def test_how_far_a_run_goes_is_not_compared(here: Path) -> None:
    folder = results(here / "run")
    (folder / "run.toml").write_text(tomli_w.dumps({**RUN, "search": {**RUN["search"], "evaluations": 99}}))
    assert front(folder).exit_code == 0
