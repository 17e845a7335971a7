from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymoo.core.population import Population
from pymoo.core.problem import Problem
from pymoo.operators.survival.rank_and_crowding import RankAndCrowding

from evonas.engine.evaluation import Evaluation, Outcome
from evonas.engine.job import Job
from evonas.engine.pareto import Reference, axes, front, hypervolume, order, ranking, reference
from evonas.engine.view import Row
from evonas.errors import EvonasError
from evonas.genotype import Genotype
from evonas.objective import Objective, Score

MIN2 = (Objective("a", lambda m: m), Objective("b", lambda m: m))


def row(slot: int, *costs: float, violation: float = 0.0) -> Row:
    job = Job(slot=slot, kind="evaluate", genotype=Genotype({"x": slot}), strategy="toy")
    return Row(Evaluation(job, Outcome.MEASURED), Score(costs, violation, ""), costs)


def failure(slot: int) -> Row:
    job = Job(slot=slot, kind="evaluate", genotype=Genotype({"x": slot}), strategy="toy")
    return Row(Evaluation(job, Outcome.CRASHED, "no such operator"), None, None)


def rejected(slot: int, degree: float) -> Row:
    job = Job(slot=slot, kind="evaluate", genotype=Genotype({"x": slot}), strategy="toy")
    return Row(Evaluation(job, Outcome.REJECTED, "it does not fit", degree=degree), None, None)


def slots(rows: list[Row]) -> list[int]:
    return [row.job.slot for row in rows]


def dominates(one: tuple[float, ...], other: tuple[float, ...]) -> bool:
    return all(a <= b for a, b in zip(one, other, strict=True)) and one != other


def slow_ranks(costs: list[tuple[float, ...]]) -> list[int]:
    ranks: dict[int, int] = {}
    rank = 0
    while len(ranks) < len(costs):
        left = [i for i in range(len(costs)) if i not in ranks]
        ranks |= {i: rank for i in left if not any(dominates(costs[j], costs[i]) for j in left)}
        rank += 1
    return [ranks[i] for i in range(len(costs))]


points = st.lists(st.tuples(*[st.integers(0, 6).map(float)] * 3), min_size=1, max_size=25)


@given(points)
def test_ranks_are_those_of_the_slow_twin(costs: list[tuple[float, ...]]) -> None:
    ranked = {entry.job.slot: rank for entry, rank, _ in ranking([row(i, *cost) for i, cost in enumerate(costs)])}
    assert [ranked[i] for i in range(len(costs))] == slow_ranks(costs)


@given(points, st.randoms())
def test_the_order_depends_neither_on_the_order_of_the_rows_nor_on_chance(
    costs: list[tuple[float, ...]], random: object
) -> None:
    rows = [row(i, *cost) for i, cost in enumerate(costs)]
    shuffled = list(rows)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert slots(order(shuffled)) == slots(order(rows))


def test_the_best_rows_are_those_that_survive_in_pymoo() -> None:
    costs = np.random.default_rng(0).random((60, 3))
    survivors = RankAndCrowding().do(Problem(n_obj=3), Population.new(F=costs, index=np.arange(60)), n_survive=20)
    assert {entry.job.slot for entry in order([row(i, *cost) for i, cost in enumerate(costs)])[:20]} == set(
        survivors.get("index")
    )


def test_the_ends_of_a_front_come_before_its_middle_and_ties_go_to_the_lower_slot() -> None:
    assert slots(order([row(3, 1.0, 1.0), row(2, 0.0, 2.0), row(1, 2.0, 0.0), row(0, 3.0, 3.0)])) == [1, 2, 3, 0]


def test_infeasible_rows_stand_behind_by_violation_and_failures_last() -> None:
    rows = [failure(0), row(1, 0.0, 0.0, violation=0.5), row(2, 0.0, 0.0, violation=0.1), row(3, 9.0, 9.0)]
    assert slots(order(rows)) == [3, 2, 1, 0]
    rows += [rejected(4, 0.2), rejected(5, 0.01), row(6, 0.0, 0.0, violation=1e9)]
    assert slots(order(rows)) == [3, 2, 1, 6, 5, 4, 0]
    assert [rank for _, rank, _ in ranking(rows)] == [0, 1, 2, 3, 4, 5, 6]
    assert slots(order([failure(1), failure(0)])) == [0, 1]
    assert order([]) == []


def test_crowding_on_a_logarithmic_axis_is_measured_in_decades() -> None:
    rows = [row(i, cost, -float(i)) for i, cost in enumerate((1.0, 10.0, 100.0, 900.0, 1000.0))]
    log = (Objective("joules", lambda m: m, log=True), MIN2[1])
    assert slots(order(rows))[:3] == [0, 4, 3]
    assert slots(order(rows, objectives=log))[:3] == [0, 4, 1]
    with_zero = [row(9, 0.0, 5.0), *rows]
    assert set(slots(order(with_zero, objectives=log))) == {0, 1, 2, 3, 4, 9}


@given(points)
def test_the_front_is_what_nothing_dominates_equal_rows_included(costs: list[tuple[float, ...]]) -> None:
    expected = [i for i, cost in enumerate(costs) if not any(dominates(other, cost) for other in costs)]
    assert slots(front([row(i, *cost) for i, cost in enumerate(costs)])) == expected


def test_the_front_never_sees_failures_or_broken_bounds() -> None:
    assert slots(front([failure(0), row(1, 0.0, 0.0, violation=1.0), row(2, 1.0, 1.0), rejected(3, 0.1)])) == [2]
    assert front([failure(0)]) == []


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_numbers_that_are_not_finite_never_reach_pymoo(bad: float) -> None:
    box = Reference((0.0,) * 3, (1.0,) * 3)
    with pytest.raises(EvonasError, match="finite numbers"):
        order([row(0, 0.0, bad, 0.0), row(1, 1.0, 1.0, 1.0)])
    with pytest.raises(EvonasError, match="finite numbers"):
        front([row(0, 0.0, bad, 0.0)])
    with pytest.raises(EvonasError, match="finite numbers"):
        hypervolume([[0.0, bad, 0.0]], objectives=(*MIN2, MIN2[0]), reference=box)
    with pytest.raises(EvonasError, match="finite numbers"):
        reference(MIN2, [row(0, bad, 0.0)])


@given(points)
def test_the_hypervolume_is_that_of_counted_cells(costs: list[tuple[float, ...]]) -> None:
    cells = np.indices((6, 6, 6)).reshape(3, -1).T
    covered = np.zeros(len(cells), dtype=bool)
    for cost in costs:
        covered |= (cells >= np.array(cost)).all(axis=1)
    box = Reference((0.0,) * 3, (6.0,) * 3)
    volume = hypervolume(costs, objectives=(*MIN2, MIN2[0]), reference=box)
    assert volume == pytest.approx(covered.mean(), abs=1e-12)


def test_the_hypervolume_of_one_objective_is_a_length() -> None:
    assert hypervolume([[0.75], [0.25]], objectives=MIN2[:1], reference=Reference((0.0,), (1.0,))) == 0.75


def test_less_is_better_on_all_axes_whatever_is_sought() -> None:
    sought = (Objective("a", float, log=True), Objective("b", float, direction="max", log=True),
              Objective("c", float, direction="max"))  # fmt: skip
    costs = np.array([[1.0, -1.0, -1.0], [100.0, -1000.0, -2.0], [0.0, -0.0, -3.0]])
    expected = [[0.0, 0.0, -1.0], [2.0, -3.0, -2.0], [0.0, 0.0, -3.0]]
    assert axes(costs, sought).tolist() == expected


def test_the_hypervolume_of_nothing_is_zero() -> None:
    assert hypervolume([], objectives=MIN2, reference=Reference((0.0, 0.0), (1.0, 1.0))) == 0.0


def test_the_hypervolume_respects_directions_decades_and_borders() -> None:
    objectives = (Objective("accuracy", lambda m: m, direction="max"), Objective("joules", lambda m: m, log=True))
    box = Reference((1.0, 1e-8), (0.2, 1e-4))
    assert hypervolume([[-0.6, 1e-6]], objectives=objectives, reference=box) == pytest.approx(0.25)
    assert hypervolume([[-0.6, 0.0]], objectives=objectives, reference=box) == pytest.approx(0.5)
    assert hypervolume([[-0.6, 1e-3]], objectives=objectives, reference=box) == 0.0
    assert hypervolume([[-2.0, 1e-9]], objectives=objectives, reference=box) == pytest.approx(1.0)


def test_bounds_and_best_values_make_the_corners() -> None:
    objectives = (
        Objective("accuracy", lambda m: m, direction="max", at_least=0.2, best=1.0),
        Objective("joules", lambda m: m, log=True, at_most=2e-5),
    )
    assert reference(objectives, [row(0, -0.5, 1e-6)]) == Reference((1.0, pytest.approx(1e-7)), (0.2, 2e-5))  # type: ignore[arg-type]


def test_the_first_rows_make_the_corners_where_there_are_no_bounds() -> None:
    objectives = (Objective("loss", lambda m: m), Objective("speed", lambda m: m, direction="max"))
    rows = [row(0, 2.0, -5.0), row(1, 3.0, -9.0), failure(2)]
    assert reference(objectives, rows) == Reference((1.0, 13.0), (3.0, 5.0))


@pytest.mark.parametrize(
    ("objective", "costs", "expected"),
    [
        (Objective("x", lambda m: m), [4.0, 4.0], (0.0, 4.0)),
        (Objective("x", lambda m: m), [0.0], (-1.0, 0.0)),
        (Objective("x", lambda m: m, at_most=10.0), [4.0], (-2.0, 10.0)),
        (Objective("x", lambda m: m, at_most=10.0), [40.0], (0.0, 10.0)),
        (Objective("x", lambda m: m, at_most=10.0), [], (0.0, 10.0)),
        (Objective("x", lambda m: m, best=0.0), [0.0, 0.0], (0.0, 1.0)),
        (Objective("x", lambda m: m, log=True), [0.0, 0.0], (0.1, 1.0)),
        (Objective("x", lambda m: m, log=True, best=0.0), [0.0, 50.0], (5.0, 50.0)),
        (Objective("x", lambda m: m, log=True, best=1.0), [1.0], (1.0, 10.0)),
        (Objective("x", lambda m: m, log=True, direction="max"), [-2.0, -30.0], (300.0, 2.0)),
    ],
)
def test_degenerate_ranges_still_give_a_box(
    objective: Objective, costs: list[float], expected: tuple[float, float]
) -> None:
    corners = reference([objective], [row(i, cost) for i, cost in enumerate(costs)])
    assert (corners.ideal[0], corners.ref_point[0]) == pytest.approx(expected)
    assert objective.sign * corners.ideal[0] < objective.sign * corners.ref_point[0]
    values = [[cost] for cost in costs]
    assert 0.0 <= hypervolume(values, objectives=[objective], reference=corners) <= 1.0


def test_without_rows_and_bounds_there_is_no_reference() -> None:
    with pytest.raises(EvonasError, match="no reference point"):
        reference(MIN2, [])


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4), st.booleans()), max_size=30), st.integers(0, 33))
def test_the_first_of_an_order_are_the_same_where_no_more_are_asked_for(
    costs: list[tuple[int, int, bool]], most: int
) -> None:
    rows = [row(slot, float(a), float(b), violation=float(broken)) for slot, (a, b, broken) in enumerate(costs)]
    rows += [failure(len(rows)), rejected(len(rows) + 1, 0.5)]
    assert order(rows, most=most) == order(rows)[:most]
