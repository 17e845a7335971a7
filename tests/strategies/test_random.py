from __future__ import annotations

import pytest
from toys import ListMemory, measure, measure_small, mixed_space, small_space

from evonas.engine.budget import Budget, Ending
from evonas.engine.search import search
from evonas.engine.workers import InlineWorkers
from evonas.genotype import Genotype
from evonas.real_variables import LogReal, Real
from evonas.rule import Rule
from evonas.space import Space
from evonas.strategies.random import RandomSearch, listed
from evonas.variables import Choice, Integer


@pytest.mark.parametrize("parallel", [1, 7])
def test_a_small_space_is_searched_whole_and_nothing_twice(parallel: int) -> None:
    memory = ListMemory()
    ending = search(
        small_space(),
        memory,
        strategy=RandomSearch(),
        workers=InlineWorkers(measure_small),
        budget=Budget(200),
        parallel=parallel,
    )
    assert ending is Ending.EXHAUSTED
    assert len(memory.stored) == 24
    assert len({row.job.genotype.key for row in memory.stored.values()}) == 24


def test_seeds_make_different_searches_and_one_seed_the_same() -> None:
    def keys(seed: int) -> list[str]:
        memory = ListMemory(seed=seed)
        workers = InlineWorkers(measure)
        search(mixed_space(), memory, strategy=RandomSearch(), workers=workers, budget=Budget(30), parallel=3)
        return [row.job.genotype.key for _, row in sorted(memory.stored.items())]

    assert keys(0) == keys(0) != keys(1)


def test_a_space_is_listed_once_with_every_kind_of_variable_and_its_rules() -> None:
    space = Space(
        {"on": Choice([False, True]), "n": Integer(2, 4), "x": Real(0.0, 1.0, 0.5), "t": LogReal(8.0, 30.0, digits=1)},
        rules=[Rule(("n", "x"), lambda values: bool(values["on"]))],
    )
    genotypes = list(listed(space))
    assert len(genotypes) == len(set(genotypes)) == 5 * (1 + 3 * 3)
    assert {genotype["t"] for genotype in genotypes} == {8.0, 9.0, 10.0, 20.0, 30.0}
    assert all(space.genotype(genotype) == genotype for genotype in genotypes)


def test_a_space_that_is_too_large_or_of_unknown_kind_is_not_listed() -> None:
    class Coin:
        size = 2.0

        def sample(self, rng: object) -> str:
            return "head"

        def canonical(self, value: object) -> str:
            return str(value)

    assert list(listed(Space({f"x{i}": Integer(0, 9) for i in range(6)}))) == []
    assert list(listed(Space({"coin": Coin()}))) == []


def test_a_space_that_cannot_be_listed_ends_when_draws_give_known_networks_only() -> None:
    space = Space({f"x{i}": Integer(0, 9) for i in range(6)}, arrange=lambda values: dict.fromkeys(values, 0))
    memory = ListMemory()
    workers = InlineWorkers(lambda job: {"error": 0.0, "rate": 0.0})
    assert search(space, memory, strategy=RandomSearch(), workers=workers, budget=Budget(9)) is Ending.EXHAUSTED
    assert memory.stored[0].job.genotype == Genotype({f"x{i}": 0 for i in range(6)})
