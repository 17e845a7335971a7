from __future__ import annotations

import math
import sys
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from toys import ListMemory, measure, measure_badly, measure_small, mixed_space, reject_deep, small_space

from evonas.engine.budget import Budget, Ending
from evonas.engine.evaluation import Evaluation, Outcome
from evonas.engine.job import Cost, Job
from evonas.engine.ladder import Ladder
from evonas.engine.rejection import Reject, Rejection
from evonas.engine.search import search
from evonas.engine.view import Proposal, View
from evonas.engine.virtual_clock import VirtualClock
from evonas.engine.workers import InlineWorkers, SimulatedWorkers
from evonas.errors import EvonasError, OptionError, WorkersError
from evonas.genotype import Genotype
from evonas.space import Space
from evonas.strategies.evolution import Evolution
from evonas.strategies.random import RandomSearch

TWO_RUNGS = Ladder((1, 3), keep=0.5)


def cost(proposal: Proposal, epochs: int) -> Cost:
    return Cost(float(proposal.genotype["layers"]) * epochs)


def run(
    memory: ListMemory, workers: object, *, evaluations: int = 40, parallel: int = 4, reject: Reject | None = None
) -> Ending:
    return search(
        mixed_space(),
        memory,
        strategy=Evolution(pop_size=6),
        workers=workers,  # type: ignore[arg-type]
        budget=Budget(evaluations),
        parallel=parallel,
        ladder=TWO_RUNGS,
        predict=cost,
        reject=reject,
    )


def results(memory: ListMemory) -> list[tuple[object, ...]]:
    return [
        (slot, row.job, row.outcome, row.message, row.degree, str(row.measurement))
        for slot, row in sorted(memory.stored.items())
    ]


REJECTING = st.sampled_from([None, reject_deep])


@settings(max_examples=16, deadline=None)
@given(count=st.integers(1, 9), seed=st.integers(0, 99), reject=REJECTING)
def test_the_archive_does_not_depend_on_the_number_or_the_speed_of_workers(
    count: int, seed: int, reject: Reject | None
) -> None:
    alone, many = ListMemory(), ListMemory()
    run(alone, InlineWorkers(measure_badly), reject=reject)
    run(many, SimulatedWorkers(measure_badly, count=count, rng=np.random.default_rng(seed)), reject=reject)
    assert results(alone) == results(many)


class KilledError(Exception):
    pass


class DyingMemory(ListMemory):
    """Dies after so many rows, in the middle of whatever goes on."""

    def __init__(self, stored: dict[int, Evaluation], *, lives: int) -> None:
        super().__init__()
        self.stored = stored
        self._lives = lives

    def add(self, evaluation: Evaluation) -> None:
        if not self._lives:
            raise KilledError
        self._lives -= 1
        super().add(evaluation)


@settings(max_examples=16, deadline=None)
@given(lives=st.lists(st.integers(0, 15), max_size=6), seed=st.integers(0, 99), reject=REJECTING)
def test_a_search_that_is_killed_again_and_again_ends_as_one_that_is_not(
    lives: list[int], seed: int, reject: Reject | None
) -> None:
    whole, broken = ListMemory(), ListMemory()
    run(whole, InlineWorkers(measure_badly), reject=reject)
    rng = np.random.default_rng(seed)
    for rows in lives:
        workers = SimulatedWorkers(measure_badly, count=3, rng=rng)
        try:
            run(DyingMemory(broken.stored, lives=rows), workers, reject=reject)
        except KilledError:
            continue
    run(broken, InlineWorkers(measure_badly), reject=reject)
    assert results(whole) == results(broken)


@pytest.mark.parametrize("reject", [None, reject_deep])
def test_a_larger_budget_goes_on_with_the_same_search(reject: Reject | None) -> None:
    once, twice = ListMemory(), ListMemory()
    run(once, InlineWorkers(measure), evaluations=50, reject=reject)
    run(twice, InlineWorkers(measure), evaluations=20, reject=reject)
    run(twice, InlineWorkers(measure), evaluations=50, reject=reject)
    assert results(once) == results(twice)


def test_a_finished_search_runs_nothing_again() -> None:
    memory = ListMemory()
    run(memory, InlineWorkers(measure))

    def never(job: Job) -> object:
        raise AssertionError("a stored slot was run again")

    assert run(memory, InlineWorkers(never)) is Ending.BUDGET_SPENT


def test_parallel_is_part_of_the_result() -> None:
    one, four = ListMemory(), ListMemory()
    run(one, InlineWorkers(measure), parallel=1)
    run(four, InlineWorkers(measure), parallel=4)
    assert results(one) != results(four)


@pytest.mark.parametrize("strategy", [Evolution(pop_size=6), RandomSearch()])
@pytest.mark.parametrize("parallel", [1, 5])
def test_a_space_of_24_points_is_searched_whole_and_no_point_twice(strategy: object, parallel: int) -> None:
    memory = ListMemory()
    ending = search(
        small_space(),
        memory,
        strategy=strategy,  # type: ignore[arg-type]
        workers=InlineWorkers(measure_small),
        budget=Budget(100),
        parallel=parallel,
    )
    assert ending is Ending.EXHAUSTED
    assert len({row.job.genotype.key for row in memory.stored.values()}) == len(memory.stored) == 24


def test_no_network_is_evaluated_twice_at_a_rung() -> None:
    memory = ListMemory()
    run(memory, InlineWorkers(measure), evaluations=120)
    places = [(row.job.genotype.key, row.job.rung) for row in memory.stored.values()]
    assert len(places) == len(set(places)) == 120
    assert {rung for _, rung in places} == {0, 1}


def test_a_proposal_sees_what_has_ended_in_virtual_time_and_nothing_else() -> None:
    seen: list[tuple[int, list[int], list[int]]] = []

    class Watching:
        name = "watching"

        def propose(self, view: View) -> Proposal | None:
            seen.append((view.slot, sorted(row.job.slot for row in view.rows), sorted(view.open)))
            return Proposal(Genotype({"cost": [3.0, 1.0, 1.0, 5.0, 1.0][view.slot]}), self.name)

    search(
        Space({}),
        ListMemory(),
        strategy=Watching(),
        workers=SimulatedWorkers(lambda job: {"error": 0, "rate": 0}, count=2, rng=np.random.default_rng(0)),
        budget=Budget(5),
        parallel=2,
        predict=lambda proposal, epochs: Cost(float(proposal.genotype["cost"])),
    )
    # slots end at 3, 1, 2, 7 (from 2) and 4 (from 3): written down by hand
    assert seen == [(0, [], []), (1, [], [0]), (2, [1], [0]), (3, [1, 2], [0]), (4, [0, 1, 2], [3])]


def test_the_clock_ends_jobs_in_the_order_of_their_virtual_ends_and_slots_break_ties() -> None:
    clock = VirtualClock(3)
    for slot, takes in enumerate([2.0, 1.0, 1.0]):
        clock.open(Job(slot, "evaluate", Genotype({}), "toy", cost=takes))
    assert not clock.has_room
    order = []
    while not clock.is_idle:
        order.append((clock.next_ending.slot, clock.now))
        clock.advance()
    assert order == [(1, 0.0), (2, 1.0), (0, 1.0)]
    assert clock.now == 2.0


def test_failures_are_rows_with_a_reason_and_never_become_parents() -> None:
    memory = ListMemory()
    run(memory, InlineWorkers(measure_badly), evaluations=150)
    outcomes = {row.outcome for row in memory.stored.values()}
    assert {Outcome.CRASHED, Outcome.DIVERGED, Outcome.OUT_OF_MEMORY} <= outcomes
    failed = {slot for slot, row in memory.stored.items() if row.outcome is not Outcome.MEASURED}
    assert all(memory.stored[slot].message for slot in failed)
    assert not failed & {parent for row in memory.stored.values() for parent in row.job.parents}


def test_a_search_ends_well_when_everything_fails() -> None:
    memory = ListMemory()

    def fail(job: Job) -> object:
        raise ValueError("always")

    with pytest.warns(RuntimeWarning, match="ValueError: always"):
        assert run(memory, InlineWorkers(fail), evaluations=30) is Ending.ONLY_FAILED
    assert 20 <= len(memory.stored) < 30
    assert all("ValueError: always" in row.message for row in memory.stored.values())


def test_a_rejected_network_is_a_row_that_is_never_evaluated_and_costs_nothing() -> None:
    memory, ran = ListMemory(), []

    def note(job: Job) -> object:
        ran.append(job.slot)
        return measure(job)

    assert run(memory, InlineWorkers(note), evaluations=40, reject=reject_deep) is Ending.BUDGET_SPENT
    rejected = {slot: row for slot, row in memory.stored.items() if row.outcome is Outcome.REJECTED}
    assert len(ran) == 40
    assert set(ran) | set(rejected) == set(range(len(memory.stored)))
    assert len(rejected) > 10
    for row in memory.stored.values():
        rejection = reject_deep(row.job.genotype)
        told = (rejection.message, rejection.degree) if rejection else ("", 0.0)
        assert (row.message, row.degree) == told
    assert {(row.job.rung, row.job.cost) for row in rejected.values()} == {(0, 0.0)}
    keys = [row.job.genotype.key for row in memory.stored.values() if row.job.rung == 0]
    assert len(keys) == len(set(keys)), "what is rejected is known, and never proposed again"


def test_the_strategy_sees_a_rejected_network_at_once_and_it_opens_no_job() -> None:
    seen: list[tuple[int, list[int], list[int], list[int]]] = []

    class Watching:
        name = "watching"

        def propose(self, view: View) -> Proposal | None:
            rejected = [row.job.slot for row in view.rejected]
            seen.append((view.slot, [row.job.slot for row in view.rows], rejected, sorted(view.open)))
            return Proposal(Genotype({"n": view.slot}), self.name)

    told: list[int] = []
    ending = search(
        Space({}),
        ListMemory(),
        strategy=Watching(),
        workers=InlineWorkers(lambda job: {"error": 0, "rate": 0}),
        budget=Budget(2),
        parallel=2,
        reject=lambda genotype: Rejection(("odd",), 1.0) if genotype["n"] % 2 else None,
        on_row=lambda row: told.append(row.job.slot),
    )
    assert seen == [(0, [], [], []), (1, [], [], [0]), (2, [1], [1], [0])]
    assert told == [1, 0, 2]
    assert ending is Ending.BUDGET_SPENT


def none_fits(genotype: Genotype) -> Rejection:
    return Rejection(("nothing fits",), 1.0)


@pytest.fixture
def _few_in_a_row(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules["evonas.engine.search"], "REJECTED_IN_A_ROW", 300)


@pytest.mark.usefixtures("_few_in_a_row")
@pytest.mark.parametrize("strategy", [Evolution(pop_size=6), RandomSearch()])
def test_a_search_in_which_nothing_fits_gives_up_and_does_so_again(strategy: object) -> None:
    memory = ListMemory()
    for _ in range(2):
        ending = search(
            mixed_space(),
            memory,
            strategy=strategy,  # type: ignore[arg-type]
            workers=InlineWorkers(measure),
            budget=Budget(5),
            parallel=3,
            reject=none_fits,
        )
        assert ending is Ending.ONLY_REJECTED
        assert len(memory.stored) == 300


@pytest.mark.usefixtures("_few_in_a_row")
def test_what_was_found_before_nothing_fits_any_more_still_climbs() -> None:
    memory = ListMemory()

    def reject(genotype: Genotype) -> Rejection | None:
        return None if genotype["n"] < 4 else none_fits(genotype)

    class Counting:
        name = "counting"

        def propose(self, view: View) -> Proposal | None:
            return Proposal(Genotype({"n": view.slot}), self.name)

    ending = search(
        Space({}),
        memory,
        strategy=Counting(),
        workers=InlineWorkers(lambda job: {"error": job.genotype["n"], "rate": 0}),
        budget=Budget(100),
        parallel=8,
        ladder=TWO_RUNGS,
        reject=reject,
    )
    assert ending is Ending.ONLY_REJECTED
    assert sum(row.outcome is Outcome.REJECTED for row in memory.stored.values()) == 300
    assert sorted(row.job.genotype["n"] for row in memory.stored.values() if row.job.rung == 1) == [0, 1]


def test_a_small_space_of_which_a_part_is_rejected_is_searched_whole() -> None:
    memory = ListMemory()
    ending = search(
        small_space(),
        memory,
        strategy=Evolution(pop_size=6),
        workers=InlineWorkers(measure_small),
        budget=Budget(100),
        parallel=3,
        reject=lambda genotype: Rejection(("x",), 1.0 + genotype["b"]) if genotype["a"] == "x" else None,
    )
    assert ending is Ending.EXHAUSTED
    assert len(memory.stored) == 24
    assert sum(row.outcome is Outcome.REJECTED for row in memory.stored.values()) == 8


@pytest.mark.parametrize(("reasons", "degree"), [((), 1.0), (("a",), 0.0), (("a",), math.nan), (("a",), math.inf)])
def test_a_rejection_without_a_reason_or_a_degree_is_no_rejection(reasons: tuple[str, ...], degree: float) -> None:
    with pytest.raises(EvonasError, match="Return None for a network that is not rejected"):
        Rejection(reasons, degree)


def test_seconds_stop_a_search_which_then_goes_on_where_it_was() -> None:
    memory = ListMemory()
    parts = {"strategy": RandomSearch(), "workers": InlineWorkers(measure)}
    ending = search(mixed_space(), memory, budget=Budget(10**6, seconds=0.05), **parts)  # type: ignore[arg-type]
    rows = len(memory.stored)
    assert ending is Ending.TIME_SPENT
    assert rows > 0
    search(mixed_space(), memory, budget=Budget(rows + 5), **parts)  # type: ignore[arg-type]
    assert sorted(memory.stored) == list(range(rows + 5))


def test_resuming_takes_the_stored_proposals_and_asks_for_the_missing_only() -> None:
    whole, broken = ListMemory(), ListMemory()
    run(whole, InlineWorkers(measure), evaluations=30)
    lost = {7, 19, 28, 29}
    broken.stored = {slot: row for slot, row in whole.stored.items() if slot not in lost}
    ran = []

    def note(job: Job) -> object:
        ran.append(job.slot)
        return measure(job)

    run(broken, InlineWorkers(note), evaluations=30)
    assert set(ran) == lost
    assert results(whole) == results(broken)


def test_a_stored_job_starts_when_it_started_and_not_before() -> None:
    class Waiting:
        """Proposes one network, and the next only after it has been seen."""

        name = "waiting"

        def propose(self, view: View) -> Proposal | None:
            return None if view.open else Proposal(Genotype({"n": view.slot}), self.name)

    memory = ListMemory()
    for _ in range(2):
        search(
            Space({}),
            memory,
            strategy=Waiting(),
            workers=InlineWorkers(lambda job: {"error": 0, "rate": 0}),
            budget=Budget(4),
            parallel=3,
        )
    assert [row.job.start for _, row in sorted(memory.stored.items())] == [0.0, 1.0, 2.0, 3.0]


def test_a_search_job_proposes_and_is_no_evaluation() -> None:
    class Searching:
        name = "searching"

        def propose(self, view: View) -> Proposal | None:
            if view.slot == 0:
                return Proposal(Genotype({}), self.name, kind="search", settings={"price": 0.5})
            found = [genotype for row in view.rows for genotype in row.evaluation.proposals]
            new = [genotype for genotype in found if not view.is_known(genotype)]
            return Proposal(new[0], self.name, parents=(0,)) if new else None

    def evaluate(job: Job) -> object:
        if job.kind == "search":
            assert job.settings == {"price": 0.5}
            return [small_space().sample(np.random.default_rng(seed)) for seed in range(3)]
        return measure_small(job)

    memory = ListMemory()
    ending = search(
        small_space(), memory, strategy=Searching(), workers=InlineWorkers(evaluate), budget=Budget(10), parallel=4
    )
    assert ending is Ending.EXHAUSTED
    assert [row.job.kind for _, row in sorted(memory.stored.items())] == ["search"] + ["evaluate"] * 3
    assert all(row.job.parents == (0,) for slot, row in memory.stored.items() if slot)


@pytest.mark.parametrize(
    "make",
    [
        lambda: Budget(0),
        lambda: Budget(5, seconds=0),
        lambda: VirtualClock(0),
        lambda: Ladder((3, 2)),
        lambda: Ladder((1, 2), keep=1.0),
    ],
)
def test_a_setting_that_makes_no_sense_is_refused(make: object) -> None:
    with pytest.raises(EvonasError, match="expected|needs"):
        make()  # type: ignore[operator]


def test_workers_that_have_no_job_say_so() -> None:
    with pytest.raises(WorkersError, match="call start"):
        InlineWorkers(measure).next()
    with pytest.raises(WorkersError, match="call start"):
        SimulatedWorkers(measure, count=1, rng=np.random.default_rng(0)).next()


@pytest.mark.parametrize("result", [None, 3, [1.0], math.pi])
def test_an_evaluate_that_returns_no_measurement_is_a_failure(result: object) -> None:
    workers = InlineWorkers(lambda job: result)
    workers.start(Job(0, "evaluate", Genotype({}), "toy"))
    row = workers.next()
    assert row.outcome is Outcome.CRASHED
    assert "expected a Measurement" in row.message


# What a search is given, and what that returns ------------------------------------------------------------------------


@dataclass(frozen=True)
class Proposing:
    """Proposes the same whatever has happened."""

    proposal: Any
    name: str = "odd"

    def propose(self, view: View) -> Any:
        return self.proposal


def searched(**arguments: Any) -> tuple[Ending, ListMemory]:
    memory = ListMemory()
    given: dict[str, Any] = {
        "strategy": RandomSearch(),
        "workers": InlineWorkers(measure),
        "budget": Budget(evaluations=5),
        **arguments,
    }
    return search(given.pop("space", mixed_space()), memory, **given), memory


@pytest.mark.parametrize(
    "arguments",
    [
        {"space": {"a": 3}},
        {"strategy": "evolution"},
        {"strategy": Evolution},
        {"workers": measure},
        {"workers": 4},
        {"budget": 60},
        {"ladder": (1, 2)},
        {"predict": 3},
        {"foresee": 3},
        {"reject": "all"},
        {"on_row": []},
    ],
    ids=lambda arguments: next(iter(arguments)),
)
def test_an_argument_of_another_kind_is_rejected_in_a_sentence_before_anything_is_evaluated(
    arguments: dict[str, Any],
) -> None:
    with pytest.raises(OptionError, match=f"{next(iter(arguments))}: got .*, expected a|expected InlineWorkers"):
        searched(**arguments)


@pytest.mark.parametrize(
    ("proposal", "fault"),
    [
        ("x", "proposed 'x', expected a Proposal"),
        (Genotype({}), "expected a Proposal"),
        (Proposal({"layers": 2}, "odd"), "expected one that the space has made"),  # type: ignore[arg-type]
        (Proposal(Genotype({}), "odd", rung=1), "at the rung 1, expected one from 0 to 0"),
        (Proposal(Genotype({}), "odd", kind="train"), "of the kind 'train'"),  # type: ignore[arg-type]
    ],
)
def test_a_strategy_that_proposes_no_job_is_named(proposal: Any, fault: str) -> None:
    with pytest.raises(EvonasError, match=f"The strategy 'odd' .*{fault}"):
        searched(strategy=Proposing(proposal))


@pytest.mark.parametrize("cost", [3, None, "1e9", (1.0, 2.0)])
def test_a_prediction_that_is_no_cost_is_told(cost: Any) -> None:
    with pytest.raises(EvonasError, match="predict returned .*, expected a Cost"):
        searched(predict=lambda proposal, epochs: cost)


@pytest.mark.parametrize("traits", [3, None, "ab", (1.0, math.nan), [[1.0]]])
def test_traits_that_are_no_numbers_are_told(traits: Any) -> None:
    with pytest.raises(EvonasError, match="foresee returned .*, expected finite numbers"):
        searched(strategy=Evolution(pop_size=4), foresee=lambda genotype: traits, budget=Budget(evaluations=30))


@pytest.mark.parametrize("operations", [math.nan, math.inf, -1.0, "3", True])
def test_a_cost_is_a_finite_number_that_is_not_negative(operations: Any) -> None:
    with pytest.raises(OptionError, match="operations: got"):
        Cost(operations)


@pytest.mark.parametrize("rejection", ["too deep", False, 0.5, ("too deep", 0.5)])
def test_a_reject_that_returns_no_rejection_makes_failed_rows_and_evaluates_nothing(rejection: Any) -> None:
    _, memory = searched(reject=lambda genotype: rejection)
    assert {row.outcome for row in memory.stored.values()} == {Outcome.CRASHED}
    assert all("expected a Rejection or None" in row.message for row in memory.stored.values())


def test_a_bare_string_is_one_reason_of_a_rejection() -> None:
    assert Rejection("too deep", 0.5).message == "too deep."  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("reasons", "degree"), [((), 1.0), ((3,), 1.0), (None, 1.0), ("x", math.nan), ("x", "much"), ("x", 0)]
)
def test_a_rejection_without_reason_or_degree_is_told(reasons: Any, degree: Any) -> None:
    with pytest.raises(EvonasError, match="needs one or more reasons"):
        Rejection(reasons, degree)
