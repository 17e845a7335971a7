"""The run file of STS: it is right as it ships, searches kinds of neurons by gradients, and goes on where it ended."""

from __future__ import annotations

from pathlib import Path

import pytest
from commands import importable, write_few_digits
from documents import ROOT
from resolved_runs import assert_right, searched

from evonas.runfile.resolve import resolve

FILE = ROOT / "runs" / "sts.toml"
FIXED = {"nodes": 1, "node0.a.from": "s0", "node0.a.op": "conv3", "node0.b.from": "s1", "node0.b.op": "conv3",
         "layers": 4, "channels": 8}  # fmt: skip


def test_the_run_file_that_ships_builds_a_network(tmp_path: Path) -> None:
    assert_right("sts", "--output", tmp_path / "results")


@pytest.mark.slow
def test_neurons_of_one_cell_are_searched_and_a_resumed_search_is_the_same(tmp_path: Path) -> None:
    write_few_digits(tmp_path)
    small = ["data.name=few_digits:read", "ladder.epochs=[1]", "strategies.0.warm_up=1", "strategies.0.epochs=1"]
    small += ["strategies.0.proposals=2", "strategies.0.first=2", "strategies.0.searches=1", "search.parallel=2"]

    def told(evaluations: int, archive: Path) -> list[tuple[object, ...]]:
        with importable(tmp_path):
            run = resolve(FILE, overrides=[*small, f"search.evaluations={evaluations}"])
        rows = searched(run, archive).rows
        return [(row.job.kind, row.job.genotype, row.costs, row.evaluation.message) for row in rows]

    whole = told(4, tmp_path / "whole.h5")
    first = told(2, tmp_path / "resumed.h5")
    assert len(first) < len(whole)
    assert told(4, tmp_path / "resumed.h5") == whole
    networks = [genotype for kind, genotype, costs, _ in whole if kind == "evaluate" and costs is not None]
    assert len(networks) == 4
    for genotype in networks:
        assert FIXED.items() <= dict(genotype).items()  # type: ignore[call-overload]
        assert "feedback" not in genotype  # type: ignore[operator]
