"""How fast the networks train and infer: against peers, against our own reference, and as they grow.

    python benchmarks/throughput.py [--quick] [--json FILE]

Each network takes forward, backward and optimiser steps on frames that differ at every time step. All sides run in
one process in turns, so that what else the machine does hits all alike; ratios are of medians.

    train_vs_spikingjelly_2_threads   its time / ours; likewise with 1 thread, at 16 x 16 (and 32 x 32)
    train_vs_relu                     our time / that of the same network with ReLU
    train_vs_norse                    time of Norse's SequentialState / ours
    infer_vs_spikingjelly             the same without gradients
    memory_vs_spikingjelly            our peak of a training step / theirs, each in a process of its own
    digits_evaluation_vs_reference    training and measuring networks of the joint space / the same by the reference:
                                      Norse's own steps, and torch's batch norms
    gpu_…                             the same on a GPU, where there is one
"""

from __future__ import annotations

import argparse
import gc
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from statistics import median

import numpy as np
import torch
from peak_memory import raised_by, told_by
from spiking_peers import (
    Load,
    NorseNetwork,
    evonas_network,
    relu_network,
    snntorch_network,
    spikingjelly_network,
)
from table import Figure, columns, publish
from torch import Tensor, nn

from evonas.architecture.neuron import Dynamics
from evonas.data import digits
from evonas.engine.job import Job
from evonas.snn.kernels.backend import use_backend
from evonas.snn.neurons import Neuron
from evonas.training.process import keep_freed_memory
from evonas.training.trainer import TrainingEvaluator
from evonas.training.training_settings import Training
from spaces.spatial_temporal import space as joint

space = joint.without(["adaptive", "feedback", "attention"])  # what was measured

SIDES: Mapping[str, Callable[[Load], nn.Module | None]] = {
    "evonas": evonas_network,
    "spikingjelly": spikingjelly_network,
    "relu": relu_network,
    "norse": NorseNetwork,
    "snntorch": snntorch_network,
}


def in_turns(actions: Mapping[str, Callable[[], object]], *, rounds: int) -> dict[str, float]:
    """Return the median seconds of each action; every round runs all of them, the first is not counted."""
    seconds: dict[str, list[float]] = {name: [] for name in actions}
    for counted in range(rounds + 1):
        gc.collect()
        for name, action in actions.items():
            began = time.perf_counter()
            action()
            if counted:
                seconds[name].append(time.perf_counter() - began)
    return {name: median(values) for name, values in seconds.items()}


def training_step(network: nn.Module, data: Tensor, labels: Tensor) -> Callable[[], None]:
    """Return what takes one step of AdamW."""
    optimizer = torch.optim.AdamW([p for p in network.parameters() if p.requires_grad], lr=1e-3)
    is_on_gpu = data.is_cuda

    def step() -> None:
        optimizer.zero_grad(set_to_none=True)
        nn.functional.cross_entropy(network(data), labels).backward()
        optimizer.step()
        if is_on_gpu:
            torch.cuda.synchronize()

    return step


def inference(network: nn.Module, data: Tensor) -> Callable[[], None]:
    """Return what computes the logits of a batch."""

    def infer() -> None:
        with torch.no_grad():
            network(data)
        if data.is_cuda:
            torch.cuda.synchronize()

    return infer


def networks(load: Load, *, device: str, sides: tuple[str, ...]) -> dict[str, nn.Module]:
    """Return the networks of the sides that are installed, all with the same weights."""
    made = {name: SIDES[name](load) for name in sides}
    present = {name: network.to(device) for name, network in made.items() if network is not None}
    first = next(iter(present.values()))
    for network in present.values():
        weights = zip(trained(network), trained(first), strict=True)
        with torch.no_grad():
            for own, other in weights:
                own.copy_(other)
            for module in network.modules():
                if isinstance(module, nn.BatchNorm2d):
                    module.weight.fill_(2.0)  # so that about every fifth neuron fires at each step
    return present


def trained(network: nn.Module) -> list[Tensor]:
    """Return the weights that all sides have, in the order of the layers."""
    kinds = (nn.Conv2d, nn.Linear)
    return [module.weight for module in network.modules() if isinstance(module, kinds)]


def compare(load: Load, *, threads: int, rounds: int, device: str = "cpu") -> tuple[dict[str, float], dict[str, float]]:
    """Return the seconds of a training step and of an inference of each side."""
    torch.set_num_threads(threads)
    data, labels = (tensor.to(device) for tensor in load.data())
    made = networks(load, device=device, sides=tuple(SIDES))
    training = in_turns({name: training_step(net, data, labels) for name, net in made.items()}, rounds=rounds)
    for network in made.values():
        network.eval()
    return training, in_turns({name: inference(net, data) for name, net in made.items()}, rounds=rounds)


def against_peers(size: int, *, rounds: int, suffix: str) -> list[Figure]:
    """Return the figures of the four-layer network on the CPU."""
    two, infer = compare(Load(size), threads=2, rounds=rounds)
    one, infer_one = compare(Load(size), threads=1, rounds=rounds)
    figures = [
        Figure(f"train_vs_spikingjelly_2_threads{suffix}", two["spikingjelly"] / two["evonas"], "x faster", ">= 1.6"),
        Figure(f"train_vs_spikingjelly_1_thread{suffix}", one["spikingjelly"] / one["evonas"], "x faster", ">= 1.4"),
        Figure(f"train_vs_relu{suffix}", two["evonas"] / two["relu"], "x its time", "<= 1.2"),
        Figure(f"train_vs_norse{suffix}", two["norse"] / two["evonas"], "x faster", ">= 2"),
        Figure(f"infer_vs_spikingjelly{suffix}", infer["spikingjelly"] / infer["evonas"], "x faster", ">= 1.5"),
        Figure(
            f"infer_vs_spikingjelly_1_thread{suffix}", infer_one["spikingjelly"] / infer_one["evonas"], "x faster", None
        ),
        Figure(f"train_vs_relu_1_thread{suffix}", one["evonas"] / one["relu"], "x its time", None),
    ]
    if "snntorch" in two:
        figures.append(Figure(f"train_vs_snntorch{suffix}", two["snntorch"] / two["evonas"], "x faster", None))
    return figures


def peak_memory(side: str, *, size: int) -> float:
    """Return by how many MB the training of `side` raises the peak of a fresh process."""
    return told_by(__file__, "--memory-of", side, "--size", str(size))


def print_peak_memory(side: str, *, size: int) -> None:
    torch.set_num_threads(1)
    keep_freed_memory()
    small, load = Load(size=8, channels=4, batch=2), Load(size)
    training_step(networks(small, device="cpu", sides=(side,))[side], *small.data())()  # whatever loads late
    step = training_step(networks(load, device="cpu", sides=(side,))[side], *load.data())
    print(raised_by(lambda: [step() for _ in range(3)]))


def against_the_reference(*, rounds: int, count: int) -> list[Figure]:
    """Return the figures of networks of the joint space: one training step each, and whole evaluations."""
    torch.set_num_threads(1)
    rng = np.random.default_rng(1)
    genotypes = [space.sample(rng) for _ in range(count)]
    assert space.build is not None
    figures = []
    for index, genotype in enumerate(genotypes):
        network = space.build(genotype, (1, 16, 16), 10)
        steps = int(genotype["time_steps"])
        data, labels = torch.rand(steps, 32, 1, 16, 16), torch.randint(0, 10, (32,))
        step = training_step(network, data, labels)
        seconds = in_turns({"ours": step, "looped": looped(step)}, rounds=rounds)
        ratio = seconds["looped"] / seconds["ours"]
        figures.append(Figure(f"joint_space_{index + 1}_train_vs_reference", ratio, "x faster", None))
    search_data = digits.read().for_search(seed=0)
    evaluator = TrainingEvaluator(space, search_data, training=Training(epochs=2))
    jobs = [Job(slot=slot, kind="evaluate", genotype=genotype, strategy="") for slot, genotype in enumerate(genotypes)]

    def evaluate() -> None:
        for job in jobs:
            evaluator(job)

    seconds = in_turns({"ours": evaluate, "looped": looped(evaluate)}, rounds=min(rounds, 3))
    ratio = seconds["ours"] / seconds["looped"]
    return [*figures, Figure("digits_evaluation_vs_reference", ratio, "x its time", "<= 0.6")]


def looped(action: Callable[[], object]) -> Callable[[], None]:
    """Return `action` with Norse's own steps in the place of the scan."""

    def run() -> None:
        with use_backend("looped"):
            action()

    return run


def growth(*, rounds: int) -> str:
    """Return a table of how the cost of the scan grows, and how near it comes to the bandwidth of a copy."""
    torch.set_num_threads(1)
    rows: list[tuple[str, ...]] = [
        ("T", "batch", "channels", "ms forward", "ms both", "ns / update", "of copy bandwidth")
    ]
    loads = [(time_steps, 32, 32) for time_steps in (1, 2, 4, 8, 16, 32, 64)]
    loads += [(5, batch, 32) for batch in (1, 8, 128)] + [(5, 32, channels) for channels in (4, 16, 128)]
    for time_steps, batch, channels in loads:
        neuron = Neuron(Dynamics("lif_box"), time_steps=time_steps)
        current = 2 * torch.randn(time_steps, batch, channels, 16, 16)
        leaf, target, gradient = current.clone().requires_grad_(), torch.empty_like(current), torch.randn_like(current)
        seconds = in_turns(
            {
                "copy": partial(target.copy_, current),
                "forward": partial(neuron, current),
                "both": partial(forward_and_backward, neuron, leaf, gradient),
            },
            rounds=rounds,
        )
        per_update = seconds["both"] / current.numel() * 1e9
        fraction = 3 * seconds["copy"] / seconds["both"]  # 6 arrays against 2: current, spikes and membranes, and back
        cells = (
            f"{seconds['forward'] * 1e3:.3f}",
            f"{seconds['both'] * 1e3:.3f}",
            f"{per_update:.2f}",
            f"{fraction:.2f}",
        )
        rows.append((str(time_steps), str(batch), str(channels), *cells))
    return columns(rows)


def forward_and_backward(neuron: nn.Module, leaf: Tensor, gradient: Tensor) -> None:
    leaf.grad = None
    neuron(leaf).backward(gradient)


def on_a_gpu(*, rounds: int) -> list[Figure]:
    """Return the figures of a GPU; without values where there is none."""
    if not torch.cuda.is_available():
        print("no GPU here: the measures gpu_… were not run")
        return []
    training, infer = compare(Load(32, batch=128), threads=1, rounds=rounds, device="cuda")
    return [
        Figure("gpu_train_vs_spikingjelly", training["spikingjelly"] / training["evonas"], "x faster", None),
        Figure("gpu_train_vs_norse", training["norse"] / training["evonas"], "x faster", None),
        Figure("gpu_infer_vs_spikingjelly", infer["spikingjelly"] / infer["evonas"], "x faster", None),
    ]


def shown(figures: list[Figure]) -> list[Figure]:
    """Return the figures, and print them at once."""
    for figure in figures:
        value = "none" if figure.value is None else f"{figure.value:.3g}"
        print(f"{figure.measure} {value} {figure.unit}", flush=True)
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="7 rounds in the place of 15, at 16 x 16 only")
    parser.add_argument("--json", type=Path, help="write the figures there as well")
    parser.add_argument("--memory-of", choices=SIDES, help=argparse.SUPPRESS)
    parser.add_argument("--size", type=int, default=16, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.memory_of:
        print_peak_memory(options.memory_of, size=options.size)
        return
    torch.manual_seed(0)
    keep_freed_memory()
    rounds = 7 if options.quick else 15
    figures = shown(against_peers(16, rounds=rounds, suffix=""))
    if not options.quick:
        figures += shown(against_peers(32, rounds=7, suffix="_32x32"))
    ours, theirs, relus = (peak_memory(side, size=32) for side in ("evonas", "spikingjelly", "relu"))
    figures += shown(
        [
            Figure("memory_vs_spikingjelly", ours / theirs, "x its peak", "<= 1"),
            Figure("memory_vs_relu", ours / relus, "x its peak", None),
            Figure("memory_of_a_training_step_32x32", ours, "MB", None),
        ]
    )
    figures += shown(against_the_reference(rounds=rounds, count=3))
    figures += shown(on_a_gpu(rounds=rounds))
    print(growth(rounds=rounds))
    publish(figures, title="throughput, T = 5, batch 32, 32 channels, four 3x3 layers", file=options.json)


if __name__ == "__main__":
    main()
