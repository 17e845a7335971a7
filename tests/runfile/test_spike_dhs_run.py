"""The run file of SpikeDHS: it is right as it ships, searches by gradients, and goes on where it stopped."""

from __future__ import annotations

from pathlib import Path

import pytest
from documents import ROOT
from resolved_runs import assert_right, rows_of_whole_and_resumed

FILE = ROOT / "runs" / "spike_dhs.toml"


def test_the_run_file_that_ships_builds_a_network(tmp_path: Path) -> None:
    assert_right("spike_dhs", "--output", tmp_path / "results")


@pytest.mark.slow
def test_what_a_search_proposes_is_trained_and_a_stopped_run_goes_on_to_the_same_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    settings = ["training.search_surrogates_every=3"]
    rows = rows_of_whole_and_resumed("spike_dhs", tmp_path, evaluations=3, settings=settings)
    trained = [row for row in rows if row.job.kind == "evaluate"]
    assert len(trained) == 3
    assert len(rows) > 3
    assert all(rows[row.job.parents[0]].job.kind == "search" for row in trained)
    assert all(row.job.genotype["nodes"] == 3 for row in trained)
