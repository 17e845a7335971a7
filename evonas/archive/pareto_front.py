"""The front: the best networks of an archive, and the JSON object that other programs read."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from evonas.engine.pareto import Reference
from evonas.engine.view import Row
from evonas.objective import Objective


@dataclass(frozen=True)
class Front:
    """The non-dominated feasible networks at the top rung, and figures of the whole run.

    Attributes:
        rows: The front, in slot order.
        objectives: What is traded.
        evaluations: Number of rows of kind `evaluate`, at any rung, those rejected before their evaluation left out.
        failed: How many of them failed.
        hypervolume: Of the front, in [0, 1]; None as long as there is no `reference`.
        reference: The corners of the hypervolume, None as long as too few rows are known.
        rejected: Number of networks that were rejected before their evaluation.
    """

    rows: tuple[Row, ...]
    objectives: tuple[Objective, ...]
    evaluations: int
    failed: int
    hypervolume: float | None
    reference: Reference | None
    rejected: int = 0

    def to_json(self, *, rows: Sequence[Row] | None = None, picks: Sequence[Mapping[str, Any]] = ()) -> str:
        """Return the front as the text of one JSON object.

        Args:
            rows: Rows to list instead of the front's, each with its outcome, message and kind as well.
            picks: JSON objects about single networks. The first is added as `picked`, of several all as `picks`.
        """
        if rows is None:
            networks = [{**self.network(row), **self._parts(row)} for row in self.rows]
        else:
            networks = [{**self.network(row), **_outcome(row)} for row in rows]
        reference = self.reference
        content: dict[str, Any] = {
            "objectives": {objective.name: _description(objective) for objective in self.objectives},
            "evaluations": self.evaluations,
            "failed": self.failed,
            "rejected": self.rejected,
            "hypervolume": self.hypervolume,
            "ideal": None if reference is None else self._named(reference.ideal),
            "ref_point": None if reference is None else self._named(reference.ref_point),
            "networks": networks,
        }
        if picks:
            content["picked"] = picks[0]
        if len(picks) > 1:
            content["picks"] = list(picks)
        return json.dumps(content, allow_nan=False)

    def network(self, row: Row) -> dict[str, Any]:
        """Return one network as the JSON object that programs read."""
        return {
            "key": row.job.genotype.key,
            "slot": row.job.slot,
            "strategy": row.job.strategy,
            "epochs": row.job.epochs,
            "genotype": dict(row.job.genotype),
            "objectives": None if row.score is None else self._named(row.score.values),
        }

    def _parts(self, row: Row) -> dict[str, Any]:
        """Return the parts of the objectives that have parts, by name; nothing if none has."""
        found = {one.name: dict(one.parts(row.evaluation.measurement)) for one in self.objectives if one.parts}
        return {"parts": found} if found else {}

    def _named(self, values: Sequence[float | None]) -> dict[str, float | None]:
        return {objective.name: value for objective, value in zip(self.objectives, values, strict=True)}


def _outcome(row: Row) -> Mapping[str, str]:
    outcome = row.evaluation.outcome
    reason = "" if row.score is None else row.score.reason
    message = row.evaluation.message or outcome.value or reason
    return {"outcome": outcome.name.lower(), "message": message, "kind": row.job.kind}


def _description(objective: Objective) -> dict[str, Any]:
    optional = {name: getattr(objective, name) for name in ("at_least", "at_most", "profile", "part")}
    present = {name: value for name, value in optional.items() if value is not None}
    return {"unit": objective.unit, "direction": objective.direction, **present}
