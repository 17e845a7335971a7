"""Views: what is derived from one is kept for as long as its owner and the view live, and for that owner alone."""

from __future__ import annotations

import copy
import gc
import pickle
from collections.abc import Mapping
from dataclasses import dataclass, field

import pytest
from toys import OBJECTIVES, mixed_space, small_space

from evonas.engine.view import Strategy, View
from evonas.objective import Objective
from evonas.strategies.differentiable import Differentiable
from evonas.strategies.evolution import Evolution
from evonas.strategies.mixture import Mixture
from evonas.strategies.multi_target import Target, Targets
from evonas.strategies.random import RandomSearch


@dataclass
class Unhashable:
    """Two of them are equal, and have no hash."""

    remarks: list[str] = field(default_factory=list)


class Slotted:
    """An object to which there are no weak references."""

    __slots__ = ()


def view() -> View:
    return View(small_space(), OBJECTIVES, seed=0)


@pytest.mark.parametrize("make", [Unhashable, Slotted, RandomSearch, object], ids=lambda make: make.__name__)
def test_each_owner_has_what_it_derived_itself_be_it_unhashable_equal_or_without_weak_references(make: type) -> None:
    seen, one, other = view(), make(), make()
    first = seen.derived(one, list)
    first.append(1)
    assert seen.derived(one, list) is first
    assert seen.derived(other, list) == []
    assert view().derived(one, list) == []


def test_what_owners_derived_that_are_gone_is_gone_too() -> None:
    seen = view()
    for _ in range(100):
        seen.derived(RandomSearch(), list).append(1)
    gc.collect()
    assert all(seen.derived(RandomSearch(), list) == [] for _ in range(100))
    assert len(vars(seen)["_derived"]) == 0


def test_a_copy_of_a_view_derives_anew() -> None:
    seen, owner = view(), RandomSearch()
    seen.derived(owner, list).append(1)
    assert copy.deepcopy(seen).derived(owner, list) == []
    assert seen.derived(owner, list) == [1]


def rate(measurement: Mapping[str, float]) -> float:
    return measurement["rate"]


STRATEGIES: list[Strategy] = [
    RandomSearch(),
    Evolution(),
    Differentiable("rate", contexts={"layers": [1, 2]}),
    Mixture([(Evolution(), 1.0), (RandomSearch(), 2.0)]),
    Mixture([(Evolution(), 1.0), (RandomSearch(), 2.0)], shares="success"),
    Targets([Target("all", (Objective("rate", rate),))], Evolution()),
]


@pytest.mark.parametrize("strategy", STRATEGIES, ids=lambda strategy: strategy.name)
def test_a_strategy_can_be_pickled_before_and_after_it_has_proposed(strategy: Strategy) -> None:
    assert pickle.loads(pickle.dumps(strategy)) == strategy
    proposals = [strategy.propose(View(mixed_space(), OBJECTIVES, seed=seed)) for seed in range(3)]
    again = pickle.loads(pickle.dumps(strategy))
    assert again == strategy
    assert [again.propose(View(mixed_space(), OBJECTIVES, seed=seed)) for seed in range(3)] == proposals
