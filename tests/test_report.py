"""Reports: what they print is what they were given."""

from __future__ import annotations

import io

from rich.console import Console

from evonas import report
from evonas.objective import Objective
from evonas.pareto_front import Front


def test_a_unit_in_brackets_is_printed_and_no_markup() -> None:
    objectives = (Objective("latency", lambda m: 0.0, unit="s/sample"),)
    console = Console(width=120, file=io.StringIO())
    console.print(report.table(Front((), objectives, 0, 0, None, None)))
    assert "latency [s/sample]" in console.file.getvalue()  # type: ignore[attr-defined]


def test_refused_networks_stand_in_the_title_apart_from_the_evaluations() -> None:
    objectives = (Objective("latency", lambda m: 0.0),)
    assert report.table(Front((), objectives, 5, 1, None, None, refused=12)).title == (
        "Pareto front: 0 networks of 5 evaluations, 12 more refused"
    )
    assert report.table(Front((), objectives, 5, 1, None, None)).title == "Pareto front: 0 networks of 5 evaluations"
