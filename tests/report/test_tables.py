"""Reports: what they print is what they were given."""

from __future__ import annotations

import io

from rich.console import Console

from evonas.archive.pareto_front import Front
from evonas.engine.evaluation import Evaluation, Outcome
from evonas.engine.job import Job
from evonas.engine.view import Row
from evonas.genotype import Genotype
from evonas.objective import Objective
from evonas.report import tables


def test_a_unit_in_brackets_is_printed_and_no_markup() -> None:
    objectives = (Objective("latency", lambda m: 0.0, unit="s/sample"),)
    console = Console(width=120, file=io.StringIO())
    console.print(tables.table(Front((), objectives, 0, 0, None, None)))
    assert "latency [s/sample]" in console.file.getvalue()  # type: ignore[attr-defined]


def test_rejected_networks_stand_in_the_title_apart_from_the_evaluations() -> None:
    objectives = (Objective("latency", lambda m: 0.0),)
    assert tables.table(Front((), objectives, 5, 1, None, None, rejected=12)).title == (
        "Pareto front: 0 networks of 5 evaluations, 12 more rejected"
    )
    assert tables.table(Front((), objectives, 5, 1, None, None)).title == "Pareto front: 0 networks of 5 evaluations"


def test_a_search_job_tells_what_it_was_told_and_how_many_networks_it_proposes() -> None:
    told = {"price": 0.5, "context.channels": 8}
    job = Job(0, "search", Genotype({}), "differentiable", settings=told)
    row = Row(Evaluation(job, Outcome.MEASURED, proposals=(Genotype({"a": 1}),)), None, None)
    console = Console(width=200, file=io.StringIO())
    console.print(tables.table(Front((), (), 0, 0, None, None), rows=[row]))
    assert "1 networks proposed (price 0.5, channels 8)" in console.file.getvalue()  # type: ignore[attr-defined]
