"""The verdicts of published claims: what an interval has to do, and that both sides of a comparison are equal."""

from __future__ import annotations

import math

import numpy as np
import pytest
import residual
from claims import FEWEST, Effect, over_networks, over_ranks, over_seeds, tau_of
from claims_of_searches import SYSTEMS, shortened, within

from evonas.engine.evaluation import Evaluation, Outcome
from evonas.engine.job import Job
from evonas.engine.view import Row
from evonas.genotype import Genotype


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [
        (0.1, 2.0, "holds here"),
        (-2.0, -0.1, "does not hold here"),
        (-0.1, 2.0, "not to be told"),
        (0.0, 0.0, "not to be told"),
        (None, None, "not to be told"),
    ],
)
def test_a_claim_holds_where_its_whole_interval_is_above_no_effect(
    low: float | None, high: float | None, verdict: str
) -> None:
    assert Effect("a - b", 1.0, low, high, "points", "3 seeds").verdict == verdict


def test_a_cost_is_told_and_not_judged() -> None:
    assert Effect("joules", 4.0, 3.0, 5.0, "x", "6 networks", none=1.0, is_judged=False).verdict == "a cost"


def test_seeds_are_compared_in_pairs() -> None:
    effect = over_seeds("a - b", [1.0, 5.0, 9.0], [2.0, 7.0, 12.0], unit="points")
    reach = 4.302652729911275 / math.sqrt(3)  # Student's quantile of 2 degrees of freedom; the deviation is 1
    assert effect.value == 2.0
    assert (effect.low, effect.high) == pytest.approx((2 - reach, 2 + reach))
    assert over_seeds("a - b", [1.0], [9.0], unit="points").verdict == "not to be told"


def test_few_networks_tell_nothing_however_clear_they_look() -> None:
    before, after = [0.5] * FEWEST, [0.6] * FEWEST
    assert over_networks("a - b", before, after).verdict == "holds here"
    assert over_networks("a - b", after, before).verdict == "does not hold here"
    assert over_networks("a - b", before[1:], after[1:]).verdict == "not to be told"


def test_ranks_that_agree_hold_and_random_ones_do_not() -> None:
    rng = np.random.default_rng(0)
    hits = np.arange(64.0)
    for values, verdict in ((hits**3, "holds here"), (-hits, "does not hold here")):
        assert over_ranks("tau", lambda i, v=values: tau_of(v[i], hits[i]), 64).verdict == verdict
    shuffled = rng.permutation(hits)
    assert over_ranks("tau", lambda i: tau_of(shuffled[i], hits[i]), 64).verdict == "not to be told"
    assert over_ranks("tau", lambda i: tau_of(hits[i], hits[i]), FEWEST - 1).verdict == "not to be told"


@pytest.mark.parametrize("parameters", [500, 5_000, 60_000])
def test_no_residual_network_comes_closer_to_a_number_of_parameters(parameters: int) -> None:
    def count(channels: int) -> int:
        network = residual.build({"channels": channels, "time_steps": 2}, (1, 8, 8), 10)
        return sum(one.numel() for one in network.parameters() if one.requires_grad)

    found = residual.of_parameters(parameters, time_steps=2, input_shape=(1, 8, 8), classes=10)
    distances = [abs(count(channels) - parameters) for channels in range(1, 60)]
    assert int(found["channels"]) == 1 + int(np.argmin(distances))


def test_a_cost_buys_the_rows_that_it_covers_whole() -> None:
    rows = [
        Row.of(
            Evaluation(Job(slot, "evaluate", Genotype({"a": slot}), "random", sample_steps=10.0), Outcome.MEASURED), ()
        )
        for slot in range(3)
    ]
    assert [row.job.slot for row in within(rows, 29.0)] == [0, 1]
    assert len(within(rows, 30.0)) == 3


def test_every_strategy_of_a_system_has_a_short_form() -> None:
    for name in ("differentiable", "zero_shot", "one_shot", "random"):
        assert shortened([{"name": name}], is_quick=True)[0]["name"] == name
    assert shortened([{"name": "zero_shot", "pool": 300}], is_quick=False) == [{"name": "zero_shot", "pool": 300}]
    assert set(SYSTEMS) >= {"snasnet", "autosnn", "sts"}
