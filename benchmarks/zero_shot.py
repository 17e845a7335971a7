"""What scores of untrained networks are worth: the seconds that each takes, and how well it orders trained networks.

    python benchmarks/zero_shot.py [--quick] [--networks N] [--epochs N] [--workers N] [--archive FILE] [--json FILE]

Random networks of the joint space are trained on scikit-learn's digits and kept in an archive; the same command goes on
from there, so that the training may be left to an idle machine, and reads alone once all are there. Each score sees the
network with the weights from which that training began, and 64 training samples. Kendall's tau is between score and
validation accuracy, of all networks and of the better half apart, since to tell bad networks from good ones is easy;
with 95 % intervals by bootstrap over networks. Networks without a score, such as silent ones, are left out and counted.

    seconds_<score>                        CPU seconds of a network on one core, its building included; the mean
    tau_<score>, …_low, …_high             of all networks
    tau_better_half_<score>, …             of the better half
    unscored_<score>                       networks without a score
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
from scipy.stats import kendalltau
from table import Figure, publish

from evonas import Archive, Budget, InlineWorkers, Ladder, RandomSearch, search
from evonas.data import digits
from evonas.data.dataset import SearchData
from evonas.engine.score_search import NOTHING, ScoreSearch
from evonas.engine.search import Workers
from evonas.engine.view import Row
from evonas.runfile.searchers import score_of
from evonas.space import Space
from evonas.training.cost_model import TrainingCost
from evonas.training.score_searcher import ScoreSearcher
from evonas.training.trainer import TrainingEvaluator
from evonas.training.training_settings import Training
from objectives import accuracy
from spaces.spatial_temporal import space as joint

SCORES = ("sparsity_aware_hamming", "evonas.scores.sparsity_aware_hamming:printed", "hamming", "lyapunov",
          "synaptic_flow", "parameters")  # fmt: skip
RESAMPLES = 2_000
SEED = 0
BATCH = 64


def evaluator(space: Space, data: SearchData, *, epochs: int) -> TrainingEvaluator:
    return TrainingEvaluator(space, data, training=Training(epochs=epochs))


def workers_of(space: Space, data: SearchData, *, epochs: int, count: int) -> Workers:
    if count == 0:
        return InlineWorkers(evaluator(space, data, epochs=epochs))
    from evonas import RayWorkers

    return RayWorkers(partial(evaluator, space, data, epochs=epochs), count=count, num_cpus=1)


def trained(space: Space, data: SearchData, path: Path, *, networks: int, epochs: int, count: int) -> list[Row]:
    """Return rows of random networks, those of the archive at `path` and as many more as are missing."""
    on_data = space.on(data.input_shape)
    path.parent.mkdir(parents=True, exist_ok=True)
    workers = workers_of(on_data, data, epochs=epochs, count=count)
    try:
        with Archive(path, on_data, [accuracy.objective()], seed=SEED) as archive:
            search(
                on_data,
                archive,
                strategy=RandomSearch(),
                workers=workers,
                budget=Budget(networks),
                parallel=max(2 * count, 1),
                ladder=Ladder((epochs,)),
                predict=TrainingCost(on_data, data),
            )
            return [row for row in archive.rows[:networks] if row.is_scored]
    finally:
        workers.close()


def scored(space: Space, data: SearchData, rows: Sequence[Row], name: str) -> tuple[list[float | None], float]:
    """Return the score of each network, and the CPU seconds of one."""
    searcher = ScoreSearcher(space.on(data.input_shape), data, find=score_of, objective=None)
    told = ScoreSearch(name, first=0, networks=len(rows), batch_size=BATCH, against=NOTHING)
    networks = [row.job.genotype for row in rows]
    searcher.scored(networks[:2], told, seed=SEED)  # kernels are compiled at the first use
    began = time.process_time()
    found = searcher.scored(networks, told, seed=SEED)
    return [one.value for one in found], (time.process_time() - began) / len(networks)


def tau(values: np.ndarray, accuracies: np.ndarray) -> tuple[float | None, float | None, float | None]:
    """Return Kendall's tau-b and the ends of its 95 % interval, None where it has none."""
    rng = np.random.default_rng(0)
    draws = [rng.integers(len(values), size=len(values)) for _ in range(RESAMPLES)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of equal values in a draw
        resampled = np.array([kendalltau(values[one], accuracies[one]).statistic for one in draws])
        whole = float(kendalltau(values, accuracies).statistic) if len(values) > 1 else np.nan
    if np.isnan(whole):
        return None, None, None
    low, high = np.nanquantile(resampled, (0.025, 0.975))
    return whole, float(low), float(high)


def figures_of(name: str, values: Sequence[float | None], accuracies: np.ndarray, seconds: float) -> list[Figure]:
    """Return all figures of a score."""
    short = "sparsity_aware_hamming_printed" if ":" in name else name
    has_score = np.array([value is not None for value in values])
    numbers, hits = np.array([value for value in values if value is not None]), accuracies[has_score]
    is_better = hits >= np.median(hits)
    figures = [Figure(f"seconds_{short}", seconds, "s/network", "<= 0.15")]
    for prefix, chosen in (("tau", np.ones(len(hits), bool)), ("tau_better_half", is_better)):
        ends = zip(("", "_low", "_high"), tau(numbers[chosen], hits[chosen]), strict=True)
        figures += [Figure(f"{prefix}_{short}{end}", value, "Kendall's tau-b", None) for end, value in ends]
    return [*figures, Figure(f"unscored_{short}", float((~has_score).sum()), "networks", None)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="8 networks of 1 epoch, in an archive of their own")
    parser.add_argument("--networks", type=int, default=100, help="at least 60 for intervals that say something")
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--workers", type=int, default=0, help="0 trains in this process")
    parser.add_argument("--archive", type=Path, default=Path("results/zero_shot_benchmark/archive.h5"))
    parser.add_argument("--json", type=Path, help="write the figures there as well")
    options = parser.parse_args()
    networks, epochs, path = options.networks, options.epochs, options.archive
    if options.quick:
        networks, epochs, path = 8, 1, path.with_name("quick.h5")
    data = digits.read().for_search(seed=SEED)
    rows = trained(joint, data, path, networks=networks, epochs=epochs, count=options.workers)
    accuracies = np.array([row.score.values[0] for row in rows if row.score is not None])
    figures: list[Figure] = []
    for name in SCORES:
        values, seconds = scored(joint, data, rows, name)
        figures += figures_of(name, values, accuracies, seconds)
    publish(figures, title=f"Scores of {len(rows)} untrained networks of the joint space", file=options.json)


if __name__ == "__main__":
    main()
