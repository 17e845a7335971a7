"""Figures for papers: the files of drawings, of equal bytes for equal runs."""

from __future__ import annotations

import importlib
import io
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from evonas.archive.atomic_file import write_whole
from evonas.engine.view import Row
from evonas.errors import ArchiveError, RunFileError
from evonas.report.answer import Answer
from evonas.report.comparison import Comparison
from evonas.report.growth import growth

METADATA: Mapping[str, Mapping[str, Any]] = {
    "pdf": {"CreationDate": None},
    "png": {"Software": None},
    "svg": {"Date": None},
}
"""Formats, and what they would say of the day and the machine."""

STYLE: Any = {
    "font.size": 8,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "savefig.dpi": 300,
    "pdf.fonttype": 42,  # publishers take no fonts of type 3
    "svg.fonttype": "none",  # text stays text
    "svg.hashsalt": "evonas",
}

Draw = Callable[[], Any]
"""Returns a figure of matplotlib."""


def check_drawable(option: str) -> None:
    """Check that matplotlib is installed; raise otherwise.

    Args:
        option: The option that asks for figures.

    Raises:
        RunFileError: If it is missing.
    """
    try:
        importlib.import_module("matplotlib")
    except ImportError:
        raise RunFileError(
            [f"{option}: matplotlib, which draws them, is not installed; pip install 'evonas[figures]'"]
        ) from None


def figures_of_run(answer: Answer, picked: Row | None) -> tuple[dict[str, Draw], list[str]]:
    """Return the figures of a run by name, and a sentence for each that it has not.

    Args:
        answer: Its rows, and the chip.
        picked: The network whose energy is drawn.
    """
    from evonas.report import drawings

    results, front = answer.results, answer.results.front()
    breakdown = answer.breakdown_of(picked)
    figures: dict[str, Draw] = {}
    missing = []
    if len(front.objectives) > 1 and front.rows:
        figures["front"] = lambda: drawings.front_figure(results, picked=picked)
    else:
        missing.append("There is no figure of the front: it needs networks and two objectives.")
    if (reference := front.reference) is not None:
        grown = growth(results, reference=reference)
        figures["hypervolume"] = lambda: drawings.growth_figure({"": [grown]})
    else:
        missing.append("There is no figure of the hypervolume: its corners are not known yet.")
    if breakdown is not None and breakdown.energy is not None:
        figures["energy"] = lambda: drawings.energy_figure(breakdown)
    else:
        why = "the run has no chip, or no network with counts" if breakdown is None else breakdown.unpriced
        missing.append(f"There is no figure of the energy: {why}.")
    return figures, missing


def figures_of_comparison(comparison: Comparison) -> dict[str, Draw]:
    """Return the figures of a comparison by name."""
    from evonas.report import drawings

    grown = {group.label: [run.growth for run in group.runs] for group in comparison.groups}
    fronts = {"fronts": lambda: drawings.fronts_figure(comparison)} if len(comparison.objectives) > 1 else {}
    return {**fronts, "hypervolumes": lambda: drawings.growth_figure(grown)}


def write_figures(folder: Path, figures: Mapping[str, Draw]) -> list[Path]:
    """Write each figure as PDF, PNG and SVG into a folder, which is made where it is not there; return the files.

    Raises:
        ArchiveError: If they cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ArchiveError(f"{folder} cannot be made: {error.strerror or error}. Nothing was written.") from error
    files = []
    for name, draw in figures.items():
        for suffix in METADATA:
            files.append(folder / f"{name}.{suffix}")
            write_whole(files[-1], drawn(draw, suffix))
    return files


def drawn(draw: Draw, suffix: str) -> bytes:
    """Return a figure in one of the formats."""
    import matplotlib as mpl

    content = io.BytesIO()
    with mpl.rc_context(STYLE):
        draw().savefig(content, format=suffix, metadata=dict(METADATA[suffix]))
    return content.getvalue()
