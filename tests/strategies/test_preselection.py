"""Pre-selection: points of genotypes, Gaussian processes against the book, and choices that beat chance."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from toys import OBJECTIVES, foresee, measure, mixed_space

from evonas.engine.evaluation import Evaluation, Outcome
from evonas.engine.job import Job
from evonas.engine.pareto import hypervolume_improvement, nondominated
from evonas.engine.view import Foresee, Row, View
from evonas.objective import Objective
from evonas.space import Space
from evonas.strategies.encoding import Encoding, can_be_encoded
from evonas.strategies.gaussian_process import GaussianProcess, Kernel, likelier_kernel
from evonas.strategies.preselection import PreSelection, _Scale
from evonas.strategies.trend import Trend
from evonas.variables import Choice, Integer


def test_places_are_as_far_apart_as_the_genotypes_differ() -> None:
    space = Space({"a": Choice(["x", "y", "z"]), "b": Choice([1, 2]), "n": Integer(0, 4)})
    genotypes = [space.canonical(dict(zip("abn", values, strict=True))) for values in [
        ("x", 1, 0), ("y", 1, 0), ("y", 2, 0), ("x", 1, 4)
    ]]  # fmt: skip
    points = Encoding(space).matrix(genotypes)
    assert [((points[0] - point) ** 2).sum() for point in points] == pytest.approx([0, 1, 2, 4])


def test_a_choice_among_numbers_knows_what_lies_between() -> None:
    space = Space({"units": Choice([512, 16, 64]), "word": Choice(["512", "16", "64"])})
    encoding = Encoding(space)
    low, middle, high = (encoding.matrix([space.canonical({"units": n, "word": "16"})])[0] for n in (16, 64, 512))
    assert ((low - high) ** 2).sum() > ((low - middle) ** 2).sum() > 0
    assert ((low - middle) ** 2).sum() == pytest.approx(((middle - high) ** 2).sum())
    assert encoding.owners.tolist() == [0, 0, 0, 0, 1, 1, 1]


def test_a_variable_that_a_genotype_does_not_have_lies_apart_from_all_its_values() -> None:
    space = mixed_space()
    with_tau = [
        space.canonical({"kind": "leaky", "layers": 2, "threshold": 0.5, "tau": tau}) for tau in (1.0, 10.0, 100.0)
    ]
    without = space.canonical({"kind": "integrate", "layers": 2, "threshold": 0.5, "tau": 1.0})
    encoding = Encoding(space)
    taus = encoding.matrix([*with_tau, without])[:, -1]
    assert taus.tolist() == pytest.approx([0, 1, 2, -1])


def test_places_are_remembered_in_a_memory_that_does_not_grow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("evonas.strategies.encoding.MOST_KNOWN", 8)
    space, rng = mixed_space(), np.random.default_rng(0)
    genotypes = [space.sample(rng) for _ in range(40)]
    small, large = Encoding(space), Encoding(space)
    monkeypatch.setattr("evonas.strategies.encoding.MOST_KNOWN", 4096)
    assert np.array_equal(small.matrix(genotypes), large.matrix(genotypes))


def made(points: np.ndarray, values: np.ndarray, *, kernel: Kernel, owners: np.ndarray) -> GaussianProcess:
    """Return a process made of most points at once, and of the others one by one."""
    process = GaussianProcess(points[:-3], kernel=kernel, owners=owners)
    for point in points[-3:]:
        process.add(point)
    process.see(values)
    return process


def test_a_process_knows_what_was_measured_and_doubts_what_is_far() -> None:
    rng = np.random.default_rng(0)
    points, owners = rng.uniform(-2, 2, (60, 2)), np.arange(2)
    for values in (np.sin(points[:, 0]) * 1e-6, 50 + points[:, 1]):
        kernel = likelier_kernel(points, values, owners=owners, known=None, rng=rng)
        process = made(points, values, kernel=kernel, owners=owners)
        means, covariance = process.at(points)
        assert np.abs(means - values).max() < 0.2 * values.std()
        assert process.fitted == pytest.approx(means)
        _, far = process.at(np.array([[40.0, 40.0]]))
        assert far[0, 0] > 9 * np.diag(covariance).max()


def test_a_process_equals_the_formula_of_the_book() -> None:
    rng = np.random.default_rng(1)
    points, values, new = rng.normal(size=(7, 3)), rng.normal(size=7), rng.normal(size=(4, 3))
    decays = np.array([0.25, 0.5, 0.25])

    def similarity(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return np.array([[np.exp(-(decays * (x - y) ** 2).sum()) for y in b] for x in a])

    inverse = np.linalg.inv(similarity(points, points) + 0.1 * np.eye(7))
    mean, unit = values.mean(), values.std()
    scaled = (values - mean) / unit
    scale = scaled @ inverse @ scaled / 7
    process = made(points, values, kernel=Kernel((0.25, 0.5), 0.1), owners=np.array([0, 1, 0]))
    means, covariance = process.at(new)
    assert means == pytest.approx(mean + unit * similarity(new, points) @ inverse @ scaled)
    rest = similarity(new, new) - similarity(new, points) @ inverse @ similarity(points, new)
    assert covariance == pytest.approx(scale * unit**2 * rest)
    sign, log_det = np.linalg.slogdet(similarity(points, points) + 0.1 * np.eye(7))
    assert process.log_likelihood == pytest.approx(-0.5 * 7 * np.log(scale) - 0.5 * sign * log_det)


def test_means_alone_are_those_beside_the_covariance() -> None:
    rng = np.random.default_rng(0)
    points, asked = rng.random((20, 3)), rng.random((5, 3))
    process = made(points, rng.random(20), kernel=Kernel((1.0, 2.0, 0.5), 0.01), owners=np.arange(3))
    assert process.means_at(asked).tolist() == process.at(asked)[0].tolist()


def test_points_that_no_covariance_can_be_of_are_refused() -> None:
    with pytest.raises(np.linalg.LinAlgError, match="covariance of 2 networks"):
        GaussianProcess(np.zeros((2, 1)), kernel=Kernel((1.0,), -0.5), owners=np.zeros(1, dtype=int))


def test_samples_of_a_process_have_its_mean_and_covariance() -> None:
    rng = np.random.default_rng(2)
    points, values, new = rng.normal(size=(9, 2)), rng.normal(size=9), rng.normal(size=(3, 2))
    process = made(points, values, kernel=Kernel((0.5, 0.5), 0.1), owners=np.arange(2))
    drawn = np.array([process.sample(new, rng) for _ in range(20_000)])
    means, covariance = process.at(new)
    assert drawn.mean(0) == pytest.approx(means, abs=0.03)
    assert np.cov(drawn.T) == pytest.approx(covariance, abs=0.03)


def test_deviations_are_as_large_as_the_errors_that_are_made() -> None:
    space, rng = mixed_space(), np.random.default_rng(5)
    genotypes = [space.sample(rng) for _ in range(160)]
    values = np.array([measure(Job(0, "evaluate", one, "toy"))["error"] for one in genotypes]) + rng.normal(
        0, 0.05, 160
    )
    encoding = Encoding(space)
    points, kernel = encoding.matrix(genotypes), None
    for _ in range(4):
        kernel = likelier_kernel(points[:80], values[:80], owners=encoding.owners, known=kernel, rng=rng)
    assert kernel is not None
    process = made(points[:80], values[:80], kernel=kernel, owners=encoding.owners)
    means, covariance = process.at(points[80:])
    noise = process.noise_variance
    z = (values[80:] - means) / np.sqrt(np.diag(covariance) + noise)
    assert 0.85 <= (np.abs(z) < 1.96).mean() <= 1.0
    assert 0.5 <= (np.abs(z) < 1.0).mean() <= 0.9


def test_values_that_are_all_alike_are_expected_as_they_are() -> None:
    process = made(np.eye(9), np.full(9, 3.5), kernel=Kernel((0.1,) * 9, 0.1), owners=np.arange(9))
    assert process.at(np.eye(9))[0] == pytest.approx(np.full(9, 3.5))


def test_what_does_not_matter_gets_a_small_decay() -> None:
    rng = np.random.default_rng(3)
    points, owners = rng.uniform(-1, 1, (120, 3)), np.arange(3)
    values, kernel = np.sin(4 * points[:, 1]), None
    for _ in range(8):
        kernel = likelier_kernel(points, values, owners=owners, known=kernel, rng=rng)
    assert kernel is not None
    assert kernel.decays[1] > 5 * max(kernel.decays[0], kernel.decays[2])


@pytest.mark.parametrize("objectives", [1, 2, 3])
def test_the_improvement_of_a_candidate_is_the_volume_that_it_adds(objectives: int) -> None:
    rng = np.random.default_rng(objectives)
    front, candidates = rng.uniform(size=(9, objectives)), rng.uniform(size=(6, objectives))
    front = front[nondominated(front)]
    cloud = rng.uniform(size=(200_000, objectives))  # the slow obvious twin: count points that are newly dominated
    covered = (cloud[:, None] >= front[None]).all(2).any(1)
    expected = [(~covered & (cloud >= candidate).all(1)).mean() for candidate in candidates]
    found = hypervolume_improvement(front, candidates, ref_point=np.ones(objectives), rng=rng)
    assert found == pytest.approx(expected, abs=0.01 if objectives < 3 else 0.03)


def test_what_lies_beyond_the_reference_point_improves_nothing() -> None:
    front = np.array([[0.2, 0.8], [0.8, 0.2]])
    outside = np.array([[1.2, 0.1], [0.1, 1.2], [1.0, 1.0], [0.8, 0.2], [0.9, 0.9]])
    improvements = hypervolume_improvement(front, outside, ref_point=np.ones(2), rng=np.random.default_rng(0))
    assert improvements.tolist() == [0.0] * 5


def seen(
    *, rows: int, objectives: tuple[Objective, ...] = OBJECTIVES, foresee: Foresee | None = None, seed: int = 0
) -> View:
    space, rng = mixed_space(), np.random.default_rng(seed)
    view = View(space, objectives, seed=seed, foresee=foresee)
    for slot in range(rows):
        job = Job(slot, "evaluate", space.sample(rng), "toy")
        view.start(job)
        view.see(Row.of(Evaluation(job, Outcome.MEASURED, measurement=measure(job)), objectives))
    return view


def test_better_candidates_than_chance_are_chosen() -> None:
    view, rng = seen(rows=120), np.random.default_rng(3)
    costs = np.array([row.costs for row in view.rows])
    front = costs[nondominated(costs)]
    preselection, better = PreSelection(view.space), 0
    for _ in range(30):
        candidates = [view.space.sample(rng) for _ in range(16)]
        chosen = preselection.choose(view, candidates, rng=rng)
        true = [list(measure(Job(0, "evaluate", genotype, "toy")).values()) for genotype in candidates]
        gained = hypervolume_improvement(front, true, ref_point=costs.max(0), rng=rng)
        better += gained[chosen] >= np.median(gained)
    assert better >= 25


def test_what_is_known_beforehand_makes_better_choices_after_few_rows() -> None:
    def ranks_of_chosen(foresee: Foresee | None) -> list[float]:
        ranks = []
        for seed in range(40):
            view, rng = seen(rows=9, objectives=OBJECTIVES[1:], foresee=foresee, seed=seed), np.random.default_rng(seed)
            candidates = [view.space.sample(rng) for _ in range(32)]
            chosen = PreSelection(view.space).choose(view, candidates, rng=rng)
            rates = [measure(Job(0, "evaluate", genotype, "toy"))["rate"] for genotype in candidates]
            ranks.append(float(np.mean(np.array(rates) < rates[chosen])))
        return ranks

    told, untold = ranks_of_chosen(foresee), ranks_of_chosen(None)
    assert np.mean(told) < 0.05
    assert np.mean(told) < 0.5 * np.mean(untold)


def test_a_trend_is_what_costs_have_in_common_with_traits() -> None:
    rng = np.random.default_rng(0)
    traits = np.hstack([rng.normal(size=(200, 2)) * [3.0, 0.01], np.full((200, 1), 7.0)])  # the last says nothing
    costs = 5.0 + traits @ np.array([[2.0, 0.0], [0.0, -300.0], [0.0, 0.0]])
    trend = Trend(traits, costs)
    asked = np.array([[0.0, 0.0, 7.0], [6.0, 0.02, 7.0]])
    np.testing.assert_allclose(trend.at(asked), [[5.0, 5.0], [17.0, -1.0]], atol=0.2)
    np.testing.assert_allclose(Trend(traits[:, 2:], costs).at(asked[:, 2:]), np.tile(costs.mean(0), (2, 1)))


def test_where_most_networks_have_the_best_cost_the_others_are_not_all_infinitely_worse() -> None:
    costs = np.array([[0.0], [0.0], [0.0], [1.0], [4.0]])
    scale = _Scale(costs, np.median(costs, axis=0))
    assert scale.compressed(costs)[:, 0] == pytest.approx(np.log1p([0, 0, 0, 0.5, 2]))
    assert scale.restored(scale.compressed(costs)) == pytest.approx(costs)
    usual = _Scale(costs[2:], np.median(costs[2:], axis=0))
    assert usual.compressed(costs[2:])[:, 0] == pytest.approx(np.log1p([0, 1, 4]))


def test_what_is_likely_infeasible_is_not_chosen() -> None:
    bounded = (Objective("error", lambda m: m["error"]), Objective("rate", lambda m: m["rate"], at_most=2.0))
    view, rng = seen(rows=120, objectives=bounded), np.random.default_rng(3)
    candidates = [view.space.sample(rng) for _ in range(24)]
    rates = [measure(Job(0, "evaluate", genotype, "toy"))["rate"] for genotype in candidates]
    assert sum(rate > 2.0 for rate in rates) > 6
    preselection = PreSelection(view.space)
    chosen = [preselection.choose(view, candidates, rng=rng) for _ in range(20)]
    assert sum(rates[index] > 2.0 for index in chosen) <= 2


def test_networks_that_fail_are_learnt_from() -> None:
    space, rng = mixed_space(), np.random.default_rng(0)
    view = View(space, OBJECTIVES, seed=0)
    for slot in range(120):
        job = Job(slot, "evaluate", space.sample(rng), "toy")
        view.start(job)
        crashed = job.genotype["layers"] > 3
        evaluation = (
            Evaluation(job, Outcome.CRASHED, "out of layers")
            if crashed
            else Evaluation(job, Outcome.MEASURED, measurement=measure(job))
        )
        view.see(Row(evaluation, None, None) if crashed else Row.of(evaluation, OBJECTIVES))
    candidates = [space.sample(rng) for _ in range(24)]
    assert sum(one["layers"] > 3 for one in candidates) > 6
    preselection = PreSelection(space)
    chosen = [candidates[preselection.choose(view, candidates, rng=rng)] for _ in range(20)]
    assert sum(one["layers"] > 3 for one in chosen) <= 2


def test_nothing_is_preselected_before_there_is_something_to_model() -> None:
    view, rng = seen(rows=4), np.random.default_rng(0)
    assert PreSelection(view.space).choose(view, [view.space.sample(rng) for _ in range(5)], rng=rng) == 0


def test_a_space_with_a_variable_of_a_users_own_kind_has_no_places() -> None:
    class Word:
        size = 4.0

        def sample(self, rng: np.random.Generator) -> str:
            return "abcd"[rng.integers(4)]

        def canonical(self, value: object) -> str:
            return str(value)

    space = Space({"one": Word(), "other": Choice([1])})
    assert not can_be_encoded(space)
    assert can_be_encoded(mixed_space())
    view = View(space, OBJECTIVES, seed=0)
    assert PreSelection(space).choose(view, [space.sample(np.random.default_rng(i)) for i in range(3)],
                                      rng=np.random.default_rng(0)) == 0  # fmt: skip


def test_a_model_of_a_long_search_has_the_best_rows_and_some_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("evonas.strategies.preselection.MOST_ROWS", 40)
    monkeypatch.setattr("evonas.strategies.preselection.BEST_ROWS", 16)
    monkeypatch.setattr("evonas.strategies.preselection.OTHER_ROWS", 8)
    view, rng = seen(rows=300), np.random.default_rng(0)
    sizes, original = [], GaussianProcess.__init__

    def noted(self: GaussianProcess, points: np.ndarray, *rest: Any, **more: Any) -> None:
        sizes.append(len(points))
        original(self, points, *rest, **more)

    monkeypatch.setattr(GaussianProcess, "__init__", noted)
    preselection = PreSelection(view.space)
    preselection.choose(view, [view.space.sample(rng) for _ in range(5)], rng=rng)
    assert 23 <= max(sizes) <= 40  # the 16 best, and at steps of rank 7 of the 25 others
    best = {row.job.slot for row in preselection.front(view)}
    costs = np.array([row.costs for row in view.rows])
    assert best == set(np.arange(300)[nondominated(costs)].tolist())


def result(job: Job, way: int) -> tuple[Outcome, Mapping[str, Any] | None]:
    """Return zeros, ties, failures and rejections besides what is usual."""
    match way:
        case 0:
            return Outcome.CRASHED, None
        case 1:
            return Outcome.REJECTED, None
        case 2:
            return Outcome.MEASURED, {"error": 0.0, "rate": 0.0}
        case 3:
            return Outcome.MEASURED, {"error": 1.0, "rate": 2.0}
        case _:
            return Outcome.MEASURED, measure(job)


def test_a_fold_over_rows_is_the_same_in_whatever_steps_it_is_made() -> None:
    logged = (
        Objective("error", lambda m: m["error"], log=True),
        Objective("rate", lambda m: m["rate"], log=True, at_most=7.0),
    )
    space, rng = mixed_space(), np.random.default_rng(1)
    view, steadily = View(space, logged, seed=0), PreSelection(space)
    for slot in range(150):
        job = Job(slot, "evaluate", space.sample(rng), "toy")
        view.start(job)
        outcome, measurement = result(job, int(rng.integers(12)))
        evaluation = Evaluation(job, outcome, measurement=measurement)
        view.see(Row.of(evaluation, logged) if measurement is not None else Row(evaluation, None, None))
        if slot % 3 == 0:
            candidates = [space.sample(rng) for _ in range(6)]
            choice = steadily.choose(view, candidates, rng=np.random.default_rng(slot))
            if slot % 15 == 0:
                assert choice == PreSelection(space).choose(view, candidates, rng=np.random.default_rng(slot))
