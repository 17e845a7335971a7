"""The commands with a task that has no classes: columns, picks and pages are named by its metrics."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import tomli_w
from commands import evonas

from evonas import load
from evonas.errors import RunFileError
from evonas.runfile.sweep import resolve_sweep

CHIPS = "arith45_fp32,loihi1_davies"
SWEEP = ("--profiles", CHIPS, "--budget", "energy=1e-12,1e-3")


def write(folder: Path, *objectives: dict[str, object]) -> Path:
    path = folder / "dense.toml"
    content = {
        "search": {"space": "disparity:space", "evaluations": 4, "seed": 0, "parallel": 2},
        "data": {"name": "disparity:read"},
        "objectives": [*objectives, {"name": "spikes"}, {"name": "energy", "profile": "arith45_fp32"}],
        "strategies": [{"name": "random"}],
        "ladder": {"epochs": [1]},
        "workers": {"count": 0},
    }
    path.write_text(tomli_w.dumps(content))
    return path


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Return the results of a sweep of the dense task, and the folder in which its commands are given."""
    place = tmp_path_factory.mktemp("dense")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        path = write(place, {"name": "metric", "metric": "error", "at_most": 9.0})
        done = evonas("sweep", path, *SWEEP, "--output", "results", "--format", "json")
        assert done.exit_code == 0, done.output
        (place / "sweep.json").write_text(done.stdout)
        yield place / "results"


def test_a_sweep_ranks_by_the_metric_of_the_task_and_names_its_column_so(results: Path) -> None:
    cells = json.loads((results.parent / "sweep.json").read_text())["cells"]
    lines = list(csv.DictReader((results / "sweep.csv").read_text().splitlines()))
    known = {row.job.genotype.key: row.evaluation.measurement for row in load(results, trust=True).rows}
    best = min(known, key=lambda key: known[key].metric("error"))
    assert [(cell["profile"], cell["key"]) for cell in cells] == [
        (chip, key) for chip in CHIPS.split(",") for key in (None, best)
    ]
    for cell, line in zip(cells, lines, strict=True):
        assert not {name for name in [*cell, *line] if "accuracy" in name or name.endswith("_error")}
        assert cell["error"] == (None if cell["key"] is None else known[best].metric("error"))
        assert line["error [px]"] == ("" if cell["error"] is None else repr(cell["error"]))


def test_the_table_of_a_sweep_shows_the_metric_with_its_unit(results: Path) -> None:
    said = evonas("sweep", results.parent / "dense.toml", *SWEEP, "--output", results)
    assert said.exit_code == 0, said.output
    assert "error [px]" in said.output
    assert "accuracy" not in said.output


def test_a_sweep_without_the_metric_of_the_task_says_how_to_name_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(RunFileError) as caught:
        resolve_sweep(write(tmp_path), profiles=CHIPS, budgets=["energy=1e-3"])
    assert caught.value.faults == (
        'objectives: a sweep ranks networks by error, which is missing; add a section with name = "metric" and '
        'metric = "error"',
    )


def test_the_front_and_its_page_speak_of_the_metrics_of_the_run(results: Path) -> None:
    said = evonas("front", results, "--trust", "--html", "--pick", "knee", "--pick", "budget", "--pick", "best:error")
    assert said.exit_code == 0, said.output
    assert said.stdout.count("  error: ") == 3
    page = (results / "report.html").read_text()
    titles = [f'"title":"{title}"' for title in ("Best error", "Best spikes", "Best energy", "Knee")]
    assert all(title in page for title in titles)


def test_what_is_picked_where_nobody_says_is_the_knee_of_a_front_without_errors(results: Path) -> None:
    run = load(results, trust=True)
    assert run.pick().key == run.pick("knee").key
    with pytest.raises(RunFileError, match="pick cheapest: it needs"):
        run.pick("cheapest")


def test_the_final_training_gains_where_the_error_gets_smaller(results: Path) -> None:
    done = evonas("train", results, "--epochs", 2, "--seeds", 1, "--workers", 0, "--trust")
    assert done.exit_code == 0, done.output
    assert "test error" in done.output
    assert "calibration" not in done.output
    (row,) = csv.DictReader((results / "trained" / "trained.csv").read_text().splitlines())
    assert row["picked"] == "knee"
    gain = float(row["search error"]) - float(row["test error"])
    assert float(row["gain of error"]) == pytest.approx(gain)
    assert not [name for name in row if "accuracy" in name or "calibration" in name]
