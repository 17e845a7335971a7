"""The run file of SNASNet: it is right as it ships, and searches cells that lead back."""

from __future__ import annotations

from pathlib import Path

import pytest
from documents import ROOT
from resolved_runs import assert_right, searched

from evonas.runfile.resolve import resolve

FILE = ROOT / "runs" / "snasnet.toml"


def test_the_run_file_that_ships_builds_a_network(tmp_path: Path) -> None:
    assert_right("snasnet", "--output", tmp_path / "results")


@pytest.mark.slow
def test_cells_with_feedback_learn_digits_and_are_priced(tmp_path: Path) -> None:
    sizes = ["search.evaluations=8", "ladder.epochs=[2, 4]", "strategies.0.pool=20", "strategies.0.part=10"]
    run = resolve(FILE, overrides=[*sizes, "strategies.0.proposals=6"])
    archive = searched(run, tmp_path / "archive.h5")
    rows = [row for row in archive.rows if row.evaluation.measurement is not None]
    assert len(rows) == 8
    assert max(row.evaluation.measurement.accuracy for row in rows) > 0.85
    assert all(row.score is not None and row.score.values[2] > 0 for row in rows)
    assert len([row for row in archive.rows if row.job.kind == "search"]) == 2
    assert any("backward" in row.job.genotype.values() for row in rows)
