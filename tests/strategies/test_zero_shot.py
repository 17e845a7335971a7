from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest
from toys import OBJECTIVES, ListMemory, measure, mixed_space, reject_deep

from evonas.engine.budget import Budget, Ending
from evonas.engine.evaluation import Evaluation, Outcome, Result
from evonas.engine.job import Cost, Job
from evonas.engine.ladder import Ladder
from evonas.engine.proxy_score import ProxyScore
from evonas.engine.score_search import ScoreSearch
from evonas.engine.search import search
from evonas.engine.search_job import search_settings
from evonas.engine.view import Proposal, Row, Strategy
from evonas.engine.workers import InlineWorkers
from evonas.errors import OptionError
from evonas.genotype import Genotype
from evonas.objective import Objective
from evonas.space import Space
from evonas.strategies.mixture import Mixture
from evonas.strategies.proxy_order import best_first
from evonas.strategies.random import RandomSearch
from evonas.strategies.zero_shot import ZeroShot
from evonas.variables import Integer, Scalar

SPACE = mixed_space()
SMALL = ZeroShot(pool=10, part=4, proposals=3)


def score(job: Job) -> Result:
    """Score the networks of a part: deep ones are good, and dear."""
    told = ScoreSearch.of(job.settings)
    found = []
    for place in range(told.first, told.first + told.networks):
        genotype = SPACE.sample(np.random.default_rng([job.seed, place]))
        depth = float(genotype["layers"])
        found.append(ProxyScore(genotype, told.score, depth, cost=None if told.against == "nothing" else depth**2))
    return Result(proxy_scores=tuple(found))


def work(job: Job) -> Any:
    return score(job) if job.kind == "search" else measure(job)


def cost(proposal: Proposal, epochs: int) -> Cost:
    """Let networks take ten times as long as a part of a pool."""
    return Cost(1.0 if proposal.kind == "search" else 10.0 * epochs)


def run(memory: ListMemory, strategy: Strategy, *, evaluations: int, evaluate: Any = work, **rest: Any) -> Ending:
    return search(
        SPACE,
        memory,
        strategy=strategy,
        workers=InlineWorkers(evaluate),
        budget=Budget(evaluations),
        parallel=3,
        predict=cost,
        **rest,
    )


def jobs(memory: ListMemory, kind: str) -> list[Job]:
    return [row.job for _, row in sorted(memory.stored.items()) if row.job.kind == kind]


def test_a_network_of_no_cost_leaves_the_others_in_decades() -> None:
    scored = [ProxyScore(Genotype({"a": n}), "toy", float(n), cost=10.0**n) for n in range(1, 10)]
    silent = ProxyScore(Genotype({"a": 0}), "toy", 0.0, cost=0.0)

    def order(*scores: ProxyScore) -> list[Scalar]:
        job = Job(0, "search", Genotype({}), "zero_shot")
        row = Row(Evaluation(job, Outcome.MEASURED, proxy_scores=scores), None, None)
        return [genotype["a"] for genotype, _ in best_first([row], sign=1)]

    evenly = order(*scored)
    assert set(evenly[:2]) == {1, 9}
    assert evenly[2] in (2, 8)  # evenly spread in decades, where none is dearer by much
    assert [one for one in order(silent, *scored) if one != 0] == evenly


def test_a_pool_is_scored_in_parts_and_its_best_are_evaluated_before_the_next_pool_begins() -> None:
    memory = ListMemory()
    assert run(memory, SMALL, evaluations=6) is Ending.BUDGET_SPENT
    told = [ScoreSearch.of(job.settings) for job in jobs(memory, "search")]
    assert [(one.first, one.networks) for one in told] == [(0, 4), (4, 4), (8, 2), (10, 4), (14, 4), (18, 2)]
    kinds = [row.job.kind for _, row in sorted(memory.stored.items())]
    assert kinds[:6] == ["search"] * 3 + ["evaluate"] * 3
    for job in jobs(memory, "evaluate"):
        (parent,) = job.parents
        assert job.genotype in [one.genotype for one in memory.stored[parent].proxy_scores]


def test_what_is_evaluated_lies_along_the_front_its_ends_first() -> None:
    memory = ListMemory()
    run(memory, SMALL, evaluations=2)
    depths = [int(one.genotype["layers"]) for row in memory.stored.values() for one in row.proxy_scores]
    assert sorted(int(job.genotype["layers"]) for job in jobs(memory, "evaluate")) == [min(depths), max(depths)]


def test_against_nothing_the_highest_scores_are_evaluated() -> None:
    memory = ListMemory()
    run(memory, ZeroShot(pool=10, part=4, proposals=3, against="nothing"), evaluations=3)
    depths = sorted(int(one.genotype["layers"]) for row in memory.stored.values() for one in row.proxy_scores)
    assert sorted(int(job.genotype["layers"]) for job in jobs(memory, "evaluate")) == depths[-3:]


def test_the_evaluated_networks_climb_the_ladder_like_others() -> None:
    memory = ListMemory()
    run(memory, SMALL, evaluations=8, ladder=Ladder((1, 3), 0.5))
    rungs = Counter(job.rung for job in jobs(memory, "evaluate"))
    assert rungs[1] > 0
    assert all(job.rung == 0 or job.strategy == "zero_shot" for job in jobs(memory, "evaluate"))


def test_it_goes_on_from_where_it_was_stopped_as_if_it_had_not_been() -> None:
    once, often = ListMemory(), ListMemory()
    run(once, SMALL, evaluations=9)
    for evaluations in (1, 2, 5, 9):
        run(often, SMALL, evaluations=evaluations)
    assert {slot: row.job for slot, row in once.stored.items()} == {slot: row.job for slot, row in often.stored.items()}


def test_it_takes_turns_with_others_and_evaluates_no_network_twice() -> None:
    memory = ListMemory()
    run(memory, Mixture([(SMALL, 1.0), (RandomSearch(), 1.0)]), evaluations=30)
    keys = [job.genotype.key for job in jobs(memory, "evaluate")]
    assert len(set(keys)) == 30
    assert {job.strategy for job in jobs(memory, "evaluate")} == {"zero_shot", "random"}


def test_a_rejected_network_makes_room_for_the_next_of_the_pool() -> None:
    memory = ListMemory()
    run(memory, ZeroShot(pool=60, part=20, proposals=5), evaluations=5, reject=reject_deep)
    evaluated = [row for row in memory.stored.values() if row.job.kind == "evaluate" and row.outcome.name == "MEASURED"]
    assert len(evaluated) == 5
    assert {row.job.parents[0] for row in evaluated} <= {0, 1, 2}  # all of them of the first pool


@pytest.mark.parametrize("fault", ["raises", "has no scores"])
def test_a_pool_of_which_nothing_can_be_evaluated_is_the_last(fault: str) -> None:
    def fails(job: Job) -> Result:
        if fault == "raises" and job.slot % 2:
            raise RuntimeError("no such score")
        networks = [SPACE.sample(np.random.default_rng(0))]
        return Result(proxy_scores=tuple(ProxyScore(one, "mine", None, message="none") for one in networks))

    memory = ListMemory()
    assert run(memory, SMALL, evaluations=6, evaluate=fails) is Ending.EXHAUSTED
    assert len(memory.stored) == 3


def test_settings_come_back_from_a_job_and_say_what_it_takes() -> None:
    told = ScoreSearch("hamming", first=100, networks=50, batch_size=64, against="operations")
    assert search_settings(told.to_job()) == told
    assert told.effort(1000).samples == 50 * 64
    assert told.effort(20).samples == 50 * 20


def test_options_that_no_run_can_have_are_told() -> None:
    with pytest.raises(OptionError) as caught:
        ZeroShot(pool=0, batch_size=1, score="")
    assert [fault.partition(":")[0] for fault in caught.value.faults] == ["score", "pool", "batch_size"]
    spikes = Objective("spikes", float)
    bare = Space({"layers": Integer(1, 6)})
    assert ZeroShot(against="energy").faults(bare, [spikes])[1:] == [
        "against: got 'energy', expected one of operations, nothing, spikes"
    ]
    assert "has no `operations`" in ZeroShot().faults(bare, OBJECTIVES)[1]
    built = Space({"layers": Integer(1, 6)}, build=lambda genotype, shape, outputs: None)
    assert ZeroShot(against="nothing").faults(built, None) == []
