"""Results: the rows of a run under objectives, their front, and the corners of its hypervolume."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from evonas.archive.contents import Stored, Values
from evonas.archive.pareto_front import Front
from evonas.archive.run_header import Header
from evonas.engine import pareto
from evonas.engine.description import described_objective
from evonas.engine.evaluation import Evaluation, Outcome
from evonas.engine.pareto import Reference
from evonas.engine.proxy_score import ProxyScore
from evonas.engine.view import Row
from evonas.errors import ArchiveError, EvonasError, UnpriceableError
from evonas.objective import Objective, judged
from evonas.options import shown_key


class Results:
    """The rows of a run, in memory, under objectives that need not be those of the run.

    Attributes:
        header: Which run it is.
        objectives: What is traded.
        references: Stored corners of hypervolumes, as JSON objects.
        is_at_rest: Whether no more rows are expected.
        notes: What was lost or repaired when the archive was read, for people.
    """

    def __init__(
        self, stored: Stored, objectives: Sequence[Objective] | None = None, *, is_at_rest: bool = True
    ) -> None:
        """Score what is stored.

        Args:
            stored: The rows and which run they belong to.
            objectives: What is traded; by default what the run traded, with the stored values.
            is_at_rest: Whether no more rows are expected. The corners of the hypervolume are then made of fewer than
                `reference_rows` rows if there are no more, and are not stored.

        Raises:
            ArchiveError: If two objectives have the same name.
        """
        self.header = stored.header
        self.objectives = stored_objectives(stored.header) if objectives is None else tuple(objectives)
        self.references = stored.references
        self.notes = stored.notes
        self._values = dict(stored.values)
        self._columns = self._stored_columns_of(is_stored_only=objectives is None)
        self.is_at_rest = is_at_rest
        self._evaluations = {evaluation.job.slot: evaluation for evaluation in stored.evaluations}
        self._rows: dict[int, Row] = {}
        self._in_order: tuple[Row, ...] | None = None
        self._seen_in_order = 0
        self._reference_rows: list[Row] = []
        self._identity = [described_objective(objective) for objective in self.objectives]
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
    def proxy_scores(self) -> tuple[ProxyScore, ...]:
        """Every score that a network got without training, in the order of the jobs that found them.

        A network of a pool that was trained as well has its key among the rows.
        """
        return tuple(one for row in self.evaluations for one in row.proxy_scores)

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
        """Return the front: the non-dominated feasible networks at the top rung."""
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
        evaluations = [row for row in networks if not row.is_rejected]
        return Front(
            tuple(best),
            self.objectives,
            evaluations=len(evaluations),
            failed=sum(row.is_failure for row in evaluations),
            hypervolume=volume,
            reference=reference,
            rejected=len(networks) - len(evaluations),
        )

    def under(self, objectives: Sequence[Objective]) -> Results:
        """Return the same rows under other objectives, such as those of another chip or budget, without measuring."""
        return Results(self.stored(), objectives, is_at_rest=self.is_at_rest)

    def stored(self) -> Stored:
        """Return what is stored, as it is in memory now."""
        return Stored(self.header, self.references, self.evaluations, self._values, self.notes)

    def scored(self, evaluation: Evaluation) -> Row:
        """Return an evaluation scored under the objectives; it need not be one of these results."""
        if evaluation.job.kind != "evaluate" or evaluation.outcome is not Outcome.MEASURED:
            return Row(evaluation, None, None)
        known = self._values.get(evaluation.job.slot)
        if self._columns is None or (known is None and self._is_stored_only is False):
            return Row.of(evaluation, self.objectives)
        if known is None:
            message = "The archive holds no value of its objectives."
            return Row(replace(evaluation, outcome=Outcome.NOT_FINITE, message=message), None, None)
        result = judged([known[index] for index in self._columns], self.objectives)
        pairs = zip(self.objectives, result.values, strict=True)
        costs = tuple(objective.sign * value for objective, value in pairs if value is not None)
        return Row(evaluation, result, costs if len(costs) == len(self.objectives) else None)

    def add(self, evaluation: Evaluation, row: Row, *, values: Values | None, replaces: bool = False) -> None:
        """Add an evaluation in memory, with the row that `scored` made of it and the values of it that are stored."""
        slot = row.job.slot
        if replaces:
            self._values.pop(slot, None)
            if self.reference is None:  # the corners will be made of other rows
                self._reference_rows.clear()
                self._seen_in_order = 0
        self._evaluations[slot] = evaluation
        self._rows[slot] = row
        if values is not None:
            self._values[slot] = values
        self._in_order = None

    def fix_reference(self) -> Mapping[str, Any] | None:
        """Fix the corners of the hypervolume if that is due, and return them as a JSON object; otherwise None.

        They are made of the first `reference_rows` rows with costs, at any rung, once all slots up to these are known,
        so that they do not depend on the order in which results arrive.
        """
        count = self.header.reference_rows
        if not self.objectives or len(self._reference_rows) >= count or self.reference is not None:
            return None
        while len(self._reference_rows) < count:
            if self._seen_in_order not in self._evaluations:
                return None
            row = self._row(self._seen_in_order)
            self._seen_in_order += 1
            if _has_costs(row):
                self._reference_rows.append(row)
        corners = pareto.reference(self.objectives, self._reference_rows)
        fixed = {"objectives": self._identity, "ideal": list(corners.ideal), "ref_point": list(corners.ref_point)}
        self.references = (*self.references, fixed)
        return fixed

    def values_of(self, row: Row) -> Values | None:
        """Return the values to store of a row: for each objective a number, or the reason why there is none."""
        if row.score is None:
            return None
        if self._columns == list(range(len(self.header.objectives))) and row.job.slot in self._values:
            return self._values[row.job.slot]
        if all(value is not None for value in row.score.values):
            return tuple(value for value in row.score.values if value is not None)
        return tuple(
            _reason(objective, row) if value is None else value
            for objective, value in zip(self.objectives, row.score.values, strict=True)
        )

    def changed_values(self) -> list[str]:
        """Return a sentence for each objective under which stored rows now have other values than the stored ones."""
        sentences = []
        for index, objective in enumerate(self.objectives):
            changed = []
            for slot in sorted(self._values):
                row, stored = self._row(slot), self._values[slot][index]
                now = None if row.score is None else row.score.values[index]
                before = None if isinstance(stored, str) else stored
                if row.score is None or not _is_same(now, before):
                    changed.append(f"slot {slot}: stored {before}, now {now}")
            if changed:
                name = shown_key(objective.name)
                sentences.append(f"values of {name}: {len(changed)} rows have another value now, such as {changed[0]}")
        return sentences

    def with_values(self) -> Stored:
        """Return what is stored, with the values of all rows under these objectives."""
        values = {row.job.slot: found for row in self.rows if (found := self.values_of(row)) is not None}
        return replace(self.stored(), values=values)

    def _stored_columns_of(self, *, is_stored_only: bool) -> list[int] | None:
        """Return the position of each objective among those with stored values, None unless all are there."""
        self._is_stored_only = is_stored_only
        if is_stored_only:
            return list(range(len(self.objectives)))
        stored = {one["basis"]: index for index, one in enumerate(self.header.objectives) if one["basis"]}
        found = [stored.get(objective.basis) for objective in self.objectives]
        known = [index for index in found if index is not None]
        return known if self.objectives and len(known) == len(found) else None

    def _row(self, slot: int) -> Row:
        row = self._rows.get(slot)
        if row is None:
            row = self._rows[slot] = self.scored(self._evaluations[slot])
        return row


def stored_objectives(header: Header) -> tuple[Objective, ...]:
    """Return the objectives of a run as its archive describes them: without the functions that compute them."""
    try:
        return tuple(Objective(score=_not_computed, **one) for one in header.objectives)
    except EvonasError as error:
        raise ArchiveError(f"The archive says of its objectives what none can be: {error}") from error


def _not_computed(measurement: Any) -> float:
    raise UnpriceableError("only the stored values of this objective are known, not how it is computed")


def _reason(objective: Objective, row: Row) -> str:
    try:
        objective.score(row.evaluation.measurement)
    except UnpriceableError as error:
        return str(error)
    raise ArchiveError(
        f"The objective {objective.name} has a value now and had none before; it must be a pure function."
    )


def _is_same(one: float | None, other: float | None) -> bool:
    if one is None or other is None:
        return one is other
    return math.isclose(one, other, rel_tol=1e-9)


def _has_costs(row: Row) -> bool:
    return row.costs is not None and row.job.kind == "evaluate"
