"""Draw the first jobs of a run in virtual time: `python docs/figures/virtual_time.py results/digits docs/time.svg`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure
from matplotlib.patches import Patch

import evonas
from evonas.engine.job import Job

COLOURS = ("#9db9cd", "#2a6f97", "#123c58")
SHOWN = 24
"""Jobs that are drawn."""


def draw(folder: Path) -> Figure:
    """Return the picture: a bar for each job from its virtual start to its virtual end, one lane for each open job."""
    jobs = [row.job for row in evonas.load(folder).rows if row.job.cost > 0][:SHOWN]
    figure = Figure(figsize=(11, 2.6), layout="constrained")
    axes = figure.subplots()
    unit = max(job.start + job.cost for job in jobs) / 100
    for job, lane in zip(jobs, lanes(jobs), strict=True):
        begin, length = job.start / unit, job.cost / unit
        axes.barh(lane, length, left=begin, height=0.8, color=COLOURS[job.rung], edgecolor="white")
        text = f"{job.slot} from {job.parents[0]}" if job.rung and length > 6 else str(job.slot) if length > 1.5 else ""
        axes.text(begin + length / 2, lane, text, ha="center", va="center", fontsize=7,
                  color="white" if job.rung else "#333333", clip_on=True)  # fmt: skip
    epochs = {job.rung: job.epochs for job in jobs}
    handles = [Patch(color=COLOURS[rung], label=f"{epochs[rung]} epochs") for rung in sorted(epochs)]
    axes.legend(handles=handles, loc="lower right", bbox_to_anchor=(1, 1), ncols=len(handles), frameon=False)
    axes.set(yticks=[], xlabel="virtual time, predicted multiply-accumulates, percent of what is shown", xlim=(0, 100))
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.invert_yaxis()
    return figure


def lanes(jobs: Sequence[Job]) -> list[int]:
    """Return a lane for each job, in the order of their starts: the first in which nothing runs any more."""
    ends: list[float] = []
    found = []
    for job in jobs:
        free = next((lane for lane, end in enumerate(ends) if end <= job.start), len(ends))
        ends[free:free + 1] = [job.start + job.cost]  # fmt: skip
        found.append(free)
    return found


def main(folder: str, picture: str) -> None:
    """Draw the run in `folder` into the file `picture`."""
    mpl.rcParams["svg.hashsalt"] = "evonas"  # the same run gives the same bytes
    metadata = {"Date": None} if picture.endswith(".svg") else None
    draw(Path(folder)).savefig(picture, metadata=metadata, dpi=150)


if __name__ == "__main__":
    main(*sys.argv[1:])
