"""Draw the front of a run with three of its networks: `python docs/figures/front.py results/digits docs/front.svg`."""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

import evonas
from evonas.architecture.cell import Cell
from evonas.architecture.cell_form import cell_of, levels_of
from evonas.engine.view import Row
from evonas.measurement import Measurement
from evonas.report.pick import pick
from objectives import accuracy, energy

CHIP = "loihi1_davies"
COLOURS = ("#2a6f97", "#c1666b", "#5b8c5a")
INK, PALE, FAINT = "#333333", "#eef1f4", "#b9c0c8"
WORDS = {"conv3": "conv 3x3", "conv5": "conv 5x5", "separable": "separable 3x3", "pool": "pool 3x3", "skip": "skip"}
INPUTS = {"s0": "cell\nbefore\nthe last", "s1": "last\ncell"}
SMALL: dict[str, Any] = {"ha": "center", "va": "center", "fontsize": 6.5, "color": INK}
STEP, CELL = 1.25, 8.2
"""Distance between the boxes of the layer path, and where the cell is drawn."""


def draw(folder: Path) -> Figure:
    """Return the picture of the front of a run under accuracy and energy, three of its networks drawn beside it."""
    results = evonas.load(folder, [accuracy.objective(), energy.objective(profile=CHIP)]).results
    front = results.front().rows
    best = pick(results, "best:accuracy")
    cheapest = min(_as_good_as(best, front), key=lambda row: _values(row)[1])
    others = sorted(front, key=_values, reverse=True)  # where two of the three are one
    wanted = {row.job.slot: row for row in (pick(results, "knee"), cheapest, best, *others)}
    picked = sorted(list(wanted.values())[: len(COLOURS)], key=_values)
    figure = Figure(figsize=(13, 6.4), layout="constrained")
    halves: Any = figure.subfigures(1, 2, width_ratios=[6, 7])
    _front(halves[0].subplots(), results.rows, front=front, picked=picked)
    for axes, row, colour in zip(
        halves[1].subplots(len(picked), 1, squeeze=False)[:, 0], picked, COLOURS, strict=False
    ):
        _network(axes, row, colour=colour)
    return figure


def _as_good_as(best: Row, front: Sequence[Row]) -> list[Row]:
    """Return the networks whose accuracy lies within a standard error of that of `best`, which is among them."""
    measurement = best.evaluation.measurement
    assert isinstance(measurement, Measurement)
    error = math.sqrt(measurement.accuracy * (1 - measurement.accuracy) / measurement.samples)
    return [row for row in front if _values(row)[0] >= measurement.accuracy - error]


def _values(row: Row) -> tuple[float, float]:
    """Return accuracy and joules of a network of the front."""
    assert row.score is not None
    right, joules = row.score.values
    assert right is not None
    assert joules is not None
    return right, joules


def _front(axes: Axes, rows: Sequence[Row], *, front: Sequence[Row], picked: Sequence[Row]) -> None:
    _scatter(axes, [row for row in rows if row.costs is not None], s=18, color=FAINT, label="measured")
    ordered = sorted(front, key=_values)
    axes.step([_values(row)[1] for row in ordered], [_values(row)[0] for row in ordered], where="post", color=INK, lw=1)
    _scatter(axes, front, s=34, color=INK, zorder=3, label="front")
    for row, colour in zip(picked, COLOURS, strict=False):
        _scatter(axes, [row], s=150, color=colour, zorder=4, label=f"network {row.job.genotype.key[:8]}")
    axes.set(xscale="log", xlabel=f"energy on {CHIP}, J a sample", ylabel="accuracy on validation samples")
    axes.legend(loc="lower right", frameon=False)
    axes.spines[["top", "right"]].set_visible(False)


def _scatter(axes: Axes, rows: Sequence[Row], **style: Any) -> None:
    axes.scatter([_values(row)[1] for row in rows], [_values(row)[0] for row in rows], **style)


def _network(axes: Axes, row: Row, *, colour: str) -> None:
    """Draw the layer path, one resolution a line, and to its right the cell that stands at each of its places."""
    measurement, genotype = row.evaluation.measurement, row.job.genotype
    assert isinstance(measurement, Measurement)
    shapes = {population.name: population.shape for population in measurement.activity.populations}
    levels = (0, *levels_of(genotype))
    boxes = []
    for place, level in enumerate(levels):
        channels, side, _ = shapes[f"cell{place}/node0" if place else "stem"]
        text = f"cell {place}\n" if place else "stem\n"
        boxes.append(_box(axes, (STEP * place, -level), f"{text}{side} x {side}\n{channels} ch.", colour, place > 0))
    classes = shapes["readout"][0]
    boxes.append(_box(axes, (STEP * len(levels), -levels[-1]), f"readout\n{classes}\nclasses", INK, False))
    for start, end in pairwise(boxes):
        _arrow(axes, start, end)
    _cell(axes, cell_of(genotype), colour=colour)
    right, joules = _values(row)
    kinds = ", ".join(dict.fromkeys(str(genotype[f"stage{level}.kind"]) for level in sorted(set(levels))))
    axes.set_title(
        f"{genotype.key[:8]}: {right:.1%}, {joules * 1e6:.2g} uJ, {genotype['time_steps']} time steps, {kinds}",
        loc="left", fontsize=9, color=colour,
    )  # fmt: skip
    axes.set(xlim=(-0.6, CELL + 4.9), ylim=(-2.5, 0.5))
    axes.axis("off")


def _cell(axes: Axes, cell: Cell, *, colour: str) -> None:
    """Draw the nodes of a cell and the operations on their edges, the inputs that are read on the left."""
    used = {edge.source for edges in cell for edge in edges}
    inputs = [name for name in INPUTS if name in used]
    spread, middle = (0.8 if len(inputs) == 2 else 0.0), -1.0
    places = {name: (CELL, middle + spread * (-1) ** index) for index, name in enumerate(inputs)}
    step = 1.4 if len(cell) == 2 else 1.1
    for node in range(len(cell)):
        places[f"n{node}"] = (CELL + 2.4 + 1.7 * (node % 2), middle + step * ((len(cell) - 1) / 2 - node))
    boxes = {}
    for name, place in places.items():
        is_node = name not in INPUTS
        text = f"node {name[1:]}" if is_node else INPUTS[name]
        boxes[name] = _box(axes, place, text, colour if is_node else INK, is_node)
    for node, edges in enumerate(cell):
        for edge in edges:
            _arrow(axes, boxes[edge.source], boxes[f"n{node}"])
            (x0, y0), (x1, y1) = places[edge.source], places[f"n{node}"]
            behind = {"facecolor": "white", "edgecolor": "none", "pad": 0.8}
            axes.text((x0 + x1) / 2, (y0 + y1) / 2, WORDS[edge.operation], zorder=2, bbox=behind, **SMALL)


def _box(axes: Axes, centre: tuple[float, float], text: str, colour: str, filled: bool) -> FancyBboxPatch:
    x, y = centre
    style: dict[str, Any] = {
        "edgecolor": colour,
        "facecolor": PALE if filled else "white",
        "linewidth": 1.2,
        "zorder": 3,
    }
    box = FancyBboxPatch((x - 0.4, y - 0.36), 0.8, 0.72, boxstyle="round,pad=0.02", **style)
    axes.add_patch(box)
    axes.text(x, y, text, zorder=4, **SMALL)
    return box


def _arrow(axes: Axes, start: FancyBboxPatch, end: FancyBboxPatch) -> None:
    ends = [(box.get_x() + box.get_width() / 2, box.get_y() + box.get_height() / 2) for box in (start, end)]
    axes.add_patch(
        FancyArrowPatch(*ends, patchA=start, patchB=end, arrowstyle="-|>", mutation_scale=9, color=FAINT, zorder=1)
    )


def main(folder: str, picture: str) -> None:
    """Draw the run in `folder` into the file `picture`."""
    mpl.rcParams["svg.hashsalt"] = "evonas"  # the same run gives the same bytes
    draw(Path(folder)).savefig(picture, metadata={"Date": None} if picture.endswith(".svg") else None, dpi=150)


if __name__ == "__main__":
    main(*sys.argv[1:])
