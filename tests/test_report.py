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
