from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from toys import ListMemory, mixed_space

from evonas.engine.budget import Budget, Ending
from evonas.engine.evaluation import Evaluation, Outcome
from evonas.engine.job import Cost, Job
from evonas.engine.ladder import Ladder
from evonas.engine.search import search
from evonas.engine.view import Row, View
from evonas.engine.workers import InlineWorkers
from evonas.errors import EvonasError, UnpriceableError
from evonas.genotype import Genotype
from evonas.objective import Objective
from evonas.space import Space
from evonas.strategies.evolution import Evolution
from evonas.strategies.multi_target import TARGET, Target, Targets
from evonas.strategies.random import RandomSearch
from evonas.variables import Choice, Integer

ERROR = Objective("error", lambda m: m["error"])
CHIPS = {"digital": lambda m: 2.0 * m["spikes"] + 0.1 * m["neurons"], "dense": lambda m: 0.2 * m["neurons"]}


def target(chip: str, most: float, *, limits: tuple[Objective, ...] = ()) -> Target:
    energy = Objective("energy", CHIPS[chip], at_most=most, log=True, profile=chip)
    return Target(f"{chip} {most:g}", (ERROR, energy), limits)


def table() -> Space:
    """4,096 points: neurons and a threshold, and four variables that have to match them."""
    return Space({"neurons": Integer(1, 16), "quiet": Integer(0, 15), "kind": Choice("abcd"), "tau": Integer(1, 4)})


def measure(job: Job) -> Mapping[str, Any]:
    genotype = job.genotype
    neurons, quiet = genotype["neurons"], genotype["quiet"]
    wrong = 0.2 * ("abcd".index(genotype["kind"]) != neurons % 4) + 0.05 * abs(genotype["tau"] - 2)
    return {
        "error": (1.0 / neurons + 0.03 * quiet + wrong) * (1 + 1 / job.epochs),
        "spikes": neurons * (16 - quiet) / 8,
        "neurons": neurons,
    }


TARGETS = [target(chip, most) for chip in CHIPS for most in (0.5, 1.5, 6.0)]


def found(
    targets: Sequence[Target] = TARGETS,
    *,
    evaluations: int = 120,
    memory: ListMemory | None = None,
    ladder: Ladder | None = None,
    parallel: int = 3,
) -> ListMemory:
    memory = memory or ListMemory(objectives=(ERROR,), seed=2)
    strategy = Targets(targets, Evolution(pop_size=8))
    search(
        table(),
        memory,
        strategy=strategy,
        workers=InlineWorkers(measure),
        budget=Budget(evaluations),
        parallel=parallel,
        ladder=replace(ladder or Ladder(), candidates=strategy.candidates),
    )
    return memory


def rows(memory: ListMemory) -> list[Row]:
    return [row for slot in sorted(memory.stored) if (row := memory.get(slot)) is not None]


def test_what_is_known_of_the_search_is_known_for_each_target() -> None:
    asked: list[Genotype] = []

    def foresee(genotype: Genotype) -> list[float]:
        asked.append(genotype)
        return [1.0]

    whole = View(table(), (ERROR,), seed=5, predict=lambda proposal, epochs: Cost(7.0 * epochs, 0.0), foresee=foresee,
                 is_timed=True)  # fmt: skip
    genotype = whole.space.sample(np.random.default_rng(0))
    for view in (whole.beside((ERROR,)), whole.beside((ERROR,))):
        assert view.is_timed
        assert view.predicted_cost(genotype) == 7.0
        assert view.traits(genotype) == [1.0]
        assert (view.seed, view.slot) == (5, 0)
    assert len(asked) == 1  # all remember together
    bare = View(table(), (ERROR,), seed=5).beside((ERROR,))
    assert (bare.predicts, bare.foresees, bare.is_timed) == (False, False, False)


def test_each_target_that_can_be_met_gets_a_network() -> None:
    seen = rows(found(evaluations=150))
    best = {aim.name: min((r.costs or (9.0,))[0] for r in map(aim.row, seen) if r.is_feasible) for aim in TARGETS}
    assert best["dense 6"] < best["dense 1.5"] < best["dense 0.5"]
    assert best["digital 6"] < best["digital 1.5"]


def test_no_network_is_proposed_twice_for_whatever_target() -> None:
    places = [(row.job.genotype.key, row.job.rung) for row in rows(found(ladder=Ladder((1, 2))))]
    assert len(set(places)) == len(places) == 120


def slots_by_target(memory: ListMemory) -> Counter[str]:
    return Counter(str(row.job.settings[TARGET]) for row in rows(memory) if TARGET in row.job.settings)


def test_poor_targets_get_more_slots_and_none_starves() -> None:
    slots = slots_by_target(found(evaluations=60))
    others = [slots[aim.name] for aim in TARGETS if aim.name != "digital 0.5"]
    assert slots["digital 0.5"] >= 1.25 * max(others)
    assert min(others) >= 5


def test_where_all_targets_have_their_networks_slots_are_spread_evenly() -> None:
    slots = slots_by_target(found(evaluations=150))
    assert max(slots.values()) - min(slots.values()) <= 5  # of 25; each began with some until it had a network


def test_a_target_that_nothing_can_meet_does_not_eat_the_search() -> None:
    hopeless = target("dense", 1e-3)
    late = [row.job.settings.get(TARGET) for row in rows(found([*TARGETS, hopeless], evaluations=160))[80:]]
    assert 0 < late.count(hopeless.name) < min(late.count(aim.name) for aim in TARGETS)


def test_random_networks_at_the_start_serve_all_targets() -> None:
    first = rows(found(evaluations=8))
    alone = rows(found([TARGETS[0]], evaluations=8))
    assert [row.job for row in first] == [row.job for row in alone]
    assert all(row.job.settings == {} for row in first)


@pytest.mark.parametrize("ladder", [Ladder(), Ladder((1, 3))], ids=["one rung", "two rungs"])
@pytest.mark.parametrize("cut", [1, 9, 17, 38, 59])
def test_a_search_that_is_resumed_equals_one_that_is_not(ladder: Ladder, cut: int) -> None:
    whole = found(evaluations=60, ladder=ladder).stored
    broken = found(evaluations=cut, ladder=ladder)
    assert {slot: whole[slot].job for slot in range(cut)} == {slot: row.job for slot, row in broken.stored.items()}
    again = found(evaluations=60, ladder=ladder, memory=broken).stored
    assert [again[slot].job for slot in range(60)] == [whole[slot].job for slot in range(60)]


def test_the_fold_does_not_depend_on_its_steps() -> None:
    strategy = Targets(TARGETS, Evolution(pop_size=6))
    memory = found(evaluations=50, parallel=4)
    stepwise, at_once = (View(table(), (ERROR,), seed=2) for _ in range(2))
    for row in rows(memory):
        for view in (stepwise, at_once):
            view.start(row.job)
            if len(view.open) == 4:
                view.see(rows(memory)[min(view.open)])
        strategy.propose(stepwise)
    assert strategy.propose(stepwise) == strategy.propose(at_once) is not None


def test_as_many_climb_as_with_the_ladder_alone() -> None:
    plain = ListMemory(objectives=(ERROR,), seed=2)
    search(
        table(),
        plain,
        strategy=Evolution(pop_size=8),
        workers=InlineWorkers(measure),
        budget=Budget(90),
        parallel=3,
        ladder=Ladder((1, 3)),
    )
    shared = Counter(row.job.rung for row in rows(found(evaluations=90, ladder=Ladder((1, 3)))))
    assert abs(shared[1] - Counter(row.job.rung for row in rows(plain))[1]) <= 2


def test_a_network_climbs_only_where_a_target_has_use_for_it() -> None:
    memory = found(evaluations=90, ladder=Ladder((1, 3)))
    for row in rows(memory):
        if row.job.rung == 1:
            aim = next(aim for aim in TARGETS if aim.name == row.job.settings[TARGET])
            (parent,) = row.job.parents
            assert aim.row(memory.get(parent)).is_feasible  # type: ignore[arg-type]


def test_a_limit_bounds_but_is_not_traded() -> None:
    small = Objective("fit", lambda m: max(0.0, m["neurons"] - 4.0), at_most=0.0)
    aim = target("dense", 6.0, limits=(small,))
    job = Job(slot=0, kind="evaluate", genotype=table().canonical({"neurons": 6, "quiet": 0, "kind": "a", "tau": 1}), strategy="x")  # fmt: skip
    row = aim.row(Row.of(Evaluation(job, Outcome.MEASURED, measurement=measure(job)), (ERROR,)))
    assert row.costs is not None
    assert len(row.costs) == 2
    assert row.violation == 2.0
    assert row.score is not None
    assert row.score.reason == "fit: 2 breaks the bound 0"
    kept = [aim.row(row) for row in rows(found([aim], evaluations=40))]
    assert any(row.is_feasible for row in kept)
    assert all(row.evaluation.measurement["neurons"] <= 4 for row in kept if row.is_feasible)  # type: ignore[index]


def test_failures_and_networks_without_a_price_are_seen_by_every_target_as_such() -> None:
    def unpriced(measurement: Any) -> float:
        raise UnpriceableError("it multiplies")

    def raises(measurement: Any) -> float:
        raise KeyError("spikes")

    job = Job(slot=0, kind="evaluate", genotype=mixed_space().sample(View(mixed_space(), (ERROR,), seed=0).generator()), strategy="x")  # fmt: skip
    failed = Row(Evaluation(job, Outcome.CRASHED, message="no"), None, None)
    measured = Row.of(Evaluation(job, Outcome.MEASURED, measurement={"error": 1.0}), (ERROR,))
    lost = Target("lost", (ERROR, Objective("energy", unpriced)))
    assert not lost.row(failed).is_scored
    assert lost.row(measured).violation == 1.0
    assert "it multiplies" in lost.row(measured).score.reason  # type: ignore[union-attr]
    for broken in (Target("b", (Objective("energy", raises),)), Target("b", (ERROR,), (Objective("fit", raises),))):
        assert broken.row(measured).is_failure
        assert broken.row(replace(measured, score=None, costs=None)).score is None


def test_where_the_inner_strategy_has_nothing_left_the_search_ends() -> None:
    memory = ListMemory(objectives=(ERROR,))
    space = Space({"neurons": Integer(1, 3), "quiet": Integer(0, 1), "kind": Choice("a"), "tau": Integer(1, 1)})
    ending = search(
        space,
        memory,
        strategy=Targets(TARGETS, RandomSearch()),
        workers=InlineWorkers(measure),
        budget=Budget(50),
    )
    assert ending is Ending.EXHAUSTED
    assert len(memory.stored) == 6


@pytest.mark.parametrize(
    "targets", [[], [TARGETS[0], TARGETS[0]], [Target("empty", ())]], ids=["none", "one name twice", "no objectives"]
)
def test_targets_need_names_of_their_own_and_objectives(targets: list[Target]) -> None:
    with pytest.raises(EvonasError, match="different names"):
        Targets(targets, RandomSearch())
