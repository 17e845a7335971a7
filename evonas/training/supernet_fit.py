"""The training of a supernet: a network is drawn for each batch, and its part of the weights does a step."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import nn

from evonas.errors import TrainingDivergedError
from evonas.genotype import Genotype
from evonas.snn.network import Network
from evonas.task import Task
from evonas.training.batches import Batches
from evonas.training.fit import NORM_MOMENTUM, learning_rate_schedule, loss_of
from evonas.training.optimizer import optimizer_of, parameter_groups
from evonas.training.supernet import Supernet
from evonas.training.training_settings import Training


class SupernetFit:
    """Trains a supernet an epoch at a time, with the optimiser and the loss of single networks.

    Weights outside of the drawn network keep their values and the momenta of the optimiser; the learning rate follows
    one cosine over all steps, whichever weights they are of.

    Source: uniform sampling of a path for each batch (Guo et al., ECCV 2020; AutoSNN, Na et al., ICML 2022). Departure:
    what is not drawn does not move, where older versions of torch, with gradients of zero, moved it by its momenta.

    Args:
        supernet: What is trained.
        samples: What it is trained on.
        task: What is learnt.
        training: How; its `epochs` are those of the whole schedule.
        draw: `draw(progress)` returns the network of the next batch, given the part of all batches so far.
        seed: Of the order of the samples and of what inputs draw.

    Attributes:
        sample_steps: Samples that went forward and backward so far, times the time steps of their networks.
    """

    def __init__(
        self,
        supernet: Supernet,
        samples: Batches,
        task: Task,
        *,
        training: Training,
        draw: Callable[[float], Genotype],
        seed: int,
    ) -> None:
        self._supernet, self._samples, self._task = supernet, samples, task
        self._training, self._draw, self._seed = training, draw, seed
        self._order = torch.Generator().manual_seed(seed % 2**63)
        first = supernet.network(draw(0.0))
        self._optimizer = optimizer_of(parameter_groups(first), training)
        self._known = set(supernet.parameters)  # held, so that no new one takes the place of one that is gone
        self._batches = math.ceil(len(samples) / training.batch_size)
        self._steps = training.epochs * self._batches
        self._schedule = learning_rate_schedule(self._optimizer, steps=self._steps, warm_up=training.warm_up)
        self._step, self.sample_steps = 0, 0.0

    def run_epoch(self) -> float:
        """Train for one more epoch, and return the mean loss of its steps.

        Raises:
            TrainingDivergedError: If the loss is no longer a finite number.
        """
        order = torch.randperm(len(self._samples), generator=self._order).to(self._samples.labels.device)
        losses = [self._stepped(index) for index in order.split(self._training.batch_size)]
        return sum(losses) / len(losses)

    def _stepped(self, index: torch.Tensor) -> float:
        network = self._supernet.network(self._draw(self._step / self._steps)).train()
        self._take_in(network)
        for norm in (module for module in network.modules() if isinstance(module, nn.BatchNorm2d)):
            batches = 0 if norm.num_batches_tracked is None else int(norm.num_batches_tracked)
            norm.momentum = max(1 / (batches + 1), NORM_MOMENTUM)  # as for single networks, by the batches of each norm
        self._step += 1
        self.sample_steps += len(index) * network.plan.time_steps
        inputs = self._samples.inputs(index, time_steps=network.plan.time_steps, seed=(self._seed, self._step))
        loss = loss_of(network, inputs, self._samples.labels[index], task=self._task, training=self._training)
        if not torch.isfinite(loss):
            raise TrainingDivergedError(f"The loss of the supernet is {loss.item()} at step {self._step}.")
        loss.backward()
        length = nn.utils.clip_grad_norm_(network.parameters(), self._training.clip_norm)
        if not torch.isfinite(length):
            raise TrainingDivergedError(f"The gradient norm of the supernet is {length.item()} at step {self._step}.")
        self._optimizer.step()
        self._schedule.step()
        network.zero_grad()  # to None, so that the optimiser leaves these weights alone until they are drawn again
        return loss.item()

    def _take_in(self, network: Network) -> None:
        """Hand weights that have just come into being to the optimiser."""
        for group, parameters in zip(self._optimizer.param_groups, parameter_groups(network), strict=True):
            new = [parameter for parameter in parameters if parameter not in self._known]
            group["params"].extend(new)
            self._known.update(new)
