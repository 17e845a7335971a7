"""Drawings for papers, by matplotlib: fronts, hypervolumes over evaluations, and the energy of a network by layer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter

from evonas.archive.results import Results
from evonas.engine.view import Row
from evonas.measurement import Measurement
from evonas.objective import Objective
from evonas.report.comparison import Comparison
from evonas.report.cost_breakdown import CostBreakdown
from evonas.report.escaping import visible
from evonas.report.growth import Growth
from evonas.report.tables import titled
from evonas.report.ties import merit_and_cost
from evonas.task import binomial_error

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000")
"""Colours that are told apart by everyone, and printed in grey by most.

Source: M. Okabe and K. Ito, Color universal design, 2008.
"""

MARKERS = ("o", "s", "^", "D", "v", "P", "X")
FAINT = "#b9c0c8"
PANEL = 2.9
"""Width of a panel in inches; two of them fill a page of two columns."""


def front_figure(results: Results, *, picked: Row | None = None) -> Figure:
    """Return the front of a run, one panel for each other objective against the merit, or else the first one.

    Error bars are one sampling error of the merit, where it is known.

    Args:
        results: Its rows, under two objectives or more.
        picked: A network to mark.
    """
    front = results.front()
    figure, panels = _panels(front.objectives)
    best = {row.job.slot for row in front.rows}
    others = [row for row in results.rows if row.costs is not None and row.job.slot not in best]
    for axes, (x, y) in panels:
        axes.scatter(*_values(others, x, y), s=6, color=FAINT, linewidths=0, label="measured")
        _staircase(axes, front.rows, x, y, front.objectives, color=COLOURS[0])
        errors = [_error(row, y, front.objectives[y]) for row in front.rows]
        axes.errorbar(
            *_values(front.rows, x, y), yerr=errors, fmt="o", ms=3, color=COLOURS[0], elinewidth=0.6, label="front"
        )
        if picked is not None and picked.score is not None:
            ring: dict[str, Any] = {"facecolors": "none", "edgecolors": COLOURS[1], "linewidths": 1.2, "zorder": 3}
            axes.scatter(*_values([picked], x, y), s=60, label=picked.job.genotype.key[:8], **ring)
    _legend(panels[0][0])
    return figure


def fronts_figure(comparison: Comparison) -> Figure:
    """Return the fronts of several runs, one over the other, panels as of one run.

    Of runs that differ only in their seed the line is what half of them attain, between what one and what all do.
    """
    objectives = comparison.objectives
    figure, panels = _panels(objectives)
    for axes, (x, y) in panels:
        for group, colour, marker in zip(comparison.groups, _repeated(COLOURS), _repeated(MARKERS)):
            for surface in comparison.attained(group, (x, y)):
                is_half = surface.runs == (surface.of + 1) // 2
                style: dict[str, Any] = {"lw": 1.2} if is_half else {"lw": 0.9, "ls": ":"}
                _step(axes, surface.points, color=colour, **style)
            rows = [row for run in group.runs for row in run.front]
            style = {"s": 9, "color": colour, "marker": marker, "alpha": 0.7, "linewidths": 0}
            axes.scatter(*_values(rows, x, y), label=_text(group.label), **style)
    _legend(panels[0][0])
    return figure


def growth_figure(growths: Mapping[str, Sequence[Growth]]) -> Figure:
    """Return hypervolumes over evaluations.

    Args:
        growths: What to call runs of one colour to the growth of each of them.
    """
    figure = Figure(figsize=(1.2 * PANEL, PANEL), layout="constrained")
    axes = figure.subplots()
    for (label, runs), colour in zip(growths.items(), _repeated(COLOURS)):
        for index, growth in enumerate(runs):
            shown = _text(label) if index == 0 else None
            axes.step(growth.evaluations, growth.hypervolumes, where="post", color=colour, lw=1, alpha=0.8, label=shown)
    axes.set(xlabel="evaluations", ylabel="hypervolume", xlim=(0, None), ylim=(0, None))
    if len(growths) > 1:
        _legend(axes)
    return figure


def energy_figure(breakdown: CostBreakdown) -> Figure:
    """Return the energy of a network by layer, stacked by term, from the data at the top to the readout.

    Args:
        breakdown: Its cost, with an energy.
    """
    layers = [*breakdown.joules]
    figure = Figure(figsize=(1.6 * PANEL, 0.7 + 0.18 * len(layers)), layout="constrained")
    axes = figure.subplots()
    left = [0.0] * len(layers)
    for term, colour in zip(breakdown.terms, _repeated(COLOURS)):
        joules = [parts.get(term, 0.0) for parts in breakdown.joules.values()]
        axes.barh(range(len(layers)), joules, left=left, height=0.7, color=colour, label=_text(term))
        left = [start + value for start, value in zip(left, joules, strict=True)]
    axes.set_yticks(range(len(layers)), [_text(layer) for layer in layers])
    axes.invert_yaxis()
    axes.set_xlabel(f"{breakdown.part} energy of a sample on {_text(breakdown.profile)}")
    axes.xaxis.set_major_formatter(EngFormatter("J"))
    _legend(axes)
    return figure


def _panels(objectives: Sequence[Objective]) -> tuple[Figure, list[tuple[Axes, tuple[int, int]]]]:
    """Return a figure with a panel for each pair of objectives, and of each its axes and the positions of its pair."""
    known = merit_and_cost(objectives)[0]
    y = 0 if known is None else known
    others = [index for index in range(len(objectives)) if index != y]
    figure = Figure(figsize=(PANEL * len(others), PANEL), layout="constrained")
    every = figure.subplots(1, len(others), sharey=True, squeeze=False)[0]
    for axes, x in zip(every, others, strict=True):
        axes.set(xlabel=_text(titled(objectives[x])), xscale="log" if objectives[x].log else "linear")
    every[0].set(ylabel=_text(titled(objectives[y])), yscale="log" if objectives[y].log else "linear")
    return figure, [(axes, (x, y)) for axes, x in zip(every, others, strict=True)]


def _staircase(axes: Axes, rows: Sequence[Row], x: int, y: int, objectives: Sequence[Objective], *, color: str) -> None:
    """Draw what the rows attain in two objectives alone."""
    points = sorted((row.costs[x], row.costs[y]) for row in rows if row.costs is not None)
    corners: list[tuple[float, float]] = []
    for one, other in points:
        if not corners or other < corners[-1][1]:
            corners.append((one, other))
    signs = objectives[x].sign, objectives[y].sign
    _step(axes, [(signs[0] * one, signs[1] * other) for one, other in corners], color=color, lw=0.8)


def _step(axes: Axes, points: Sequence[tuple[float, float]], **style: Any) -> None:
    """Draw a staircase whose corners come from the best value of its first objective on."""
    axes.step([one for one, _ in points], [other for _, other in points], where="post", **style)


def _values(rows: Sequence[Row], x: int, y: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the `(rows,)` values of two objectives, which rows with costs have."""
    values = [row.score.values for row in rows if row.score is not None]
    return np.array([found[x] for found in values], dtype=float), np.array([found[y] for found in values], dtype=float)


def _text(text: str) -> str:
    """Return a text that comes from files as matplotlib writes it: nothing in it is a formula."""
    return visible(text).replace("$", r"\$")


def _error(row: Row, index: int, objective: Objective) -> float:
    """Return one sampling error of a value, 0 where it is not known."""
    measurement, score = row.evaluation.measurement, row.score
    value = None if score is None else score.values[index]
    is_fraction = objective.direction == "max" and objective.unit == "fraction"
    error = objective.sampling_error or (binomial_error if is_fraction else None)
    return (
        error(value, measurement.samples)
        if error and value is not None and isinstance(measurement, Measurement)
        else 0.0
    )


def _legend(axes: Axes) -> None:
    axes.legend(frameon=False, fontsize=7, handletextpad=0.4)


def _repeated(values: Sequence[str]) -> Iterator[str]:
    while True:
        yield from values
