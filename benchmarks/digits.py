"""The digits search against random search at equal budget, on several seeds.

    python benchmarks/digits.py [--quick] [--seeds N] [--evaluations N] [--set KEY=VALUE] [--json FILE]

Each seed runs both strategies with runs/digits.toml, its ladder included. Hypervolumes (accuracy, spikes, energy; the
last two on logarithmic axes) are measured between the same corners for all runs: the bound on accuracy, and the worst
and best values that any run saw.

    hypervolume_vs_random   median over seeds of evolution's hypervolume / that of random search
    best_accuracy           median over seeds of the best validation accuracy on evolution's front
    front_size              median number of networks on evolution's front
    energy_span             median ratio of the dearest to the cheapest network on it
"""

from __future__ import annotations

import argparse
import statistics
from dataclasses import replace
from pathlib import Path

from run_archive import rows_of
from table import Figure, publish

from evonas.engine.pareto import Reference, front, hypervolume, reference
from evonas.engine.ray_workers import RayWorkers
from evonas.engine.view import Row
from evonas.objective import Objective
from evonas.runfile.resolve import resolve
from evonas.strategies.evolution import Evolution
from evonas.strategies.random import RandomSearch

RUN_FILE = Path(__file__).parent.parent / "runs" / "digits.toml"


def volume(rows: tuple[Row, ...], objectives: tuple[Objective, ...], corners: Reference) -> float:
    """Return the hypervolume of the feasible rows at the top rung."""
    top = max(row.job.rung for row in rows)
    costs = [row.costs for row in rows if row.is_feasible and row.job.rung == top and row.costs is not None]
    return hypervolume(costs, objectives=objectives, reference=corners)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="2 seeds of 12 evaluations")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--evaluations", type=int, default=60)
    parser.add_argument("--set", action="append", default=[], help="section.key=value over the run file")
    parser.add_argument("--json", type=Path, help="write the figures there as well")
    options = parser.parse_args()
    seeds, evaluations = (2, 12) if options.quick else (options.seeds, options.evaluations)
    runs: dict[tuple[str, int], tuple[Row, ...]] = {}
    for seed in range(seeds):
        overrides = (f"search.evaluations={evaluations}", f"search.seed={seed}", *options.set)
        resolved = resolve(RUN_FILE, overrides=overrides)
        for strategy in (Evolution(pop_size=resolved.reference_rows), RandomSearch()):
            runs[strategy.name, seed] = rows_of(
                replace(resolved, strategy=strategy), RayWorkers(resolved.make_evaluate(), num_cpus=1)
            )
            print(f"seed {seed}, {strategy.name}: {len(runs[strategy.name, seed])} rows", flush=True)
    corners = reference(resolved.objectives, [row for rows in runs.values() for row in rows])
    volumes = {place: volume(rows, resolved.objectives, corners) for place, rows in runs.items()}
    for seed in range(seeds):
        print(f"seed {seed}: evolution {volumes['evolution', seed]:.4f}, random {volumes['random', seed]:.4f}")
    fronts = [evolution_front(runs["evolution", seed]) for seed in range(seeds)]
    medians = [statistics.median(volumes[name, seed] for seed in range(seeds)) for name in ("evolution", "random")]
    accuracies = [max(row.score.values[0] or 0.0 for row in front if row.score) for front in fronts]
    spans = [span([row.score.values[2] or 0.0 for row in front if row.score]) for front in fronts]
    publish(
        [
            Figure("hypervolume_vs_random", medians[0] / medians[1], unit="x", goal=">= 1.0"),
            Figure("best_accuracy", statistics.median(accuracies), unit="fraction", goal=">= 0.95"),
            Figure("front_size", statistics.median(len(front) for front in fronts), unit="networks", goal=">= 6"),
            Figure("energy_span", statistics.median(spans), unit="x", goal=">= 5"),
        ],
        title=f"digits, {evaluations} evaluations, {seeds} seeds",
        file=options.json,
    )


def evolution_front(rows: tuple[Row, ...]) -> list[Row]:
    """Return the front of the top rung."""
    top = max(row.job.rung for row in rows)
    return front([row for row in rows if row.job.rung == top])


def span(values: list[float]) -> float:
    """Return the largest value over the smallest."""
    return max(values) / min(values)


if __name__ == "__main__":
    main()
