"""The HTML report of a run, one file that needs no other: the front, its growth, one network and its cost."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from evonas.architecture.plan import INPUT
from evonas.archive.pareto_front import Front
from evonas.archive.results import Results
from evonas.engine.pareto import hypervolume, nondominated
from evonas.engine.view import Row
from evonas.measurement import Activity, Measurement
from evonas.objective import Objective
from evonas.report.cost_breakdown import CostBreakdown
from evonas.report.escaping import hypertext
from evonas.report.tables import both

POINTS = 200
"""Most points of the curve of the hypervolume."""


def html_report(
    results: Results, *, title: str, picked: Row | None = None, breakdown: CostBreakdown | None = None
) -> str:
    """Return the text of an HTML file, plotly's script included.

    Args:
        results: The rows of the run under the objectives to show.
        title: Name of the run.
        picked: The network to draw.
        breakdown: Its cost.
    """
    front = results.front()
    figures = [_scatter(results, front, picked)] if len(front.objectives) > 1 else []
    growth = _growth(results, front)
    figures += [growth] if growth is not None else []
    counts = f"{front.evaluations} evaluations, {front.failed} failed, {front.rejected} rejected before training"
    parts = [f"<h1>{hypertext(title)}</h1>", f"<p>{counts}; {len(front.rows)} networks on the front.</p>"]
    measurement = None if picked is None else picked.evaluation.measurement
    if picked is not None and isinstance(measurement, Measurement):
        figures.append(_network(measurement.activity, key=picked.job.genotype.key))
    if breakdown is not None and breakdown.energy is not None:
        figures.append(_energy(breakdown))
    # the script, 5 MB, once
    parts += [figure.to_html(full_html=False, include_plotlyjs=figure is figures[0]) for figure in figures]
    parts += [f"<p>{hypertext(text)}</p>" for text in _paragraphs(breakdown)]
    style = "body{font-family:sans-serif;max-width:60em;margin:2em auto}"
    head = f'<head><meta charset="utf-8"><title>{hypertext(title)}</title><style>{style}</style></head>'
    return f"<!doctype html>\n<html>{head}<body>\n{chr(10).join(parts)}\n</body></html>\n"


def _paragraphs(breakdown: CostBreakdown | None) -> list[str]:
    if breakdown is None:
        return []
    chip, fit, paragraphs = breakdown.profile, breakdown.fit, []
    if breakdown.parts.get("total") is not None:
        paragraphs.append(f"Energy on {chip}: {both(breakdown.parts)}; the {breakdown.part} energy is traded.")
    paragraphs.append(f"Fit on {chip}: {fit['verdict']}. {'; '.join(fit['violations'] or fit['unchecked'])}")
    if breakdown.uncounted:
        paragraphs.append(f"Not counted: {'; '.join(breakdown.uncounted)}.")
    return [*paragraphs, breakdown.unpriced]


def _scatter(results: Results, front: Front, picked: Row | None) -> go.Figure:
    """Return the networks in the first two objectives, those of the front drawn on top."""
    first, second = front.objectives[:2]
    best = {row.job.slot for row in front.rows}
    others = [row for row in results.rows if row.costs is not None and row.job.slot not in best]
    figure = go.Figure(layout={"title": "Front", "xaxis": _axis(second), "yaxis": _axis(first)})
    groups: list[tuple[str, Sequence[Row], int]] = [("measured", others, 6), ("front", front.rows, 10)]
    groups += [("picked", [picked], 16)] if picked is not None else []
    for name, rows, size in groups:
        values = [row.score.values for row in rows if row.score is not None]
        marker = {"size": size, "symbol": "circle-open" if name == "picked" else "circle"}
        figure.add_scatter(
            x=[value[1] for value in values],
            y=[value[0] for value in values],
            text=[f"{row.job.genotype.key}, {row.job.epochs} epochs{_parts(front, row, name)}" for row in rows],
            mode="markers",
            name=name,
            marker=marker,
        )
    return figure


def _parts(front: Front, row: Row, group: str) -> str:
    """Return the parts of the objectives that have several; empty for networks that are only measured."""
    if group == "measured":
        return ""
    parted = [(one.name, one.parts) for one in front.objectives if one.parts is not None and row.score is not None]
    return "".join(f"<br>{hypertext(name)}: {both(parts(row.evaluation.measurement))}" for name, parts in parted)


def _growth(results: Results, front: Front) -> go.Figure | None:
    """Return the hypervolume over evaluations, None where there is none yet."""
    if front.reference is None:
        return None
    evaluations = [row for row in results.rows if row.job.kind == "evaluate" and not row.is_rejected]
    every = max(1, len(evaluations) // POINTS)
    best = np.empty((0, len(front.objectives)))
    counts, volumes = [], []
    for count, row in enumerate(evaluations, start=1):
        if row.is_feasible and row.costs is not None and row.job.rung == results.header.top_rung:
            best = np.vstack([best, row.costs])
        if count % every == 0 or count == len(evaluations):
            best = best[nondominated(best)] if len(best) else best
            counts.append(count)
            volumes.append(hypervolume(best, objectives=front.objectives, reference=front.reference))
    figure = go.Figure(go.Scatter(x=counts, y=volumes, mode="lines", line={"shape": "hv"}))
    return figure.update_layout(title="Hypervolume", xaxis={"title": "evaluations"}, yaxis={"title": "hypervolume"})


def _network(activity: Activity, *, key: str) -> go.Figure:
    """Return layers as points from the data on the left to the readout on the right, and connections as lines."""
    depth = {INPUT: 0}
    for edge in activity.connections:  # in the order in which they compute; sources of feedback are not known yet
        known = [depth[name] + 1 for name in edge.sources if name in depth and name != edge.target]
        depth[edge.target] = max([depth.get(edge.target, 0), *known])
    columns: dict[int, list[str]] = {}
    for name, column in depth.items():
        columns.setdefault(column, []).append(name)
    height = {name: i - (len(names) - 1) / 2 for names in columns.values() for i, name in enumerate(names)}
    figure = go.Figure(layout={"title": f"Network {hypertext(key)}", "showlegend": False})
    for edge in activity.connections:
        for name in edge.sources:
            ends = (name, edge.target)
            x, y = [depth[end] for end in ends], [height[end] for end in ends]
            figure.add_scatter(x=x, y=y, mode="lines", line={"color": "silver"}, hoverinfo="skip")
    texts = {
        one.name: f"{one.kind} {one.shape}, {one.outputs / activity.samples:,.1f} spikes a sample"
        for one in activity.populations
    }
    figure.add_scatter(
        x=[depth[name] for name in depth],
        y=[height[name] for name in depth],
        text=[hypertext(name) for name in depth],
        hovertext=[hypertext(texts.get(name, "the data")) for name in depth],
        mode="markers+text",
        textposition="top center",
        marker={"size": 14},
    )
    hidden = {"visible": False}
    return figure.update_layout(xaxis=hidden, yaxis=hidden)


def _energy(breakdown: CostBreakdown) -> go.Figure:
    """Return stacked bars: joules by layer, one colour a term."""
    figure = go.Figure()
    layers = [hypertext(layer) for layer in breakdown.joules]
    for term in breakdown.terms:
        joules = [terms.get(term, 0.0) for terms in breakdown.joules.values()]
        figure.add_bar(x=layers, y=joules, name=hypertext(term))
    band = breakdown.energy or {}
    low, nominal, high = (f"{band[end]:.3g}" for end in ("low", "nominal", "high"))
    title = f"Energy on {breakdown.profile}, {breakdown.part}: {nominal} ({low} to {high}) J a sample"
    return figure.update_layout(
        title=hypertext(title), barmode="stack", xaxis={"type": "category"}, yaxis={"title": "J/sample"}
    )


def _axis(objective: Objective) -> dict[str, str]:
    unit = f" [{objective.unit}]" if objective.unit else ""
    return {"title": hypertext(objective.name + unit), "type": "log" if objective.log else "linear"}
