from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import pytest
from toys import ListMemory, measure, mixed_space

from evonas.engine.budget import Budget, Ending
from evonas.engine.ladder import Ladder
from evonas.engine.search import search
from evonas.engine.view import Proposal, Strategy, View
from evonas.engine.workers import InlineWorkers
from evonas.errors import EvonasError
from evonas.strategies.evolution import Evolution
from evonas.strategies.mixture import Mixture
from evonas.strategies.random import RandomSearch


@dataclass(frozen=True)
class Few:
    """Proposes until slot `last`, then nothing any more."""

    last: int
    name: str = "few"

    def propose(self, view: View) -> Proposal | None:
        return RandomSearch(self.name).propose(view) if view.slot <= self.last else None


def slots(strategy: Strategy, *, evaluations: int = 60, ladder: Ladder | None = None) -> list[tuple[str, int]]:
    memory = ListMemory()
    workers = InlineWorkers(measure)
    search(
        mixed_space(), memory, strategy=strategy, workers=workers, budget=Budget(evaluations), parallel=3, ladder=ladder
    )
    return [(row.job.strategy, row.job.rung) for _, row in sorted(memory.stored.items())]


def test_slots_follow_the_shares_at_every_moment() -> None:
    names = [name for name, _ in slots(Mixture([(Evolution(pop_size=6), 3.0), (RandomSearch(), 1.0)]))]
    assert Counter(names) == {"evolution": 45, "random": 15}
    assert all(abs(Counter(names[:n])["random"] - n / 4) <= 1 for n in range(1, 61))


def test_promotions_count_for_no_share() -> None:
    rungs = slots(Mixture([(Evolution(pop_size=6), 1.0), (RandomSearch(), 1.0)]), ladder=Ladder((1, 2)))
    lowest = Counter(name for name, rung in rungs if rung == 0)
    assert abs(lowest["evolution"] - lowest["random"]) <= 1
    assert any(rung == 1 for _, rung in rungs)


def test_where_a_member_has_nothing_the_next_one_goes_on() -> None:
    names = [name for name, _ in slots(Mixture([(Few(last=9), 1.0), (RandomSearch(), 1.0)]), evaluations=30)]
    assert Counter(names) == {"few": 5, "random": 25}


def test_a_mixture_of_members_that_have_nothing_has_nothing() -> None:
    memory = ListMemory()
    ending = search(
        mixed_space(), memory, strategy=Mixture([(Few(last=3), 1.0)]), workers=InlineWorkers(measure), budget=Budget(9)
    )
    assert ending is Ending.EXHAUSTED
    assert len(memory.stored) == 4


@pytest.mark.parametrize(
    "members",
    [[], [(RandomSearch(), 0.0)], [(Evolution(), 1.0), (Evolution(pop_size=32), 1.0)]],
    ids=["none", "no share", "one name twice"],
)
def test_members_need_names_of_their_own_and_shares_above_zero(members: list[tuple[Strategy, float]]) -> None:
    with pytest.raises(EvonasError, match="^- members.*expected"):
        Mixture(members)
