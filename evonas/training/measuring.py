"""Measuring: what a trained network does with samples that it was not trained on, counted exactly."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import torch

from evonas.errors import TrainingDivergedError
from evonas.measurement import Measurement
from evonas.snn.activity import Recorder
from evonas.snn.network import Network
from evonas.task import Tally, Task
from evonas.training.batches import Batches

MEASURING_SEED = (0,)
"""Of draws in inputs that are measured, the same for all networks."""

BATCH = 256
"""Samples that are measured at once."""


@torch.no_grad()
def measured(
    network: Network,
    samples: Batches,
    task: Task,
    *,
    seconds: float | None,
    what: str = "validation",
    also: Sequence[Tally] = (),
) -> Measurement:
    """Return what a network does with samples; it is put into the mode of evaluation.

    Args:
        network: On the device of the samples.
        samples: What it is measured on.
        task: What is learnt.
        seconds: How long a sample lasts; None where it has no duration.
        what: Which samples they are, for messages.
        also: Further tallies that are given all answers.

    Raises:
        TrainingDivergedError: If a metric is no finite number.
    """
    labels, steps = samples.labels, network.plan.time_steps
    network.eval()
    recorder = network.recorder()
    tally = task.tally()
    for index in torch.arange(len(labels), device=labels.device).split(BATCH):
        answers = network(samples.inputs(index, time_steps=steps, seed=MEASURING_SEED), recorder)
        for one in (tally, *also):
            one.add(answers, labels[index])
    metrics = tally.metrics()
    for name, value in metrics.items():
        if not math.isfinite(value):
            raise TrainingDivergedError(f"The {what} {name} is {value}.")
    return replace(
        counted(network, recorder, seconds=seconds), metrics=metrics, samples=len(labels), counts=tally.counts()
    )


def counted(network: Network, recorder: Recorder, *, seconds: float | None) -> Measurement:
    """Return what a network did while a recorder saw it, without metrics; `seconds` as for `measured`."""
    activity = recorder.activity()
    if seconds is not None:
        activity = replace(activity, step_seconds=seconds / activity.time_steps)
    return Measurement(
        metrics={},
        samples=activity.samples,
        parameters=sum(parameter.numel() for parameter in network.parameters() if parameter.requires_grad),
        time_steps=activity.time_steps,
        silent=activity.is_silent,
        activity=activity,
    )
