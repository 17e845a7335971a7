"""The front as a table for people and as CSV for programs, and the cost of a network in words."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import replace

from evonas.archive.pareto_front import Front
from evonas.engine.view import Row
from evonas.objective import Objective
from evonas.report.cost_breakdown import CostBreakdown
from evonas.report.escaping import csv_cell
from evonas.report.sheet import Sheet, sheet


def table(front: Front, *, rows: Sequence[Row] | None = None) -> Sheet:
    """Return a table of the front, sorted by the first objective, or of `rows` in their own order."""
    everything = rows is not None
    shown = list(rows) if rows is not None else sorted(front.rows, key=_by_first_objective)
    rejected = f", {front.rejected} more rejected" if front.rejected else ""
    title = f"Pareto front: {len(shown)} networks of {front.evaluations} evaluations{rejected}"
    objectives = [titled(objective) for objective in front.objectives]
    others = [] if everything else _other_parts(front)
    objectives += [header for _, _, header in others]
    ending = ["kind", "outcome"] if everything else []
    lines = []
    for row in shown:
        line = [row.job.genotype.key, str(row.job.slot), row.job.strategy, str(row.job.epochs)]
        line += [cell(objective, value) for objective, value in zip(front.objectives, _values(front, row), strict=True)]
        line += [cell(objective, _part(objective, part, row)) for objective, part, _ in others]
        lines.append([*line, row.job.kind, _outcome(row)] if everything else line)
    header = ["key", "slot", "strategy", "epochs", *objectives, *ending]
    return sheet(header, lines, title="" if everything else title, right=objectives)


def to_csv(front: Front, *, rows: Sequence[Row] | None = None) -> str:
    """Return the front, or `rows`, as CSV: one line a network, units in the header, the genotype in columns."""
    everything = rows is not None
    shown = list(rows) if rows is not None else list(front.rows)
    variables = sorted({name for row in shown for name in row.job.genotype})
    header = ["key", "slot", "strategy", "epochs", *(titled(objective) for objective in front.objectives)]
    others = [] if everything else _other_parts(front)
    header += ["kind", "outcome", "message"] if everything else [title for _, _, title in others]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(map(csv_cell, [*header, *variables]))
    for row in shown:
        job = row.job
        cells: list[object] = [job.genotype.key, job.slot, job.strategy, job.epochs]
        cells += ["" if value is None else repr(value) for value in _values(front, row)]
        cells += ["" if value is None else repr(value) for value in (_part(one, part, row) for one, part, _ in others)]
        cells += [job.kind, row.evaluation.outcome.name.lower(), row.evaluation.message] if everything else []
        writer.writerow(map(csv_cell, [*cells, *(job.genotype.get(name, "") for name in variables)]))
    return text.getvalue()


def breakdown_lines(cost: CostBreakdown) -> list[str]:
    """Return the cost of a network as lines for people."""
    if cost.energy is None:
        lines = [f"Energy on {cost.profile}: none. {cost.unpriced}"]
    else:
        low, nominal, high = (f"{cost.energy[end]:.3g}" for end in ("low", "nominal", "high"))
        lines = [f"Energy on {cost.profile} ({cost.part}, {cost.scope}): {nominal} J/sample, between {low} and {high}"]
        lines += [f"  {both(cost.parts)}"] if cost.parts.get("total") is not None else []
        for what, shares in (("term", cost.terms), ("layer", cost.layers)):
            largest = sorted(shares.items(), key=lambda entry: -entry[1])
            lines += [f"  by {what}: " + ", ".join(f"{name} {share:.1%}" for name, share in largest)]
        lines += [f"  not counted: {text}" for text in cost.uncounted]
    lines.append(f"Fit on {cost.profile}: {cost.fit['verdict']}")
    lines += [f"  broken: {rule}" for rule in cost.fit["violations"]]
    return lines + [f"  not checked: {rule}" for rule in cost.fit["unchecked"]]


def both(parts: Mapping[str, float | None]) -> str:
    """Return the parts of an energy side by side, for people."""
    texts = [f"{name} {joules:.3g}" for name, joules in parts.items() if joules is not None]
    return f"{', '.join(texts)} J/sample"


def _other_parts(front: Front) -> list[tuple[Objective, str, str]]:
    """Return the parts of objectives that are not traded, each with the objective and a header."""
    return [
        (one, part, titled(replace(one, name=f"{one.name}, {part}")))
        for one in front.objectives
        if one.parts is not None
        for part in ("dynamic", "total")
        if part != one.part
    ]


def _part(objective: Objective, part: str, row: Row) -> float | None:
    """Return one part of an objective's value, None where the network has none."""
    if objective.parts is None or row.score is None:
        return None
    return objective.parts(row.evaluation.measurement).get(part)


def _by_first_objective(row: Row) -> tuple[float, ...]:
    return row.costs or ()


def _values(front: Front, row: Row) -> Sequence[float | None]:
    return row.score.values if row.score is not None else [None] * len(front.objectives)


def titled(objective: Objective) -> str:
    """Return the name of an objective with its unit in brackets."""
    return f"{objective.name} [{objective.unit}]" if objective.unit else objective.name


def cell(objective: Objective, value: float | None) -> str:
    """Return a value of an objective as it stands in tables, `-` where there is none."""
    if value is None:
        return "-"
    return f"{value:.3g}" if objective.log else f"{value:.4f}"


def _outcome(row: Row) -> str:
    if row.is_failure or row.is_rejected:
        return f"{row.evaluation.outcome.value} {row.evaluation.message}".strip()
    if row.score is not None and row.score.reason:
        return f"infeasible: {row.score.reason}"
    if row.job.kind == "search":
        settings = ", ".join(f"{name.removeprefix('context.')} {value}" for name, value in row.job.settings.items())
        if scored := row.evaluation.proxy_scores:
            return f"{len(scored)} networks scored ({settings})"
        return f"{len(row.evaluation.proposals)} networks proposed ({settings})"
    return "measured"
