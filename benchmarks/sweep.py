"""One sweep over 4 chips and 3 budgets against separate searches for single cells of its table, on the digits.

    python benchmarks/sweep.py [--quick] [--seeds N] [--evaluations N] [--json FILE]

A sweep trains half as many networks again as one search. For three cells, tight, medium and loose, the best network
that the sweep has found is compared with that of a search of its own, with runs/digits.toml on that chip and within
that budget, at a ladder of 1 and 2 epochs and 8 random networks at the start. Such a search seeks a front of accuracy,
spikes and energy, and its ladder lifts the whole front; a sweep lifts the most accurate networks within each budget.
So short searches may lose by far, and what this shows is that sharing costs nothing, not how good a search is.
Accuracies differ by chance as well: a cell of a seed is worse if the sweep's is lower by more than the binomial
standard error of the difference.

    sweep_trainings_vs_one_search   networks trained by the sweep / by one search, medians over seeds
    cells_not_worse                 cells of all seeds in which the sweep is not worse
    sweep_minus_separate            median over these of the difference, in units of its binomial error
    cells_with_a_network            median over seeds of the cells of the table, of 12, that have a network
"""

from __future__ import annotations

import argparse
import math
import statistics
from pathlib import Path

from run_archive import rows_of
from table import Figure, columns, publish

from evonas.engine.ray_workers import RayWorkers
from evonas.engine.view import Row
from evonas.report.sweep_table import CellResult, result_of
from evonas.runfile.resolve import ResolvedRun, resolve
from evonas.runfile.sweep import Cell, ResolvedSweep, resolve_sweep

RUN_FILE = Path(__file__).parent.parent / "runs" / "digits.toml"
PROFILES = ("loihi1_davies", "spinnaker1", "seneca22", "sram45_int8")
BUDGETS = (1e-6, 5e-6, 2e-5)  # J; of random networks 0 to 30 %, 10 to 85 % and 55 to 100 % keep them, by chip
COMPARED = (("sram45_int8", 1e-6), ("loihi1_davies", 5e-6), ("spinnaker1", 2e-5))
MORE = 1.5
"""Evaluations of the sweep for each of one search."""


def workers_of(run: ResolvedRun) -> RayWorkers:
    """Return as many workers as a search has jobs open, where there is room."""
    return RayWorkers(run.make_evaluate(), num_cpus=1, at_most=run.file.search.parallel)


def swept(seed: int, *, evaluations: int) -> tuple[ResolvedSweep, tuple[Row, ...]]:
    """Return a sweep and its rows."""
    budget = f"energy={','.join(map(str, BUDGETS))}"
    sweep = resolve_sweep(
        RUN_FILE, profiles=",".join(PROFILES), budgets=[budget], overrides=short(seed, evaluations=evaluations)
    )
    return sweep, rows_of(sweep.run, workers_of(sweep.run))


def searched(seed: int, cell: Cell, *, evaluations: int) -> tuple[Row, ...]:
    """Return the rows of a search for one cell alone."""
    overrides = (f"objectives.2.profile={cell.chip.name}", f"objectives.2.at_most={cell.budget['energy']}")
    run = resolve(RUN_FILE, overrides=(*short(seed, evaluations=evaluations), *overrides))
    return rows_of(run, workers_of(run))


def short(seed: int, *, evaluations: int) -> tuple[str, ...]:
    """Return the overrides of all runs here."""
    return (
        f"search.seed={seed}",
        f"search.evaluations={evaluations}",
        "ladder.epochs=[1, 2]",
        "strategies.0.pop_size=8",
    )


def difference(one: CellResult, other: CellResult) -> float:
    """Return the accuracy of `one` minus that of `other` in units of its error; none found is worse than any found."""
    if one.merit is None or other.merit is None:
        found = (one.merit is not None) - (other.merit is not None)
        return found * math.inf if found else 0.0
    error = math.hypot(one.merit_error or 0.0, other.merit_error or 0.0)
    return (one.merit - other.merit) / error if error else 0.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="1 seed, searches of 16 evaluations")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--evaluations", type=int, default=48, help="of one search")
    parser.add_argument("--json", type=Path, help="write the figures there as well")
    options = parser.parse_args()
    seeds, evaluations = (1, 16) if options.quick else (options.seeds, options.evaluations)
    lines = [("seed", "chip", "energy at most", "sweep", "alone", "difference in errors")]
    differences: list[float] = []
    ratios: list[float] = []
    filled: list[int] = []
    for seed in range(seeds):
        sweep, shared = swept(seed, evaluations=round(MORE * evaluations))
        filled.append(sum(result_of(cell, shared, top=1, merit=sweep.merit).key is not None for cell in sweep.cells))
        for name, bound in COMPARED:
            cell = next(cell for cell in sweep.cells if (cell.chip.name, cell.budget["energy"]) == (name, bound))
            rows = searched(seed, cell, evaluations=evaluations)
            ratios.append(networks(shared) / networks(rows))
            together, alone = (result_of(cell, found, top=1, merit=sweep.merit) for found in (shared, rows))
            differences.append(difference(together, alone))
            lines.append((str(seed), name, f"{bound:g}", told(together), told(alone), f"{differences[-1]:.2f}"))
            print(f"seed {seed}, {name} {bound:g}: {told(together)} by the sweep, {told(alone)} alone", flush=True)
    print(f"\n{columns(lines)}")
    median = statistics.median(differences)
    publish(
        [
            Figure("sweep_trainings_vs_one_search", statistics.median(ratios), unit="x", goal="<= 1.5"),
            Figure("cells_not_worse", sum(d >= -1 for d in differences), unit="cells", goal=f">= {3 * seeds}"),
            Figure("sweep_minus_separate", median if math.isfinite(median) else None, unit="errors", goal=None),
            Figure("cells_with_a_network", statistics.median(filled), unit="of 12 cells", goal=None),
        ],
        title=f"sweep of {round(MORE * evaluations)} evaluations, searches of {evaluations}, {seeds} seeds",
        file=options.json,
    )


def networks(rows: tuple[Row, ...]) -> int:
    """Return how many networks were trained, each counted once."""
    return len({row.job.genotype.key for row in rows})


def told(found: CellResult) -> str:
    """Return an accuracy with its error, for people."""
    return "none" if found.merit is None else f"{found.merit:.3f} +- {found.merit_error:.3f}"


if __name__ == "__main__":
    main()
