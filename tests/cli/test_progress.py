"""Progress: what it says of failures and of networks that were refused."""

from __future__ import annotations

import io

from rich.console import Console

from evonas.cli.progress import SearchProgress
from evonas.engine.evaluation import Evaluation, Outcome
from evonas.engine.job import Job
from evonas.engine.view import Row
from evonas.space import Genotype


def row(slot: int, outcome: Outcome) -> Row:
    job = Job(slot, "evaluate", Genotype({"a": slot}), "toy")
    return Row(Evaluation(job, outcome, "why"), None, None)


def test_refused_networks_are_told_apart_from_failures_and_are_no_evaluations() -> None:
    said: list[str] = []
    progress = SearchProgress(
        2,
        standing=lambda: "hypervolume not yet known",
        log=said.append,
        console=Console(file=io.StringIO(), force_terminal=False),
    )
    with progress:
        for slot, outcome in enumerate([*[Outcome.REFUSED] * 3, Outcome.MEASURED, Outcome.REFUSED, Outcome.CRASHED]):
            progress(row(slot, outcome))
    assert [line.rpartition(",")[0] for line in said[:2]] == [
        "1/2 evaluations, hypervolume not yet known, 0 failed, 3 refused",
        "2/2 evaluations, hypervolume not yet known, 1 failed, 4 refused",
    ]
    assert said[2:] == ["slot 5 failed: The evaluation raised an error. why"]


def test_a_search_job_is_no_step_forward() -> None:
    said: list[str] = []
    progress = SearchProgress(
        2, standing=str, log=said.append, console=Console(file=io.StringIO(), force_terminal=False)
    )
    found = Row(Evaluation(Job(1, "search", Genotype({}), "toy"), Outcome.MEASURED), None, None)
    for seen in (found, row(1, Outcome.MEASURED), found, found):
        progress(seen)
    assert [line.partition(",")[0] for line in said] == ["1/2 evaluations"]
