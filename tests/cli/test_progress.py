"""Progress: what it says of failures and of networks that were rejected."""

from __future__ import annotations

import io
import time

import pytest
from rich.console import Console

from evonas.cli import progress as progress_module
from evonas.cli.progress import SearchProgress
from evonas.engine.budget import Budget
from evonas.engine.evaluation import Evaluation, Outcome
from evonas.engine.job import Job
from evonas.engine.proxy_score import ProxyScore
from evonas.engine.view import Row
from evonas.genotype import Genotype


def row(slot: int, outcome: Outcome) -> Row:
    job = Job(slot, "evaluate", Genotype({"a": slot}), "toy")
    return Row(Evaluation(job, outcome, "why"), None, None)


def test_rejected_networks_are_told_apart_from_failures_and_are_no_evaluations() -> None:
    said: list[str] = []
    progress = SearchProgress(
        Budget(2),
        summary=lambda: "hypervolume not yet known",
        log=said.append,
        console=Console(file=io.StringIO(), force_terminal=False),
    )
    with progress:
        for slot, outcome in enumerate([*[Outcome.REJECTED] * 3, Outcome.MEASURED, Outcome.REJECTED, Outcome.CRASHED]):
            progress(row(slot, outcome))
    assert [line.partition(", 0 s")[0] for line in said[:2]] == [
        "1/2 evaluations, hypervolume not yet known, 0 failed, 3 rejected",
        "2/2 evaluations, hypervolume not yet known, 1 failed, 4 rejected",
    ]
    assert said[2:] == ["slot 5 failed: The evaluation raised an error. why"]


def test_a_search_job_is_no_step_forward() -> None:
    said: list[str] = []
    progress = SearchProgress(
        Budget(2), summary=str, log=said.append, console=Console(file=io.StringIO(), force_terminal=False)
    )
    found = Row(Evaluation(Job(1, "search", Genotype({}), "toy"), Outcome.MEASURED), None, None)
    for seen in (found, row(1, Outcome.MEASURED), found, found):
        progress(seen)
    assert [line.partition(",")[0] for line in said] == ["1/2 evaluations"]


def test_networks_that_were_scored_without_training_are_counted() -> None:
    said: list[str] = []
    progress = SearchProgress(
        Budget(1), summary=str, log=said.append, console=Console(file=io.StringIO(), force_terminal=False)
    )
    scores = tuple(ProxyScore(Genotype({"a": number}), "hamming", 1.0) for number in range(1200))
    part = Evaluation(Job(0, "search", Genotype({}), "toy"), Outcome.MEASURED, proxy_scores=scores)
    for seen in (Row(part, None, None), row(1, Outcome.MEASURED)):
        progress(seen)
    assert said[0].startswith("1/1 evaluations, 1,200 scored untrained, 0 failed")


def test_rows_that_were_there_before_are_counted_without_a_word() -> None:
    said: list[str] = []
    progress = SearchProgress(
        Budget(6),
        summary=lambda: "well",
        log=said.append,
        console=Console(file=io.StringIO(), force_terminal=False),
        replayed=lambda slot: slot < 4,
    )
    with progress:
        for slot in range(4):
            progress(row(slot, Outcome.CRASHED))
        assert said == []
        progress(row(4, Outcome.MEASURED))
    assert said[0].startswith("5/6 evaluations, well, 4 failed")


def test_failures_of_one_kind_are_told_once_and_counted() -> None:
    said: list[str] = []
    progress = SearchProgress(
        Budget(1000), summary=str, log=said.append, console=Console(file=io.StringIO(), force_terminal=False)
    )
    with progress:
        for slot in range(40):
            progress(row(slot, Outcome.CRASHED if slot % 2 else Outcome.DIVERGED))
    assert [line for line in said if line.startswith("slot")] == [
        f"slot 0 failed: {Outcome.DIVERGED.value} why",
        f"slot 1 failed: {Outcome.CRASHED.value} why",
    ]
    assert said[-1].startswith("40/1000 evaluations, 40 failed")


def test_a_line_comes_also_where_nothing_ends_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress_module, "LINE_SECONDS", 1.0)
    said: list[str] = []
    progress = SearchProgress(
        Budget(5, seconds=100.0),
        summary=str,
        log=said.append,
        console=Console(file=io.StringIO(), force_terminal=False),
    )
    with progress:
        until = time.monotonic() + 60
        while not said and time.monotonic() < until:
            time.sleep(0.05)
    assert said[0].startswith("0/5 evaluations, 0 failed, ")
    assert said[0].endswith(" s left")


def test_how_far_a_search_has_come_is_worked_out_now_and_then_however_fast_rows_come() -> None:
    asked: list[int] = []

    def summary() -> str:
        asked.append(1)
        return "well"

    for is_terminal in (True, False):
        asked.clear()
        progress = SearchProgress(
            Budget(2000), summary=summary, log=str, console=Console(file=io.StringIO(), force_terminal=is_terminal)
        )
        began = time.monotonic()
        with progress:
            for slot in range(2000):
                progress(row(slot, Outcome.MEASURED))
        assert 1 <= len(asked) <= 2 + (time.monotonic() - began) / progress_module.SUMMARY_SECONDS


def test_a_display_tells_what_is_searched_where_and_for_how_long() -> None:
    file = io.StringIO()
    progress = SearchProgress(
        Budget(4, core_hours=2.5),
        summary=lambda: "hypervolume 0.5, best accuracy 0.9",
        log=str,
        console=Console(file=file, force_terminal=True, width=220),
        title="results/digits on loihi1_davies",
    )
    with progress:
        progress(row(0, Outcome.CRASHED))
        progress._bar.refresh()
    for part in (
        "results/digits on loihi1_davies",
        "1/4",
        "0:00:0",
        "best accuracy 0.9",
        "1 failed",
        "0 of 2.5 core hours",
    ):
        assert part in file.getvalue()


def timed_row(slot: int, *, seconds: float) -> Row:
    job = Job(slot, "evaluate", Genotype({"a": slot}), "toy")
    return Row(Evaluation(job, Outcome.MEASURED, measurement={}, seconds=seconds), None, None)


class Clock:
    """Time that passes only where a test says so."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        """Return the seconds that have passed."""
        return self.now


@pytest.mark.parametrize(
    ("budget", "ends"),
    [
        (Budget(40), ["100 s, about 900 s left", "400 s, about 1600 s left"]),
        (Budget(40, seconds=500.0), ["100 s, 400 s left", "400 s, 100 s left"]),
        (Budget(40, seconds=5000.0), ["100 s, about 900 s left", "400 s, about 1600 s left"]),
        (
            Budget(1000, core_hours=2.5, num_cpus=2),
            ["100 s, 1.5 of 2.5 core hours, about 200 s left", "400 s, 2 of 2.5 core hours, about 200 s left"],
        ),
        (
            Budget(1000, seconds=450.0, core_hours=2.5, num_cpus=2),
            ["100 s, 1.5 of 2.5 core hours, about 200 s left", "400 s, 2 of 2.5 core hours, 50 s left"],
        ),
    ],
)
def test_a_line_says_how_much_is_left_of_the_first_limit(
    monkeypatch: pytest.MonkeyPatch, budget: Budget, ends: list[str]
) -> None:
    clock, said = Clock(), list[str]()
    monkeypatch.setattr(progress_module, "time", clock)
    progress = SearchProgress(
        budget, summary=str, log=said.append, console=Console(file=io.StringIO(), force_terminal=False),
        replayed=lambda slot: slot < 20,
    )  # fmt: skip
    for slot in range(20):
        progress(timed_row(slot, seconds=90.0))  # a core hour in all, in an earlier session
    for slot, now in ((20, 50.0), (21, 100.0), (22, 250.0), (23, 400.0)):
        clock.now = now
        progress(timed_row(slot, seconds=450.0))
    lines = [line.rpartition(" failed, ")[2] for line in said]
    assert [line for line in lines if line.startswith(("100 s", "400 s"))] == ends
