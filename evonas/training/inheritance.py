"""Inheritance: what a network does with the weights of a supernet, without training of its own."""

from __future__ import annotations

import copy
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from evonas.data.dataset import SearchData
from evonas.engine.job import Job
from evonas.engine.training_log import FORWARD
from evonas.measurement import Measurement
from evonas.snn.network import Network
from evonas.training.batches import Batches
from evonas.training.measuring import BATCH, measured
from evonas.training.supernet import Supernet


class Inheritance:
    """Measures networks with inherited weights: `inheritance(job)` returns the `Measurement` on the validation samples.

    The norms of a network first take their statistics from training samples that go through it, because those of the
    supernet are a mixture of all networks (Guo et al., ECCV 2020; AutoSNN does without). The supernet stays as it is.

    Args:
        supernet: A trained one.
        data: Its validation samples are measured.
        calibration: Training samples for the statistics; 0 for those of the supernet.
        seed: Of the choice of these samples.
        device: That of the supernet.

    Attributes:
        sample_steps: What measuring took so far: samples forward only count `FORWARD`.
    """

    def __init__(
        self, supernet: Supernet, data: SearchData, *, calibration: int, seed: int, device: torch.device
    ) -> None:
        self._supernet, self._data, self._seed = supernet, data, seed
        self._train, self._validation = Batches(data.train, device), Batches(data.validation, device)
        order = torch.randperm(len(self._train), generator=torch.Generator().manual_seed(seed % 2**63))
        self._calibration = order[:calibration].to(device)
        self.sample_steps = 0.0

    def __call__(self, job: Job) -> Measurement:
        """Return what the network of `job` does on the validation samples."""
        network = copy.deepcopy(self._supernet.network(job.genotype))
        if len(self._calibration):
            calibrate(network, self._train, self._calibration, seed=(self._seed, 0))
        samples = len(self._calibration) + len(self._validation)
        self.sample_steps += FORWARD * samples * network.plan.time_steps
        return measured(network, self._validation, self._data.task, seconds=self._data.seconds)


@torch.no_grad()
def calibrate(network: Network, samples: Batches, index: Tensor, *, seed: Sequence[int]) -> None:
    """Let the norms of a network take their statistics from the samples at `index`: the plain mean of all batches.

    Args:
        network: It is left in the mode of training.
        samples: What it is trained on.
        index: `(samples,)` positions.
        seed: Of what inputs draw.
    """
    for norm in (module for module in network.modules() if isinstance(module, nn.BatchNorm2d)):
        norm.reset_running_stats()
        norm.momentum = None  # the plain mean of all batches
    network.train()
    for part in index.split(BATCH):
        network(samples.inputs(part, time_steps=network.plan.time_steps, seed=seed))
