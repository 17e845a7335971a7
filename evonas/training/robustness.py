"""Robustness: what a trained network does while it is disturbed, draw by draw."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Sequence

import torch

from evonas.errors import TrainingDivergedError
from evonas.robustness import Robustness
from evonas.snn.network import Network
from evonas.task import Task
from evonas.training.batches import Batches
from evonas.training.disturbances import Disturbance, disturbance_of
from evonas.training.measuring import BATCH, MEASURING_SEED
from evonas.training.process import seeded
from evonas.training.seeds import draw_seed


def robust_metrics(
    network: Network, samples: Batches, task: Task, *, asked: Sequence[Robustness], seed: int
) -> dict[str, float]:
    """Return name to value of what is asked of a trained network, which is as it was afterwards.

    A draw depends on the seed, the disturbance and its number alone, so that whatever else is asked changes nothing.

    Args:
        network: On the device of the samples.
        samples: What it is measured on.
        task: What is learnt.
        asked: What is asked.
        seed: Of all draws.

    Raises:
        TrainingDivergedError: If a metric is no finite number.
    """
    found = {}
    for one in asked:
        disturbance = disturbance_of(one.against, one.amount)
        seeds = [draw_seed(seed, disturbance.name, draw) for draw in range(one.draws)]
        draws = disturbed_metrics(network, samples, task, disturbance, seeds=seeds)
        value = statistics.fmean(metrics[one.metric] for metrics in draws)
        if not math.isfinite(value):
            raise TrainingDivergedError(f"The validation {one.name} is {value}.")
        found[one.name] = value
    return found


def disturbed_metrics(
    network: Network, samples: Batches, task: Task, disturbance: Disturbance, *, seeds: Iterable[int]
) -> list[dict[str, float]]:
    """Return the metrics of a network under a disturbance, one mapping for the draw of each seed.

    Args:
        network: Trained, on the device of the samples; it is as it was afterwards.
        samples: What it is measured on.
        task: What is learnt.
        disturbance: What it is put through.
        seeds: From 0 to 2^63 - 1.
    """
    found = []
    for seed in seeds:
        generator = torch.Generator().manual_seed(seed)
        with seeded(seed, device=samples.labels.device), disturbance.applied(network, generator):
            found.append(_metrics(network, samples, task, disturbance, generator))
    return found


@torch.no_grad()
def _metrics(
    network: Network, samples: Batches, task: Task, disturbance: Disturbance, generator: torch.Generator
) -> dict[str, float]:
    network.eval()
    tally, labels = task.tally(), samples.labels
    for index in torch.arange(len(labels), device=labels.device).split(BATCH):
        inputs = samples.inputs(index, time_steps=network.plan.time_steps, seed=MEASURING_SEED)
        tally.add(network(disturbance.seen(inputs, generator)), labels[index])
    return tally.metrics()
