"""The judge of the search is judged: peers on a table that is known whole, and the statistics."""

from __future__ import annotations

import numpy as np
import peers
import pytest
import search_quality
from tabulated import Tabulated, hypervolume_of

from evonas.space import Space
from evonas.strategies.random import RandomSearch
from evonas.variables import Choice


def small_table() -> Tabulated:
    """Return 27 codes, one of which is no network, each trained twice."""
    values = np.indices((3, 3, 3)).reshape(3, -1).T / 2
    costs = np.stack([values.mean(axis=1), 1 - values[:, 0] * values[:, 1]], axis=1)[1:]
    noise = np.random.default_rng(0).uniform(-0.01, 0.01, (26, 2, 2))
    noise[:, 1] = -noise[:, 0]
    space = Space({name: Choice((0, 1, 2)) for name in "abc"})
    axes = {name: {0: 0, 1: 1, 2: 2} for name in "abc"}
    lookup = np.arange(-1, 26)
    return Tabulated("small", space, axes, costs, hypervolume_of(costs), costs[:, None] + noise, lookup)


def searched(name: str) -> peers.Trials:
    trials = peers.Trials(small_table(), np.random.default_rng(0))
    limits = {"evaluations": 26, "seed": 1}
    match name:
        case "random":
            peers.evonas(trials, RandomSearch(), parallel=2, **limits)
        case "pymoo":
            peers.pymoo(trials, pop_size=8, **limits)
        case "local search":
            peers.local_search(trials, parallel=2, **limits)
        case _:
            peers.ageing_evolution(trials, parallel=2, **limits)
    return trials


@pytest.mark.parametrize("name", ["random", "pymoo", "local search", "ageing evolution"])
def test_a_searcher_sees_single_trainings_and_is_judged_by_their_means(name: str) -> None:
    trials = searched(name)
    assert len(trials.points) >= 26
    for point, costs in zip(trials.points, trials.costs, strict=True):
        assert np.isnan(costs).all() if point < 0 else costs.tolist() in trials.problem.samples[point].tolist()  # type: ignore[index]
    shares = [trials.share(n) for n in (5, 26)]
    assert 0 < shares[1] <= 1


def test_all_of_a_table_is_the_true_front_up_to_the_noise_of_what_seems_best() -> None:
    trials = searched("random")
    assert sorted({point for point in trials.points if point >= 0}) == list(range(26)) or len(set(trials.points)) == 26
    assert trials.share(26) > 0.95


def test_ranks_share_ties_and_one_is_best() -> None:
    shares = np.array([[0.9, 0.5], [0.8, 0.5], [0.7, 0.6]])
    assert search_quality.ranks(shares).tolist() == [[1.0, 2.5], [2.0, 2.5], [3.0, 1.0]]


def test_the_critical_difference_is_that_of_the_published_table() -> None:
    assert search_quality.critical_difference(5, 30) == pytest.approx(2.728 * (5 * 6 / (6 * 30)) ** 0.5, rel=1e-3)
    assert search_quality.critical_difference(10, 20) == pytest.approx(3.164 * (10 * 11 / (6 * 20)) ** 0.5, rel=1e-3)


def test_a_lead_over_each_peer_alone_is_judged_by_signs() -> None:
    ours = np.arange(14.0)
    behind, often_behind, level = (
        ours - 0.5,
        ours - np.where(ours == 3, -0.5, 0.5),
        np.where(ours % 2, ours - 1, ours + 1),
    )
    assert search_quality.chance_of_lead(ours, np.stack([behind])) == pytest.approx(2 / 2**14)
    # of 14 problems 13 are won: 2 * (1 + 14) / 2**14, the larger of two p and the last by Holm's steps
    assert search_quality.chance_of_lead(ours, np.stack([behind, often_behind])) == pytest.approx(30 / 2**14)
    assert search_quality.chance_of_lead(ours, np.stack([behind, level])) == 1.0


def test_a_curve_of_a_made_up_problem_never_exceeds_the_true_front() -> None:
    curve = search_quality.curve(search_quality.Run("ageing evolution", "made-up pairs", 0, 4, 100))
    assert len(curve) == 3
    assert 0 < curve[0] <= 1
    assert max(curve) <= 1
