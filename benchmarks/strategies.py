"""Evolution, the differentiable search, both together and random search: hypervolume over the cost of training.

    python benchmarks/strategies.py [--quick] [--seeds N] [--evaluations N] [--set KEY=VALUE] [--tasks NAME ...]
                                    [--folder DIR] [--json FILE]

Tasks: the digits, and 2,000 images of Fashion-MNIST at 14 x 14 pixels where the environment variable EVONAS_DATA names
a folder that holds `fashion-mnist`. Objectives: accuracy and energy on Loihi 1. Where both strategies search together,
their shares follow success. Each run keeps its archive in a folder of its own, so that the same command goes on where
it was stopped. Cost is counted over all jobs, searches with their
warm-up and failures included, in sample-steps: one time step of one sample in a training step, three of them in a step
of a search's choices, which sees two networks at once. The predicted multiply-accumulates are told as well.

    cost_to_evolution_hypervolume      cost at which both together have the final hypervolume of evolution alone, over
                                       that at which evolution alone came to it: median over seeds, the worse task
    .._digits, .._fashion              the same for each task; .._operations_.. in multiply-accumulates
    hypervolume_.._..                  median over seeds at the cost that evolution alone has had in the end
    front_size_.., energy_span_..      networks on the front of the differentiable search alone, its dearest over its
                                       cheapest (medians)
"""

from __future__ import annotations

import argparse
import math
import os
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tomli_w
from table import Figure, columns, publish

from evonas import Archive
from evonas.engine.pareto import Reference, front, hypervolume, reference
from evonas.engine.unfinished_folder import emptied
from evonas.engine.view import Row
from evonas.objective import Objective
from evonas.runfile.resolve import ResolvedRun, resolve
from evonas.runfile.schema import FREE_SETTINGS

EVOLUTION = {"name": "evolution", "pop_size": 16}
DIFFERENTIABLE = {"name": "differentiable", "objective": "energy"}
STRATEGIES: Mapping[str, Sequence[Mapping[str, Any]]] = {
    "evolution": [EVOLUTION],
    "differentiable": [DIFFERENTIABLE],
    "both": [EVOLUTION, DIFFERENTIABLE],
    "random": [{"name": "random"}],
}
EVALUATIONS = {"digits": 60, "fashion": 48}
"""By default: those of Fashion-MNIST cost more."""

UNITS = ("sample_steps", "cost")


@dataclass(frozen=True)
class Curve:
    """How a run went on.

    Attributes:
        costs: Cost of all jobs so far after each row, by unit; rows in the order of their virtual ends.
        volumes: Hypervolume of the top rung after each row.
    """

    costs: Mapping[str, Sequence[float]]
    volumes: Sequence[float]

    def at(self, cost: float, *, unit: str) -> float:
        """Return the hypervolume that a cost has bought."""
        reached = [volume for spent, volume in zip(self.costs[unit], self.volumes, strict=True) if spent <= cost]
        return reached[-1] if reached else 0.0

    def cost_of(self, volume: float, *, unit: str) -> float:
        """Return the cost at which a hypervolume was reached, `inf` where it never was."""
        reached = [spent for spent, had in zip(self.costs[unit], self.volumes, strict=True) if had >= volume]
        return reached[0] if reached else math.inf


def tasks() -> dict[str, dict[str, Any]]:
    """Return the data sections of the run files by name of the task; those whose data are here."""
    found: dict[str, dict[str, Any]] = {"digits": {"name": "digits"}}
    data = os.environ.get("EVONAS_DATA")
    if data is None:
        print("Fashion-MNIST is skipped: EVONAS_DATA names no folder of data.")
    else:
        found["fashion"] = {"name": "images", "path": str(Path(data) / "fashion-mnist"), "limit": 2000, "side": 14}
    return found


def run_file(data: Mapping[str, Any], strategies: Sequence[Mapping[str, Any]], *, quick: bool) -> dict[str, Any]:
    """Return the content of a run file."""
    return {
        "search": {"space": "spatial_temporal", "evaluations": 1, "parallel": 4, "shares": "success"},
        "space": {"without": ["adaptive", "feedback", "attention"]},
        "data": data,
        "objectives": [{"name": "accuracy", "at_least": 0.2}, {"name": "energy", "profile": "loihi1_davies"}],
        "strategies": list(strategies),
        "ladder": {"epochs": [1] if quick else [1, 3]},
        "workers": {"seconds": 600, "search_seconds": 1800},
    }


def rows_of(resolved: ResolvedRun, folder: Path) -> tuple[Row, ...]:
    """Return all rows of a search in the order of their virtual ends, run as far as it was not yet."""
    archive = Archive(
        folder / "archive.h5",
        resolved.space,
        resolved.objectives,
        seed=resolved.file.search.seed,
        settings=resolved.file.settings(),
        free=FREE_SETTINGS,
        top_rung=resolved.top_rung,
    )
    seen: list[Row] = []
    with archive, emptied(folder / "unfinished") as unfinished:
        crew = resolved.workers(unfinished=unfinished)
        try:
            resolved.search(archive, workers=crew, on_row=seen.append)
        finally:
            crew.close()
    return tuple(seen)


def cost_of(row: Row, *, unit: str) -> float:
    """Return what the job of a row has cost: counted sample-steps, predicted multiply-accumulates."""
    return row.evaluation.sample_steps if unit == "sample_steps" else row.job.cost


def curve(rows: Sequence[Row], objectives: Sequence[Objective], *, top: int, corners: Reference) -> Curve:
    """Return how a run went on."""
    spent = dict.fromkeys(UNITS, 0.0)
    costs: dict[str, list[float]] = {unit: [] for unit in UNITS}
    points: list[tuple[float, ...]] = []
    volumes: list[float] = []
    for row in rows:
        for unit in UNITS:
            spent[unit] += cost_of(row, unit=unit)
            costs[unit].append(spent[unit])
        is_new = row.is_feasible and row.job.rung == top and row.costs is not None
        if is_new and row.costs is not None:
            points.append(row.costs)
        volume = volumes[-1] if volumes else 0.0
        volumes.append(hypervolume(points, objectives=objectives, reference=corners) if is_new else volume)
    return Curve(costs, volumes)


def measure(task: str, data: Mapping[str, Any], options: argparse.Namespace) -> list[Figure]:
    """Return the figures of a task, after a table of all its runs."""
    runs: dict[tuple[str, int], tuple[Row, ...]] = {}
    evaluations = options.evaluations or EVALUATIONS[task]
    for seed in range(options.seeds):
        for name, strategies in STRATEGIES.items():
            folder = options.folder / f"{task}-{name}-{seed}"
            folder.mkdir(parents=True, exist_ok=True)
            path = folder / "run_file.toml"
            path.write_text(tomli_w.dumps(run_file(data, strategies, quick=options.quick)), encoding="utf-8")
            overrides = (f"search.evaluations={evaluations}", f"search.seed={seed}", *options.set)
            resolved = resolve(path, overrides=overrides)
            runs[name, seed] = rows_of(resolved, folder)
            print(_told(f"{task}, seed {seed}, {name}", runs[name, seed]), flush=True)
    objectives, top = resolved.objectives, resolved.top_rung
    corners = reference(objectives, [row for rows in runs.values() for row in rows])
    curves = {place: curve(rows, objectives, top=top, corners=corners) for place, rows in runs.items()}
    fronts = [
        front([row for row in runs["differentiable", seed] if row.is_scored and row.job.rung == top])
        for seed in range(options.seeds)
    ]
    return [*_of_curves(task, curves, seeds=options.seeds), *_of_fronts(task, fronts)]


def _told(label: str, rows: Sequence[Row]) -> str:
    searches = [row for row in rows if row.job.kind == "search"]
    shares = []
    for unit in UNITS:
        whole = sum(cost_of(row, unit=unit) for row in rows)
        shares.append(sum(cost_of(row, unit=unit) for row in searches) / whole if whole else 0.0)
    seconds = sum(row.evaluation.seconds for row in rows)
    failed = sum(row.is_failure for row in rows)
    return (
        f"{label}: {len(rows) - len(searches)} evaluations, {len(searches)} searches ({shares[0]:.0%} of sample-steps, "
        f"{shares[1]:.0%} of multiply-accumulates), {failed} failed, {seconds:.0f} s of work"
    )


def _of_curves(task: str, curves: Mapping[tuple[str, int], Curve], *, seeds: int) -> list[Figure]:
    ends = [{unit: curves["evolution", seed].costs[unit][-1] for unit in UNITS} for seed in range(seeds)]
    table = [("strategy", *(f"at {part:.0%} of evolution's sample-steps" for part in (0.25, 0.5, 0.75, 1.0)))]
    figures = []
    for name in STRATEGIES:
        cells = []
        for part in (0.25, 0.5, 0.75, 1.0):
            unit = "sample_steps"
            volumes = [curves[name, seed].at(part * ends[seed][unit], unit=unit) for seed in range(seeds)]
            cells.append(f"{statistics.median(volumes):.4f} ({min(volumes):.4f} to {max(volumes):.4f})")
        table.append((name, *cells))
        figures.append(Figure(f"hypervolume_{name}_{task}", statistics.median(volumes), unit="", goal=None))
    print(f"\n{task}: hypervolume, median (least to most) of {seeds} seeds\n{columns(table)}\n")
    for unit, said in (("sample_steps", ""), ("cost", "operations_")):
        ratios = [
            curves["both", seed].cost_of(goal, unit=unit) / curves["evolution", seed].cost_of(goal, unit=unit)
            for seed, goal in enumerate(curves["evolution", seed].volumes[-1] for seed in range(seeds))
        ]
        middle = statistics.median(ratios)
        value = middle if math.isfinite(middle) else None
        wanted = "<= 0.7" if unit == "sample_steps" else None
        figures.append(Figure(f"cost_to_evolution_hypervolume_{said}{task}", value, unit="x", goal=wanted))
    return figures


def _of_fronts(task: str, fronts: Sequence[Sequence[Row]]) -> list[Figure]:
    sizes = [len(rows) for rows in fronts]
    spans = []
    for rows in fronts:
        joules = [row.costs[1] for row in rows if row.costs is not None]
        spans.append(max(joules) / min(joules) if joules and min(joules) > 0 else 1.0)
    return [
        Figure(f"front_size_differentiable_{task}", statistics.median(sizes), unit="networks", goal=">= 5"),
        Figure(f"energy_span_differentiable_{task}", statistics.median(spans), unit="x", goal=">= 4"),
    ]


def _worst(figures: Sequence[Figure]) -> Figure:
    """Return the cost to evolution's hypervolume on the task where it is highest, without a value where it has none."""
    of_tasks = [
        figure.value
        for figure in figures
        if figure.measure.startswith("cost_to_evolution_hypervolume_") and "_operations_" not in figure.measure
    ]
    known = [value for value in of_tasks if value is not None]
    value = max(known) if len(known) == len(of_tasks) else None
    return Figure("cost_to_evolution_hypervolume", value, unit="x", goal="<= 0.7")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="the digits, 1 seed of 8 evaluations of 1 epoch")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--evaluations", type=int, help="60 for the digits, 48 for Fashion-MNIST by default")
    parser.add_argument("--set", action="append", default=[], help="section.key=value over the run files")
    parser.add_argument("--tasks", nargs="+", choices=["digits", "fashion"], help="all whose data are here by default")
    parser.add_argument("--folder", type=Path, help="archives; results/benchmarks/strategies by default")
    parser.add_argument("--json", type=Path, help="write the figures there as well")
    options = parser.parse_args()
    options.folder = options.folder or Path("results/benchmarks/strategies" + "-quick" * options.quick)
    known = {"digits": {"name": "digits"}} if options.quick else tasks()
    if options.quick:
        options.seeds, options.evaluations = 1, 8
    chosen = {name: data for name, data in known.items() if options.tasks is None or name in options.tasks}
    figures = [figure for task, data in chosen.items() for figure in measure(task, data, options)]
    if chosen:
        title = f"strategies, {options.seeds} seed(s), " + ", ".join(
            f"{task}: {options.evaluations or EVALUATIONS[task]} evaluations" for task in chosen
        )
        publish([_worst(figures), *figures], title=title, file=options.json)


if __name__ == "__main__":
    main()
