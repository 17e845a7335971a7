"""A one-shot search, end to end: a supernet, its networks trained alone, in this process and on workers, resumed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import tomli_w
from commands import contents, evonas, write_few_digits

import evonas as package
from evonas.archive.archive import Archive


def write(folder: Path, *, space: str = "autosnn", count: int = 0, **options: object) -> Path:
    path = folder / "one_shot.toml"
    strategy = {"name": "one_shot", "objective": "energy", "epochs": 1, "networks": 6, "pop_size": 4, "proposals": 3,
                "calibration": 32, **options}  # fmt: skip
    narrowed = {"space": {"only": {"channels": [4], "time_steps": [2, 3]}}} if space == "autosnn" else {}
    path.write_text(
        tomli_w.dumps(
            {
                "search": {"space": space, "evaluations": 5, "seed": 3, "parallel": 2},
                **narrowed,
                "data": {"name": "few_digits:read"},
                "objectives": [{"name": "accuracy"}, {"name": "energy", "profile": "arith45_fp32"}],
                "strategies": [strategy],
                "ladder": {"epochs": [1, 2], "keep": 0.5},
                "training": {"loss": "squared_error", "train_neurons": True},
                "workers": {"count": count},
            }
        )
    )
    write_few_digits(folder)
    return path


def test_a_run_trains_a_supernet_then_its_best_networks_alone_and_can_be_resumed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    run_file = write(tmp_path)
    whole, parted = tmp_path / "whole", tmp_path / "parted"
    said = evonas("run", run_file, "--output", whole)
    assert said.exit_code == 0, said.output
    for evaluations in (1, 5):
        assert evonas("run", run_file, "--output", parted, "--set", f"search.evaluations={evaluations}").exit_code == 0
    assert contents(parted) == contents(whole)

    rows = json.loads(evonas("front", whole, "--all", "--format", "json").output)["networks"]
    assert [row["kind"] for row in rows][:4] == ["search"] + ["evaluate"] * 3
    kept = package.load(whole).proxy_scores
    judged = {one.genotype.key: one for one in kept[:6]}
    assert len(judged) == 6
    assert {one.score for one in kept} == {"inherited accuracy"}
    assert all(0 <= one.value <= 1 and one.cost > 0 for one in judged.values())
    found = Archive.read(whole / "archive.h5").rows
    assert found[0].evaluation.sample_steps > 96 * 2
    assert [epoch.keys() for epoch in found[0].evaluation.trained.epochs] == [{"loss"}]
    for row in found[1:4]:  # a measurement of its own, not the inherited one
        assert row.job.genotype.key in judged
        assert row.evaluation.measurement.samples == 24
    assert evonas("front", whole).exit_code == 0


def test_what_is_wrong_is_told_before_anything_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    for options, expected in (
        ({"objective": "accuracy"}, "strategies.0.objective: 'accuracy' has no value of its counts alone: it is measured"),
        ({"objective": "enery"}, "strategies.0.objective: got 'enery', expected one of the objectives accuracy, energy"),
        ({"epochs": 0}, "strategies.0.epochs: got 0, expected a whole number from 1 to"),
        ({"space": "recurrent"}, "strategies.0.name: the space has no `share`, so that its networks share no weights"),
    ):  # fmt: skip
        said = evonas("run", write(tmp_path, **options), "--dry-run")  # type: ignore[arg-type]
        assert said.exit_code == 2
        assert expected in " ".join(said.output.split())


@pytest.mark.slow
@pytest.mark.xdist_group("ray")
@pytest.mark.timeout(600)
def test_a_run_on_workers_equals_one_in_this_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    here, workers = tmp_path / "here", tmp_path / "workers"
    run_file = write(tmp_path)
    assert evonas("run", run_file, "--output", here).exit_code == 0
    said = evonas("run", run_file, "--output", workers, "--set", "workers.count=2")
    assert said.exit_code == 0, said.output
    assert contents(workers) == contents(here)
    assert Archive.read(workers / "archive.h5").proxy_scores == Archive.read(here / "archive.h5").proxy_scores
