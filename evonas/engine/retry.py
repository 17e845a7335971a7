"""Retrying failed rows before a search goes on. Their jobs stay the same, so that resuming still replays the search."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Protocol

from evonas.engine.evaluation import Evaluation
from evonas.engine.search import Workers
from evonas.engine.view import Row


class CorrectableRows(Protocol):
    """What retrying needs of an archive."""

    @property
    def rows(self) -> Sequence[Row]:
        """Every row, in slot order."""

    def get(self, slot: int) -> Row | None:
        """Return the row of a slot, or None where there is none yet."""

    def replace(self, evaluation: Evaluation) -> None:
        """Keep a row instead of the failed one of the same job; it is safe on disk when this returns."""


def retry_failed(
    archive: CorrectableRows, *, workers: Workers, on_row: Callable[[Row], None] | None = None
) -> tuple[int, int]:
    """Do the job of every failed row again; return how many there were, and how many of them failed again.

    Jobs that were proposed after a failure stay as they are, with their places in virtual time, although the search had
    seen the failure. Proposals from here on see the new rows. A row counts its tries in `retries`.

    Args:
        archive: Holds the rows.
        workers: Who evaluates. Not closed here.
        on_row: Called with each new row.

    Raises:
        ArchiveError: If a row cannot be kept.
    """
    failed = {row.job.slot: row.evaluation for row in archive.rows if row.is_failure}
    for evaluation in failed.values():
        workers.start(evaluation.job)
    again = 0
    for _ in failed:
        evaluation = workers.next()
        slot = evaluation.job.slot
        archive.replace(replace(evaluation, retries=failed[slot].retries + 1 + evaluation.retries))
        row = archive.get(slot)
        assert row is not None
        again += row.is_failure
        if on_row is not None:
            on_row(row)
    return len(failed), again
