from __future__ import annotations

from dataclasses import replace

import pytest

from evonas.engine.gradient_search import GradientSearch

ALL = GradientSearch(0.5, {"layers": 3, "channels": 8}, 2, 6, proposals=4, seed=7, target=-6.5)
WHOLE = replace(ALL, paths="all")


@pytest.mark.parametrize("told", [ALL, WHOLE, GradientSearch(0.5, {}, 0, 1, proposals=1)])
def test_what_a_search_is_told_comes_back_from_the_settings_of_its_job(told: GradientSearch) -> None:
    assert GradientSearch.of(told.to_job()) == told


def test_settings_hold_plain_values_and_leave_out_a_target_that_there_is_not() -> None:
    assert ALL.to_job() == {
        "price": 0.5, "context.layers": 3, "context.channels": 8, "warm_up": 2, "epochs": 6, "proposals": 4,
        "seed": 7, "target": -6.5,
    }  # fmt: skip
    assert WHOLE.to_job() == {**ALL.to_job(), "paths": "all"}
    assert set(GradientSearch(0.5, {}, 0, 1, proposals=1).to_job()) == {
        "price",
        "warm_up",
        "epochs",
        "proposals",
        "seed",
    }
