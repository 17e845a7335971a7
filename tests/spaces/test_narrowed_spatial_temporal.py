from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Any

import numpy as np
import pytest
import torch
from toys import ListMemory

from evonas.data.dataset import Samples, SearchData
from evonas.engine.budget import Budget
from evonas.engine.job import Job
from evonas.engine.search import search
from evonas.engine.workers import InlineWorkers
from evonas.objective import Objective
from evonas.space import Space
from evonas.strategies.evolution import Evolution
from evonas.tasks.classification import Classification
from evonas.training.bilevel_search import differentiable_search
from evonas.training.training_settings import Relaxation, Training
from evonas.variables import Choice
from spaces.spatial_temporal import space

ONLY = {
    "stage*.kind": ["lif", "lif_box"],
    "stage1.tau_mem": [2.0, 3.0],
    "time_steps": [2, 4],
    "node*.op": ["conv3", "separable", "none"],
    "nodes": [2, 3],
    "channels": [4, 6],
    "surrogate_width": [2.0, 4.0],
    "readout.tau_mem": [1.0, 2.0],
}


def narrowed() -> Space:
    ops = space.variables["node0.a.op"]
    assert isinstance(ops, Choice)
    only: dict[str, Any] = {**ONLY, "node*.op": [*ops.values[:2], "none"]}
    return space.narrowed(only)


def check(genotype: Mapping[str, Any], within: Space) -> None:
    for name, value in genotype.items():
        assert within.variables[name].canonical(value) == value, (name, value)
        if fnmatchcase(name, "stage*.kind"):
            assert value in ("lif", "lif_box")
    assert 2 <= genotype["time_steps"] <= 4
    assert 2 <= genotype["nodes"] <= 3
    assert 1.0 <= genotype["readout.tau_mem"] <= 2.0


def test_what_is_drawn_and_mated_keeps_to_what_is_left() -> None:
    within, memory = (
        narrowed(),
        ListMemory(objectives=(Objective("a", lambda m: m["a"]), Objective("b", lambda m: m["b"]))),
    )

    def evaluate(job: Job) -> Mapping[str, Any]:
        return {"a": int(job.genotype.key, 16) % 97, "b": int(job.genotype.key, 16) % 89}

    strategy = Evolution(pop_size=6, screen=4)
    search(within, memory, strategy=strategy, workers=InlineWorkers(evaluate), budget=Budget(40))
    assert len(memory.stored) == 40
    for evaluation in memory.stored.values():
        check(evaluation.job.genotype, within)
        assert space.genotype(evaluation.job.genotype) == evaluation.job.genotype, "it is one of the whole space too"
    assert any(evaluation.job.parents for evaluation in memory.stored.values())


@pytest.mark.parametrize("paths", ["drawn", "all"])
def test_the_differentiable_search_proposes_only_what_is_left(paths: Any) -> None:
    within = narrowed()
    rng = np.random.default_rng(0)
    samples = Samples(rng.random((12, 1, 1, 8, 8)).astype(np.float32), rng.integers(3, size=12))
    found = differentiable_search(
        within,
        SearchData(samples, samples, Classification(3)),
        context={"nodes": 2, "layers": 2, "channels": 4, "stem.stride": 1, "readout.input": "mean"},
        price=0.5,
        objective_price=None,
        relaxation=Relaxation(warm_up=1, epochs=1, proposals=6, batch_size=6, paths=paths),
        training=Training(),
        seed=3,
        device=torch.device("cpu"),
    )
    assert found.proposals
    for genotype in found.proposals:
        check(genotype, within)
        within.build(genotype, (1, 8, 8), 3)  # type: ignore[misc]


def test_the_whole_space_is_relaxed_as_before() -> None:
    relaxed = space.relax(
        {"nodes": 2, "layers": 2, "channels": 4, "stem.stride": 1, "readout.input": "mean"}, (1, 8, 8), 3
    )  # type: ignore[misc]
    logits = relaxed.logits(generator=torch.Generator().manual_seed(0))
    assert all(bool(values.isfinite().all()) for values in logits.choices)
