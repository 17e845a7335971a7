"""Rows in memory: what a search needs of an archive, for one that ends with the process."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from evonas.engine.evaluation import Evaluation
from evonas.engine.view import Row
from evonas.objective import Objective


class MemoryRows:
    """Keeps rows while the process lives: a `RowStore`.

    Args:
        objectives: What is traded.
        seed: Seed of the search.
    """

    def __init__(self, objectives: Sequence[Objective], *, seed: int) -> None:
        self.objectives = tuple(objectives)
        self.seed = seed
        self._rows: dict[int, Row] = {}

    @property
    def rows(self) -> list[Row]:
        """All rows, in the order of their slots."""
        return [self._rows[slot] for slot in sorted(self._rows)]

    def begin(self, run: Mapping[str, Any]) -> None:
        """Do nothing: there are no rows of another search."""

    def add(self, evaluation: Evaluation) -> None:
        """Keep a row."""
        self._rows[evaluation.job.slot] = Row.of(evaluation, self.objectives)

    def get(self, slot: int) -> Row | None:
        """Return the row of a slot, or None where there is none yet."""
        return self._rows.get(slot)
