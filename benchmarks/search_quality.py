"""How good the search is: its share of a front that is known, on real tables and made-up ones, beside its peers.

    EVONAS_DATA=FOLDER python benchmarks/search_quality.py [--quick | --final] [--parallel N ...] [--json FILE]

Problems are searches that others have trained whole (`real_tables.py`), and made-up tables as a supplement. An
evaluation gives one training of a network; what seems best to a searcher after n evaluations is judged by the means
over all trainings: the figure is its hypervolume up to the worst point of the table, as a share of the true front's. A
repeated evaluation counts as often as it is asked for. `--quick` is what a change of the strategy is judged by; it
and the plain form see the problems for tuning alone. `--final` sees the other ones.

    mean_rank_N             mean rank of evonas among all searchers after N evaluations, medians over seeds, 1 is best
    rank_ahead_N            how far the next searcher's mean rank lies behind; the goal is the critical difference
    wins_N                  share of the problems on which no peer has a larger median
    chance_of_lead_N        largest p of sign tests over problems against each peer alone, by Holm's correction
    worst_vs_best_peer      smallest ratio of medians, evonas to the best peer at that problem and budget
    evaluations_to_peer_800 median over problems of the evaluations until evonas has the best peer's median at 800
    ..._parallel_16         the same with 16 jobs open at once
"""

from __future__ import annotations

import argparse
import functools
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import peers
import real_tables
from scipy.stats import binomtest, rankdata, studentized_range
from table import Figure, columns, publish
from tabulated import FAMILIES, Tabulated
from threadpoolctl import threadpool_limits

from evonas.strategies.evolution import Evolution
from evonas.strategies.random import RandomSearch

BUDGETS = (50, 100, 200, 400, 800)
CURVE = (50, 75, 100, 125, 150, 175, 200, 250, 300, 350, 400, 500, 600, 700, 800)
SEARCHERS = (
    "evonas",
    "random",
    "pymoo 20",
    "pymoo 40",
    "optuna nsga2",
    "optuna tpe",
    "local search",
    "ageing evolution",
)
QUICK = ("cells cifar10 raspi4", "layers protein params time", "graphs cora", "graphs arxiv", "made-up traps")
MADE_UP = {f"made-up {family.__name__}": family for family in FAMILIES}


@dataclass(frozen=True)
class Run:
    """One search: who, on which problem, with which seed, how many jobs open at once, and how many evaluations."""

    searcher: str
    problem: str
    seed: int
    parallel: int
    evaluations: int


@functools.cache
def problem_of(name: str) -> Tabulated:
    """Return a problem by its name."""
    known: dict[str, Callable[[], Tabulated]] = {**real_tables.TUNING, **real_tables.FINAL, **MADE_UP}
    return known[name]()


def curve(run: Run) -> list[float]:
    """Return shares of the true hypervolume after as many evaluations as `CURVE` says, as far as the run goes."""
    table = problem_of(run.problem)
    trials = peers.Trials(table, np.random.default_rng([run.seed, 77]))
    limits = {"evaluations": run.evaluations, "seed": run.seed}
    match run.searcher.split():
        case ["evonas"]:
            peers.evonas(trials, Evolution(), parallel=run.parallel, **limits)
        case ["random"]:
            peers.evonas(trials, RandomSearch(), parallel=run.parallel, **limits)
        case ["pymoo", size]:
            peers.pymoo(trials, pop_size=int(size), **limits)
        case ["optuna", sampler]:
            peers.optuna(trials, sampler=sampler, parallel=run.parallel, **limits)
        case ["local", _]:
            peers.local_search(trials, parallel=run.parallel, **limits)
        case _:
            peers.ageing_evolution(trials, parallel=run.parallel, **limits)
    return [trials.share(n) for n in CURVE if n <= run.evaluations]


def medians(
    searchers: Sequence[str], problems: Sequence[str], *, seeds: int, parallel: int, evaluations: int, processes: int
) -> np.ndarray:
    """Return `(searchers, problems, len(CURVE))` medians over the seeds."""
    runs = [
        Run(searcher, problem, seed, parallel, evaluations)
        for searcher in searchers
        for problem in problems
        for seed in range(seeds)
    ]
    with ProcessPoolExecutor(processes, initializer=threadpool_limits, initargs=(1,)) as pool:
        curves = np.array(list(pool.map(curve, runs)))
    middle: np.ndarray = np.median(curves.reshape(len(searchers), len(problems), seeds, -1), axis=2)
    return middle


def ranks(shares: np.ndarray) -> np.ndarray:
    """Return `(searchers, problems)` ranks of the `(searchers, problems)` shares, 1 for the best, ties shared."""
    return np.stack([rankdata(-column.round(6)) for column in shares.T], axis=1)


def critical_difference(searchers: int, problems: int) -> float:
    """Return how far two mean ranks must lie apart not to differ by chance, at 5 %.

    Source: Demšar, Statistical comparisons of classifiers over multiple data sets, JMLR 7, 2006: the Nemenyi test.
    """
    quantile = studentized_range.ppf(0.95, searchers, np.inf) / np.sqrt(2)
    return float(quantile * np.sqrt(searchers * (searchers + 1) / (6 * problems)))


def chance_of_lead(ours: np.ndarray, others: np.ndarray) -> float:
    """Return the largest p of two-sided sign tests of `(problems,)` shares against those of each other searcher.

    By Holm's step-down correction for as many tests; 1 where one of the others is not behind on more than half of the
    problems. Ties tell nothing.

    Source: Demšar, JMLR 7, 2006, sections 3.1.4 and 3.2.2.
    """
    chances = []
    for other in others:
        wins, losses = int((ours.round(6) > other.round(6)).sum()), int((ours.round(6) < other.round(6)).sum())
        chances.append(float(binomtest(wins, wins + losses).pvalue) if wins > losses else 1.0)
    corrected = (chance * (len(chances) - place) for place, chance in enumerate(sorted(chances)))
    return min(max(corrected), 1.0)


def print_shares(shares: np.ndarray, searchers: Sequence[str], problems: Sequence[str], *, parallel: int) -> None:
    """Print a table of medians, one row a problem and searcher, and mean ranks."""
    shown = [budget for budget in BUDGETS if budget in CURVE[: shares.shape[2]]]
    rows = [("problem", "searcher", *(f"at {budget}" for budget in shown))]
    for j, problem in enumerate(problems):
        for i, searcher in enumerate(searchers):
            rows.append((problem, searcher, *(f"{shares[i, j, CURVE.index(budget)]:.4f}" for budget in shown)))
    for i, searcher in enumerate(searchers):
        means = [ranks(shares[:, :, CURVE.index(budget)])[i].mean() for budget in shown]
        rows.append(("mean rank", searcher, *(f"{mean:.2f}" for mean in means)))
    print(f"\nShare of the true hypervolume, {parallel} open at once\n\n{columns(rows)}", flush=True)
    print(f"\nMean ranks differ from {critical_difference(len(searchers), len(problems)):.2f} on (Nemenyi, 5 %).")


def figures(shares: np.ndarray, searchers: Sequence[str], *, parallel: int) -> list[Figure]:
    """Return the measures that are named at the top of this file."""
    suffix = "" if parallel == 1 else f"_parallel_{parallel}"
    ours, others = searchers.index("evonas"), [i for i, name in enumerate(searchers) if name != "evonas"]
    difference = critical_difference(len(searchers), shares.shape[1])
    found = []
    for budget in (budget for budget in (200, 400, 800) if budget in CURVE[: shares.shape[2]]):
        at = shares[:, :, CURVE.index(budget)]
        means = ranks(at).mean(axis=1)
        goal = f">= {difference:.2f}" if budget == 200 else ">= 0.0"
        found += [
            Figure(f"mean_rank_{budget}{suffix}", float(means[ours]), unit="mean rank", goal=None),
            Figure(f"rank_ahead_{budget}{suffix}", float(means[others].min() - means[ours]), unit="ranks", goal=goal),
            Figure(
                f"wins_{budget}{suffix}",
                float((at[ours] >= at[others].max(0)).mean()),
                unit="of problems",
                goal=None,
            ),
            Figure(f"chance_of_lead_{budget}{suffix}", chance_of_lead(at[ours], at[others]), unit="p", goal="<= 0.05"),
        ]
    best = shares[others].max(axis=0)
    late = [CURVE.index(budget) for budget in BUDGETS if budget in CURVE[: shares.shape[2]]]
    worst = float((shares[ours] / best)[:, late].min())
    found.append(Figure(f"worst_vs_best_peer{suffix}", worst, unit="ratio of medians", goal=">= 0.99"))
    needed = [
        next((n for n, share in zip(CURVE, shares[ours, j], strict=False) if share >= best[j, -1] - 1e-12), np.inf)
        for j in range(shares.shape[1])
    ]
    last = CURVE[shares.shape[2] - 1]
    median = float(np.median(needed))
    value = median if np.isfinite(median) else None
    found.append(Figure(f"evaluations_to_peer_{last}{suffix}", value, unit="evaluations", goal="<= 350"))
    return found


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--quick", action="store_true", help="5 problems, 5 seeds, 400 evaluations, no Optuna")
    form.add_argument("--final", action="store_true", help="the problems that nothing was tuned on")
    parser.add_argument("--seeds", type=int, help="searches by problem and searcher (default 20; 5 with --quick)")
    parser.add_argument("--searchers", help=f"some of: {', '.join(SEARCHERS)}")
    parser.add_argument("--parallel", type=int, nargs="+", default=[1, 16], help="jobs open at once (default 1 and 16)")
    parser.add_argument("--json", type=Path, help="write the figures there as well")
    parser.add_argument("--processes", type=int, default=2, help="runs at a time (default 2); no part of the result")
    options = parser.parse_args()
    if real_tables.folder() is None:
        parser.exit(0, "Skipped: EVONAS_DATA names no folder, expected one that has the tables in tables/.\n")
    names = {**real_tables.FINAL} if options.final else {**real_tables.TUNING, **MADE_UP}
    problems = list(QUICK) if options.quick else [*names, *(["made-up traps"] if options.final else [])]
    searchers = [name for name in SEARCHERS if not (options.quick and name.startswith("optuna"))]
    if options.searchers:
        searchers = [name.strip() for name in options.searchers.split(",")]
    seeds = options.seeds or (5 if options.quick else 20)
    began, found = time.monotonic(), []
    for parallel in options.parallel:
        shares = medians(
            searchers, problems, seeds=seeds, parallel=parallel, evaluations=400 if options.quick else 800,
            processes=options.processes,
        )  # fmt: skip
        print_shares(shares, searchers, problems, parallel=parallel)
        found += figures(shares, searchers, parallel=parallel) if "evonas" in searchers and len(searchers) > 1 else []
    title = f"search quality, {len(problems)} problems, {seeds} seeds, {time.monotonic() - began:.0f} s"
    publish(found, title=title, file=options.json)


if __name__ == "__main__":
    main()
