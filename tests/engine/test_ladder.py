from __future__ import annotations

import math

import pytest
from toys import OBJECTIVES, ListMemory, measure, mixed_space

from evonas.engine import ladder as ladder_module
from evonas.engine.budget import Budget
from evonas.engine.evaluation import Evaluation, Outcome
from evonas.engine.job import Job
from evonas.engine.ladder import Ladder
from evonas.engine.search import search
from evonas.engine.view import Proposal, Row, View
from evonas.engine.workers import InlineWorkers
from evonas.errors import OptionError
from evonas.objective import Objective
from evonas.space import Space
from evonas.strategies.random import RandomSearch
from evonas.variables import Integer

SPACE = Space({"x": Integer(0, 99)})


def start(view: View, x: int, *, rung: int = 0) -> Job:
    job = Job(slot=view.slot, kind="evaluate", genotype=SPACE.canonical({"x": x}), strategy="toy", rung=rung)
    view.start(job)
    return job


def see(view: View, job: Job, *costs: float) -> None:
    if not costs:
        view.see(Row(Evaluation(job, Outcome.CRASHED, "no such operator"), None, None))
        return
    measurement = dict(zip(("error", "rate"), costs, strict=True))
    view.see(Row.of(Evaluation(job, Outcome.MEASURED, measurement=measurement), OBJECTIVES))


def climbed(proposal: Proposal | None) -> tuple[int, int] | None:
    return None if proposal is None else (int(proposal.genotype["x"]), proposal.rung)


def test_the_best_part_of_a_rung_climbs_and_nothing_else() -> None:
    view, ladder = View(SPACE, OBJECTIVES, seed=0), Ladder((1, 2), keep=0.5)
    for x in range(4):
        see(view, start(view, x), float(x), float(x))
    promoted = []
    while (proposal := ladder.promotion(view)) is not None:
        promoted.append(climbed(proposal))
        assert proposal.parents == (proposal.genotype["x"],)
        start(view, int(proposal.genotype["x"]), rung=1)
    assert promoted == [(0, 1), (1, 1)]


def test_of_a_front_that_spans_decades_those_climb_that_are_apart_in_decades() -> None:
    objectives = (OBJECTIVES[0], Objective("rate", lambda found: found["rate"], log=True))
    view, ladder = View(SPACE, objectives, seed=0), Ladder((1, 2), keep=0.5)
    for x, error in enumerate([0.9, 0.8, 0.5, 0.4, 0.35, 0.33, 0.31, 0.3]):  # evenly in decades, jumps among the cheap
        job = start(view, x)
        measurement = {"error": error, "rate": 10.0 ** (x - 8)}
        view.see(Row.of(Evaluation(job, Outcome.MEASURED, measurement=measurement), objectives))
    promoted = set()
    while (proposal := ladder.promotion(view)) is not None:
        promoted.add(int(proposal.genotype["x"]))
        start(view, int(proposal.genotype["x"]), rung=1)
    assert promoted == {0, 1, 2, 7}


def test_a_single_row_does_not_climb_and_a_failure_takes_no_place() -> None:
    view, ladder = View(SPACE, OBJECTIVES, seed=0), Ladder((1, 2), keep=0.5)
    see(view, start(view, 7), 1.0, 1.0)
    assert ladder.promotion(view) is None
    see(view, start(view, 8))
    assert ladder.promotion(view) is None
    see(view, start(view, 9), 0.5, 0.5)
    assert climbed(ladder.promotion(view)) == (9, 1)


def test_the_highest_rung_comes_first_and_rungs_are_never_compared() -> None:
    view, ladder = View(SPACE, OBJECTIVES, seed=0), Ladder((1, 2, 4), keep=0.5)
    for x in range(4):
        see(view, start(view, x), float(x), float(x))
    for x, cost in ((0, 90.0), (1, 80.0)):
        see(view, start(view, x, rung=1), cost, cost)
    assert climbed(ladder.promotion(view)) == (1, 2)


def test_a_network_that_runs_at_the_next_rung_is_not_promoted_again_though_better_ones_come() -> None:
    view, ladder = View(SPACE, OBJECTIVES, seed=0), Ladder((1, 2), keep=0.5)
    for x in (8, 9):
        see(view, start(view, x), float(x), float(x))
    start(view, 8, rung=1)
    see(view, start(view, 1), 1.0, 1.0)
    assert ladder.promotion(view) is None  # one place of three, and it is taken
    see(view, start(view, 2), 2.0, 2.0)
    assert climbed(ladder.promotion(view)) == (1, 1)


def test_one_rung_promotes_nothing() -> None:
    view = View(SPACE, OBJECTIVES, seed=0)
    for x in range(9):
        see(view, start(view, x), float(x), 0.0)
    assert Ladder().top == 0
    assert Ladder().promotion(view) is None


def test_a_search_trains_few_networks_long() -> None:
    memory = ListMemory()
    search(
        mixed_space(),
        memory,
        strategy=RandomSearch(),
        workers=InlineWorkers(measure),
        budget=Budget(70),
        parallel=4,
        ladder=Ladder((1, 3, 9), keep=1 / 3),
    )
    jobs = [row.job for row in memory.stored.values()]
    counts = [sum(job.rung == rung for job in jobs) for rung in range(3)]
    assert counts[0] > 2 * counts[1] > 4 * counts[2] > 0
    assert {job.epochs for job in jobs if job.rung == 2} == {9}


@pytest.mark.parametrize(
    "wrong",
    [
        {"epochs": ()},
        {"epochs": (0, 2)},
        {"epochs": (2, 2)},
        {"epochs": (True, 2)},
        {"epochs": (1.0,)},
        {"epochs": (10**309,)},
        {"epochs": 3},
        {"epochs": tuple(range(1, 200))},
        {"keep": 1.0},
        {"keep": 0.0},
        {"keep": math.nan},
        {"keep": True},
        {"keep": "half"},
    ],
)
def test_a_ladder_that_does_not_rise_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(OptionError, match=f"{next(iter(wrong))}: got .*, expected"):
        Ladder(**wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("keep", "rows", "places"), [(0.29, 100, 29), (0.57, 100, 57), (1 / 3, 3, 1), (2 / 3, 300, 200), (0.5, 3, 1)]
)
def test_the_part_that_climbs_is_counted_without_rounding_errors(keep: float, rows: int, places: int) -> None:
    assert Ladder((1, 2), keep=keep).places(rows) == places


def test_of_a_long_rung_the_newest_rows_are_ranked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ladder_module, "MOST_RANKED", 4)
    view, ladder = View(SPACE, OBJECTIVES, seed=0), Ladder((1, 2), keep=0.5)
    for x in (0, 1, 50, 20, 40, 30):  # 0 and 1 are the best, and no longer among the newest
        see(view, start(view, x), float(x), float(x))
    promoted = []
    while (proposal := ladder.promotion(view)) is not None:
        promoted.append(climbed(proposal))
        start(view, int(proposal.genotype["x"]), rung=1)
    assert promoted == [(20, 1), (30, 1)]
