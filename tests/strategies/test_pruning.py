from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from toys import ListMemory

from evonas.engine.budget import Budget
from evonas.engine.evaluation import Result
from evonas.engine.job import Job
from evonas.engine.proxy_score import ProxyScore
from evonas.engine.score_search import ScoreSearch
from evonas.engine.search import search
from evonas.engine.workers import InlineWorkers
from evonas.errors import OptionError
from evonas.genotype import Genotype
from evonas.objective import Objective
from evonas.rule import Rule
from evonas.space import Space
from evonas.strategies.pruning import pruned
from evonas.strategies.zero_shot import ZeroShot
from evonas.variables import Choice, Integer

EDGES = [f"edge{i}" for i in range(6)]
WORTH = {"zero": 0.0, "skip": 1.0, "conv": 2.0}
SPACE = Space(
    {**{edge: Choice(list(WORTH)) for edge in EDGES}, "back": Choice([False, True]), "time_steps": Integer(2, 8)},
    build=lambda genotype, shape, outputs: None,
    rules=[Rule("back", lambda values: values["edge0"] != "zero")],
)
"""729 cells of six edges, and whether the first of them runs backward, which only one that is there can."""

FRONT = [Objective("bad", lambda m: m["bad"]), Objective("size", lambda m: m["size"])]


def worth(genotype: Genotype) -> float:
    """Return what every operation adds on its own, a backward edge most of all."""
    return sum(WORTH[str(genotype[edge])] for edge in EDGES) + 5.0 * genotype.get("back", False)


def work(job: Job) -> Any:
    if job.kind == "evaluate":
        return {"bad": -worth(job.genotype), "size": int(job.genotype["time_steps"])}
    told = ScoreSearch.of(job.settings)
    found = []
    for place in range(told.first, told.first + told.networks):
        rng = np.random.default_rng([job.seed, place])
        given = {name: values[int(rng.integers(len(values)))] for name, values in told.only.items()}
        genotype = SPACE.sample(rng, given=given)
        noise = 0.5 * float(rng.standard_normal())
        found.append(ProxyScore(genotype, told.score, worth(genotype) + noise))
    return Result(proxy_scores=tuple(found))


def run(memory: ListMemory, *, evaluations: int = 3, **options: Any) -> list[Job]:
    strategy = ZeroShot(**{"pool": 1800, "rounds": 3, "part": 200, "proposals": 3, "against": "nothing", **options})
    workers = InlineWorkers(work)
    search(SPACE, memory, strategy=strategy, workers=workers, budget=Budget(evaluations), parallel=4)
    return [row.job for _, row in sorted(memory.stored.items())]


def scored(**values: Any) -> ProxyScore:
    value = values.pop("value")
    return ProxyScore(Genotype(values), "mine", value)


TWO = {"a": Choice(["x", "y", "z"]), "b": Choice([3, False])}


def test_the_value_without_which_scores_are_highest_goes() -> None:
    networks = [
        scored(a="x", b=3, value=1.0),
        scored(a="y", b=3, value=2.0),
        scored(a="z", b=False, value=9.0),
        scored(a="z", value=4.0),
    ]
    # without x the mean is 5, without y 14 / 3, without z 1.5; without 3 it is 9, without False 1.5
    assert pruned({}, networks, TWO) == {"a": ("y", "z"), "b": (False,)}
    left = pruned({"a": ("y", "z"), "b": (False,)}, networks[1:], TWO)
    assert left == {"a": ("z",), "b": (False,)}
    assert type(left["b"][0]) is bool


def test_a_value_that_no_network_with_a_score_has_goes_first() -> None:
    networks = [scored(a="x", value=9.0), scored(a="z", value=1.0), scored(a="y", value=None)]
    assert pruned({}, networks, {"a": TWO["a"]}) == {"a": ("x", "z")}


def test_where_nothing_tells_all_stay_and_the_last_value_always_does() -> None:
    assert pruned({}, [scored(a="x", value=None)], {"a": TWO["a"]}) == {"a": ("x", "y", "z")}
    assert pruned({"a": ("x",)}, [scored(a="x", value=1.0)], {"a": TWO["a"]}) == {"a": ("x",)}


def test_the_last_round_of_a_pool_holds_the_best_of_each_choice() -> None:
    jobs = run(ListMemory())
    told = [ScoreSearch.of(job.settings) for job in jobs if job.kind == "search"]
    assert [len(one.only) for one in told] == [0] * 3 + [7] * 6
    assert {edge: told[3].only[edge] for edge in EDGES} == dict.fromkeys(EDGES, ("skip", "conv"))
    assert told[-1].only == {**dict.fromkeys(EDGES, ("conv",)), "back": (True,)}
    best = [worth(job.genotype) for job in jobs if job.kind == "evaluate"]
    assert max(best) == 6 * 2 + 5
    assert min(best) >= 6 * 2 + 5 - 2  # scores are noisy


def test_a_round_waits_for_the_one_before_and_the_next_pool_begins_with_everything() -> None:
    memory = ListMemory()
    run(memory, evaluations=5)
    told = [ScoreSearch.of(job.settings) for job in run(memory, evaluations=5) if job.kind == "search"]
    assert [one.first for one in told] == [200 * index for index in range(18)]
    assert [bool(one.only) for one in told] == [False] * 3 + [True] * 6 + [False] * 3 + [True] * 6


def test_a_pool_that_is_pruned_goes_on_from_where_it_was_stopped() -> None:
    once, often = ListMemory(), ListMemory()
    whole = run(once, evaluations=5)
    for evaluations in (1, 2, 5):
        parted = run(often, evaluations=evaluations)
    assert whole == parted


def test_settings_with_values_come_back_from_a_job() -> None:
    only = {"a": ("x", "z"), "b": (False,), "c": (1, 2.5)}
    told = ScoreSearch("mine", 0, 10, batch_size=4, against="nothing", only=only)
    assert ScoreSearch.of(told.to_job()) == told
    assert all(isinstance(value, str | int) for value in told.to_job().values())


def test_more_rounds_than_networks_are_refused() -> None:
    with pytest.raises(OptionError, match="rounds: got 11, expected at most pool = 10"):
        ZeroShot(pool=10, rounds=11)
