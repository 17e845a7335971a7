"""What weights of a supernet are worth: how well networks that inherit them are ordered, with the warm-up and without.

    python benchmarks/one_shot.py [--quick] [--epochs N] [--networks N] [--alone N] [--json FILE]

A supernet of the space autosnn at 8 channels and 4 time steps is trained on scikit-learn's digits. Random networks are
measured on the validation images with its weights, and after a training alone; Kendall's tau is between both
accuracies, with its 95 % interval by bootstrap over networks. Without the warm-up all networks are equally likely from
the first batch on, as in AutoSNN.

    supernet_seconds_<way>                 CPU seconds of the training of the supernet
    inherited_accuracy_<way>, alone_accuracy     median of the networks
    tau_<way>, …_low, …_high               between inherited accuracy and that of a training alone
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from table import Figure, publish
from zero_shot import tau

from evonas.data import digits
from evonas.data.dataset import SearchData
from evonas.engine.job import Job
from evonas.genotype import Genotype
from evonas.measurement import Measurement
from evonas.training.batches import Batches
from evonas.training.inheritance import Inheritance
from evonas.training.path_draws import PathDraws
from evonas.training.process import seeded
from evonas.training.supernet import Supernet
from evonas.training.supernet_fit import SupernetFit
from evonas.training.trainer import TrainingEvaluator
from evonas.training.training_settings import Training
from spaces.autosnn import space as whole

WARM_UPS = {"warm_up": 0.75, "uniform": 0.0}
SEED = 0
CPU = torch.device("cpu")
SPACE = whole.narrowed({"channels": [8], "time_steps": [4, 4]})


def training_of(epochs: int) -> Training:
    return Training(epochs=epochs, loss="squared_error", train_neurons=True)


def inherited(
    data: SearchData, networks: Sequence[Genotype], *, epochs: int, warm_up: float
) -> tuple[np.ndarray, float]:
    """Return the `(networks,)` accuracies with inherited weights, and the CPU seconds of the supernet."""

    def operations(genotype: Genotype) -> float:
        assert SPACE.operations is not None
        return SPACE.operations(genotype, data.input_shape, data.task.outputs)

    with seeded(SEED, device=CPU):
        supernet = Supernet(SPACE, data.input_shape, data.task.outputs, train_neurons=True, device=CPU)
        rng = np.random.default_rng(SEED)
        draws = PathDraws(SPACE, warm_up=warm_up, reject=None, operations=operations, rng=rng)
        samples = Batches(data.train, CPU)
        fit = SupernetFit(supernet, samples, data.task, training=training_of(epochs), draw=draws, seed=SEED)
        began = time.process_time()
        for _ in range(epochs):
            fit.run_epoch()
        seconds = time.process_time() - began
        measure = Inheritance(supernet, data, calibration=256, seed=SEED, device=CPU)
        found = [measure(Job(0, "evaluate", one, "benchmark")).accuracy for one in networks]
    return np.array(found), seconds


def alone(data: SearchData, networks: Sequence[Genotype], *, epochs: int) -> np.ndarray:
    """Return the `(networks,)` accuracies after a training of each."""
    evaluate = TrainingEvaluator(SPACE, data, training=training_of(epochs))
    results = [evaluate.train(Job(0, "evaluate", one, "benchmark", epochs=epochs, seed=SEED))[1] for one in networks]
    measured = [result.measurement for result in results]
    return np.array([one.accuracy for one in measured if isinstance(one, Measurement)])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a supernet of 2 epochs, and 4 networks of 1 epoch")
    parser.add_argument("--epochs", type=int, default=24, help="of the supernet")
    parser.add_argument("--networks", type=int, default=40, help="random networks that are compared")
    parser.add_argument("--alone", type=int, default=4, help="epochs of each network alone")
    parser.add_argument("--json", type=Path, help="write the figures there as well")
    options = parser.parse_args()
    epochs, count, own = (2, 4, 1) if options.quick else (options.epochs, options.networks, options.alone)
    torch.set_num_threads(1)
    data = digits.read().for_search(seed=SEED)
    rng = np.random.default_rng(SEED + 1)
    networks = list({one.key: one for one in (SPACE.sample(rng) for _ in range(count))}.values())
    accuracies = alone(data, networks, epochs=own)
    figures = [Figure("alone_accuracy", float(np.median(accuracies)), "fraction", None)]
    for name, warm_up in WARM_UPS.items():
        found, seconds = inherited(data, networks, epochs=epochs, warm_up=warm_up)
        ends = zip(("", "_low", "_high"), tau(found, accuracies), strict=True)
        figures += [
            Figure(f"supernet_seconds_{name}", seconds, "s", None),
            Figure(f"inherited_accuracy_{name}", float(np.median(found)), "fraction", None),
            *(Figure(f"tau_{name}{end}", value, "Kendall's tau-b", None) for end, value in ends),
        ]
    publish(
        figures, title=f"{len(networks)} networks with the weights of a supernet of {epochs} epochs", file=options.json
    )


if __name__ == "__main__":
    main()
