"""Failures: kinds of them, searches that are without hope, and trying again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from toys import OBJECTIVES, ListMemory, measure, mixed_space

from evonas.archive.archive import Archive
from evonas.engine.budget import Budget, Ending
from evonas.engine.evaluation import Evaluation, Outcome
from evonas.engine.failures import FAILURES_IN_A_ROW, kind_of
from evonas.engine.job import Job
from evonas.engine.retry import retry_failed
from evonas.engine.search import search
from evonas.engine.view import Row
from evonas.engine.workers import InlineWorkers
from evonas.errors import ArchiveError, EvonasError
from evonas.genotype import Genotype
from evonas.objective import Objective
from evonas.strategies.evolution import Evolution
from evonas.strategies.random import RandomSearch


def searched(memory: Any, evaluate: Any, *, budget: int = 60, parallel: int = 3) -> Ending:
    return search(
        mixed_space(),
        memory,
        strategy=Evolution(pop_size=6),
        workers=InlineWorkers(evaluate),
        budget=Budget(budget),
        parallel=parallel,
    )


def row(message: str, outcome: Outcome = Outcome.CRASHED) -> Row:
    return Row(Evaluation(Job(0, "evaluate", Genotype({"a": 1}), "toy"), outcome, message), None, None)


@pytest.mark.parametrize(
    ("one", "other", "alike"),
    [
        ("KeyError: 'eror' (toy.py, line 3)", "KeyError: 'eror' (toy.py, line 3)", True),
        (
            "TypeError: got Genotype({'a': 1}) (toy.py, line 3)",
            "TypeError: got Genotype({'b': 2}) (toy.py, line 3)",
            True,
        ),
        ("KeyError: 'eror' (toy.py, line 3)", "KeyError: 'eror' (toy.py, line 4)", False),
        ("KeyError: 'eror' (toy.py, line 3)", "TypeError: 'eror' (toy.py, line 3)", False),
        ("Objective error is 7.5e+200.", "Objective error is 8e+300.", True),
        ("Objective error is nan.", "Objective rate is nan.", False),
    ],
)
def test_failures_are_of_one_kind_where_the_same_error_comes_from_the_same_place(
    one: str, other: str, alike: bool
) -> None:
    assert (kind_of(row(one)) == kind_of(row(other))) is alike
    assert kind_of(row(one)) != kind_of(row(one, Outcome.DIVERGED))


def wrong(job: Job) -> Any:
    raise KeyError(f"eror of {job.genotype.key}")


def test_a_search_in_which_everything_fails_in_the_same_way_ends_early_with_a_warning() -> None:
    memory = ListMemory()
    with pytest.warns(RuntimeWarning, match="nothing was measured.*eror of"):
        assert searched(memory, wrong) is Ending.ONLY_FAILED
    assert len(memory.stored) == FAILURES_IN_A_ROW


def test_so_does_one_whose_objective_always_fails() -> None:
    typo = Objective("error", lambda m: m["eror"], direction="min")
    memory = ListMemory(objectives=(typo, OBJECTIVES[1]))
    with pytest.warns(RuntimeWarning, match="eror"):
        assert searched(memory, measure) is Ending.ONLY_FAILED


def test_failures_of_several_kinds_or_after_a_measurement_end_nothing() -> None:
    def various(job: Job) -> Any:
        if job.slot % 7 == 0:
            raise ValueError("another")
        return wrong(job)

    assert searched(ListMemory(), various) is Ending.BUDGET_SPENT

    def once(job: Job) -> Any:
        return measure(job) if job.slot == 0 else wrong(job)

    assert searched(ListMemory(), once) is Ending.BUDGET_SPENT


def test_the_early_end_is_the_same_after_a_restart() -> None:
    whole, broken = ListMemory(), ListMemory()
    for memory, budgets in ((whole, [60]), (broken, [7, 60, 60])):
        for budget in budgets:
            if budget < FAILURES_IN_A_ROW:
                assert searched(memory, wrong, budget=budget) is Ending.BUDGET_SPENT
            else:
                with pytest.warns(RuntimeWarning):
                    assert searched(memory, wrong, budget=budget) is Ending.ONLY_FAILED
    assert {slot: one.job for slot, one in whole.stored.items()} == {s: one.job for s, one in broken.stored.items()}


def test_a_search_without_objectives_is_a_sentence() -> None:
    with pytest.raises(EvonasError, match="no objectives"):
        searched(ListMemory(objectives=()), measure)


def failing(job: Job) -> Any:
    if job.slot % 3 == 1:
        raise OSError("the disk of the data was away")
    return measure(job)


def opened(path: Path) -> Archive:
    return Archive(path, mixed_space(), OBJECTIVES, reference_rows=6)


def told(archive: Archive) -> list[tuple[Any, ...]]:
    return [(one.job, one.evaluation.outcome, one.evaluation.measurement, one.costs) for one in archive.rows]


def test_failed_rows_are_tried_again_in_their_place_and_the_search_goes_on_as_a_replay(tmp_path: Path) -> None:
    with opened(tmp_path / "archive.h5") as archive:
        searched(archive, failing, budget=20)
        jobs = [one.job for one in archive.rows]
    with opened(tmp_path / "archive.h5") as archive:
        failed = [one.job.slot for one in archive.rows if one.is_failure]
        assert retry_failed(archive, workers=InlineWorkers(measure)) == (len(failed), 0)
        assert [one.job for one in archive.rows] == jobs
        assert [one.evaluation.retries for one in archive.rows] == [int(slot in failed) for slot in range(20)]
        once = told(archive)
    with opened(tmp_path / "archive.h5") as archive:
        assert told(archive) == once
        searched(archive, measure, budget=30)
        longer = told(archive)
        assert longer[:20] == once
    with opened(tmp_path / "archive.h5") as archive:  # the same again evaluates nothing
        assert searched(archive, wrong, budget=30) is Ending.BUDGET_SPENT
        assert told(archive) == longer


def test_trying_again_survives_a_crash_at_any_moment(tmp_path: Path) -> None:
    path = tmp_path / "archive.h5"
    journal = path.with_name("archive.h5.journal")
    with opened(path) as archive:
        searched(archive, failing, budget=12)
    archive = opened(path)
    retry_failed(archive, workers=InlineWorkers(measure))
    copy = journal.read_bytes()
    once = told(archive)
    archive.close()
    journal.write_bytes(copy)  # as if it had ended between writing the file and deleting the journal
    with opened(path) as archive:
        assert told(archive) == once


def test_a_failure_in_the_journal_may_be_replaced_in_the_same_journal(tmp_path: Path) -> None:
    path = tmp_path / "archive.h5"
    journal = path.with_name("archive.h5.journal")
    archive = opened(path)
    searched(archive, failing, budget=12)
    retry_failed(archive, workers=InlineWorkers(measure))
    copy, once = journal.read_bytes(), told(archive)
    archive.close()
    journal.write_bytes(copy)
    with opened(path) as archive:
        assert told(archive) == once


def test_what_fails_again_stays_a_failure_and_counts_its_tries(tmp_path: Path) -> None:
    with opened(tmp_path / "archive.h5") as archive:
        searched(archive, failing, budget=6)
        for tries in (1, 2):
            assert retry_failed(archive, workers=InlineWorkers(wrong)) == (2, 2)
            assert [one.evaluation.retries for one in archive.rows if one.is_failure] == [tries, tries]


def test_nothing_but_failures_is_ever_replaced(tmp_path: Path) -> None:
    with opened(tmp_path / "archive.h5") as archive:
        search(
            mixed_space(),
            archive,
            strategy=RandomSearch(),
            workers=InlineWorkers(measure),
            budget=Budget(2),
        )
        with pytest.raises(ArchiveError, match="only such rows"):
            archive.replace(archive.rows[0].evaluation)
