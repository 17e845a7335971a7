"""Testing: what trained networks do with the test samples, which are read once for all of them."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch

from evonas.data.dataset import DataSet
from evonas.data.samples import Samples
from evonas.final.training import Setup
from evonas.final.trial import Trial
from evonas.snn.network import Network
from evonas.task import DetailedTask, Task
from evonas.training.batches import Batches
from evonas.training.disturbances import USUAL, Disturbance
from evonas.training.measuring import measured
from evonas.training.process import torch_threads
from evonas.training.robustness import disturbed_metrics, robust_metrics

DRAWS = 5
"""Draws of each disturbance that draws."""


def tested(
    trials: Sequence[Trial],
    setup: Setup,
    data: DataSet,
    *,
    seed: int,
    reading: int,
    robustness: bool,
    on_trial: Callable[[Trial, Mapping[str, Any]], None],
) -> None:
    """Read the test samples, and hand over what the network of each trial does with them, as a JSON object.

    The caller has noted this reading before: nothing but this opens the test part of a data set.

    Args:
        trials: Whose weights are there.
        setup: How they were trained.
        data: The whole data set.
        seed: Of the split of the search, whose normalisation it is.
        reading: The how manieth reading this is.
        robustness: Whether accuracies under disturbances are measured as well.
        on_trial: Called with each trial and its result.
    """
    samples = data.test(seed=seed)
    batches = Batches(samples, torch.device(setup.recipe.device))
    with torch_threads(setup.recipe.threads):
        for trial in trials:
            network = setup.trained(trial)
            result = _tested(network, batches, samples, setup, seed=trial.random_seed)
            if robustness:
                result["robustness"] = under_disturbances(network, batches, setup.data.task, seed=trial.random_seed)
            head = {"key": trial.key, "seed": trial.seed, "slot": trial.slot, "picked": trial.picked}
            on_trial(trial, {**head, "epochs": setup.recipe.training.epochs, "reading": reading, **result})


def _tested(network: Network, batches: Batches, samples: Samples, setup: Setup, *, seed: int) -> dict[str, Any]:
    """Return the measurement, and what the task tells beside it, such as a confusion matrix and calibration."""
    task = setup.data.task
    details = task.details() if isinstance(task, DetailedTask) else None
    also = () if details is None else (details,)
    measurement = measured(network, batches, task, seconds=samples.inputs.seconds, what="test", also=also)
    robust = robust_metrics(network, batches, task, asked=setup.measures, seed=seed)
    measurement = replace(measurement, metrics={**measurement.metrics, **robust})
    return {"measurement": measurement.to_json(), **({} if details is None else details.to_json())}


def under_disturbances(
    network: Network,
    samples: Batches,
    task: Task,
    *,
    seed: int,
    disturbances: Sequence[Disturbance] = USUAL,
    draws: int = DRAWS,
) -> list[dict[str, Any]]:
    """Return the first metric of the task under each disturbance: name, values of the draws, their mean and spread.

    Args:
        network: Trained; it is as it was afterwards.
        samples: What it is measured on.
        task: What is learnt.
        seed: Of all draws.
        disturbances: What it is put through.
        draws: Of each disturbance that draws.
    """
    found, metric = [], task.metrics[0].name
    for number, disturbance in enumerate(disturbances):
        first = number * draws + 1
        own = range(first, first + (draws if disturbance.is_random else 1))
        seeds = [(seed + 0x9E3779B97F4A7C15 * each) % 2**63 for each in own]
        values = [each[metric] for each in disturbed_metrics(network, samples, task, disturbance, seeds=seeds)]
        spread = statistics.stdev(values) if len(values) > 1 else None
        mean = statistics.fmean(values)
        found.append({"disturbance": disturbance.name, "metric": metric, "mean": mean, "std": spread, "values": values})
    return found
