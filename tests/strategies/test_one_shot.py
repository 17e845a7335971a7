from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from toys import OBJECTIVES, ListMemory, measure, mixed_space

from evonas.engine.budget import Budget, Ending
from evonas.engine.evaluation import Result
from evonas.engine.job import Cost, Job
from evonas.engine.proxy_score import ProxyScore
from evonas.engine.search import search
from evonas.engine.search_job import search_settings
from evonas.engine.supernet_search import SupernetSearch
from evonas.engine.view import Proposal
from evonas.engine.workers import InlineWorkers
from evonas.errors import OptionError
from evonas.objective import Objective
from evonas.space import Space
from evonas.strategies.one_shot import OneShot
from evonas.variables import Integer
from evonas.weight_sharing import by_name

SPACE = mixed_space()
SMALL = OneShot("rate", epochs=2, networks=12, pop_size=4, proposals=3)


def work(job: Job) -> Any:
    """Judge networks by their depth, or measure one."""
    if job.kind == "evaluate":
        return measure(job)
    told = SupernetSearch.of(job.settings)
    drawn = [SPACE.sample(np.random.default_rng([told.index, place])) for place in range(told.networks)]
    return Result(
        proxy_scores=tuple(
            ProxyScore(one, "inherited accuracy", float(one["layers"]), cost=float(one["layers"]) ** 2) for one in drawn
        )
    )


def cost(proposal: Proposal, epochs: int) -> Cost:
    return Cost(50.0 if proposal.kind == "search" else float(epochs))


def run(memory: ListMemory, *, evaluations: int, evaluate: Any = work) -> Ending:
    return search(
        SPACE,
        memory,
        strategy=SMALL,
        workers=InlineWorkers(evaluate),
        budget=Budget(evaluations),
        parallel=3,
        predict=cost,
    )


def test_a_supernet_comes_first_then_its_best_networks_then_the_next_supernet() -> None:
    memory = ListMemory()
    assert run(memory, evaluations=7) is Ending.BUDGET_SPENT
    rows = [row for _, row in sorted(memory.stored.items())]
    assert [row.job.kind[0] for row in rows] == list("seeeseeese")
    assert [SupernetSearch.of(row.job.settings).index for row in rows if row.job.kind == "search"] == [0, 1, 2]
    for row in rows:
        if row.job.kind == "evaluate":
            (parent,) = row.job.parents
            assert row.job.rung == 0
            assert row.job.genotype in [one.genotype for one in memory.stored[parent].proxy_scores]


def test_it_goes_on_from_where_it_was_stopped_as_if_it_had_not_been() -> None:
    once, often = ListMemory(), ListMemory()
    run(once, evaluations=8)
    for evaluations in (1, 4, 8):
        run(often, evaluations=evaluations)
    assert {slot: row.job for slot, row in once.stored.items()} == {slot: row.job for slot, row in often.stored.items()}


def test_a_supernet_that_diverges_is_the_last() -> None:
    def diverges(job: Job) -> Any:
        raise ZeroDivisionError("no loss")

    memory = ListMemory()
    assert run(memory, evaluations=5, evaluate=diverges) is Ending.EXHAUSTED
    assert len(memory.stored) == 1


def test_settings_come_back_from_a_job_and_say_what_it_takes() -> None:
    told = SupernetSearch(epochs=3, warm_up=0.5, networks=20, pop_size=4, calibration=100, index=2)
    assert search_settings(told.to_job()) == told
    assert told.effort(1000).samples == pytest.approx(3 * 1000 + 20 * (100 + 250) / 3)
    assert told.effort(40).samples == pytest.approx(3 * 40 + 20 * (40 + 10) / 3)


def test_options_that_no_run_can_have_are_told() -> None:
    with pytest.raises(OptionError) as caught:
        OneShot("", epochs=0, warm_up=1.5, networks=0, pop_size=1, calibration=-1, proposals=0)
    named = [fault.partition(":")[0] for fault in caught.value.faults]
    assert named == ["objective", "epochs", "warm_up", "networks", "pop_size", "calibration", "proposals"]
    spikes = Objective("spikes", float)
    sharing = Space({"layers": Integer(1, 6)}, share=by_name)
    assert OneShot("energy").faults(sharing, [spikes]) == [
        "objective: got 'energy', expected one of the objectives spikes"
    ]
    assert OneShot("spikes").faults(sharing, None) == []
    assert "has no `share`" in OneShot("rate").faults(SPACE, OBJECTIVES)[0]
