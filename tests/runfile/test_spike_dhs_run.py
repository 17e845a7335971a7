"""The run file of SpikeDHS: it is right as it ships, searches by gradients, and goes on where it stopped."""

from __future__ import annotations

from itertools import chain
from pathlib import Path

import pytest
from commands import check_shipped, contents, evonas, write_few_digits
from documents import ROOT

from evonas.archive.archive import Archive

FILE = ROOT / "runs" / "spike_dhs.toml"


def test_the_run_file_that_ships_builds_a_network(tmp_path: Path) -> None:
    check_shipped(FILE, tmp_path)


@pytest.mark.slow
def test_what_a_search_proposes_is_trained_and_a_stopped_run_goes_on_to_the_same_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_few_digits(tmp_path)
    small = ["data.name=few_digits:read", "workers.count=0", "strategies.0.warm_up=0", "strategies.0.epochs=1",
             "strategies.0.first=1", "training.search_surrogates_every=3", "ladder.epochs=[1]"]  # fmt: skip

    def run(folder: str, evaluations: int) -> list[tuple[object, ...]]:
        overrides = [*small, f"search.evaluations={evaluations}"]
        done = evonas("run", FILE, "--output", tmp_path / folder, *chain(*(("--set", one) for one in overrides)))
        assert done.exit_code == 0, done.output
        return contents(tmp_path / folder)

    whole = run("whole", 3)
    first = run("stopped", 1)
    assert first == whole[: len(first)]
    assert len(first) < len(whole)
    assert run("stopped", 3) == whole
    rows = Archive.read(tmp_path / "whole" / "archive.h5").rows
    trained = [row for row in rows if row.job.kind == "evaluate"]
    assert len(trained) == 3
    assert len(rows) > 3
    assert all(rows[row.job.parents[0]].job.kind == "search" for row in trained)
    assert all(row.job.genotype["nodes"] == 3 for row in trained)
