"""Trying failed rows again, before a search goes on: its jobs stay what they were, so that resuming stays replaying."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Protocol

from evonas.engine.evaluation import Evaluation
from evonas.engine.search import Workers
from evonas.engine.view import Row


class Correctable(Protocol):
    """What trying again needs of an archive."""

    @property
    def rows(self) -> Sequence[Row]:
        """Every row, in slot order."""

    def get(self, slot: int) -> Row | None:
        """Return the row of a slot, or None where there is none yet."""

    def replace(self, evaluation: Evaluation) -> None:
        """Keep a row instead of the failed one of the same job; it is safe on disk when this returns."""


def retry_failed(
    archive: Correctable, *, workers: Workers, on_row: Callable[[Row], None] | None = None
) -> tuple[int, int]:
    """Do the job of every failed row again; return how many there were, and how many of them failed again.

    What was proposed after a failure was proposed by a search that had seen it fail, and stays as it is: a job and
    its place in virtual time do not depend on how others end. What is proposed from here on sees the new rows. A row
    counts its tries in `retries`.

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
