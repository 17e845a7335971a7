"""The run file of MA-DARTS: right as it ships, searched by gradients, resumed to the same rows, and told of by cell."""

from __future__ import annotations

from pathlib import Path

import pytest
from commands import evonas, write_few_digits
from documents import ROOT
from resolved_runs import assert_right, rows_of_whole_and_resumed

import evonas as engine
from evonas.archive.archive import Archive

FILE = ROOT / "runs" / "ma_darts.toml"


def test_the_run_file_that_ships_builds_a_network(tmp_path: Path) -> None:
    assert_right("ma_darts", "--output", tmp_path / "results")


@pytest.mark.slow
def test_what_a_search_proposes_is_trained_and_a_stopped_run_goes_on_to_the_same_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    rows = rows_of_whole_and_resumed("ma_darts", tmp_path, evaluations=2)
    trained = [row for row in rows if row.job.kind == "evaluate"]
    assert len(trained) == 2
    assert all(rows[row.job.parents[0]].job.kind == "search" for row in trained)
    assert all("node2.attention" in row.job.genotype for row in trained)
    measured = [row for row in engine.load(tmp_path / "whole").rows if row.evaluation.measurement is not None]
    assert len(measured) == 2
    for row in measured:
        activity = row.evaluation.measurement.activity
        by_cell: dict[str, int] = {}
        for population in activity.populations:
            cell = population.name.split("/")[0]
            by_cell[cell] = by_cell.get(cell, 0) + population.outputs
        assert set(by_cell) == {"stem", "readout", *(f"cell{layer}" for layer in range(1, 9))}
        assert sum(by_cell.values()) == pytest.approx(activity.spikes * activity.samples)


@pytest.mark.slow
def test_on_a_chip_without_multipliers_gates_are_rejected_by_a_sentence_before_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_few_digits(tmp_path)
    (tmp_path / "run.toml").write_text(
        '[search]\nspace = "ma_darts"\nevaluations = 1\n[space.only]\n"node*.attention" = ["binary_eca"]\nchannels = [4]\n'
        '[data]\nname = "few_digits:read"\n[[objectives]]\nname = "accuracy"\n'
        '[[objectives]]\nname = "energy"\nprofile = "seneca22"\n[[strategies]]\nname = "random"\n'
        "[ladder]\nepochs = [1]\n[workers]\ncount = 0\n"
    )
    done = evonas("run", tmp_path / "run.toml", "--output", tmp_path / "run")
    assert (tmp_path / "run" / "archive.h5").exists(), done.output
    rows = [row for row in Archive.read(tmp_path / "run" / "archive.h5").rows if row.job.kind == "evaluate"]
    assert all(row.evaluation.measurement is None for row in rows), done.output
    assert rows
    told = "no price for multiply-accumulates (energy.mac), which cell1/node0/binary_eca/gate"
    assert all(told in row.evaluation.message for row in rows)
