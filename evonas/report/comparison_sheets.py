"""A comparison as tables for people and as the JSON object that programs read."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import numpy as np

from evonas.objective import Objective
from evonas.report.attainment import Surface
from evonas.report.comparison import Comparison
from evonas.report.seed_group import ComparedRun, SeedGroup
from evonas.report.sheet import Sheet, sheet
from evonas.report.tables import cell, titled

LEVELS = 5
"""Columns of the table of what is attained."""

SHOWN = 10
"""Most settings that are listed."""


def runs_sheet(comparison: Comparison) -> Sheet:
    """Return a table with one line a run: its seed, what it cost, its hypervolume and its best values."""
    best = [f"best {titled(objective)}" for objective in comparison.objectives]
    header = ["run", "seed", "evaluations", "failed", "sample-steps", "front", "hypervolume", *best]
    lines = [_run_line(run, comparison.objectives) for run in comparison.runs]
    title = f"Fronts after {comparison.evaluations} evaluations, hypervolumes between common corners"
    return sheet(header, lines, title=title, right=header[1:])


def attainment_sheet(comparison: Comparison) -> Sheet | None:
    """Return a table with one line a group: the best value that half of its runs attain within levels of a second one.

    Returns:
        None where there is one objective.
    """
    if not comparison.pairs:
        return None
    first, second = comparison.pairs[0]
    one, other = comparison.objectives[first], comparison.objectives[second]
    levels = _levels(comparison, second)
    lines = [[group.label, *_attained(comparison, group, (first, second), levels)] for group in comparison.groups]
    has_seeds = any(len(group.runs) > 1 for group in comparison.groups)
    within = "at most" if other.direction == "min" else "at least"
    title = f"{titled(one)} that is attained with {titled(other)} of {within} …"
    title += ": by half of the runs (by all; by one)" if has_seeds else ""
    header = ["runs", *(f"{level:.3g}" for level in levels)]
    return sheet(header, lines, title=title, right=header[1:])


def setting_lines(comparison: Comparison) -> Iterator[str]:
    """Yield a line for each setting in which the groups differ, at most `SHOWN` of them."""
    settings = list(comparison.settings.items())
    for key, values in settings[:SHOWN]:
        pairs = zip(comparison.groups, values, strict=True)
        yield f"{key}: {', '.join(f'{_shown(value)} in {group.label}' for group, value in pairs)}"
    if len(settings) > SHOWN:
        yield f"and {len(settings) - SHOWN} settings more"


def to_json(comparison: Comparison) -> str:
    """Return a comparison as the text of one JSON object."""
    reference = comparison.reference
    named = [objective.name for objective in comparison.objectives]
    content = {
        "objectives": named,
        "ideal": dict(zip(named, reference.ideal, strict=True)),
        "ref_point": dict(zip(named, reference.ref_point, strict=True)),
        "evaluations": comparison.evaluations,
        "groups": [_group(comparison, group) for group in comparison.groups],
        "differences": [
            {
                "larger": one.larger.label,
                "smaller": one.smaller.label,
                "hypervolume": one.value,
                "margin": one.margin,
                "is_more_than_spread": one.is_more_than_spread,
            }
            for one in comparison.differences
        ],
        "settings": {key: list(values) for key, values in comparison.settings.items()},
        "sentences": [*comparison.verdicts(), *comparison.remarks()],
    }
    return json.dumps(content, allow_nan=False)


def _group(comparison: Comparison, group: SeedGroup) -> dict[str, Any]:
    names = [objective.name for objective in comparison.objectives]
    attained = [
        {
            "objectives": [names[index] for index in pair],
            "surfaces": [
                {"runs": one.runs, "of": one.of, "points": list(map(list, one.points))}
                for one in comparison.attained(group, pair)
            ],
        }
        for pair in comparison.pairs
    ]
    runs = [_run(run, names) for run in group.runs]
    return {"label": group.label, "hypervolume": group.hypervolumes.mean(), "runs": runs, "attainment": attained}


def _run(run: ComparedRun, names: list[str]) -> dict[str, Any]:
    front = run.results.front()
    values = [(row, row.score.values) for row in run.front if row.score is not None]
    return {
        "label": run.label,
        "seed": run.results.seed,
        "evaluations": front.evaluations,
        "failed": front.failed,
        "rejected": front.rejected,
        "sample_steps": _sample_steps(run),
        "hypervolume": run.hypervolume,
        "front": [
            {"key": row.job.genotype.key, "objectives": dict(zip(names, found, strict=True))} for row, found in values
        ],
        "growth": {"evaluations": list(run.growth.evaluations), "hypervolume": list(run.growth.hypervolumes)},
    }


def _run_line(run: ComparedRun, objectives: tuple[Objective, ...]) -> list[str]:
    front = run.results.front()
    steps = _sample_steps(run)
    line = [run.label, str(run.results.seed), str(front.evaluations), str(front.failed)]
    line += [f"{steps:.3g}" if steps else "-", str(len(run.front)), f"{run.hypervolume:.4f}"]
    best = [
        min((row.costs[i] for row in run.front if row.costs is not None), default=None) for i in range(len(objectives))
    ]
    return [
        *line,
        *(cell(one, None if cost is None else one.sign * cost) for one, cost in zip(objectives, best, strict=True)),
    ]


def _sample_steps(run: ComparedRun) -> float:
    """Return the sample-steps of a run, search jobs included; what is rejected is never trained."""
    return sum(row.evaluation.sample_steps for row in run.results.rows if not row.is_rejected)


def _levels(comparison: Comparison, index: int) -> list[float]:
    """Return values of an objective, from the best to the worst of all fronts, evenly spread on its axis."""
    objective = comparison.objectives[index]
    costs = [row.costs[index] for run in comparison.runs for row in run.front if row.costs is not None]
    best, worst = objective.sign * min(costs), objective.sign * max(costs)
    spaced = np.geomspace if objective.log and min(best, worst) > 0 else np.linspace
    return [float(value) for value in spaced(best, worst, LEVELS)]


def _attained(comparison: Comparison, group: SeedGroup, pair: tuple[int, int], levels: list[float]) -> list[str]:
    one, other = (comparison.objectives[index] for index in pair)
    found = comparison.attained(group, pair)

    def shown(surface: Surface, level: float) -> str:
        return cell(one, surface.best(one, other, within=level))

    half = next(surface for surface in found if surface.runs == (surface.of + 1) // 2)
    texts = [shown(half, level) for level in levels]
    if len(group.runs) == 1:
        return texts
    return [f"{text} ({shown(found[-1], level)}; {shown(found[0], level)})" for text, level in zip(texts, levels)]


def _shown(value: Any) -> str:
    text = "absent" if value is None else json.dumps(value)
    return text if len(text) <= 80 else f"{text[:77]}…"
