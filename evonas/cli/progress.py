"""Progress: a display on a terminal, a plain line each few evaluations elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from evonas.engine.view import Row
from evonas.report.escaping import visible

LINES = 20  # about so many plain lines a run


class SearchProgress:
    """Tells how far a search is: evaluations, what they have brought, failures, networks refused, time left.

    Use as a context manager, and call with each row that is seen.

    Args:
        evaluations: The budget.
        standing: Returns how far the search has come, such as its hypervolume.
        log: Takes each plain line.
        console: Where to show; a display if it is a terminal, plain lines otherwise.
    """

    def __init__(
        self,
        evaluations: int,
        *,
        standing: Callable[[], str],
        log: Callable[[str], None],
        console: Console,
    ) -> None:
        self._evaluations = evaluations
        self._standing = standing
        self._log = log
        self._every = max(1, evaluations // LINES)
        self._began = time.monotonic()
        self._seen = self._failed = self._refused = 0
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.completed}/{task.total} evaluations"),
            TextColumn("{task.fields[said]}", markup=False),
            TimeRemainingColumn(),
            console=console,
            disable=not console.is_terminal,
            transient=True,
        )
        self._task = self._bar.add_task("searching", total=evaluations, said="")

    def __enter__(self) -> SearchProgress:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def __call__(self, row: Row) -> None:
        """Take note of a row."""
        self._refused += row.is_refused
        if row.is_refused:
            return  # many may come at once, and none is progress; the next evaluation tells them
        is_evaluation = row.job.kind == "evaluate"
        self._seen += is_evaluation
        self._failed += row.is_failure
        is_step = self._seen % self._every == 0 or self._seen == self._evaluations
        is_due = (is_evaluation and is_step) or row.is_failure
        if not (is_due or self._bar.live.is_started):
            return
        said = f"{self._standing()}, {self._failed} failed"
        said += f", {self._refused} refused" if self._refused else ""
        self._bar.update(self._task, completed=self._seen, said=visible(said))
        if is_due:
            self._log(f"{self._seen}/{self._evaluations} evaluations, {said}, {time.monotonic() - self._began:.0f} s")
        if row.is_failure:
            self._log(f"slot {row.job.slot} failed: {row.evaluation.outcome.value} {row.evaluation.message}")
