from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from searching import SPACE, cost, work
from toys import OBJECTIVES, ListMemory, measure

from evonas.archive.archive import Archive
from evonas.engine.budget import Budget, Ending
from evonas.engine.evaluation import Evaluation, Outcome
from evonas.engine.gradient_search import GradientSearch
from evonas.engine.job import Job
from evonas.engine.ladder import Ladder
from evonas.engine.rejection import Rejection
from evonas.engine.search import search
from evonas.engine.view import Row, Strategy, View
from evonas.engine.workers import InlineWorkers, SimulatedWorkers
from evonas.errors import OptionError
from evonas.genotype import Genotype
from evonas.objective import Objective
from evonas.space import Space
from evonas.strategies.differentiable import Differentiable, widest_gap
from evonas.strategies.evolution import Evolution
from evonas.strategies.mixture import Mixture
from evonas.strategies.prices import Aim, Landing, Prices
from evonas.variables import Choice

CONTEXTS = {"layers": [1, 2, 3, 4, 5, 6]}
ALONE = Differentiable("rate", prices=(0.01, 1.0), contexts=CONTEXTS, searches=1)


class Unlisted:
    """A user's own kind of variable."""

    size = math.inf

    def sample(self, rng: np.random.Generator) -> float:
        return float(rng.random())

    def canonical(self, value: Any) -> float:
        return float(value)


def run(
    memory: Any,
    *,
    strategy: Strategy = ALONE,
    evaluations: int = 12,
    workers: Any = None,
    ladder: Ladder | None = None,
    parallel: int = 3,
) -> Ending:
    return search(
        SPACE,
        memory,
        strategy=strategy,
        workers=workers or InlineWorkers(work),
        budget=Budget(evaluations),
        parallel=parallel,
        predict=cost,
        ladder=ladder,
    )


def rows(memory: ListMemory, kind: str) -> list[Evaluation]:
    return [row for _, row in sorted(memory.stored.items()) if row.job.kind == kind]


def contents(memory: ListMemory) -> list[tuple[object, ...]]:
    return [(row.job, row.outcome, str(row.measurement), row.proposals) for _, row in sorted(memory.stored.items())]


def test_what_a_search_proposes_is_evaluated_with_its_search_as_parent() -> None:
    memory = ListMemory()
    assert run(memory) is Ending.BUDGET_SPENT
    for row in rows(memory, "evaluate"):
        (parent,) = row.job.parents
        assert row.job.genotype in memory.stored[parent].proposals
        assert row.job.strategy == memory.stored[parent].job.strategy == "differentiable"
    assert len(rows(memory, "search")) >= 12


def test_the_first_prices_cover_the_range_and_go_with_sizes_the_other_way_round() -> None:
    memory = ListMemory()
    run(memory, evaluations=4)
    told = [row.job.settings for row in rows(memory, "search")][:4]
    assert [settings["price"] for settings in told] == [1.0, 0.1, 0.01, 0.316]
    assert [settings["context.layers"] for settings in told] == [1, 3, 6, 2]
    assert [settings["seed"] for settings in told] == [0, 1, 2, 3]
    assert {(settings["warm_up"], settings["epochs"], settings["proposals"]) for settings in told} == {(2, 6, 2)}


def test_searches_are_told_what_their_steps_see() -> None:
    memory = ListMemory()
    run(memory, strategy=replace(ALONE, paths="all"), evaluations=2)
    assert {row.job.settings["paths"] for row in rows(memory, "search")} == {"all"}
    with pytest.raises(OptionError, match="paths"):
        replace(ALONE, paths="some")  # type: ignore[arg-type]


def test_later_searches_aim_between_two_rows_of_the_front_and_fill_it() -> None:
    memory = ListMemory()
    run(memory, evaluations=16)
    aimed = [row.job for row in rows(memory, "search") if "target" in row.job.settings]
    assert aimed
    for job in aimed:
        low, high = sorted(float(memory.stored[slot].measurement["rate"]) for slot in job.parents)  # type: ignore[index]
        assert low < float(job.settings["target"]) < high
    rates = sorted({float(row.measurement["rate"]) for row in rows(memory, "evaluate")})  # type: ignore[index]
    assert len(rates) >= 8


def test_the_price_of_an_aimed_search_lies_between_those_that_landed_around_the_gap() -> None:
    memory = ListMemory()
    run(memory, evaluations=16, parallel=1)  # one after the other, so that each search has seen all rows before it
    aimed = [row.job for row in rows(memory, "search") if "target" in row.job.settings]
    assert len(aimed) >= 4
    for job in aimed:
        landed = [
            (float(row.measurement["rate"]), float(memory.stored[row.job.parents[0]].job.settings["price"]))  # type: ignore[index]
            for row in rows(memory, "evaluate")
            if row.job.slot < job.slot
        ]
        target = float(job.settings["target"])
        dear = max((one for one in landed if one[0] <= target), default=(0.0, 1.0))[1]
        cheap = min((one for one in landed if one[0] > target), default=(0.0, 0.01))[1]
        low, high = sorted((cheap, dear))
        assert 0.99 * low <= float(job.settings["price"]) <= 1.01 * high


def test_no_more_searches_are_open_than_it_says_and_waiting_proposals_go_first() -> None:
    class Watching:
        name = "differentiable"
        most = 0

        def propose(self, view: Any) -> Any:
            proposal = ALONE.propose(view)
            open_ = sum(job.kind == "search" for job in view.open.values())
            Watching.most = max(Watching.most, open_)
            if proposal is not None and proposal.kind == "search":
                found = [genotype for row in view.rows for genotype in row.evaluation.proposals]
                assert all(view.is_known(genotype) for genotype in found)
            return proposal

    run(ListMemory(), strategy=Watching(), parallel=6)
    assert Watching.most == 1


@settings(max_examples=10, deadline=None)
@given(count=st.integers(1, 6), seed=st.integers(0, 99), lost=st.sets(st.integers(0, 40)))
def test_the_archive_is_the_same_for_any_workers_and_after_any_loss(count: int, seed: int, lost: set[int]) -> None:
    whole, other = ListMemory(), ListMemory()
    strategy = Mixture([(ALONE, 1.0), (Evolution(pop_size=4), 1.0)])
    ladder = Ladder((1, 2))
    run(whole, strategy=strategy, evaluations=25, ladder=ladder)
    other.stored = {slot: row for slot, row in whole.stored.items() if slot not in lost}
    workers = SimulatedWorkers(work, count=count, rng=np.random.default_rng(seed))
    run(other, strategy=strategy, evaluations=25, ladder=ladder, workers=workers)
    assert contents(whole) == contents(other)


def test_a_search_that_waits_is_resumed_from_disk_as_if_it_had_not_been_stopped(tmp_path: Path) -> None:
    told = []
    for name, budgets in (("once", [14]), ("again", [3, 4, 9, 14])):
        for budget in budgets:
            with Archive(tmp_path / name, SPACE, OBJECTIVES) as archive:
                run(archive, evaluations=budget)
        read = Archive.read(tmp_path / name, OBJECTIVES).evaluations
        told.append([(row.job, row.proposals, row.measurement) for row in read])
    assert told[0] == told[1]
    assert {job.sample_steps for job, _, _ in told[0]} == {100.0, 10.0}


def test_its_networks_climb_like_those_of_others() -> None:
    memory = ListMemory()
    run(memory, ladder=Ladder((1, 2)))
    assert {row.job.rung for row in rows(memory, "evaluate")} == {0, 1}


def test_a_failed_search_is_a_row_and_the_next_price_goes_on() -> None:
    def fail_twice(job: Job) -> Any:
        if job.slot < 2:
            raise ValueError("no gradient")
        return work(job)

    memory = ListMemory()
    assert run(memory, workers=InlineWorkers(fail_twice)) is Ending.BUDGET_SPENT
    failed = [row for row in rows(memory, "search") if row.outcome is Outcome.CRASHED]
    assert len(failed) == 2
    assert all("no gradient" in row.message for row in failed)
    prices = [row.job.settings["price"] for row in rows(memory, "search")]
    assert prices[:3] == [1.0, 0.1, 0.01]


def test_searches_that_bring_nothing_new_end_instead_of_going_on_for_ever() -> None:
    def same(job: Job) -> Any:
        return [SPACE.canonical({"kind": "leaky", "layers": 1, "threshold": 0.5, "tau": 1.0})]

    for broken in (same, lambda job: []):
        memory = ListMemory()
        workers = InlineWorkers(lambda job, broken=broken: broken(job) if job.kind == "search" else measure(job))
        assert run(memory, workers=workers, evaluations=50) is Ending.EXHAUSTED
        assert len(rows(memory, "evaluate")) <= 1
        assert 6 <= len(rows(memory, "search")) <= 7


def test_searches_whose_networks_are_all_rejected_end_too() -> None:
    memory = ListMemory()
    ending = search(
        SPACE,
        memory,
        strategy=ALONE,
        workers=InlineWorkers(work),
        budget=Budget(50),
        reject=lambda genotype: Rejection(("It is too large",), 1.0),
    )
    assert ending is Ending.EXHAUSTED
    assert len(rows(memory, "search")) == 6
    assert {row.outcome for row in rows(memory, "evaluate")} == {Outcome.REJECTED}


def test_in_a_mixture_barren_searches_wait_for_rows_of_others_and_then_go_on() -> None:
    memory = ListMemory()
    workers = InlineWorkers(lambda job: [] if job.kind == "search" else measure(job))
    strategy = Mixture([(ALONE, 1.0), (Evolution(pop_size=4), 1.0)])
    assert run(memory, strategy=strategy, workers=workers, evaluations=60, parallel=1) is Ending.BUDGET_SPENT
    slots = [row.job.slot for row in rows(memory, "search")]
    assert len(slots) == 6
    run(memory, strategy=strategy, workers=workers, evaluations=90, parallel=1)
    slots = [row.job.slot for row in rows(memory, "search")]
    assert len(slots) == 7
    assert slots[-1] - slots[-2] > 2**6


def test_the_widest_gap_counts_for_less_once_it_was_aimed_at() -> None:
    costs = [(0.0, 1), (1.0, 2), (4.0, 3), (6.0, 4)]
    assert widest_gap(costs, []) == (2.5, (2, 3))
    assert widest_gap(costs, [2.5]) == (5.0, (3, 4))
    assert widest_gap([(1.0, 1), (1.0, 2)], []) is None
    assert widest_gap([], []) is None


def test_a_price_lies_between_those_that_landed_on_both_sides() -> None:
    prices = Prices(0.01, 1.0, contexts={"size": [1, 2, 4, 8]})
    landings = [
        Landing(Aim(1.0, {"size": 1}), 0.0),
        Landing(Aim(0.5, {"size": 2}), 1.0),
        Landing(Aim(0.1, {"size": 8}), 2.0),
        Landing(Aim(0.01, {"size": 8}), 9.0),
    ]
    rng = np.random.default_rng(0)
    aims = [prices.between(1.5, landings, rng=rng) for _ in range(60)]
    assert all(0.1 < aim.price < 0.5 for aim in aims)
    assert {aim.context["size"] for aim in aims} == {2, 4, 8}
    middle = math.exp(np.mean([math.log(aim.price) for aim in aims]))
    assert middle == pytest.approx(math.sqrt(0.05), rel=0.15)
    beyond = [prices.between(20.0, landings, rng=rng) for _ in range(20)]
    assert {aim.price for aim in beyond} == {0.01}, "nothing landed on the dear side: the end of the range is there"


def test_a_search_whose_networks_cost_nothing_lands_on_the_cheap_side() -> None:
    objectives = (OBJECTIVES[0], Objective("rate", lambda found: found["rate"], log=True))
    view, told = View(SPACE, objectives, seed=0), GradientSearch(1.0, {}, warm_up=1, epochs=1, proposals=1)
    for price, rates in ((3.0, (0.0, 0.0)), (0.5, (1e-7, 1e-6)), (0.1, (1e-5, 1e-4))):
        parent = Job(view.slot, "search", Genotype({}), "differentiable", settings=replace(told, price=price).to_job())
        view.start(parent)
        view.see(Row.of(Evaluation(parent, Outcome.MEASURED), objectives))
        for rate in rates:
            child = Job(view.slot, "evaluate", Genotype({"a": view.slot}), "differentiable", parents=(parent.slot,))
            view.start(child)
            measurement = {"error": 0.5, "rate": rate}
            view.see(Row.of(Evaluation(child, Outcome.MEASURED, measurement=measurement), objectives))
    landed = {one.aim.price: one.cost for one in ALONE.landings(view)}
    assert landed == pytest.approx({3.0: -7.0, 0.5: -6.5, 0.1: -4.5})


def test_the_prices_of_a_range_halve_its_gaps() -> None:
    prices = Prices(1.0, 256.0, contexts={})
    assert [prices.spread(index).price for index in range(9)] == [256, 16, 1, 64, 4, 128, 32, 8, 2]
    anywhere = [prices.anywhere(np.random.default_rng(seed)).price for seed in range(50)]
    assert min(anywhere) < 4
    assert max(anywhere) > 64


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"prices": [1.0]}, "prices: got [1.0], expected the lowest and the highest price"),
        ({"prices": [1.0, 0.1]}, "prices: got [1.0, 0.1]"),
        ({"prices": "low"}, "prices: got 'low'"),
        ({"epochs": 0}, "epochs: got 0, expected a whole number from 1 to"),
        ({"searches": 1.5}, "searches: got 1.5"),
        ({"first": True}, "first: got True"),
        ({"warm_up": -1}, "warm_up: got -1, expected a whole number from 0 to"),
        ({"proposals": 0}, "proposals: got 0"),
        ({"contexts": {"layers": [3, 2]}}, "contexts.layers: got [3, 2], expected one or more rising numbers"),
        ({"contexts": {"layers": 3}}, "contexts.layers: got 3"),
        ({"contexts": {"read": ["mean", "mean"]}}, "contexts.read: got ["),
        ({"contexts": {"read": ["mean", 1]}}, "contexts.read: got ["),
        ({"contexts": [1]}, "contexts: got [1], expected sizes by variable"),
    ],
)
def test_wrong_options_are_told(options: dict[str, Any], said: str) -> None:
    with pytest.raises(OptionError) as caught:
        Differentiable("rate", **options)
    assert [fault for fault in caught.value.faults if fault.startswith(said)]


def test_all_wrong_options_are_told_at_once_and_so_is_what_does_not_fit_the_run() -> None:
    with pytest.raises(OptionError) as caught:
        Differentiable("rate", prices=[], epochs=-1, contexts={"layers": []})
    assert len(caught.value.faults) == 3
    wrong = Differentiable("energy", contexts={"depth": [1], "layers": [1, 9]})
    space = Space(SPACE.variables, relax=len)
    found = wrong.faults(space, OBJECTIVES)
    assert found[0] == "objective: got 'energy', expected one of the objectives error, rate"
    assert found[1].startswith("contexts.depth: the space has no such variable; it has kind")
    assert found[2] == "contexts.layers: expected a whole number from 1 to 6, got 9"
    assert ALONE.faults(space, OBJECTIVES) == []
    assert ALONE.faults(SPACE, OBJECTIVES)[0].startswith("name: the space has no `relax`")
    unlisted = Space({"width": Unlisted()}, relax=len, sizes=["width"])
    assert "contexts: width is a size of the space" in Differentiable("rate").faults(unlisted, OBJECTIVES)[0]


def test_sizes_run_in_the_order_in_which_the_space_lists_them() -> None:
    strategy = Differentiable("rate", prices=(0.01, 1.0), contexts={"stride": [1, 2], "read": ["flat", "mean"]})
    space = Space({**SPACE.variables, "stride": Choice((4, 2, 1)), "read": Choice(("mean", "flat"))}, rules=SPACE.rules,
                  sizes=["stride", "read"])  # fmt: skip
    memory = ListMemory()
    search(space, memory, strategy=strategy, workers=InlineWorkers(work), budget=Budget(4))
    told = [row.job.settings for row in rows(memory, "search")]
    assert [one["context.stride"] for one in told[:3:2]] == [2, 1]  # high prices come with small networks
    assert [one["context.read"] for one in told[:3:2]] == ["mean", "flat"]


def test_a_size_that_is_not_listed_takes_all_values_of_its_variable() -> None:
    strategy = Differentiable("rate", prices=(0.01, 1.0))
    memory = ListMemory()
    space = Space(SPACE.variables, rules=SPACE.rules, sizes=["layers"])
    search(space, memory, strategy=strategy, workers=InlineWorkers(work), budget=Budget(4))
    told = [row.job.settings["context.layers"] for row in rows(memory, "search")]
    assert told[:3] == [1, 3, 6]
