"""Results: the rows of a run under objectives, and the questions that are asked of them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

from evonas.archive.contents import Stored
from evonas.archive.pareto_front import Front
from evonas.engine import pareto
from evonas.engine.evaluation import Evaluation, Outcome
from evonas.engine.pareto import Reference
from evonas.engine.view import Row
from evonas.errors import ArchiveError
from evonas.objective import Objective


class Results:
    """The rows of a run, in memory, under objectives that need not be those of the run.

    Attributes:
        header: Which run it is.
        objectives: What is traded.
        references: Stored corners of hypervolumes, as JSON objects.
        is_at_rest: Whether no more rows are expected.
    """

    def __init__(self, stored: Stored, objectives: Sequence[Objective], *, is_at_rest: bool = True) -> None:
        """Make results of what is stored.

        Args:
            stored: The rows and which run they belong to.
            objectives: What is traded.
            is_at_rest: Whether no more rows are expected. Fewer than `reference_rows` then give the corners of the
                hypervolume, which are not stored.

        Raises:
            ArchiveError: If two objectives have the same name.
        """
        self.header = stored.header
        self.objectives = tuple(objectives)
        self.references = stored.references
        self.is_at_rest = is_at_rest
        self._evaluations = {evaluation.job.slot: evaluation for evaluation in stored.evaluations}
        self._rows: dict[int, Row] = {}
        self._in_order: tuple[Row, ...] | None = None
        self._seen_in_order = 0
        self._first: list[Row] = []
        self._identity = [_identity(objective) for objective in self.objectives]
        names = [objective.name for objective in self.objectives]
        if len(set(names)) < len(names):
            raise ArchiveError(
                f"The objectives are named {', '.join(names)}, expected a different name each. "
                "Give those of one kind names of their own."
            )
        self.fix_reference()

    @property
    def seed(self) -> int:
        """Seed of the run."""
        return self.header.seed

    @property
    def settings(self) -> Mapping[str, Any]:
        """Settings of the run: dotted keys of its run file and their values."""
        return self.header.settings

    @property
    def evaluations(self) -> tuple[Evaluation, ...]:
        """Every evaluation as it is stored, in slot order."""
        return tuple(self._evaluations[slot] for slot in sorted(self._evaluations))

    @property
    def rows(self) -> tuple[Row, ...]:
        """Every row, in slot order."""
        if self._in_order is None:
            self._in_order = tuple(self._row(slot) for slot in sorted(self._evaluations))
        return self._in_order

    @property
    def reference(self) -> Reference | None:
        """The corners of the hypervolume under these objectives, None as long as they are not fixed."""
        for known in self.references:
            if known["objectives"] == self._identity:
                return Reference(tuple(known["ideal"]), tuple(known["ref_point"]))
        return None

    def get(self, slot: int) -> Row | None:
        """Return the row of a slot, or None where there is none."""
        return self._row(slot) if slot in self._evaluations else None

    def front(self) -> Front:
        """Return the feasible networks at the top rung that no other betters in every objective."""
        top = [row for row in self.rows if _has_costs(row) and row.job.rung == self.header.top_rung]
        best = pareto.front(top) if self.objectives else []
        reference = self.reference
        if reference is None and self.is_at_rest and top and self.objectives:
            reference = pareto.reference(self.objectives, [row for row in self.rows if _has_costs(row)])
        volume = None
        if reference is not None:
            costs = [row.costs for row in best if row.costs is not None]
            volume = pareto.hypervolume(costs, objectives=self.objectives, reference=reference)
        networks = [row for row in self.rows if row.job.kind == "evaluate"]
        evaluations = [row for row in networks if not row.is_refused]
        return Front(
            tuple(best),
            self.objectives,
            evaluations=len(evaluations),
            failed=sum(row.is_failure for row in evaluations),
            hypervolume=volume,
            reference=reference,
            refused=len(networks) - len(evaluations),
        )

    def under(self, objectives: Sequence[Objective]) -> Results:
        """Return the same rows under other objectives: for another chip or another budget nothing is measured again."""
        stored = Stored(self.header, self.references, self.evaluations)
        return Results(stored, objectives, is_at_rest=self.is_at_rest)

    def add(self, evaluation: Evaluation) -> None:
        """Take a row, in memory only."""
        self._evaluations[evaluation.job.slot] = evaluation
        self._in_order = None

    def fix_reference(self) -> Mapping[str, Any] | None:
        """Return the corners of the hypervolume if they can be fixed now and were not before, as a JSON object.

        They are made of the first `reference_rows` rows with costs, of whatever rung, once all slots up to them are
        known, so that they do not depend on the order in which results arrive.
        """
        wanted = self.header.reference_rows
        if not self.objectives or len(self._first) >= wanted or self.reference is not None:
            return None
        while len(self._first) < wanted:
            if self._seen_in_order not in self._evaluations:
                return None
            row = self._row(self._seen_in_order)
            self._seen_in_order += 1
            if _has_costs(row):
                self._first.append(row)
        corners = pareto.reference(self.objectives, self._first)
        fixed = {"objectives": self._identity, "ideal": list(corners.ideal), "ref_point": list(corners.ref_point)}
        self.references = (*self.references, fixed)
        return fixed

    def values(self) -> list[tuple[Objective, list[float]]]:
        """Return each objective with its values in slot order, NaN where there is none."""
        scores = [() if row.score is None else row.score.values for row in self.rows]
        columns = [[values[i] if values else None for values in scores] for i in range(len(self.objectives))]
        return [
            (objective, [math.nan if value is None else value for value in column])
            for objective, column in zip(self.objectives, columns, strict=True)
        ]

    def _row(self, slot: int) -> Row:
        row = self._rows.get(slot)
        if row is None:
            row = self._rows[slot] = self._scored(self._evaluations[slot])
        return row

    def _scored(self, evaluation: Evaluation) -> Row:
        if evaluation.job.kind == "evaluate" and evaluation.outcome is Outcome.MEASURED:
            return Row.of(evaluation, self.objectives)
        return Row(evaluation, None, None)


def _has_costs(row: Row) -> bool:
    return row.costs is not None and row.job.kind == "evaluate"


def _identity(objective: Objective) -> dict[str, Any]:
    """Return what the corners of a hypervolume depend on, as a JSON object."""
    names = [field.name for field in fields(objective) if field.name not in ("score", "uncounted", "band")]
    return {name: getattr(objective, name) for name in names}
