from __future__ import annotations

import numpy as np
import pytest
from toys import OBJECTIVES, measure, mixed_space

from evonas.engine.evaluation import Evaluation, Outcome
from evonas.engine.job import Job
from evonas.engine.pareto import gains
from evonas.engine.view import Row, View
from evonas.objective import Objective
from evonas.space import Space
from evonas.strategies.gaussian_process import Forecast, Kernel, has_distances, likeliest_kernel, position
from evonas.strategies.screening import Screening
from evonas.variables import Choice, Integer


def test_places_are_as_far_apart_as_the_genotypes_differ() -> None:
    space = Space({"a": Choice(["x", "y", "z"]), "b": Choice([1, 2]), "n": Integer(0, 4)})
    one = position(space, {"a": "x", "b": 1, "n": 0})
    assert ((one - position(space, {"a": "y", "b": 1, "n": 0})) ** 2).sum() == pytest.approx(1)
    assert ((one - position(space, {"a": "y", "b": 2, "n": 0})) ** 2).sum() == pytest.approx(2)
    assert ((one - position(space, {"a": "x", "b": 1, "n": 4})) ** 2).sum() == pytest.approx(4)
    assert ((one - position(space, {"a": "x", "b": 1})) ** 2).sum() > 0


def test_a_forecast_knows_what_was_measured_and_doubts_what_is_far() -> None:
    rng = np.random.default_rng(0)
    places = rng.uniform(-2, 2, (60, 2))
    values = np.stack([np.sin(places[:, 0]) * 1e-6, 50 + places[:, 1]], axis=1)
    forecast = Forecast(places, values, kernel=likeliest_kernel(places, values))
    means, deviations = forecast.at(places)
    assert np.abs(means - values).max(0) == pytest.approx([0, 0], abs=0.1)
    assert np.abs(means - values)[:, 0].max() < 1e-7
    _, far = forecast.at(np.array([[40.0, 40.0]]))
    assert (far[0] > 3 * deviations.max(0)).all()


def test_a_forecast_equals_the_formula_of_the_book() -> None:
    rng = np.random.default_rng(1)
    places, values, new = rng.normal(size=(7, 3)), rng.normal(size=(7, 1)), rng.normal(size=(4, 3))

    def likeness(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return np.array([[np.exp(-0.25 * ((x - y) ** 2).sum()) for y in b] for x in a])

    inverse = np.linalg.inv(likeness(places, places) + 0.1 * np.eye(7))
    mean, unit = values.mean(), values.std()
    expected = mean + unit * likeness(new, places) @ inverse @ ((values - mean) / unit)
    means, _ = Forecast(places, values, kernel=Kernel(0.25, 0.1)).at(new)
    assert means == pytest.approx(expected)


def test_values_that_are_all_alike_are_forecast_as_they_are() -> None:
    places = np.eye(9)
    means, _ = Forecast(places, np.full((9, 1), 3.5), kernel=Kernel(0.1, 0.1)).at(places)
    assert means == pytest.approx(np.full((9, 1), 3.5))


@pytest.mark.parametrize("objectives", [1, 2, 3])
def test_the_gain_of_a_candidate_is_the_volume_that_it_adds(objectives: int) -> None:
    rng = np.random.default_rng(objectives)
    front, candidates = rng.uniform(size=(5, objectives)), rng.uniform(size=(6, objectives))
    cloud = rng.uniform(size=(200_000, objectives))  # the slow obvious twin: count points that are newly dominated
    covered = (cloud[:, None] >= front[None]).all(2).any(1)
    expected = [(~covered & (cloud >= candidate).all(1)).mean() for candidate in candidates]
    assert gains(front, candidates, ref_point=np.ones(objectives)) == pytest.approx(expected, abs=0.01)


def seen(*, rows: int, objectives: tuple[Objective, ...] = OBJECTIVES) -> View:
    space, rng = mixed_space(), np.random.default_rng(0)
    view = View(space, objectives, seed=0)
    for slot in range(rows):
        job = Job(slot, "evaluate", space.sample(rng), "toy")
        view.start(job)
        view.see(Row.of(Evaluation(job, Outcome.MEASURED, measurement=measure(job)), objectives))
    return view


def test_screening_finds_better_children_than_chance() -> None:
    view, rng = seen(rows=120), np.random.default_rng(3)
    front = np.array([row.costs for row in view.rows])
    screening, better = Screening(view.space), 0
    for _ in range(30):
        candidates = [view.space.sample(rng) for _ in range(16)]
        chosen = screening.choose(view, candidates, keep=set(), rng=rng)
        costs = [list(measure(Job(0, "evaluate", genotype, "toy")).values()) for genotype in candidates]
        gained = gains(front, costs, ref_point=front.max(0))
        better += gained[chosen] >= np.median(gained)
    assert better >= 25


def test_screening_keeps_away_from_what_was_infeasible() -> None:
    bounded = (Objective("error", lambda m: m["error"]), Objective("rate", lambda m: m["rate"], at_most=2.0))
    view, rng = seen(rows=120, objectives=bounded), np.random.default_rng(3)
    candidates = [view.space.sample(rng) for _ in range(24)]
    rates = [measure(Job(0, "evaluate", genotype, "toy"))["rate"] for genotype in candidates]
    assert sum(rate > 2.0 for rate in rates) > 6
    screening = Screening(view.space)
    chosen = [screening.choose(view, candidates, keep=set(), rng=rng) for _ in range(20)]
    assert sum(rates[index] > 2.0 for index in chosen) <= 2


def test_nothing_is_screened_before_there_is_something_to_forecast_from() -> None:
    view, rng = seen(rows=4), np.random.default_rng(0)
    assert Screening(view.space).choose(view, [view.space.sample(rng) for _ in range(5)], keep=set(), rng=rng) == 0


def test_a_space_with_a_variable_of_a_users_own_kind_is_not_screened() -> None:
    class Word:
        size = 4.0

        def sample(self, rng: np.random.Generator) -> str:
            return "abcd"[rng.integers(4)]

        def canonical(self, value: object) -> str:
            return str(value)

    assert not has_distances(Space({"one": Word(), "other": Choice([1])}))
    assert has_distances(mixed_space())


def test_forecasts_of_a_long_search_use_the_newest_rows_and_those_that_are_kept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("evonas.strategies.screening.MOST_ROWS", 40)
    view, rng = seen(rows=100), np.random.default_rng(0)
    sizes = []
    original = Forecast.__init__

    def noted(self: Forecast, places: np.ndarray, values: np.ndarray, *, kernel: Kernel) -> None:
        sizes.append(len(places))
        original(self, places, values, kernel=kernel)

    monkeypatch.setattr(Forecast, "__init__", noted)
    candidates = [view.space.sample(rng) for _ in range(5)]
    Screening(view.space).choose(view, candidates, keep={0, 1, 2}, rng=rng)
    assert max(sizes) == 40
