"""Whether children that begin with the weights of a parent are told apart for less training than those from scratch.

    EVONAS_DATA=FOLDER python benchmarks/inherited_training.py [--quick] [--networks N] [--folder FOLDER] [--json FILE]

An evolution of the joint space, on recordings of events (`nmnist-small.h5`) summed to images of 12 x 12, trains every
network for 6 epochs. Of its children, those count whose parent was among the better half of the networks before them,
by feasibility, rank and crowding. What they are worth is their accuracy after 6 epochs from scratch, the mean over 2
seeds. Each rung orders them by what it sees; a child that inherits has all tensors of its parent that agree in name and
shape, those of time constants and thresholds apart. The same command goes on from where it was stopped.

    scratch_1, scratch_2        1 or 2 epochs from scratch, the first of 6: a ladder of [2, 6] has the second
    annealed_1, annealed_2      as many from scratch, with a schedule of their own that ends at 0
    inherited_0, _1, _2         so many epochs with the weights of the parent, with a schedule of their own
    parent                      the parent's accuracy, no training
    RUNG_and_parent             a linear model of both, fitted without the child that it tells

    tau_RUNG, …_low, …_high     Kendall's tau-b to the worth, with its 95 % interval by bootstrap over children
    over_scratch_2_RUNG, …      the same of the rise above the tau of scratch_2
    tau_near_RUNG               tau of the children that inherit nine tenths of their weights or more
    beyond_parent_RUNG          partial tau: what a rung says that the parent's accuracy does not
    of_difference_RUNG          tau of the differences to the parent's accuracy, of one seed of it for the rung and of
                                another for the worth, so that its noise is not in both
    precision_RUNG              part of the better half among the half that the rung prefers
    chosen_RUNG                 mean worth of a quarter of the children, chosen from as many as the same sample-steps
                                train: from all for 1 epoch or less, from half of them for 2
"""

from __future__ import annotations

import argparse
import math
import os
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise
from pathlib import Path

import h5py
import numpy as np
from claims import Effect, over_ranks, partial_tau, tau_of
from kept_trainings import KeptTrainings, Start
from recipe import space as joint
from recipe import split
from table import Figure, publish

from evonas import Archive, Budget, Evolution, InlineWorkers, Rejection, search
from evonas.data.dataset import SearchData
from evonas.engine.pareto import order
from evonas.engine.training_log import FORWARD
from evonas.engine.view import Row
from evonas.genotype import Genotype
from evonas.objective import Objective
from evonas.space import Space
from objectives import accuracy, energy, spikes

SIDE = 12
MOST_OPERATIONS = 2e6
EPOCHS = 6
SEEDS = 2
NEAR = 0.9
DRAWS = 400
"""Halves of the children that are drawn where a rung cannot train all of them."""

TODAY = "scratch_2"
COSTS = {
    "scratch_1": 1.0,
    "scratch_2": 2.0,
    "annealed_1": 1.0,
    "annealed_2": 2.0,
    "inherited_0": FORWARD,
    "inherited_1": 1.0,
    "inherited_2": 2.0,
    "parent": 0.0,
}
"""What a rung costs a child, in epochs."""


def event_images(folder: Path, *, training: int, validation: int) -> SearchData:
    """Return numbers of events at 12 x 12 pixels, of both polarities and the whole recording; their mean is 1/4."""
    images = np.zeros((training + validation, 1, 1, SIDE, SIDE), np.float32)
    with h5py.File(folder / "nmnist-small.h5") as file:
        ends, labels = file["train_off"][: len(images) + 1], file["train_label"][: len(images)]
        for image, (first, last) in zip(images, pairwise(ends), strict=True):
            x, y = (file[f"train_{name}"][first:last].astype(np.int64) for name in "xy")
            np.add.at(image[0, 0], (y * SIDE // 34, x * SIDE // 34), 1)
    images /= 4 * images.mean()
    return split(images, labels, training=training)


@dataclass(frozen=True)
class Pair:
    """A child and the parent of which it inherits the most.

    Attributes:
        child: Its genotype.
        parent: That of the parent.
        part: Of the weights of the child that agree with the parent's in name and shape.
    """

    child: Genotype
    parent: Genotype
    part: float


def bred(space: Space, data: SearchData, kept: KeptTrainings, *, networks: int, folder: Path) -> list[Pair]:
    """Return the children of an evolution of so many networks whose parents were among the better half."""

    def reject(genotype: Genotype) -> Rejection | None:
        assert space.operations is not None
        asked = space.operations(genotype, data.input_shape, data.task.outputs)
        return Rejection((f"operations: {asked:.3g}",), asked / MOST_OPERATIONS) if asked > MOST_OPERATIONS else None

    traded = [
        replace(accuracy.objective(), at_least=0.5),
        spikes.objective(),
        energy.objective(profile="loihi1_davies"),
    ]
    with Archive(folder / "archive.h5", space, traded, seed=0) as archive:
        workers = InlineWorkers(kept)
        search(space, archive, strategy=Evolution(), workers=workers, budget=Budget(networks), reject=reject)
        return pairs([row for row in archive.rows if row.is_scored], traded, part=kept.part)


def pairs(
    rows: Sequence[Row], objectives: Sequence[Objective], *, part: Callable[[Genotype, Genotype], float]
) -> list[Pair]:
    """Return the children among rows in the order of their slots, each with its nearest parent of the better half.

    Args:
        rows: All that the search scored.
        objectives: Those of the search.
        part: Returns which part of the weights of a network agrees with those of a parent.
    """
    found = []
    for place, row in enumerate(rows):
        better = order(rows[:place], objectives=objectives)[: place // 2]
        parents = [one.job.genotype for one in better if one.job.slot in row.job.parents]
        parts = [part(row.job.genotype, parent) for parent in parents]
        if parts:
            nearest = int(np.argmax(parts))
            found.append(Pair(row.job.genotype, parents[nearest], parts[nearest]))
    return found


def seen(kept: KeptTrainings, pair: Pair, *, seed: int) -> dict[str, float]:
    """Return the accuracy of a child at each rung."""
    scratch, inheriting = Start(seed), Start(seed, pair.parent)
    whole = kept.accuracies(pair.child, epochs=EPOCHS, start=scratch)
    once = kept.accuracies(pair.child, epochs=1, start=inheriting)
    return {
        "scratch_1": whole[1],
        "scratch_2": whole[2],
        "annealed_1": kept.accuracies(pair.child, epochs=1, start=scratch)[-1],
        "annealed_2": kept.accuracies(pair.child, epochs=2, start=scratch)[-1],
        "inherited_0": once[0],
        "inherited_1": once[1],
        "inherited_2": kept.accuracies(pair.child, epochs=2, start=inheriting)[-1],
        "parent": kept.accuracies(pair.parent, epochs=EPOCHS, start=Start(0))[-1],
    }


def left_out(values: Sequence[np.ndarray], worth: np.ndarray) -> np.ndarray:
    """Return `(children,)` what a linear model of `values` says of each child that is fitted to all others."""
    x = np.column_stack([np.ones(len(worth)), *values])  # (children, 1 + values)
    leverage = x @ np.linalg.pinv(x)
    inside = np.minimum(np.diag(leverage), 1 - 1e-9)
    told: np.ndarray = worth - (worth - leverage @ worth) / (1 - inside)
    return told


def precision(values: np.ndarray, worth: np.ndarray) -> float:
    """Return the part of the better half among the half with the highest values, ties of worth in favour."""
    half = len(worth) // 2
    least = np.sort(worth)[-half]
    return float((worth[np.argsort(-values, kind="stable")[:half]] >= least).mean())


def chosen(values: np.ndarray, worth: np.ndarray, *, epochs: float) -> float:
    """Return the mean worth of a quarter of the children, the best of as many as one epoch for each child trains."""
    rng, quarter = np.random.default_rng(0), max(len(worth) // 4, 1)
    size = len(worth) if epochs <= 1 else max(round(len(worth) / epochs), quarter)
    found = []
    for _ in range(DRAWS):
        drawn = rng.permutation(len(worth))[:size]
        found.append(worth[drawn[np.argsort(-values[drawn], kind="stable")[:quarter]]].mean())
    return float(np.mean(found))


def figures(
    rungs: Mapping[str, np.ndarray], worths: np.ndarray, parents: np.ndarray, parts: np.ndarray
) -> list[Figure]:
    """Return the measures that are named at the top of this file.

    Args:
        rungs: `(seeds, children)` what each rung sees.
        worths: `(seeds, children)` accuracy after the whole training.
        parents: `(2, children)` accuracy of the parents after it, of two seeds.
        parts: `(children,)` part of the weights that each inherits.
    """
    worth, near = worths.mean(axis=0), np.flatnonzero(parts >= NEAR)
    of_model = {
        f"{name}_and_parent": np.stack([left_out([one, parents[0]], worth) for one in values])
        for name, values in rungs.items()
        if name != "parent"
    }
    every = {**rungs, **of_model}

    def tau(name: str, index: np.ndarray) -> float:
        return statistics.fmean(tau_of(values[index], worth[index]) for values in every[name])

    def rise(name: str, index: np.ndarray) -> float:
        return tau(name, index) - tau(TODAY, index)

    made = []
    for name in every:
        made += _figures(f"tau_{name}", over_ranks(name, partial(tau, name), len(worth)))
        made += _figures(f"over_{TODAY}_{name}", over_ranks(name, partial(rise, name), len(worth)))
    for name, values in rungs.items():
        beyond = [partial_tau(one, worth, parents[0]) for one in values]
        differences = [tau_of(one - parents[0], worth - parents[1]) for one in values]
        choices = [chosen(one, worth, epochs=COSTS[name]) for one in values]
        made += [
            _figure(f"tau_near_{name}", tau(name, near), "Kendall's tau-b"),
            _figure(f"beyond_parent_{name}", statistics.fmean(beyond), "partial tau"),
            _figure(f"of_difference_{name}", statistics.fmean(differences), "Kendall's tau-b"),
            _figure(f"precision_{name}", statistics.fmean(precision(one, worth) for one in values), "of the half"),
            _figure(f"chosen_{name}", statistics.fmean(choices), "accuracy"),
        ]
    return made


def _figures(measure: str, effect: Effect) -> list[Figure]:
    ends = (("", effect.value), ("_low", effect.low), ("_high", effect.high))
    return [Figure(f"{measure}{end}", value, effect.unit, None) for end, value in ends]


def _figure(measure: str, value: float, unit: str) -> Figure:
    return Figure(measure, None if math.isnan(value) else value, unit, None)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="24 networks, a tenth of the recordings, its own folder")
    parser.add_argument("--networks", type=int, default=72, help="of the evolution; two thirds are children that count")
    parser.add_argument("--folder", type=Path, default=Path("results/inherited_training_benchmark"))
    parser.add_argument("--json", type=Path, help="write the figures there as well")
    options = parser.parse_args()
    root = os.environ.get("EVONAS_DATA")
    if root is None:
        parser.exit(0, "Skipped: EVONAS_DATA names no folder of data.\n")
    networks, folder, part = (
        (24, options.folder / "quick", 10) if options.quick else (options.networks, options.folder, 1)
    )
    data = event_images(Path(root), training=700 // part, validation=300 // part)
    space = joint.on(data.input_shape)
    kept = KeptTrainings(space, data, epochs=EPOCHS, folder=folder)
    found = bred(space, data, kept, networks=networks, folder=folder)
    by_seed: list[list[dict[str, float]]] = [[] for _ in range(SEEDS)]
    for done, pair in enumerate(found, start=1):
        for seed, rows in enumerate(by_seed):
            rows.append(seen(kept, pair, seed=seed))
        print(f"{done} of {len(found)} children", flush=True)
    rungs = {name: np.array([[row[name] for row in rows] for rows in by_seed]) for name in COSTS}
    worths, parents = (
        np.array(
            [[kept.accuracies(one, epochs=EPOCHS, start=Start(seed))[-1] for one in side] for seed in range(SEEDS)]
        )
        for side in ([pair.child for pair in found], [pair.parent for pair in found])
    )
    parts = np.array([pair.part for pair in found])
    publish(
        [
            *figures(rungs, worths, parents, parts),
            _figure("tau_between_seeds", tau_of(*worths), "Kendall's tau-b"),
            _figure("inherited_part", float(np.median(parts)), "of the weights, the median"),
            _figure("near_children", float((parts >= NEAR).sum()), "children"),
        ],
        title=f"{len(found)} children, accuracy after {EPOCHS} epochs {worths.min():.0%} to {worths.max():.0%}",
        file=options.json,
    )


if __name__ == "__main__":
    main()
