from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from searching import cost, work
from toys import ListMemory, measure, mixed_space

from evonas.engine.budget import Budget
from evonas.engine.evaluation import Result
from evonas.engine.job import Cost, Job
from evonas.engine.ladder import Ladder
from evonas.engine.search import search
from evonas.engine.training_log import Trained
from evonas.engine.view import Predict, Proposal, Strategy, View
from evonas.engine.workers import InlineWorkers, SimulatedWorkers
from evonas.errors import EvonasError
from evonas.strategies.differentiable import Differentiable
from evonas.strategies.evolution import Evolution
from evonas.strategies.mixture import Mixture
from evonas.strategies.random import RandomSearch


@dataclass(frozen=True)
class Useless:
    """Proposes deep leaky networks with low thresholds, which are dear and bad."""

    name: str = "useless"

    def propose(self, view: View) -> Proposal | None:
        rng = view.generator()
        tau = float(rng.uniform(50.0, 100.0))
        genotype = view.space.canonical(
            {"kind": "leaky", "layers": 6, "threshold": 0.05 * int(rng.integers(2)), "tau": tau}
        )
        return Proposal(genotype, self.name)


@dataclass(frozen=True)
class Late:
    """Is useless until slot 100, and random from then on."""

    name: str = "late"

    def propose(self, view: View) -> Proposal | None:
        return Useless().propose(view) if view.slot < 100 else RandomSearch().propose(view)


def run(
    strategy: Strategy,
    *,
    evaluations: int = 160,
    predict: Predict | None = None,
    ladder: Ladder | None = None,
    workers: object = None,
) -> ListMemory:
    memory = ListMemory()
    search(
        mixed_space(),
        memory,
        strategy=strategy,
        workers=workers or InlineWorkers(work),  # type: ignore[arg-type]
        budget=Budget(evaluations),
        parallel=3,
        predict=predict,
        ladder=ladder,
    )
    return memory


def names(memory: ListMemory, first: int, last: int) -> Counter[str]:
    return Counter(memory.stored[slot].job.strategy for slot in range(first, last) if memory.stored[slot].job.rung == 0)


def test_a_strategy_that_does_not_help_loses_its_slots_but_never_all() -> None:
    memory = run(Mixture([(Evolution(pop_size=6), 1.0), (Useless(), 1.0)], shares="success"))
    assert names(memory, 0, 16)["useless"] == 8, "as given until there are corners"
    later = names(memory, 60, 160)
    assert 7 <= later["useless"] <= 25


def test_it_reaches_more_than_fixed_shares_with_a_useless_member() -> None:
    def best(memory: ListMemory) -> float:
        rows = [row.measurement for row in memory.stored.values()]
        return min(row["error"] + 0.1 * row["rate"] for row in rows)  # type: ignore[index]

    members = [(Evolution(pop_size=6), 1.0), (Useless(), 4.0)]
    assert best(run(Mixture(members, shares="success"), evaluations=80)) < best(run(Mixture(members), evaluations=80))


def test_of_two_equal_strategies_none_is_starved() -> None:
    memory = run(Mixture([(RandomSearch("one"), 1.0), (RandomSearch("two"), 1.0)], shares="success"), evaluations=200)
    counts = names(memory, 0, 200)
    assert min(counts.values()) > 50


def test_of_two_equal_strategies_the_dear_one_gets_less() -> None:
    def predict(proposal: Proposal, epochs: int) -> Cost:
        return Cost(8.0 if proposal.strategy == "dear" else 1.0)

    memory = run(
        Mixture([(RandomSearch("dear"), 1.0), (RandomSearch("cheap"), 1.0)], shares="success"), predict=predict
    )
    counts = names(memory, 16, 160)
    assert counts["dear"] < counts["cheap"] / 2


def test_what_was_counted_goes_before_what_was_predicted() -> None:
    def counted(job: Job) -> Result:
        return Result(measurement=measure(job), trained=Trained(8.0 if job.strategy == "dear" else 1.0))

    members = [(RandomSearch("dear"), 1.0), (RandomSearch("cheap"), 1.0)]
    counts = names(run(Mixture(members, shares="success"), predict=cost, workers=InlineWorkers(counted)), 16, 160)
    assert counts["dear"] < counts["cheap"] / 2


def test_a_strategy_that_begins_to_help_gets_slots_again() -> None:
    memory = run(Mixture([(Late(), 1.0), (Useless(), 1.0)], shares="success"), evaluations=260)
    assert names(memory, 180, 260)["late"] > 48


def test_the_cost_of_searches_is_counted() -> None:
    members = [(Differentiable("rate", prices=(0.01, 1.0), contexts={"layers": [1, 3, 6]}), 1.0), (RandomSearch(), 1.0)]

    def dear(proposal: Proposal, epochs: int) -> Cost:
        return Cost(300.0) if proposal.kind == "search" else Cost()

    counts = [
        names(run(Mixture(members, shares="success"), predict=predict), 20, 120)["differentiable"]
        for predict in (cost, dear)
    ]
    assert counts[1] < counts[0]


@settings(max_examples=6, deadline=None)
@given(count=st.integers(1, 6), seed=st.integers(0, 99), lost=st.sets(st.integers(0, 60)))
def test_the_archive_is_the_same_for_any_workers_and_after_any_loss(count: int, seed: int, lost: set[int]) -> None:
    strategy = Mixture(
        [(Differentiable("rate", contexts={"layers": [1, 6]}), 1.0), (Evolution(pop_size=4), 2.0)], shares="success"
    )
    ladder = Ladder((1, 2))
    whole = run(strategy, evaluations=50, ladder=ladder, predict=cost)
    workers = SimulatedWorkers(work, count=count, rng=np.random.default_rng(seed))
    other = ListMemory()
    other.stored = {slot: row for slot, row in whole.stored.items() if slot not in lost}
    search(
        mixed_space(),
        other,
        strategy=strategy,
        workers=workers,
        budget=Budget(50),
        parallel=3,
        predict=cost,
        ladder=ladder,
    )
    jobs = [[row.job for _, row in sorted(memory.stored.items())] for memory in (whole, other)]
    assert jobs[0] == jobs[1]


def test_members_need_names_of_their_own() -> None:
    with pytest.raises(EvonasError, match="different names"):
        Mixture([(RandomSearch(), 1.0), (RandomSearch(), 1.0)], shares="success")
