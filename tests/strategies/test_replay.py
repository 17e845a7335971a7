"""Replay: whatever the rows are and wherever a search was stopped, every strategy goes on as if it had not been."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from searching import score_mixed, search_mixed
from toys import ListMemory, foresee, measure, mixed_space, reject_deep

from evonas.engine.budget import Budget
from evonas.engine.evaluation import Evaluation, Outcome
from evonas.engine.job import Job
from evonas.engine.ladder import Ladder
from evonas.engine.search import search
from evonas.engine.view import Foresee, Strategy
from evonas.engine.workers import SimulatedWorkers
from evonas.errors import TrainingDivergedError
from evonas.objective import Objective
from evonas.strategies.differentiable import Differentiable
from evonas.strategies.evolution import Evolution
from evonas.strategies.mixture import Mixture
from evonas.strategies.multi_target import Target, Targets
from evonas.strategies.random import RandomSearch
from evonas.strategies.zero_shot import ZeroShot

ERROR = Objective("error", lambda m: m["error"], log=True)
RATE = Objective("rate", lambda m: m["rate"], log=True, at_most=5.0)
LADDER = Ladder((1, 3))

EVOLUTION = Evolution(pop_size=6, screen=12)
DIFFERENTIABLE = Differentiable("rate", contexts={"layers": [1, 3]}, first=2)
ZERO_SHOT = ZeroShot(pool=12, part=5, proposals=4)
TARGETS = [Target(f"at most {most:g}", (ERROR, replace(RATE, at_most=most))) for most in (0.5, 2.0, 1e-9)]

STRATEGIES: dict[str, Strategy] = {
    "random": RandomSearch(),
    "evolution": EVOLUTION,
    "NSGA-II alone": Evolution(pop_size=6, screen=1),
    "differentiable": Mixture([(DIFFERENTIABLE, 1.0), (RandomSearch(), 0.01)]),
    "zero-shot": Mixture([(ZERO_SHOT, 3.0), (RandomSearch(), 1.0)]),
    "zero-shot, pruned": Mixture([(replace(ZERO_SHOT, rounds=2), 1.0), (EVOLUTION, 1.0)], shares="success"),
    "fixed shares": Mixture([(EVOLUTION, 2.0), (DIFFERENTIABLE, 1.0), (RandomSearch(), 1.0)]),
    "earned shares": Mixture([(EVOLUTION, 2.0), (DIFFERENTIABLE, 1.0), (RandomSearch(), 1.0)], shares="success"),
    "several targets, zero-shot": Targets(TARGETS, Mixture([(ZERO_SHOT, 3.0), (RandomSearch(), 1.0)])),
    "several targets": Targets(TARGETS, EVOLUTION),
    "several targets, earned shares": Targets(
        TARGETS, Mixture([(EVOLUTION, 1.0), (RandomSearch(), 1.0)], shares="success")
    ),
}


def work(job: Job) -> Mapping[str, Any] | Any:
    """Return zeros, ties and values that no log has; fail in several ways; else measure. All jobs cost the same."""
    if job.kind == "search" and "score" in job.settings:
        return score_mixed(job)
    if job.kind == "search":
        if int(job.settings["seed"]) == 1:
            raise MemoryError("16 GiB")
        return search_mixed(job)
    match int(job.genotype.key, 16) % 16:
        case 0:
            raise RuntimeError("no such operator")
        case 1:
            raise TrainingDivergedError("The loss is nan.")
        case 2:
            return {"error": float("nan"), "rate": 1.0}
        case 3 | 4:
            return {"error": 0.0, "rate": 0.0}
        case 5 | 6 | 7:
            return {"error": 0.25, "rate": 2.0}
        case 8:
            return {"error": 0.5, "rate": 1e12}
    return measure(job)


class StoppedError(Exception):
    """The process ends here."""


class StoppingMemory(ListMemory):
    """Ends the process when it is to keep one more row than `rows`; what it has kept stays in `stored`."""

    def __init__(self, stored: dict[int, Evaluation], *, rows: int) -> None:
        super().__init__(objectives=(ERROR, RATE))
        self.stored = stored
        self._rows = rows

    def add(self, evaluation: Evaluation) -> None:
        if len(self.stored) >= self._rows:
            raise StoppedError
        super().add(evaluation)


def run(strategy: Strategy, memory: ListMemory, *, seed: int, foresee: Foresee | None) -> None:
    candidates = strategy.candidates if isinstance(strategy, Targets) else LADDER.candidates
    search(
        mixed_space(),
        memory,
        strategy=strategy,
        workers=SimulatedWorkers(work, count=4, rng=np.random.default_rng(seed)),
        budget=Budget(70),
        parallel=3,
        ladder=replace(LADDER, candidates=candidates),
        reject=reject_deep,
        foresee=foresee,
    )


def results(memory: ListMemory) -> list[tuple[Job, Outcome, str]]:
    return [(row.job, row.outcome, str(row.measurement)) for _, row in sorted(memory.stored.items())]


@pytest.mark.parametrize(
    ("name", "foresee"), [*((name, None) for name in STRATEGIES), ("evolution", foresee), ("several targets", foresee)]
)
def test_a_search_that_is_stopped_and_resumed_proposes_what_an_uninterrupted_one_does(
    name: str, foresee: Foresee | None
) -> None:
    strategy = STRATEGIES[name]
    whole = ListMemory(objectives=(ERROR, RATE))
    run(strategy, whole, seed=0, foresee=foresee)
    outcomes = {row.outcome for row in whole.stored.values()}
    assert outcomes >= {Outcome.MEASURED, Outcome.REJECTED}
    assert outcomes & {Outcome.CRASHED, Outcome.DIVERGED, Outcome.OUT_OF_MEMORY}
    stops = np.random.default_rng(len(name)).integers(1, len(whole.stored), 8)
    stored: dict[int, Evaluation] = {}
    for seed, rows in enumerate(sorted(stops.tolist())):
        with pytest.raises(StoppedError):
            run(strategy, StoppingMemory(stored, rows=rows), seed=seed, foresee=foresee)
    resumed = StoppingMemory(stored, rows=10**9)
    run(strategy, resumed, seed=99, foresee=foresee)
    assert results(resumed) == results(whole)
