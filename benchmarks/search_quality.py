"""How good the search is: its share of a front that is known, beside random search, pymoo and Optuna.

    python benchmarks/search_quality.py [--quick] [--json FILE] [--processes N]

Problems are tables of mixed, non-separable spaces, so the true front is known. A figure is the median over the seeds of
the hypervolume that the first n evaluations reach, as a share of the true front's, up to the worst point of the
table. A repeated evaluation counts as often as it is asked for. Each peer runs with its default population and with a
smaller one; whichever is better at a budget is the peer there.

    hypervolume_vs_NAME     smallest ratio of medians, evonas to NAME, over problems and budgets from 200 on
    evaluations_to_peer_800 most evaluations, over problems, until evonas' median is the best peer's at 800
    ..._parallel_16         the same with 16 jobs open at once
"""

from __future__ import annotations

import argparse
import functools
import importlib.util
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import peers
from table import Figure, columns, publish
from tabulated import FAMILIES, Tabulated

from evonas.strategies.evolution import Evolution
from evonas.strategies.random import RandomSearch

EVALUATIONS = 800
BUDGETS = (100, 200, 400, 800)
CURVE = tuple(range(20, EVALUATIONS + 1, 20))
LABELS = ("evonas", "random", "pymoo 100", "pymoo 20", "optuna 50", "optuna 20")


@dataclass(frozen=True)
class Run:
    """One search: who, on which problem, with which seed, how many jobs open at once."""

    label: str
    family: int
    seed: int
    parallel: int


@functools.cache
def problem(family: int) -> Tabulated:
    """Return the instance of a family that is reported (settings were chosen on others)."""
    return FAMILIES[family]()


def curve(run: Run) -> list[float]:
    """Return `(len(CURVE),)` shares of the true hypervolume after so many evaluations."""
    table = problem(run.family)
    name, _, size = run.label.partition(" ")
    limits = {"evaluations": EVALUATIONS, "seed": run.seed}
    match name:
        case "evonas":
            points = peers.evonas(table, Evolution(), parallel=run.parallel, **limits)
        case "random":
            points = peers.evonas(table, RandomSearch(), parallel=run.parallel, **limits)
        case "pymoo":
            points = peers.pymoo(table, pop_size=int(size), **limits)
        case _:
            points = peers.optuna(table, pop_size=int(size), parallel=run.parallel, **limits)
    return [table.share(points[:n]) for n in CURVE]


def medians(
    labels: Sequence[str], families: Sequence[int], *, seeds: int, parallel: int, processes: int
) -> dict[tuple[str, int], np.ndarray]:
    """Return `(len(CURVE),)` medians over the seeds by label and family."""
    runs = [Run(label, family, seed, parallel) for label in labels for family in families for seed in range(seeds)]
    with ProcessPoolExecutor(processes) as pool:
        curves = np.array(list(pool.map(curve, runs))).reshape(len(labels), len(families), seeds, len(CURVE))
    middle = np.median(curves, axis=2)
    return {(label, family): middle[i, j] for i, label in enumerate(labels) for j, family in enumerate(families)}


def print_shares(shares: dict[tuple[str, int], np.ndarray], families: Sequence[int], *, parallel: int) -> None:
    """Print a table of medians, one row a problem and searcher."""
    rows = [("problem", "points", "searcher", *(f"at {budget}" for budget in BUDGETS))]
    for label, family in sorted(shares, key=lambda entry: (families.index(entry[1]), LABELS.index(entry[0]))):
        table = problem(family)
        cells = (f"{shares[label, family][CURVE.index(budget)]:.4f}" for budget in BUDGETS)
        rows.append((f"{table.name}, {table.costs.shape[1]} objectives", f"{len(table.costs)}", label, *cells))
    print(f"\nShare of the true hypervolume, {parallel} open at once\n\n{columns(rows)}", flush=True)


def figures(shares: dict[tuple[str, int], np.ndarray], *, parallel: int) -> list[Figure]:
    """Return the measures that are named at the top of this file."""
    suffix = "" if parallel == 1 else f"_parallel_{parallel}"
    families = sorted({family for _, family in shares})
    late = [CURVE.index(budget) for budget in BUDGETS if budget >= 200]

    def best(names: Sequence[str], family: int) -> np.ndarray:
        curves = [values for (label, f), values in shares.items() if f == family and label.split()[0] in names]
        return np.array(np.stack(curves).max(axis=0))

    found = []
    for name in ("random", "pymoo", "optuna"):
        ratios = [
            (shares["evonas", family] / best([name], family))[late].min()
            for family in families
            if any(label.split()[0] == name for label, _ in shares)
        ]
        value = float(min(ratios)) if ratios else None
        found.append(Figure(f"hypervolume_vs_{name}{suffix}", value, unit="ratio of medians", goal=">= 1.0"))
    needed = []
    for family in families:
        reached = np.flatnonzero(shares["evonas", family] >= best(["random", "pymoo", "optuna"], family)[-1] - 1e-12)
        needed.append(CURVE[reached[0]] if len(reached) else None)
    worst = None if None in needed else float(max(n for n in needed if n is not None))
    found.append(Figure(f"evaluations_to_peer_800{suffix}", worst, unit="evaluations", goal="<= 500"))
    pairs = zip(families, needed, strict=True)
    reached_at = ", ".join(f"{problem(family).name} {n or 'not reached'}" for family, n in pairs)
    print(f"\nEvaluations until the best peer's median at {EVALUATIONS}: {reached_at}")
    return found


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="2 seeds and 2 problems in the place of 10 and 6")
    parser.add_argument("--json", type=Path, help="write the figures there as well")
    parser.add_argument("--processes", type=int, default=2, help="runs at a time (default 2); no part of the result")
    options = parser.parse_args()
    seeds = 2 if options.quick else 10
    families = [1, 3] if options.quick else list(range(len(FAMILIES)))
    labels = [label for label in LABELS if not label.startswith("optuna") or importlib.util.find_spec("optuna")]
    if len(labels) < len(LABELS):
        print("optuna is not installed, so it is no peer here: pip install optuna")
    began, found = time.monotonic(), []
    for parallel in (1, 16):
        shares = medians(labels, families, seeds=seeds, parallel=parallel, processes=options.processes)
        print_shares(shares, families, parallel=parallel)
        found += figures(shares, parallel=parallel)
    title = f"search quality, {len(families)} problems, {seeds} seeds, {time.monotonic() - began:.0f} s"
    publish(found, title=title, file=options.json)


if __name__ == "__main__":
    main()
