"""The digits search against random search, on several seeds.

    python benchmarks/digits.py [--quick] [--seeds N] [--evaluations N] [--set KEY=VALUE] [--json FILE]

Each seed runs both strategies with runs/digits.toml, its ladder included, random search with twice the evaluations.
Other data are a matter of `--set`: 'data.name="images"', data.path=…, data.limit=2000, data.side=14. Hypervolumes
(accuracy, spikes, energy; the last two on logarithmic axes) are measured between the same corners for all runs: the
bound on accuracy, and the worst and best values that any run saw. Cost is in sample-steps of training.

    hypervolume_vs_random   median over seeds of evolution's hypervolume / that of random search after as many
                            evaluations
    cost_to_random          median over seeds of what evolution spends until its hypervolume is that of random search
                            after twice the evaluations / what random search spends for them; none if most never are
    best_accuracy           median over seeds of the best validation accuracy on evolution's front
    front_size              median number of networks on evolution's front
    energy_span             median ratio of the dearest to the cheapest network on it
"""

from __future__ import annotations

import argparse
import math
import statistics
from dataclasses import dataclass, replace
from pathlib import Path

from run_archive import rows_of
from table import Figure, publish

from evonas.engine.pareto import Reference, front, hypervolume, reference
from evonas.engine.ray_workers import RayWorkers
from evonas.engine.view import Row
from evonas.objective import Objective
from evonas.runfile.resolve import resolve
from evonas.strategies.random import RandomSearch

RUN_FILE = Path(__file__).parent.parent / "runs" / "digits.toml"


@dataclass(frozen=True)
class Reached:
    """Where a search stands after an evaluation.

    Attributes:
        cost: Sample-steps spent so far.
        volume: Hypervolume of the feasible rows at the top rung so far.
    """

    cost: float
    volume: float


def growth(rows: tuple[Row, ...], objectives: tuple[Objective, ...], corners: Reference) -> list[Reached]:
    """Return where a search stands after each of its evaluations, in the order of its slots."""
    top = max(row.job.rung for row in rows)
    spent, costs, reached = 0.0, [], []
    for row in rows:
        if row.is_rejected:
            continue
        spent += row.evaluation.sample_steps
        if row.is_feasible and row.job.rung == top and row.costs is not None:
            costs.append(row.costs)
        reached.append(Reached(spent, hypervolume(costs, objectives=objectives, reference=corners)))
    return reached


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
        for name, times in (("evolution", 1), ("random", 2)):
            overrides = (f"search.evaluations={times * evaluations}", f"search.seed={seed}", *options.set)
            resolved = resolve(RUN_FILE, overrides=overrides)
            run = resolved if name == "evolution" else replace(resolved, strategy=RandomSearch())
            runs[name, seed] = rows_of(run, RayWorkers(run.make_evaluate(), num_cpus=1))
            print(f"seed {seed}, {name}: {len(runs[name, seed])} rows", flush=True)
    corners = reference(resolved.objectives, [row for rows in runs.values() for row in rows])
    ratios, costs = [], []
    for seed in range(seeds):
        growths = [growth(runs[name, seed], resolved.objectives, corners) for name in ("evolution", "random")]
        own, random = (max(one.volume for one in reached[:evaluations]) for reached in growths)
        after_twice = growths[1][-1]
        spent = next((one.cost for one in growths[0] if one.volume >= after_twice.volume), math.inf)
        ratios.append(own / random)
        costs.append(spent / after_twice.cost)
        print(
            f"seed {seed}: evolution {own:.4f}, random {random:.4f}, with twice as many {after_twice.volume:.4f}, "
            f"which evolution reached for {costs[-1]:.2f} of the cost"
        )
    fronts = [evolution_front(runs["evolution", seed]) for seed in range(seeds)]
    median_cost = statistics.median(costs)
    accuracies = [max(row.score.values[0] or 0.0 for row in front if row.score) for front in fronts]
    spans = [span([row.score.values[2] or 0.0 for row in front if row.score]) for front in fronts]
    publish(
        [
            Figure("hypervolume_vs_random", statistics.median(ratios), unit="x", goal=">= 1.0"),
            Figure("cost_to_random", median_cost if math.isfinite(median_cost) else None, unit="x", goal="<= 0.333"),
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
