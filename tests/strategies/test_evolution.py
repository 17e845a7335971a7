from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from toys import OBJECTIVES, ListMemory, foresee, measure, measure_badly, measure_small, mixed_space, small_space

from evonas.engine.budget import Budget, Ending
from evonas.engine.evaluation import Evaluation, Outcome
from evonas.engine.job import Cost, Job
from evonas.engine.ladder import Ladder
from evonas.engine.pareto import Reference, hypervolume, order
from evonas.engine.rejection import Rejection
from evonas.engine.search import search
from evonas.engine.view import Foresee, Proposal, Row, View
from evonas.engine.workers import InlineWorkers
from evonas.errors import OptionError
from evonas.genotype import Genotype
from evonas.objective import Score
from evonas.real_variables import LogReal, Real
from evonas.space import Space
from evonas.strategies.evolution import Evolution, _State
from evonas.strategies.mating import Rates
from evonas.strategies.random import RandomSearch
from evonas.variables import Choice, Integer, Scalar


class Watcher:
    """An evolution that is asked beside a new one at every proposal."""

    name = "evolution"

    def __init__(self, evolution: Evolution) -> None:
        self.evolution = evolution
        self.asked = 0

    def propose(self, view: View) -> Proposal | None:
        fresh = Evolution(self.evolution.pop_size).propose(view)
        old = self.evolution.propose(view)
        assert fresh == old == self.evolution.propose(view)
        self.asked += 1
        return old


def run(
    strategy: Any, *, space: Space, evaluate: Any, evaluations: int, parallel: int = 1, ladder: Ladder | None = None
) -> tuple[Ending, list[Evaluation]]:
    memory = ListMemory()
    ending = search(
        space,
        memory,
        strategy=strategy,
        workers=InlineWorkers(evaluate),
        budget=Budget(evaluations),
        parallel=parallel,
        ladder=ladder,
    )
    return ending, [memory.stored[slot] for slot in sorted(memory.stored)]


@pytest.mark.parametrize("parallel", [1, 5, 30])
def test_a_small_space_is_searched_whole_and_nothing_twice(parallel: int) -> None:
    ending, rows = run(
        Evolution(pop_size=4), space=small_space(), evaluate=measure_small, evaluations=99, parallel=parallel
    )
    assert ending is Ending.EXHAUSTED
    assert len(rows) == len({row.job.genotype.key for row in rows}) == 24


@pytest.mark.parametrize("ladder", [None, Ladder((1, 3))], ids=["one rung", "two rungs"])
def test_proposals_depend_on_the_view_alone_not_on_who_is_asked_nor_how_often(ladder: Ladder | None) -> None:
    watcher = Watcher(Evolution(pop_size=6))
    run(watcher, space=mixed_space(), evaluate=measure_badly, evaluations=60, parallel=4, ladder=ladder)
    assert watcher.asked > 30


def test_one_evolution_may_serve_two_searches_at_once() -> None:
    shared = Evolution(pop_size=6)
    inner: list[list[Evaluation]] = []

    def evaluate(job: Job) -> Mapping[str, Any]:
        if job.slot == 20:
            inner.append(run(shared, space=mixed_space(), evaluate=measure, evaluations=40)[1])
        return measure(job)

    _, outer = run(shared, space=mixed_space(), evaluate=evaluate, evaluations=40)
    assert [row.job for row in outer] == [row.job for row in inner[0]]


def test_parents_are_slots_that_were_seen_and_stand_in_the_population() -> None:
    _, rows = run(Evolution(pop_size=6, screen=1), space=mixed_space(), evaluate=measure, evaluations=40, parallel=4)
    assert all(row.job.parents == () for row in rows[:6])
    assert all(len(row.job.parents) == 2 for row in rows[20:])
    assert all(parent <= row.job.slot - 4 for row in rows for parent in row.job.parents)


def test_proposals_come_from_everywhere() -> None:
    _, rows = run(Evolution(pop_size=6), space=mixed_space(), evaluate=measure, evaluations=206)
    parents = [len(row.job.parents) for row in rows[6:]]
    assert 10 <= parents.count(0) <= 60
    assert parents.count(1) >= 30
    assert parents.count(2) >= 20


def test_the_survivors_are_the_best_of_the_rows_seen_one_by_one() -> None:
    # ties, equal rows, zeros, and what breaks a bound; most rows come last and change nothing
    view = View(mixed_space(), OBJECTIVES, seed=0)
    survivors: list[Row] = []
    rng = np.random.default_rng(0)
    state = _State(view.space, Rates(0.9, 1.0, 15.0, 5.0))
    for slot in range(300):
        see(view, costs=rng.integers(0, 12, 2) / 4, violation=float(rng.integers(0, 3)) if slot < 40 else slot % 5 / 4)
        survivors = order([*survivors, view.rows[-1]])[:8]
        if slot % 7 == 0 and slot >= 8:
            population = state.population(view, 8, first=8)
            assert population is not None
            assert [row for row, _, _ in population] == order(survivors)
    assert sum(row.is_feasible for row in survivors) == 8


def see(view: View, *, costs: np.ndarray, violation: float = 0.0, rung: int = 0) -> None:
    genotype = view.space.sample(view.generator())
    job = Job(slot=view.slot, kind="evaluate", genotype=genotype, strategy="toy", rung=rung)
    view.start(job)
    values = tuple(map(float, costs))
    view.see(Row(Evaluation(job, Outcome.MEASURED), Score(values, violation, "too slow" if violation else ""), values))


def test_parents_come_from_the_highest_rung_that_holds_pop_size_rows() -> None:
    view = View(mixed_space(), OBJECTIVES, seed=0)
    evolution = Evolution(pop_size=6)
    rng = np.random.default_rng(0)

    def rungs() -> set[int]:
        proposal = evolution.propose(view)
        assert proposal is not None
        assert proposal.rung == 0
        return {view.rows[slot].job.rung for slot in proposal.parents}

    for seen in ((0, 5, set()), (0, 5, {0}), (1, 5, {0}), (1, 1, {1}), (2, 9, {2})):
        for _ in range(seen[1]):
            see(view, costs=rng.random(2), rung=seen[0])
        assert rungs() == seen[2]


def test_children_hold_plain_scalars_of_every_kind_of_variable() -> None:
    space = Space(
        {
            "mixed": Choice([1, "one", 1.5]),
            "switch": Choice([False, True]),
            "whole": Integer(-3, 9),
            "real": Real(-1.0, 1.0, step=0.01),
            "log": LogReal(1e-4, 1.0),
        }
    )
    kinds: dict[str, tuple[type, ...]] = {
        "mixed": (int, str, float), "switch": (bool,), "whole": (int,), "real": (float,), "log": (float,)
    }  # fmt: skip
    seen: dict[str, set[Scalar]] = {name: set() for name in kinds}

    def evaluate(job: Job) -> Mapping[str, Any]:
        for name, value in job.genotype.items():
            assert type(value) in kinds[name]
            seen[name].add(value)
        return {"error": float(job.genotype["real"]), "rate": -float(job.genotype["log"])}

    _, rows = run(Evolution(pop_size=8), space=space, evaluate=evaluate, evaluations=150)
    assert all(space.genotype(row.job.genotype) == row.job.genotype for row in rows)
    assert (len(seen["mixed"]), len(seen["switch"])) == (3, 2)
    assert len(seen["whole"]) > 6


def test_a_variable_of_the_users_own_kind_is_crossed_and_drawn_like_a_choice() -> None:
    class Word:
        size = float("inf")

        def sample(self, rng: np.random.Generator) -> str:
            return "".join("ab"[i] for i in rng.integers(2, size=6))

        def canonical(self, value: Any) -> str:
            return str(value)

    space = Space({"one": Word(), "other": Word()})
    ending, rows = run(
        Evolution(),
        space=space,
        evaluate=lambda job: {"error": job.genotype["one"].count("a"), "rate": job.genotype["other"].count("b")},
        evaluations=300,
    )
    assert ending is Ending.BUDGET_SPENT
    assert any((row.measurement["error"], row.measurement["rate"]) == (0, 0) for row in rows[20:])  # type: ignore[index]


def test_it_goes_on_drawing_until_pop_size_rows_are_scored_whatever_fails() -> None:
    def evaluate(job: Job) -> Mapping[str, Any]:
        if job.slot < 15:
            raise RuntimeError("no such operator")
        return measure(job)

    _, rows = run(Evolution(pop_size=6, screen=1), space=mixed_space(), evaluate=evaluate, evaluations=60)
    assert all(row.job.parents == () for row in rows[:21])
    assert all(row.job.parents for row in rows[21:])


def test_it_finds_a_better_front_than_it_began_with() -> None:
    _, rows = run(Evolution(), space=mixed_space(), evaluate=measure, evaluations=200)
    costs = [(row.measurement["error"], row.measurement["rate"]) for row in rows]  # type: ignore[index]
    box = Reference((0.0, 0.0), (3.0, 8.0))
    first, last = (hypervolume(costs[:n], objectives=OBJECTIVES, reference=box) for n in (16, 200))
    assert last > first


@pytest.mark.parametrize("wrong", [{"pop_size": 3}, {"crossover": 1.5}, {"mutations": 0.0}, {"eta_mutation": 0.5}])
def test_settings_that_make_no_sense_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(OptionError, match=f"{next(iter(wrong))}: got .*, expected a"):
        Evolution(**wrong)


def test_children_have_the_variables_that_the_rules_leave_them_and_no_other() -> None:
    _, rows = run(Evolution(pop_size=6), space=mixed_space(), evaluate=measure, evaluations=80)
    assert all(("tau" in row.job.genotype) == (row.job.genotype["kind"] == "leaky") for row in rows)
    assert all(isinstance(row.job.genotype, Genotype) for row in rows)


def steps() -> Space:
    return Space({f"step{i}": Integer(0, 9) for i in range(8)})


def reject_long(genotype: Genotype) -> Rejection | None:
    """One network of thirty thousand is short enough."""
    length = sum(int(value) for value in genotype.values())
    return None if length <= 6 else Rejection((f"length: {length} > 6",), (length - 6) / 6)


def search_short(strategy: Any) -> tuple[Ending, ListMemory]:
    memory = ListMemory()
    ending = search(
        steps(),
        memory,
        strategy=strategy,
        workers=InlineWorkers(lambda job: {"error": job.genotype["step0"], "rate": 7 - job.genotype["step1"]}),
        budget=Budget(12),
        parallel=3,
        reject=reject_long,
    )
    return ending, memory


def test_it_moves_towards_what_is_not_rejected_where_chance_finds_nothing() -> None:
    assert search_short(RandomSearch())[0] is Ending.ONLY_REJECTED
    ending, memory = search_short(Evolution(pop_size=6))
    assert ending is Ending.BUDGET_SPENT
    assert sum(row.outcome is Outcome.MEASURED for row in memory.stored.values()) == 12


def test_proposals_depend_on_the_view_alone_where_networks_are_rejected() -> None:
    watcher = Watcher(Evolution(pop_size=6))
    _, watched = search_short(watcher)
    assert watcher.asked > 50
    assert watched.stored.keys() == search_short(Evolution(pop_size=6))[1].stored.keys()


def test_a_first_design_by_cost_rises_from_cheap_to_dear_and_covers_what_random_networks_do_not() -> None:
    def predict(proposal: Proposal, epochs: int) -> Cost:
        return Cost(epochs * 10.0 ** (int(proposal.genotype["layers"]) + proposal.genotype["threshold"]), 0.0)

    memory = ListMemory()
    search(mixed_space(), memory, strategy=Evolution(pop_size=16, first_design="by_cost"), predict=predict,
           workers=InlineWorkers(measure), budget=Budget(16))  # fmt: skip
    costs = [math.log10(memory.stored[slot].job.cost) for slot in range(16)]
    assert costs[0] < 2
    assert costs[-1] > 5.5
    assert costs == sorted(costs)
    steps = np.diff(costs)
    assert steps.max() < 4 * steps.mean()


def test_the_first_design_goes_by_cost_where_seconds_are_the_budget_unless_it_is_said() -> None:
    def predict(proposal: Proposal, epochs: int) -> Cost:
        return Cost(epochs * 10.0 ** (int(proposal.genotype["layers"]) + proposal.genotype["threshold"]), 0.0)

    def first(budget: Budget, **options: Any) -> list[Genotype]:
        memory = ListMemory()
        search(mixed_space(), memory, strategy=Evolution(pop_size=8, **options), predict=predict,
               workers=InlineWorkers(measure), budget=budget)  # fmt: skip
        return [memory.stored[slot].job.genotype for slot in range(8)]

    timed, counted = Budget(8, seconds=1e6), Budget(8)
    assert first(timed) == first(counted, first_design="by_cost")
    assert first(timed, first_design="random") == first(counted) != first(timed)


def test_the_model_takes_over_after_few_networks_where_something_is_known_of_them() -> None:
    def drawn(strategy: Evolution, foresee: Foresee | None) -> int:
        memory = ListMemory()
        search(mixed_space(), memory, strategy=strategy, foresee=foresee, workers=InlineWorkers(measure),
               budget=Budget(40))  # fmt: skip
        have_parents = [bool(memory.stored[slot].job.parents) for slot in range(40)]
        assert sum(have_parents) >= 12
        return have_parents.index(True)

    assert drawn(Evolution(pop_size=16), None) >= 16
    assert drawn(Evolution(pop_size=16), foresee) in range(8, 14)
    assert drawn(Evolution(pop_size=5), foresee) in range(5, 12)
    assert drawn(Evolution(pop_size=16, screen=1), foresee) >= 16  # NSGA-II has no model


def test_a_first_design_by_cost_needs_costs() -> None:
    with pytest.raises(OptionError, match="first_design"):
        search(mixed_space(), ListMemory(), strategy=Evolution(first_design="by_cost"), workers=InlineWorkers(measure),
               budget=Budget(8))  # fmt: skip
