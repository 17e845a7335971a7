"""Scores of untrained networks in an archive: in the journal, in the file, and in neither of older ones."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from toys import OBJECTIVES, measure, mixed_space

import evonas
from evonas.archive.archive import Archive
from evonas.archive.record import from_record, proxy_score_of, to_record
from evonas.engine.budget import Budget
from evonas.engine.evaluation import Evaluation, Outcome, Result
from evonas.engine.job import Job
from evonas.engine.proxy_score import ProxyScore
from evonas.engine.search import search
from evonas.engine.workers import InlineWorkers
from evonas.errors import EvonasError
from evonas.genotype import Genotype
from evonas.strategies.random import RandomSearch
from evonas.strategies.zero_shot import ZeroShot

A, B = Genotype({"layers": 2}), Genotype({"layers": 3})
SCORES = (ProxyScore(A, "hamming", -61.5, cost=3e6), ProxyScore(B, "hamming", None, message="It is silent: ∅."))
SEARCHED = Evaluation(Job(0, "search", Genotype({}), "zero_shot"), Outcome.MEASURED, proxy_scores=SCORES)


def work(job: Job) -> Any:
    return Result(proxy_scores=SCORES) if job.kind == "search" else measure(job)


def test_a_record_holds_them_and_those_of_older_versions_do_not() -> None:
    record = json.loads(json.dumps(to_record(SEARCHED)))
    assert from_record(record, load=list).proxy_scores == SCORES
    del record["proxy_scores"]
    assert from_record(record, load=list).proxy_scores == ()
    assert "proxy_scores" not in to_record(Evaluation(SEARCHED.job, Outcome.MEASURED))


@pytest.mark.parametrize(
    "change",
    [{"value": "high"}, {"value": float("inf")}, {"genotype": [1]}, {"message": None}, {"more": 1}],
    ids=lambda change: next(iter(change)),
)
def test_a_record_of_another_form_is_no_record(change: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"score|mapping|message|value"):
        proxy_score_of({**SCORES[0].to_json(), **change})


def test_they_come_back_from_the_journal_and_from_the_file(tmp_path: Path) -> None:
    path = tmp_path / "archive.h5"
    with Archive(path, mixed_space(), OBJECTIVES) as archive:
        archive.add(SEARCHED)
        assert Archive.read(path).proxy_scores == SCORES  # in the journal still
    assert not Path(f"{path}.journal").exists()
    assert Archive.read(path).proxy_scores == SCORES
    assert evonas.load(path).proxy_scores == SCORES
    with h5py.File(path) as file:
        assert file["proxy_scores/score"][()].tolist() == [b"hamming"] * 2
        assert file["proxy_scores/row"][()].tolist() == [0, 0]


def test_an_archive_without_any_has_no_table_of_them(tmp_path: Path) -> None:
    path = tmp_path / "archive.h5"
    with Archive(path, mixed_space(), OBJECTIVES) as archive:
        search(
            mixed_space(),
            archive,
            strategy=RandomSearch(),
            workers=InlineWorkers(measure),
            budget=Budget(evaluations=2),
        )
    assert Archive.read(path).proxy_scores == ()
    with h5py.File(path) as file:
        assert "proxy_scores" not in file


def test_a_search_goes_on_from_its_archive_without_scoring_again(tmp_path: Path) -> None:
    jobs = []

    def counted(job: Job) -> Any:
        jobs.append(job.kind)
        rows = [
            ProxyScore(mixed_space().sample(np.random.default_rng(i)), "mine", float(i), cost=1.0) for i in range(4)
        ]
        return Result(proxy_scores=tuple(rows)) if job.kind == "search" else measure(job)

    for evaluations in (1, 3):
        with Archive(tmp_path / "archive.h5", mixed_space(), OBJECTIVES) as archive:
            search(
                mixed_space(),
                archive,
                strategy=ZeroShot(pool=4, part=2, proposals=4),
                workers=InlineWorkers(counted),
                budget=Budget(evaluations),
            )
    assert jobs == ["search", "search", "evaluate", "evaluate", "evaluate"]


def test_a_score_that_is_no_number_is_refused() -> None:
    with pytest.raises(EvonasError, match="value of a score is inf, expected a finite number"):
        ProxyScore(A, "hamming", float("inf"))
