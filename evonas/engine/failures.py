"""Failures: which are of one kind, and when a search is given up because its first rows all fail alike."""

from __future__ import annotations

import re

from evonas.engine.view import Row

FAILURES_IN_A_ROW = 20
"""Failures of one kind in a row, before anything was measured, after which a search is given up."""

_RAISED = re.compile(r"(?P<error>[\w.]+): .*\((?P<where>[^()]+, line \d+)\)", re.DOTALL)
_NUMBER = re.compile(r"0x[0-9a-f]+|[0-9a-f]{8,}|\d+(\.\d+)?(e[+-]?\d+)?", re.IGNORECASE)


def kind_of(row: Row) -> tuple[str, ...]:
    """Return what failures of one kind have in common: outcome, error and place, or the message without its numbers."""
    outcome, message = row.evaluation.outcome.name, row.evaluation.message
    raised = _RAISED.fullmatch(message)
    if raised is not None:
        return outcome, raised["error"], raised["where"]
    return outcome, _NUMBER.sub("#", message)[:80]


class FirstFailures:
    """How many of the rows seen have failed in the same way, as long as none was measured."""

    def __init__(self) -> None:
        self._is_over = False
        self._kind: tuple[str, ...] = ()
        self._count = 0

    @property
    def are_hopeless(self) -> bool:
        """Whether the search should be given up."""
        return not self._is_over and self._count >= FAILURES_IN_A_ROW

    def see(self, row: Row) -> None:
        """Count a row."""
        if row.is_rejected or self._is_over:
            return
        if not row.is_failure:
            self._is_over = True
            return
        kind = kind_of(row)
        self._count = self._count + 1 if kind == self._kind else 1
        self._kind = kind
