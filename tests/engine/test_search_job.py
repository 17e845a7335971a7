from __future__ import annotations

import pytest

from evonas.engine.effort import Effort
from evonas.engine.gradient_search import GradientSearch
from evonas.engine.search_job import METHODS, SearchingStrategy, method_of, search_settings
from evonas.errors import EvonasError
from evonas.runfile.searchers import _SEARCHERS
from evonas.strategies.differentiable import Differentiable
from evonas.strategies.random import RandomSearch

FIRST = GradientSearch(0.5, {"layers": 3}, 2, 6, proposals=4)


def test_a_job_that_names_no_method_is_a_search_by_gradients_as_in_the_first_archives() -> None:
    assert method_of(FIRST.to_job()) == "gradients"
    assert search_settings(FIRST.to_job()) == FIRST


def test_a_search_by_gradients_goes_through_half_of_the_samples_for_weights_and_for_choices() -> None:
    assert search_settings(FIRST.to_job()).effort(100) == Effort(50 * (2 + (1 + 3) * 6), {"layers": 3})


def test_a_method_that_there_is_not_is_named_with_those_that_there_are() -> None:
    with pytest.raises(EvonasError, match="There is no method 'magic' of searching, expected one of gradients"):
        search_settings({"method": "magic"})


def test_workers_do_each_method_that_strategies_may_name() -> None:
    assert _SEARCHERS.keys() == METHODS.keys()


def test_a_strategy_with_a_method_has_search_jobs_and_others_have_none() -> None:
    assert isinstance(Differentiable("spikes"), SearchingStrategy)
    assert not isinstance(RandomSearch(), SearchingStrategy)
