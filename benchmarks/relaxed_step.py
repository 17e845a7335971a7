"""What a step of the differentiable search takes, against training one network: time and peak memory, on the digits.

    python benchmarks/relaxed_step.py [--repeats N] [--json FILE]

Both sides are whole runs of what a search job uses, in turns in one process, on one thread: `differentiable_search`,
and the training of single networks of the same sizes, drawn at random. Runs of more and of fewer epochs of one kind,
whose times are subtracted, tell what a step of that kind takes. Peak memory is that of a process of its own, above what
it had before the run: weights, optimiser and gradients of all branches included.

    weights_step_vs_network_..     a step of the weights, over the step of the median network of these sizes
    choices_step_vs_network_..     the same of a step of the choices (two paths)
    relaxed_step_vs_network        the dearer of both, in the worst of all sizes
    memory_of_a_search_..          peak of a search, in MB
    memory_of_a_whole_search_..    the same where each step sees the whole mixture; not of the largest, for its time
    memory_of_a_network_..         the same of the training of the median network
"""

from __future__ import annotations

import argparse
import ctypes
import gc
import statistics
import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from peak_memory import raised_by, told_by
from table import Figure, publish

from evonas.data import digits
from evonas.data.dataset import SearchData
from evonas.engine.gradient_search import Paths
from evonas.engine.job import Job
from evonas.genotype import Genotype
from evonas.training.bilevel_search import differentiable_search
from evonas.training.trainer import TrainingEvaluator
from evonas.training.training_settings import Relaxation, Training
from evonas.variables import Scalar
from objectives import energy
from spaces.spatial_temporal import space as joint

space = joint.without(["adaptive", "feedback", "attention"])  # what was measured

SIZES: Mapping[str, Mapping[str, Scalar]] = {
    "small": {"nodes": 1, "layers": 2, "channels": 4, "stem.stride": 1, "readout.input": "mean"},
    "middle": {"nodes": 2, "layers": 3, "channels": 8, "stem.stride": 1, "readout.input": "mean"},
    "large": {"nodes": 3, "layers": 4, "channels": 16, "stem.stride": 1, "readout.input": "mean"},
}
SAMPLES, BATCH = 512, 32
NETWORKS = 16
"""Networks whose median stands for one network of these sizes."""
STEPS = SAMPLES // 2 // BATCH
"""Steps of a kind in an epoch of a search: half of the samples are for each."""
FURTHER = 3
"""Epochs of one kind that the longer runs have beyond the shorter ones."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--json", type=Path, help="write the figures there as well")
    parser.add_argument("--memory-of", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    torch.set_num_threads(1)
    if options.memory_of:
        side, name = options.memory_of
        print_peak_memory(side, SIZES[name])
        return
    figures = [figure for name in SIZES for figure in of_sizes(name, repeats=options.repeats)]
    worst = max(figure.value or 0.0 for figure in figures if "_step_" in figure.measure)
    figures = [Figure("relaxed_step_vs_network", worst, unit="x", goal="<= 4"), *figures]
    publish(figures, title=f"relaxed steps, {options.repeats} repeats", file=options.json)


def print_peak_memory(side: str, sizes: Mapping[str, Scalar]) -> None:
    """Print by how many MB a run raises the peak of this process."""
    genotype = median_network(sizes)
    works = {
        "search": lambda: search(sizes),
        "whole_search": lambda: search(sizes, paths="all"),
        "network": lambda: train(genotype),
    }
    work = works[side]
    work()  # whatever loads late
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)  # gives back what the process has kept for its next tensors
    print(raised_by(work))


def of_sizes(name: str, *, repeats: int) -> list[Figure]:
    """Return the figures of networks of these sizes."""
    sizes = SIZES[name]
    weights, choices = [], []
    for _ in range(repeats):
        every = [train(genotype, epochs=1 + FURTHER) - train(genotype) for genotype in networks(sizes)]
        one = statistics.median(every) / (FURTHER * SAMPLES // BATCH)
        least = search(sizes)
        weight = (search(sizes, warm_up=FURTHER) - least) / (FURTHER * STEPS)
        both = (search(sizes, epochs=1 + FURTHER) - least) / (FURTHER * STEPS)
        weights.append(weight / one)
        choices.append((both - weight) / one)
    middle = (statistics.median(weights), statistics.median(choices))
    spans = [f"{min(ratios):.2f} to {max(ratios):.2f}" for ratios in (weights, choices)]
    print(f"{name}: weights {middle[0]:.2f} x ({spans[0]}), choices {middle[1]:.2f} x ({spans[1]})", flush=True)
    return [
        Figure(f"weights_step_vs_network_{name}", middle[0], unit="x", goal=None),
        Figure(f"choices_step_vs_network_{name}", middle[1], unit="x", goal=None),
        *(
            Figure(f"memory_of_a_{side}_{name}", peak_memory(side, name), unit="MB", goal=None)
            for side in ("search", "whole_search", "network")
            if side != "whole_search" or name != "large"
        ),
    ]


def samples() -> SearchData:
    """Return few samples, and hardly any for validation: what is measured is training."""
    data = digits.read().for_search(seed=0)
    return SearchData(data.train.take(np.arange(SAMPLES)), data.validation.take(np.arange(4)), data.task)


def networks(sizes: Mapping[str, Scalar]) -> list[Genotype]:
    """Return random networks of these sizes, always the same."""
    rng = np.random.default_rng(0)
    return [space.canonical({**space.fill({}, rng), **sizes}) for _ in range(NETWORKS)]


def median_network(sizes: Mapping[str, Scalar]) -> Genotype:
    """Return the network with the median number of dense multiply-accumulates."""
    data = samples()
    assert space.operations is not None
    ordered = sorted(networks(sizes), key=lambda one: space.operations(one, data.input_shape, data.task.outputs))  # type: ignore[misc]
    return ordered[NETWORKS // 2]


def train(genotype: Genotype, *, epochs: int = 1) -> float:
    """Return the seconds that the training of a network takes, with the validation of four samples."""
    evaluator = TrainingEvaluator(space, samples(), training=Training(epochs=epochs, batch_size=BATCH))
    began = time.perf_counter()
    evaluator(Job(0, "evaluate", genotype, "benchmark", epochs=epochs))
    return time.perf_counter() - began


def search(sizes: Mapping[str, Scalar], *, warm_up: int = 0, epochs: int = 1, paths: Paths = "drawn") -> float:
    """Return the seconds that a search takes."""
    data = samples()
    began = time.perf_counter()
    differentiable_search(
        space,
        data,
        context=sizes,
        price=0.5,
        objective_price=energy.expected(profile="loihi1_davies"),
        relaxation=Relaxation(warm_up=warm_up, epochs=epochs, batch_size=BATCH, paths=paths),
        training=Training(),
        seed=0,
        device=torch.device("cpu"),
    )
    return time.perf_counter() - began


def peak_memory(side: str, name: str) -> float:
    """Return by how many MB a run raises the peak of a process of its own."""
    return told_by(__file__, "--memory-of", side, name)


if __name__ == "__main__":
    main()
