"""The training recipe: what each setting of [training] is worth to random networks of the joint space, few epochs each.

    EVONAS_DATA=FOLDER python benchmarks/recipe.py [--quick] [--networks N] [--seeds N] [--only WORD] [--json FILE]

Trained on what no other table reports: grey images of 16 x 16 (`cifar10-lossless-subset.h5`) and recordings of events
as 4 frames of 17 x 17 (`nmnist-small.h5`). Each recipe trains the same networks from the same seeds as the defaults of
[training]; the difference is of the mean over seeds, its median and interval over networks. Rows come as they are
measured.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from paired import difference, drawn, trained
from real_files import coded_images
from table import Figure, publish

from evonas.data.dataset import Samples, SearchData
from evonas.genotype import Genotype
from evonas.tasks.classification import Classification
from evonas.training.training_settings import Training
from spaces.spatial_temporal import space as joint

space = joint.without(["adaptive", "feedback", "attention"])  # what was measured

MOST_OPERATIONS = 3e6
FRAMES = 4
RECIPES: dict[str, dict[str, Any]] = {
    "rate 1e-3": {"learning_rate": 1e-3},
    "rate 2e-3": {"learning_rate": 2e-3},
    "rate 1e-2": {"learning_rate": 1e-2},
    "rate 2e-2": {"learning_rate": 2e-2},
    "batch 16": {"batch_size": 16},
    "batch 64, rate 1e-2": {"batch_size": 64, "learning_rate": 1e-2},
    "warm-up .1, rate 1e-2": {"warm_up": 0.1, "learning_rate": 1e-2},
    "each step": {"loss": "of_each_step"},
    "smoothing .1": {"label_smoothing": 0.1},
    "trained neurons": {"train_neurons": True},
}


def grey_images(folder: Path, *, training: int, validation: int) -> SearchData:
    """Return images of 16 x 16 grey pixels in [0, 1], 10 classes."""
    count = training + validation
    coded, labels = coded_images(folder / "cifar10-lossless-subset.h5", "train", count=count)
    images = [np.asarray(image.convert("L"), np.float32) / 255 for image in coded]
    small = np.stack(images).reshape(len(images), 16, 2, 16, 2).mean((2, 4))
    return split(small[:, None, None].astype(np.float32), labels, training=training)


def event_frames(folder: Path, *, training: int, validation: int) -> SearchData:
    """Return numbers of events in `FRAMES` frames of 17 x 17 pixels and 2 polarities, 10 classes."""
    frames = np.zeros((training + validation, FRAMES, 2, 17, 17), np.float32)
    with h5py.File(folder / "nmnist-small.h5") as file:
        ends, labels = file["train_off"][: len(frames) + 1], file["train_label"][: len(frames)]
        for index, (first, last) in enumerate(pairwise(ends)):
            t, x, y, p = (file[f"train_{name}"][first:last].astype(np.int64) for name in "txyp")
            step = np.minimum((t - t[0]) * FRAMES // max(t[-1] - t[0], 1), FRAMES - 1)
            np.add.at(frames[index], (step, p, y // 2, x // 2), 1)
    return split(frames, labels, training=training)


def split(inputs: np.ndarray, labels: np.ndarray, *, training: int) -> SearchData:
    """Return the first so many samples of 10 classes for training, and the others for validation."""
    labels = labels.astype(np.int64)
    return SearchData(
        Samples(inputs[:training], labels[:training]), Samples(inputs[training:], labels[training:]), Classification(10)
    )


Reader = Callable[..., SearchData]
SETS: dict[str, tuple[Reader, dict[str, int]]] = {
    "grey images": (grey_images, {"training": 1500, "validation": 500}),
    "event frames": (event_frames, {"training": 700, "validation": 300}),
}


def means(data: SearchData, genotypes: list[Genotype], *, epochs: int, seeds: int, **training: Any) -> list[float]:
    """Return the accuracy of each network, the mean over seeds."""
    settings = Training(epochs=epochs, **training)
    return [
        statistics.fmean(
            trained(space, data, one, settings, epochs=epochs, seed=seed).accuracy for seed in range(seeds)
        )
        for one in genotypes
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="4 networks, 1 seed, 1 epoch")
    parser.add_argument("--networks", type=int, default=12)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--only", default="", help="recipes whose name has this word")
    parser.add_argument("--sets", nargs="*", default=list(SETS), choices=list(SETS))
    parser.add_argument("--json", type=Path, help="write the figures there as well")
    options = parser.parse_args()
    root = os.environ.get("EVONAS_DATA")
    if root is None:
        parser.exit(0, "Skipped: EVONAS_DATA names no folder of data.\n")
    networks, seeds, epochs = (4, 1, 1) if options.quick else (options.networks, options.seeds, options.epochs)
    figures: list[Figure] = []
    for name in options.sets:
        read, sizes = SETS[name]
        data = read(Path(root), **sizes)
        given = {"time_steps": FRAMES} if read is event_frames else {}
        genotypes = drawn(space, data, count=networks, most=MOST_OPERATIONS, seed=7, **given)
        start = time.monotonic()
        before = means(data, genotypes, epochs=epochs, seeds=seeds)
        print(f"\n{name}, {epochs} epochs, {time.monotonic() - start:.0f} s a recipe: the defaults reach a median of "
              f"{statistics.median(before):.1%}, best {max(before):.1%}", flush=True)  # fmt: skip
        for recipe, settings in RECIPES.items():
            if options.only in recipe:
                after = means(data, genotypes, epochs=epochs, seeds=seeds, **settings)
                rise = difference(before, after)
                print(f"  {recipe:24} {rise}", flush=True)
                figures.append(Figure(f"{recipe}, {name}", rise.median, "points of accuracy", None))
    publish(figures, title=f"Accuracy against the defaults of [training] after {epochs} epochs", file=options.json)


if __name__ == "__main__":
    main()
