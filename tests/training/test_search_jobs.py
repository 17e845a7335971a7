"""Search jobs of the differentiable strategy, from the run file to rows, on a few samples."""

from __future__ import annotations

import pickle
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tomli_w
import torch
from commands import importable, write_few_digits

from evonas.archive.archive import Archive
from evonas.data import digits
from evonas.data.dataset import SearchData
from evonas.data.encoding import Encoded
from evonas.engine.attempt import attempt
from evonas.engine.evaluation import Outcome
from evonas.engine.job import Job
from evonas.engine.workers import InlineWorkers
from evonas.genotype import Genotype
from evonas.runfile.resolve import ResolvedRun, resolve
from evonas.snn.relaxed.logits import Logits
from evonas.training import bilevel_search
from evonas.training.bilevel_search import BilevelSearcher
from evonas.training.training_settings import Training
from objectives import energy
from spaces.spatial_temporal import space

torch.set_num_threads(1)
TOLD = {"price": 0.5, "warm_up": 1, "epochs": 1, "proposals": 2, "seed": 3}
SIZES = {
    "context.nodes": 1,
    "context.layers": 2,
    "context.channels": 4,
    "context.stem.stride": 1,
    "context.readout.input": "mean",
}


@pytest.fixture(scope="module")
def searcher() -> BilevelSearcher:
    data = digits.read().for_search(seed=0)
    few = SearchData(data.train.take(np.arange(64)), data.validation.take(np.arange(16)), data.task)
    price = energy.expected(profile="loihi1_davies")
    return BilevelSearcher(space, few, price=price, training=Training())


def job(**settings: object) -> Job:
    return Job(5, "search", Genotype({}), "differentiable", settings={**TOLD, **SIZES, **settings})


def test_it_proposes_networks_of_the_sizes_that_it_is_told(searcher: BilevelSearcher) -> None:
    row = attempt(searcher, job())
    assert row.outcome is Outcome.MEASURED
    assert len(set(row.proposals)) == 2
    assert row.trained is not None
    assert [epoch["logits_loss"] is None for epoch in row.trained.epochs] == [True, False]
    for genotype in row.proposals:
        assert (genotype["nodes"], genotype["layers"], genotype["channels"]) == (1, 2, 4)
        assert space.genotype(dict(genotype)) == genotype


def test_what_it_proposes_follows_from_settings_and_seed_and_not_from_the_slot(searcher: BilevelSearcher) -> None:
    first = searcher(job())
    assert searcher(replace(job(), slot=77)) == first
    assert searcher(replace(job(), seed=1)).proposals != first.proposals
    assert searcher(job(seed=4)).proposals != first.proposals


@pytest.mark.parametrize(("paths", "drawn"), [({}, True), ({"paths": "all"}, False)])
def test_steps_see_two_paths_unless_all_are_asked_for(
    searcher: BilevelSearcher, paths: dict[str, str], drawn: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    two_paths, calls = Logits.two_paths, []
    monkeypatch.setattr(Logits, "two_paths", lambda *args, **given: calls.append(1) or two_paths(*args, **given))
    assert searcher(job(**paths)).proposals
    assert bool(calls) == drawn


def test_frames_as_many_as_time_steps_are_searched_with_one_number_a_search(monkeypatch: pytest.MonkeyPatch) -> None:
    data = digits.read(encoding="rate").for_search(seed=0)
    few = SearchData(data.train.take(np.arange(16)), data.validation, data.task)
    search = BilevelSearcher(space, few, price=energy.expected(profile="loihi1_davies"), training=Training())
    seen: list[int] = []
    inputs = Encoded.batch
    monkeypatch.setattr(
        Encoded, "batch", lambda *args, **given: seen.append(given["time_steps"]) or inputs(*args, **given)
    )
    numbers = set()
    for seed in range(4):
        seen.clear()
        proposed = {genotype["time_steps"] for genotype in search(job(seed=seed)).proposals}
        assert proposed == set(seen)
        numbers |= proposed
    assert len(numbers) > 1


def test_the_search_is_told_the_price_and_the_schedule(
    searcher: BilevelSearcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: dict[str, Any] = {}
    search = bilevel_search.differentiable_search

    def listening(*arguments: Any, **options: Any) -> Any:
        told.update(options)
        return search(*arguments, **options)

    monkeypatch.setattr(bilevel_search, "differentiable_search", listening)
    searcher(job(price=0.7, warm_up=0, epochs=2))
    assert (told["price"], told["context"]) == (
        0.7,
        {"nodes": 1, "layers": 2, "channels": 4, "stem.stride": 1, "readout.input": "mean"},
    )
    assert (told["relaxation"].warm_up, told["relaxation"].epochs, told["relaxation"].proposals) == (0, 2, 2)


def test_a_size_that_is_missing_makes_a_failed_row_that_names_it(searcher: BilevelSearcher) -> None:
    row = attempt(searcher, replace(job(), settings=TOLD))
    assert row.outcome is Outcome.CRASHED
    assert "nodes is missing" in row.message


def resolved(folder: Path, *, evaluations: int, workers: int = 1, **sizes: object) -> ResolvedRun:
    path = folder / "run.toml"
    strategy = {"name": "differentiable", "objective": "energy", "warm_up": 1, "epochs": 1}
    given = {name.removeprefix("context."): value for name, value in {**SIZES, **sizes}.items()}
    strategy["contexts"] = {name: [value] for name, value in given.items()}
    content = {
        "search": {"space": "spatial_temporal", "evaluations": evaluations, "parallel": 2},
        "data": {"name": "few_digits:read"},
        "objectives": [{"name": "accuracy"}, {"name": "energy", "profile": "loihi1_davies"}],
        "strategies": [strategy],
        "ladder": {"epochs": [1]},
        "workers": {"count": workers},
    }
    path.write_text(tomli_w.dumps(content))
    write_few_digits(folder)
    with importable(folder):
        return resolve(path)


@pytest.mark.slow
def test_a_run_file_with_the_strategy_searches_and_resumes_to_the_same_rows(tmp_path: Path) -> None:
    told = []
    for name, budgets in (("once", [4]), ("again", [1, 4])):
        for evaluations in budgets:
            run = resolved(tmp_path, evaluations=evaluations)
            with Archive(tmp_path / name, run.space, run.objectives, seed=0) as archive:
                run.search(archive, workers=InlineWorkers(run.make_evaluate()()))
                rows = archive.rows
        told.append([(row.job, row.evaluation.outcome, row.evaluation.proposals, row.costs) for row in rows])
    assert told[0] == told[1]
    assert {job.kind for job, *_ in told[0]} == {"search", "evaluate"}
    assert all(outcome is Outcome.MEASURED for _, outcome, *_ in told[0])
    assert all(job.sample_steps > 0 for job, *_ in told[0])


def test_proposals_are_the_same_in_this_process_and_in_a_worker(tmp_path: Path) -> None:
    """On 8 x 8 pixels all of these networks end in cells of one position, whose readouts are one genotype."""
    sizes = {"context.stem.stride": 4, "context.readout.input": "flat"}
    run = resolved(tmp_path, evaluations=1, workers=0, **sizes)
    told, found = job(**sizes, proposals=6), []
    for workers in (run.workers(), InlineWorkers(pickle.loads(pickle.dumps(run.make_evaluate()))())):
        workers.start(told)
        found.append(workers.next())
    assert found[0].proposals == found[1].proposals
    assert len(found[0].proposals) == 6
    assert "mean" in {genotype["readout.input"] for genotype in found[0].proposals}
