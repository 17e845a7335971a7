"""Choices that the joint space leaves out: what each is worth to random networks of it, few epochs each.

    python benchmarks/choices.py [--quick] [--networks N] [--epochs N ...] [--only WORD] [--json FILE]

The digits, and 2,000 training images of Fashion-MNIST at 14 x 14 where the environment variable EVONAS_DATA names a
folder that has `fashion-mnist`. Each network is trained with one value of the choice and with the other, all else being
equal; differences in points of accuracy, their median and its interval over networks, and the median ratio of
all operations (synaptic events, graded ones and multiply-accumulates) after the most epochs.
"""

from __future__ import annotations

import argparse
import os
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from paired import difference, drawn, trained
from table import Figure, publish

from evonas.architecture.cell_form import cell_of
from evonas.architecture.plan import Plan
from evonas.architecture.trellis import DOWNSAMPLING, plan_trellis
from evonas.data import digits, images
from evonas.data.dataset import SearchData
from evonas.genotype import Genotype
from evonas.snn.network import Network
from evonas.space import Space
from evonas.training.training_settings import Training
from evonas.variables import Choice
from spaces.spatial_temporal import space as whole
from spaces.spatial_temporal import trellis_of

joint_space = whole.without(["adaptive", "feedback", "attention"])  # what was measured

MOST_OPERATIONS = 3e6
CHOICES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "readout: hidden 64 against flat": ({"readout.hidden": 0, "readout.input": "flat"}, {"readout.hidden": 64}),
    "readout: hidden 64 against mean": ({"readout.hidden": 0, "readout.input": "mean"}, {"readout.hidden": 64}),
    "stem of stride 2: pooled": (
        {"stem.stride": 2, "stem.down": "stride"},
        {"stem.stride": 2, "stem.down": "max_pool"},
    ),
    "between levels: pooled": ({"down": "stride"}, {"down": "max_pool"}),
}
"""Of each choice the values before and after."""


def plan(genotype: Mapping[str, Any], input_shape: Sequence[int], classes: int) -> Plan:
    """Return the plan of a network of the joint space with the choices that it leaves out."""
    trellis = replace(
        trellis_of(genotype),
        stem_down=genotype["stem.down"],
        down=genotype["down"],
        readout_hidden=genotype["readout.hidden"],
    )
    return plan_trellis(trellis, cell_of(genotype), input_shape=input_shape, classes=classes)


OTHERS = {"stem.down": Choice(DOWNSAMPLING), "down": Choice(DOWNSAMPLING), "readout.hidden": Choice((0, 64))}
space = Space(
    {**joint_space.variables, **OTHERS},
    rules=joint_space.rules,
    arrange=joint_space.arrange,
    build=lambda *given: Network(plan(*given)),
    operations=lambda *given: plan(*given).operations,
    plan=plan,
)
"""The joint space, and the choices that it leaves out."""


def completed(space: Space, genotype: Genotype, values: Mapping[str, Any], *, seed: int) -> Genotype:
    """Return a genotype with these values; variables that it does not have are drawn, alike for each seed."""
    rng = np.random.default_rng(seed)
    others = {name: variable.sample(rng) for name, variable in space.variables.items()}
    return space.canonical({**others, **genotype, **values})


def pairs(data: SearchData, choice: str, *, networks: int) -> list[tuple[Genotype, Genotype]]:
    """Return networks with the values before and after, two of a pair never being the same network."""
    before, after = CHOICES[choice]
    found: list[tuple[Genotype, Genotype]] = []
    for index, one in enumerate(drawn(space, data, count=8 * networks, most=MOST_OPERATIONS, seed=11)):
        pair = completed(space, one, before, seed=index), completed(space, one, after, seed=index)
        plans = [plan(each, data.input_shape, data.task.outputs) for each in pair]
        if plans[0] != plans[1] and max(each.operations for each in plans) <= 2 * MOST_OPERATIONS:
            found.append(pair)
    return found[:networks]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="4 networks, 1 epoch")
    parser.add_argument("--networks", type=int, default=12)
    parser.add_argument("--epochs", type=int, nargs="*", default=[1, 3, 6])
    parser.add_argument("--only", default="", help="choices whose name has this word")
    parser.add_argument("--json", type=Path, help="write the figures there as well")
    options = parser.parse_args()
    networks, epochs = (4, [1]) if options.quick else (options.networks, options.epochs)
    sets = {"digits": digits.read().for_search()}
    root = os.environ.get("EVONAS_DATA")
    if root is None:
        print("Fashion-MNIST is left out: EVONAS_DATA names no folder of data.")
    else:
        path = str(Path(root) / "fashion-mnist")
        sets["Fashion-MNIST"] = images.read(path=path, limit=2500, side=14).for_search()
    figures: list[Figure] = []
    for name, data in sets.items():
        for choice in CHOICES:
            if options.only not in choice:
                continue
            both = pairs(data, choice, networks=networks)
            for count in epochs:
                settings = Training(epochs=count)
                sides = [[trained(space, data, pair[side], settings, epochs=count) for pair in both] for side in (0, 1)]
                rise = difference(*([one.accuracy for one in side] for side in sides))
                ratio = np.nanmedian(
                    [after.operations / max(before.operations, 1) for before, after in zip(*sides, strict=True)]
                )
                medians = [statistics.median(one.accuracy for one in side) for side in sides]
                print(f"{name:14} {choice:34} {count} epochs: {medians[0]:.1%} -> {medians[1]:.1%}, {rise}, "
                      f"operations x {ratio:.2f}", flush=True)  # fmt: skip
                figures.append(Figure(f"{choice}, {name}, {count} epochs", rise.median, "points of accuracy", None))
    publish(figures, title="Accuracy with a choice against without", file=options.json)


if __name__ == "__main__":
    main()
