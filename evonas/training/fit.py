"""The fit: a network and its training, an epoch at a time, which can be left and taken up again."""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from evonas.errors import EvonasError, TrainingDivergedError
from evonas.snn.network import Network
from evonas.task import RateTask, Task
from evonas.training.batches import Batches
from evonas.training.optimizer import flattened, optimizer_of, parameter_groups
from evonas.training.surrogate_search import SurrogateSearch, samples_from
from evonas.training.training_settings import Training
from evonas.training.weight_average import WeightAverage

NORM_MOMENTUM = 0.1
"""Weight of a new batch in the running statistics of the batch norms, once there have been ten."""


class Fit:
    """The training of one network. Its `state` after an epoch, taken up, leads to the same weights as going on does.

    The order of the samples and what inputs draw depend on the seed, the epoch and the step alone; what the network
    draws while it is trained comes from torch's global generators, whose state is a part of that of the fit.

    Args:
        network: As it was drawn; it is put into the mode of training.
        samples: What it is trained on.
        task: What is learnt.
        training: How.
        seed: Of the order of the samples and of what inputs draw.
        search: Searches its surrogate gradients; None where each keeps its own.
        average: Averages its weights; None for no average.
        precision: A context in which losses are computed, such as `torch.autocast`.
        weights: Returns a context in which the network has the weights that it computes with, such as rounded ones,
            and whose gradients are those of its own; None for its own.

    Attributes:
        epochs: Epochs done.

    Raises:
        EvonasError: If nothing in the network can be trained.
    """

    def __init__(
        self,
        network: Network,
        samples: Batches,
        task: Task,
        *,
        training: Training,
        seed: int,
        search: SurrogateSearch | None = None,
        average: WeightAverage | None = None,
        precision: AbstractContextManager[Any] | None = None,
        weights: Callable[[], AbstractContextManager[Any]] | None = None,
    ) -> None:
        self._network, self._samples, self._task = network, samples, task
        self._training, self._seed = training, seed
        groups = [flattened(group) for group in parameter_groups(network)]
        self._flat = [parameter for group in groups for parameter in group]
        self._gradients = [parameter.grad for parameter in self._flat if parameter.grad is not None]
        self._optimizer = optimizer_of(groups, training)
        self._batches = math.ceil(len(samples) / training.batch_size)
        steps = training.epochs * self._batches
        self._schedule = learning_rate_schedule(self._optimizer, steps=steps, warm_up=training.warm_up)
        self._norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
        self._search, self._average = search, average
        self._precision = nullcontext() if precision is None else precision
        self._weights = weights or nullcontext
        self.epochs, self._step, self._seen = 0, 0, 0

    @property
    def sample_steps(self) -> float:
        """Samples that went forward and backward so far, those of searches included, times their time steps."""
        searched = 0.0 if self._search is None else self._search.samples
        return float((self._seen + searched) * self._network.plan.time_steps)

    def run_epoch(self) -> float:
        """Train for one more epoch, and return the mean loss of its steps.

        Raises:
            TrainingDivergedError: If the loss is no longer a finite number.
        """
        self._network.train()
        shuffle = torch.Generator().manual_seed((self._seed + 0x9E3779B97F4A7C15 * (self.epochs + 1)) % 2**63)
        order = torch.randperm(len(self._samples), generator=shuffle).to(self._samples.labels.device)
        total = torch.zeros((), device=order.device)
        for index in order.split(self._training.batch_size):
            total += self._stepped(index, order)
        self.epochs += 1
        return total.item() / self._batches

    def _stepped(self, index: Tensor, order: Tensor) -> Tensor:
        """Do one step on the samples at `index`, and return its loss."""
        self._step, self._seen = self._step + 1, self._seen + len(index)
        for norm in self._norms:  # a plain mean at first, so that short trainings do not keep the initial statistics
            norm.momentum = max(1 / self._step, NORM_MOMENTUM)
        with self._weights():
            loss = self._with_gradients(index, order)
        self._check(nn.utils.clip_grad_norm_(self._flat, self._training.clip_norm), what="gradient norm")
        self._optimizer.step()
        self._schedule.step()
        if self._average is not None:
            self._average.add(self._step)
        return loss.detach()

    def _with_gradients(self, index: Tensor, order: Tensor) -> Tensor:
        """Return the loss of the samples at `index`, after the gradients of the network have become those of it."""
        seed = (self._seed, self._step)
        if self._search is not None and self._search.is_due(self._step):
            first = (self._step - 1) % self._batches * self._training.batch_size
            looked_at = samples_from(order, first=first, batch_size=self._training.batch_size)
            rate = float(self._schedule.get_last_lr()[0])
            self._search.move(partial(self._losses, seed), looked_at, learning_rate=rate)
        inputs = self._samples.inputs(index, time_steps=self._network.plan.time_steps, seed=seed)
        with self._precision:
            loss = loss_of(self._network, inputs, self._samples.labels[index], task=self._task, training=self._training)
        self._check(loss, what="loss")
        for gradient in self._gradients:
            gradient.zero_()
        loss.backward()
        return loss

    def _check(self, value: Tensor, *, what: str) -> None:
        if not torch.isfinite(value):
            epoch, epochs = self.epochs + 1, self._training.epochs
            raise TrainingDivergedError(f"The {what} is {value.item()} in epoch {epoch} of {epochs}.")

    def _losses(self, seed: Sequence[int], samples: Tensor) -> Tensor:
        inputs = self._samples.inputs(samples, time_steps=self._network.plan.time_steps, seed=seed)
        losses: Tensor = self._task.losses(self._network(inputs), self._samples.labels[samples])
        return losses

    def state(self) -> dict[str, Any]:
        """Return all that the next epochs depend on: tensors, numbers and texts, which `take_up` takes."""
        generators = {"cpu": torch.get_rng_state()}
        device = self._samples.labels.device
        if device.type == "cuda":
            generators["cuda"] = torch.cuda.get_rng_state(device)
        return {
            "epochs": self.epochs,
            "step": self._step,
            "seen": self._seen,
            "network": self._network.state_dict(),
            "optimizer": self._optimizer.state_dict(),
            "schedule": self._schedule.state_dict(),
            "generators": generators,
            "search": None if self._search is None else self._search.state(),
            "average": None if self._average is None else self._average.state(),
        }

    def take_up(self, state: dict[str, Any]) -> None:
        """Go on from the state of another fit of the same network, samples and settings.

        Raises:
            EvonasError: If it is the state of another network.
        """
        try:
            self._network.load_state_dict(state["network"])  # in place: the flat parameters are the same memory
            self._optimizer.load_state_dict(state["optimizer"])
            self._schedule.load_state_dict(state["schedule"])
            if self._search is not None:
                self._search.take_up(state["search"])
            if self._average is not None:
                self._average.take_up(state["average"])
            torch.set_rng_state(state["generators"]["cpu"])
            if self._samples.labels.device.type == "cuda":
                torch.cuda.set_rng_state(state["generators"]["cuda"], self._samples.labels.device)
            self.epochs, self._step, self._seen = (int(state[name]) for name in ("epochs", "step", "seen"))
        except (KeyError, TypeError, ValueError, RuntimeError, AttributeError) as error:
            raise EvonasError(f"the state is of another training ({error})") from error


def state_bytes(state: Mapping[str, Any]) -> bytes:
    """Return a state as the content of a file: tensors, numbers and texts."""
    file = io.BytesIO()
    torch.save(dict(state), file)
    return file.getvalue()


def state_from(content: bytes) -> dict[str, Any]:
    """Return the state that `state_bytes` has put into a file, on the CPU; nothing of it is executed.

    A damaged file may raise anything.
    """
    state: dict[str, Any] = torch.load(io.BytesIO(content), weights_only=True, map_location="cpu")
    return state


def loss_of(network: Any, inputs: Tensor, targets: Tensor, *, task: Task, training: Training) -> Tensor:
    """Return the loss of a batch as `training` asks for it: of the mean over time, or the mean of that of each step.

    Args:
        network: A network, perhaps a user's own module.
        inputs: `(time, batch, channels, height, width)`.
        targets: `(batch, ...)`.
        task: What is learnt.
        training: Which loss, and how labels are smoothed.

    Raises:
        EvonasError: If the loss of each time step is asked for and the network does not answer at each, or squared
            errors are and the task has none.
    """
    smoothing = training.label_smoothing
    if training.loss == "squared_error":
        if not isinstance(task, RateTask):
            raise EvonasError(
                f'loss = "squared_error" is for classes, and the task is {task.summary}. Set it to "of_mean".'
            )
        of_rates: Tensor = task.squared_error(network(inputs), targets, label_smoothing=smoothing)
        return of_rates
    if training.loss == "of_mean":
        of_mean: Tensor = task.loss(network(inputs), targets, label_smoothing=smoothing)
        return of_mean
    if not hasattr(network, "potentials"):
        raise EvonasError(
            f"The network, a {type(network).__name__}, has no `potentials`, whose loss at each time step is asked "
            "for. Give it a method that returns the answers at each step, time first, or set training.loss to "
            '"of_mean".'
        )
    potentials = network.potentials(inputs)
    repeated = targets.repeat(len(potentials), *[1] * (targets.ndim - 1))
    of_steps: Tensor = task.loss(potentials.flatten(0, 1), repeated, label_smoothing=smoothing)
    return of_steps


def learning_rate_schedule(
    optimizer: torch.optim.Optimizer, *, steps: int, warm_up: float
) -> torch.optim.lr_scheduler.LRScheduler:
    """Return a line from 0 over a part `warm_up` of `steps`, then a cosine to 0; with no warm-up the cosine alone."""
    rising = min(round(warm_up * steps), steps - 1)
    if not rising:
        return torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)

    def factor(step: int) -> float:
        if step < rising:
            return (step + 1) / (rising + 1)
        return (1 + math.cos(math.pi * (step - rising) / (steps - rising))) / 2

    return torch.optim.lr_scheduler.LambdaLR(optimizer, factor)
