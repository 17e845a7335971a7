"""What inputs cost: the time in which a batch becomes float, spikes or varied images, over that of a training step.

    python benchmarks/input_cost.py [--repeats N] [--json FILE]

Random bytes of 28 x 28 pixels, and random recordings as long as those of N-MNIST (34 x 34 pixels, 4,200 events) and of
DVS128 Gesture (128 x 128 downscaled to 32 x 32, 90,000 events in 1.5 s), batch 32, one thread, networks of the joint
space with 8 channels and 4 time steps: the median of eight random ones, by its step. Batch and step in turns, by the
clock of the process; medians. Frames of events are kept in memory once they are counted, so that a batch is one of a
training of four epochs: the mean of one whose samples were not seen before and three whose samples were.

    input_cost_..    a batch, over the training step of the network that sees it
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
from table import Figure, publish
from torch import nn

from evonas.data.arrays import Arrays
from evonas.data.dataset import DataSet, SearchData
from evonas.data.event_data import event_data
from evonas.data.event_options import EventOptions
from evonas.data.image_options import ImageSettings
from evonas.data.recordings import Events, Part
from evonas.data.samples import Samples
from evonas.training.batches import Batches
from evonas.training.optimizer import flattened, optimizer_of, parameter_groups
from evonas.training.training_settings import Training
from spaces.spatial_temporal import space as joint

space = joint.without(["adaptive", "feedback", "attention"])  # what was measured

BATCH, STEPS, NETWORKS, WARM_UP, EPOCHS = 32, 4, 8, 3, 4
KINDS: Mapping[str, Mapping[str, Any]] = {
    "direct": {},
    "normalised": {"normalise": True},
    "varied": {"flip": True, "crop": 2, "cutout": 6},
    "rate": {"encoding": "rate"},
    "latency": {"encoding": "latency"},
    "delta": {"encoding": "delta"},
    "rate_varied": {"encoding": "rate", "flip": True, "crop": 2, "cutout": 6},
}

RECORDINGS: Mapping[str, Mapping[str, Any]] = {
    "nmnist": {"side": 34, "events": 4200},
    "nmnist_varied": {"side": 34, "events": 4200, "flip": True, "shift": 2},
    "nmnist_jittered": {"side": 34, "events": 4200, "jitter_ms": 2.0},
    "gesture": {"side": 128, "events": 90_000, "length_ms": 1500, "downscale": 4},
    "gesture_varied": {"side": 128, "events": 90_000, "length_ms": 1500, "downscale": 4, "flip": True, "shift": 2},
    "gesture_jittered": {"side": 128, "events": 90_000, "length_ms": 1500, "downscale": 4, "jitter_ms": 2.0},
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--json", type=Path, help="write the figures there as well")
    options = parser.parse_args()
    torch.set_num_threads(1)
    figures = []
    for name, given in KINDS.items():
        batch, step = measured(images(**given), repeats=options.repeats)
        print(f"{name}: {1000 * batch:.2f} ms of {1000 * step:.1f} ms", flush=True)
        figures.append(Figure(f"input_cost_{name}", batch / step, unit="of a step", goal="<= 0.05"))
    for name, given in RECORDINGS.items():
        batch, step = measured(recordings(**given), repeats=options.repeats)
        print(f"{name}: {1000 * batch:.2f} ms of {1000 * step:.1f} ms", flush=True)
        figures.append(Figure(f"input_cost_{name}", batch / step, unit="of a step", goal="<= 0.1"))
    publish(figures, title=f"inputs, batch {BATCH}, {STEPS} time steps", file=options.json)


def images(**options: Any) -> SearchData:
    """Return random images, with options of the readers of images."""
    values = np.random.default_rng(0).integers(256, size=(2000, 1, 1, 28, 28)).astype(np.uint8)
    whole = DataSet(Samples(Arrays(values, full_scale=255), np.arange(2000) % 10))
    return ImageSettings(**options).applied(whole).for_search()


def recordings(*, side: int, events: int, length_ms: int = 300, samples: int = 100, **options: Any) -> SearchData:
    """Return random recordings, with options of the readers of events."""
    rng, shape, packed = np.random.default_rng(0), (2, side, side), []
    for _ in range(samples):
        x, y = rng.integers(side, size=(2, events))
        one = Events(np.sort(rng.integers(1000 * length_ms, size=events)), x, y, rng.integers(2, size=events), "random")
        packed.append(one.packed(shape))
    labels = np.arange(samples) % 10
    part = Part.of(packed, labels, shape=shape, classes=tuple(range(10)))
    return event_data(part, None, EventOptions(**options), path=Path("random")).for_search()


def measured(data: SearchData, *, repeats: int) -> tuple[float, float]:
    """Return the median seconds of a batch, and of a training step of the median network without it."""
    found = [_of_network(network, data.train, repeats=repeats) for network in networks(data)]
    return sorted(found, key=lambda one: one[1])[len(found) // 2]


def networks(data: SearchData) -> list[Any]:
    """Return random networks, always the same."""
    rng, build = np.random.default_rng(0), space.build
    assert build is not None
    drawn = (space.canonical({**space.fill({}, rng), "channels": 8, "time_steps": STEPS}) for _ in range(NETWORKS))
    return [build(genotype, data.input_shape, data.task.outputs) for genotype in drawn]


def _of_network(network: Any, samples: Samples, *, repeats: int) -> tuple[float, float]:
    groups = [flattened(group) for group in parameter_groups(network)]
    flat, optimizer = [one for group in groups for one in group], optimizer_of(groups, Training())
    network.train()
    seen = Batches(samples, torch.device("cpu"))
    seen.inputs(torch.arange(len(seen)), time_steps=STEPS, seed=(0,))
    batch_seconds: tuple[list[float], list[float]] = [], []
    step_seconds = []
    for repeat in range(WARM_UP + 2 * repeats):
        inputs_of: Any = samples.inputs
        fresh = Batches(Samples(replace(inputs_of), samples.labels), torch.device("cpu"))  # knows no frames
        batches = seen if repeat % 2 else fresh
        index = torch.randperm(len(batches))[:BATCH]
        draw = partial(batches.inputs, index, time_steps=STEPS, seed=(repeat,))
        inputs, batch = timed(draw)

        def step() -> None:
            optimizer.zero_grad(set_to_none=False)  # gradients are views of one array
            loss = nn.functional.cross_entropy(network(inputs), seen.labels[index])  # noqa: B023
            loss.backward()
            nn.utils.clip_grad_norm_(flat, 1.0)
            optimizer.step()

        _, seconds = timed(step)
        if repeat >= WARM_UP:
            batch_seconds[repeat % 2].append(batch)
            step_seconds.append(seconds)
    first, again = map(median, batch_seconds)
    return (first + (EPOCHS - 1) * again) / EPOCHS, median(step_seconds)


def timed(work: Callable[[], Any]) -> tuple[Any, float]:
    """Return what `work` returns, and its seconds of the processor."""
    began = time.process_time()
    done = work()
    return done, time.process_time() - began


if __name__ == "__main__":
    main()
