"""A zero-shot search, end to end: scored and evaluated in this process and on workers, killed and resumed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import tomli_w
from commands import contents, evonas, write_few_digits

import evonas as package
from evonas.archive.archive import Archive
from evonas.engine.proxy_score import ProxyScore
from evonas.runfile.searchers import score_of

ROOT = Path(__file__).parents[2]


def write(folder: Path, *, count: int = 0, **options: object) -> Path:
    path = folder / "zero_shot.toml"
    strategy = {"name": "zero_shot", "pool": 10, "part": 4, "proposals": 3, "batch_size": 16, **options}
    path.write_text(
        tomli_w.dumps(
            {
                "search": {"space": "spatial_temporal", "evaluations": 5, "seed": 3, "parallel": 3},
                "data": {"name": "few_digits:read"},
                "objectives": [{"name": "accuracy"}, {"name": "energy", "profile": "arith45_fp32"}],
                "strategies": [strategy],
                "ladder": {"epochs": [1, 2], "keep": 0.5},
                "workers": {"count": count},
            }
        )
    )
    write_few_digits(folder)
    return path


def scores(output: Path) -> tuple[ProxyScore, ...]:
    return Archive.read(output / "archive.h5").proxy_scores


def test_a_run_keeps_every_score_and_goes_on_as_if_it_had_not_been_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    run_file = write(tmp_path, against="energy")
    whole, parted = tmp_path / "whole", tmp_path / "parted"
    said = evonas("run", run_file, "--output", whole)
    assert said.exit_code == 0, said.output
    for evaluations in (1, 3, 5):
        assert evonas("run", run_file, "--output", parted, "--set", f"search.evaluations={evaluations}").exit_code == 0
    assert contents(parted) == contents(whole)
    assert scores(parted) == scores(whole)

    kept = package.load(whole).proxy_scores
    assert len({one.genotype.key for one in kept}) > 8
    assert {one.score for one in kept} == {"sparsity_aware_hamming"}
    assert all(one.cost is not None and one.cost > 0 for one in kept if one.value is not None)
    rows = json.loads(evonas("front", whole, "--all", "--format", "json").output)["networks"]
    assert [row["kind"] for row in rows][:6] == ["search"] * 3 + ["evaluate"] * 3
    assert "4 networks scored (method scores, score sparsity_aware_hamming" in " ".join(
        evonas("front", whole, "--all").output.split()
    )


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"score": "hammming"}, "strategies.0.score: there is no evonas/scores/hammming.py; did you mean 'hamming'?"),
        ({"score": "evonas.scores.sparsity_aware_hamming:ALPHA"}, "is no function of a network and samples"),
        ({"against": "accuracy"}, "strategies.0.against: 'accuracy' has no value without training: it is measured after"),
        ({"against": "enery"}, "strategies.0.against: got 'enery', expected one of operations, nothing, accuracy, energy"),
        ({"pool": 0}, "strategies.0.pool: got 0, expected a whole number from 1 to"),
    ],
    ids=str,
)  # fmt: skip
def test_what_is_wrong_is_told_before_anything_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: dict[str, object], expected: str
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    said = evonas("run", write(tmp_path, **options), "--dry-run")
    assert said.exit_code == 2
    assert expected in " ".join(said.output.split())


@pytest.mark.parametrize(
    "name",
    ["hamming", "lyapunov", "parameters", "sparsity_aware_hamming", "synaptic_flow",
     "evonas.scores.sparsity_aware_hamming:printed"],
)  # fmt: skip
def test_scores_are_found_by_their_names(name: str) -> None:
    assert callable(score_of(name))


@pytest.mark.slow
@pytest.mark.xdist_group("ray")
@pytest.mark.timeout(600)
def test_a_run_on_workers_that_is_killed_while_it_scores_equals_one_in_this_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    run_file = write(tmp_path)
    assert evonas("run", run_file, "--output", whole).exit_code == 0
    command = [sys.executable, "-m", "evonas.run", str(run_file), "--output", str(broken), "--set", "workers.count=2"]
    here = {**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"}
    process = subprocess.Popen(command, env=here, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    journal = broken / "archive.h5.journal"
    while not (journal.exists() and b"proxy_scores" in journal.read_bytes()):
        assert process.poll() is None, process.communicate()[0]
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert not (broken / "archive.h5").exists() or len(contents(broken)) < len(contents(whole))
    done = subprocess.run(command, env=here, cwd=tmp_path, capture_output=True, check=False)
    assert done.returncode == 0, done.stdout
    assert contents(broken) == contents(whole)
    assert scores(broken) == scores(whole)
