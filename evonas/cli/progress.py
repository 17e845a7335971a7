"""Progress of a search: a display on a terminal, elsewhere plain lines, at least one every ten seconds."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from evonas.archive.archive import Archive
from evonas.engine.budget import Budget
from evonas.engine.failures import kind_of
from evonas.engine.view import Row
from evonas.report.escaping import visible

LINES = 20
"""Plain lines of a whole run, about; more if evaluations are slow."""

LINE_SECONDS = 10.0
"""Longest time between two plain lines, even if no evaluation ends in between."""

SUMMARY_SECONDS = 2.0
"""Shortest time between two computations of the summary, which take at most a twentieth of all time."""


class SearchProgress:
    """Shows how far a search is: evaluations, summary, failures, rejections, time.

    A context manager, to be called with each row that is seen.

    Args:
        budget: When the search ends.
        summary: Returns how far the search is, in words, such as its hypervolume. May be slow.
        log: Called with each plain line.
        console: Where to show progress; a display if it is a terminal, plain lines otherwise.
        title: What is searched, for the display.
        replayed: Returns whether the row of a slot is from an earlier session; such rows are only counted.
    """

    def __init__(
        self,
        budget: Budget,
        *,
        summary: Callable[[], str],
        log: Callable[[str], None],
        console: Console,
        title: str = "searching",
        replayed: Callable[[int], bool] = lambda slot: False,
    ) -> None:
        self._budget = budget
        self._summarise = summary
        self._log = log
        self._is_replayed = replayed
        self._every = max(1, budget.evaluations // LINES)
        self._began = self._line_at = time.monotonic()
        self._summarised_at, self._summary_seconds = -float("inf"), 0.0
        self._summary = ""
        self._seen = self._failed = self._rejected = self._scored = 0
        self._core_hours = 0.0
        self._replayed = 0, 0.0  # evaluations, core hours
        self._kinds: set[tuple[str, ...]] = set()
        self._lock = threading.Lock()
        self._is_over = threading.Event()
        self._has_news = False
        self._bar = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=20),
            TextColumn("{task.completed}/{task.total}"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[state]}", markup=False),
            console=console,
            disable=not console.is_terminal,
            transient=True,
        )
        self._task = self._bar.add_task(visible(title), total=budget.evaluations, state="")

    def __enter__(self) -> SearchProgress:
        self._began = self._line_at = time.monotonic()
        self._bar.start()
        if not self._bar.live.is_started:
            threading.Thread(target=self._keep_writing, daemon=True, name="evonas-progress").start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._is_over.set()
        self._bar.stop()
        with self._lock:
            if self._has_news and not self._bar.live.is_started:
                self._line()

    def __call__(self, row: Row) -> None:
        """Count a row, and show progress if that is due."""
        with self._lock:
            is_evaluation = row.job.kind == "evaluate" and not row.is_rejected
            self._rejected += row.is_rejected
            self._seen += is_evaluation
            self._failed += row.is_failure
            self._scored += len(row.evaluation.proxy_scores)
            self._core_hours += self._budget.num_cpus * row.evaluation.seconds / 3600
            if self._is_replayed(row.job.slot):
                self._line_at = time.monotonic()
                self._replayed = self._seen, self._core_hours
                if self._bar.live.is_started:
                    self._bar.update(self._task, completed=self._seen)
                return
            if row.is_rejected:
                return  # many may come at once, and none is progress; the next line shows their number
            self._has_news = True
            is_step = is_evaluation and (self._seen % self._every == 0 or self._seen >= self._budget.evaluations)
            is_due = is_step or time.monotonic() - self._line_at >= LINE_SECONDS
            if self._bar.live.is_started:
                self._update_summary()
                self._bar.update(self._task, completed=self._seen, state=visible(self._display()))
            elif is_due:
                self._update_summary(now=self._seen >= self._budget.evaluations)
                self._line()
            if row.is_failure:
                self._tell_failure(row)

    def _update_summary(self, *, now: bool = False) -> None:
        """Compute the summary if that is due."""
        began = time.monotonic()
        if now or began - self._summarised_at >= max(SUMMARY_SECONDS, 20 * self._summary_seconds):
            self._summary = self._summarise()
            self._summarised_at = time.monotonic()
            self._summary_seconds = self._summarised_at - began

    def _line(self) -> None:
        elapsed = time.monotonic() - self._began
        parts = [f"{self._seen}/{self._budget.evaluations} evaluations", self._state(), f"{elapsed:.0f} s"]
        parts += self._limits(elapsed)
        self._line_at = time.monotonic()
        self._has_news = False
        self._log(", ".join(parts))

    def _limits(self, elapsed: float) -> list[str]:
        """Return how much of the core hours is spent, and how long it is until the search ends, as far as known."""
        parts = []
        if self._budget.core_hours is not None:
            parts.append(f"{self._core_hours:.3g} of {self._budget.core_hours:g} core hours")
        return parts + self._left(elapsed)

    def _left(self, elapsed: float) -> list[str]:
        """Return the time until the first limit is reached, in words; nothing where that is unknown, or the end."""
        evaluations, core_hours = self._replayed
        paces: list[tuple[float, float, float]] = [(self._budget.evaluations, self._seen, evaluations)]
        paces += [(self._budget.core_hours, self._core_hours, core_hours)] if self._budget.core_hours else []
        about = min(
            (elapsed * (most - now) / (now - then) for most, now, then in paces if now > then), default=math.inf
        )
        exact = math.inf if self._budget.seconds is None else self._budget.seconds - elapsed
        if exact <= about and math.isfinite(exact):
            return [f"{max(exact, 0):.0f} s left"]
        return [f"about {about:.0f} s left"] if 0 < about < math.inf else []

    def _display(self) -> str:
        """Return what the display says beside its own columns, which know of evaluations alone."""
        limits = self._limits(time.monotonic() - self._began) if self._budget.is_timed else []
        return ", ".join([self._state(), *limits])

    def _state(self) -> str:
        parts = [self._summary] if self._summary else []
        parts += [f"{self._scored:,} scored untrained"] if self._scored else []
        parts.append(f"{self._failed} failed")
        parts += [f"{self._rejected} rejected"] if self._rejected else []
        return ", ".join(parts)

    def _tell_failure(self, row: Row) -> None:
        """Log a failure if it is the first of its kind."""
        kind = kind_of(row)
        if kind in self._kinds:
            return
        self._kinds.add(kind)
        evaluation = row.evaluation
        self._log(f"slot {row.job.slot} failed: {evaluation.outcome.value} {evaluation.message}".rstrip())

    def _keep_writing(self) -> None:
        """Write a line whenever none was written for `LINE_SECONDS`: one evaluation may take minutes."""
        while not self._is_over.wait(1.0):
            with self._lock:
                if time.monotonic() - self._line_at >= LINE_SECONDS and not self._is_over.is_set():
                    self._line()


def summary(archive: Archive, *, top_rung: int) -> str:
    """Return hypervolume, the best value of each objective and the number of networks at the top rung, in words."""
    front = archive.front()
    parts = [f"hypervolume {'not yet known' if front.hypervolume is None else f'{front.hypervolume:.4f}'}"]
    costs = [row.costs for row in front.rows if row.costs is not None]
    for index, objective in enumerate(archive.objectives):
        if costs:
            best = objective.sign * min(row[index] for row in costs)
            parts.append(
                f"best {objective.name} {best:.3g} {'' if objective.unit == 'fraction' else objective.unit}".rstrip()
            )
    if top_rung:
        reached = sum(row.is_scored and row.job.rung == top_rung for row in archive.rows)
        parts.append(f"{reached} at the top rung")
    return ", ".join(parts)
