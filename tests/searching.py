"""A toy of the differentiable search: the best network of `mixed_space` under a price, found by trying a few."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from toys import measure, mixed_space

from evonas.engine.evaluation import Result
from evonas.engine.job import Cost, Job
from evonas.engine.proxy_score import ProxyScore
from evonas.engine.score_search import ScoreSearch
from evonas.engine.view import Proposal
from evonas.genotype import Genotype

SPACE = mixed_space()


def search_mixed(job: Job) -> list[Genotype]:
    """Return the network that is best under the price of `job` at the depth that it keeps fixed."""
    price, layers = float(job.settings["price"]), int(job.settings.get("context.layers", 3))
    found = []
    seed = int(job.settings.get("seed", 0))
    for threshold in np.random.default_rng([job.seed, seed]).choice(21, 6) / 20:
        values = {"kind": "integrate", "layers": layers, "threshold": float(threshold), "tau": 10.0}
        genotype = SPACE.canonical(values)
        measured = measure(replace(job, kind="evaluate", genotype=genotype, epochs=1))
        found.append((measured["error"] + price * measured["rate"], threshold, genotype))
    return [genotype for _, _, genotype in sorted(found, key=lambda one: one[:2])[:1]]


def score_mixed(job: Job) -> Result:
    """Score a part of a pool: deep networks are good and dear, every fifth has no score; one part in four fails."""
    told = ScoreSearch.of(job.settings)
    if told.first % 4 == 3:
        raise MemoryError("16 GiB")
    found = []
    for place in range(told.first, told.first + told.networks):
        rng = np.random.default_rng([job.seed, place])
        given = {name: values[int(rng.integers(len(values)))] for name, values in told.only.items()}
        genotype = SPACE.sample(rng, given=given)
        depth = float(genotype["layers"])
        found.append(ProxyScore(genotype, told.score, None if place % 5 == 4 else depth, cost=depth**2))
    return Result(proxy_scores=tuple(found))


def work(job: Job) -> Any:
    """Do whatever kind of job it is."""
    return search_mixed(job) if job.kind == "search" else measure(job)


def cost(proposal: Proposal, epochs: int) -> Cost:
    """Return what it costs: a search as much as ten networks."""
    return Cost(10.0, 100.0) if proposal.kind == "search" else Cost(float(epochs), 10.0 * epochs)
