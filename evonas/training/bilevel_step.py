"""The steps of a differentiable search: one of the weights of a relaxed network, one of its logits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, cast

import torch
from torch import Tensor, nn

from evonas.data.samples import Samples
from evonas.engine.training_log import FORWARD, TWO_PATHS, Trained
from evonas.errors import EvonasError, TrainingDivergedError
from evonas.expected_counts import PriceFunction
from evonas.snn.relaxed.expected_counter import unpriced_kinds
from evonas.snn.relaxed.space import M, MixtureLogits, RelaxedSpace
from evonas.task import Task
from evonas.training.batches import Batches
from evonas.training.optimizer import optimizer_of, parameter_groups
from evonas.training.surrogate_search import Searchable, SurrogateSearch
from evonas.training.training_settings import Relaxation, Training

REFERENCE_NETWORKS = 8
"""Networks that are drawn for the reference of the price."""


class BilevelSteps(Generic[M]):
    """A relaxed network in training and its logits, which are trained apart, each with an optimiser of its own.

    Args:
        relaxed: The network, and its fresh logits.
        samples: Training samples; steps name theirs by index.
        task: What is learnt.
        price: Price of the objective in nats.
        objective: The objective on expected counts.
        relaxation: How the relaxed network is trained.
        training: Learning rate, weight decay and clipping of the weights.
        weight_steps: How many steps of the weights there will be: the learning rate falls to 0 over them.
        generator: Of all draws.
        device: Where to train.
        search_surrogates: Begins a search of surrogate gradients in a network; None where none are searched.

    Attributes:
        logits: The logits.
    """

    def __init__(
        self,
        relaxed: RelaxedSpace[M],
        samples: Samples,
        *,
        task: Task,
        price: float,
        objective: PriceFunction,
        relaxation: Relaxation,
        training: Training,
        weight_steps: int,
        generator: torch.Generator,
        device: torch.device,
        search_surrogates: Callable[[Searchable], SurrogateSearch] | None,
    ) -> None:
        if not 0 < round(relaxation.weights_part * len(samples)) < len(samples):
            raise EvonasError(f"{len(samples)} training samples are too few to share them among weights and logits.")
        self._relaxation, self._training, self._generator = relaxation, training, generator
        self._price, self._objective, self._reference = price, objective, 1.0
        self._samples, self._task = Batches(samples, device), task
        self._seed, self._batches = generator.initial_seed(), 0
        self._network = relaxed.network
        module = cast(nn.Module, self._network).to(device).train()
        self._surrogates = None if search_surrogates is None else search_surrogates(self._network)
        self._steps = 0
        self._sample_steps = 0.0
        self.logits: MixtureLogits[M] = relaxed.logits(generator=generator)
        for kind in unpriced_kinds(objective):
            self.logits.leave_out(kind)
        self._counter = relaxed.network.counter()
        self._weights_optimizer = optimizer_of(parameter_groups(module), training)
        self._schedule = torch.optim.lr_scheduler.CosineAnnealingLR(self._weights_optimizer, weight_steps)
        groups = [
            {"params": self.logits.choices, "lr": relaxation.logit_rate},
            {"params": self.logits.numbers, "lr": relaxation.constant_rate},
        ]
        self._logits_optimizer = torch.optim.Adam(groups, betas=(0.5, 0.999))

    @property
    def trained(self) -> Trained:
        """What the training took so far."""
        return Trained(self._sample_steps, () if self._surrogates is None else tuple(self._surrogates.trace))

    @torch.no_grad()
    def set_reference(self, index: Tensor) -> None:
        """Let prices be relative to the mean objective of networks drawn now, on these samples."""
        objectives = []
        for _ in range(REFERENCE_NETWORKS):
            mixture = self.logits.network(temperature=self._relaxation.first_temperature, generator=self._generator)
            self._network(self._inputs(index), mixture, counter=self._counter)
            self._count(FORWARD * len(index), mixture)
            objectives.append(float(self._objective(self._counter.counts())))
        self._reference = max(sum(objectives) / len(objectives), torch.finfo(torch.float32).tiny)

    def step_of_weights(self, index: Tensor, *, temperature: float, looked_at: Tensor) -> float:
        """Take a step of the weights and return its loss.

        Args:
            index: Samples of the step.
            temperature: What logits are divided by.
            looked_at: Samples of this step and the next, on which surrogate gradients are searched where that is due.

        Raises:
            TrainingDivergedError: If the loss or the gradient is no longer a finite number.
        """
        self._steps += 1
        if self._surrogates is not None and self._surrogates.is_due(self._steps):
            self._search_surrogates(self._surrogates, looked_at, temperature)
        mixture = self._mixture_for_weights(temperature)
        loss: Tensor = self._task.loss(self._network(self._inputs(index), mixture), self._samples.labels[index])
        _check_finite(loss, "weights")
        self._weights_optimizer.zero_grad(
            set_to_none=True
        )  # branches that were not drawn have no gradient, and so no step
        loss.backward()
        length = nn.utils.clip_grad_norm_(self._network.parameters(), self._training.clip_norm)
        if not torch.isfinite(length):
            raise TrainingDivergedError(f"The gradient norm is {length} in a step of the weights.")
        self._weights_optimizer.step()
        self._schedule.step()
        self._count(len(index), mixture)
        return loss.item()

    def step_of_logits(self, index: Tensor, *, temperature: float) -> tuple[float, float]:
        """Take a step of logits and constants; return its loss and the expected objective in its unit.

        Raises:
            TrainingDivergedError: If the loss is no longer a finite number.
        """
        if self._relaxation.paths == "all":
            mixture = self.logits.mixture(temperature=temperature)
        else:
            mixture = self.logits.two_paths(temperature=temperature, generator=self._generator)
        answers = self._network(self._inputs(index), mixture, counter=self._counter)
        loss: Tensor = self._task.loss(answers, self._samples.labels[index])
        objective = self._objective(self._counter.counts())
        total = loss + self._price * objective / self._reference
        _check_finite(total, "logits")
        trained = [*self.logits.choices, *self.logits.numbers]
        before = [values.detach().clone() for values in trained]
        for values, gradient in zip(trained, torch.autograd.grad(total, trained, allow_unused=True), strict=True):
            values.grad = gradient
        self._logits_optimizer.step()
        with torch.no_grad():  # what was not contested stays, where the momentum of earlier steps would move it
            for values, former in zip(trained, before, strict=True):
                if values.grad is not None:
                    values.copy_(torch.where(values.grad == 0, former, values))
        self.logits.keep_bounds()
        self._count(TWO_PATHS * len(index), mixture)
        return loss.item(), objective.item()

    def _mixture_for_weights(self, temperature: float) -> M:
        if self._relaxation.paths == "all":
            return self.logits.mixture(temperature=temperature).detached()
        return self.logits.network(temperature=temperature, generator=self._generator)

    def _search_surrogates(self, search: SurrogateSearch, samples: Tensor, temperature: float) -> None:
        mixture = self._mixture_for_weights(temperature)
        batch = self._batches = self._batches + 1  # all candidates are compared on the same inputs

        def losses(index: Tensor) -> Tensor:
            answers = self._network(self._inputs(index, batch=batch), mixture)
            found: Tensor = self._task.losses(answers, self._samples.labels[index])
            return found

        before = search.samples
        search.move(losses, samples, learning_rate=float(self._schedule.get_last_lr()[0]))
        self._count(search.samples - before, mixture)

    def _inputs(self, index: Tensor, *, batch: int | None = None) -> Tensor:
        """Return the inputs of a batch, a new one unless its number is given, for the longest networks."""
        if batch is None:
            batch = self._batches = self._batches + 1
        steps = self._network.most_time_steps
        return self._samples.inputs(index, time_steps=steps, seed=(self._seed, batch))

    def _count(self, samples: float, mixture: M) -> None:
        self._sample_steps += samples * self._network.time_steps(mixture)


def _check_finite(loss: Tensor, what: str) -> None:
    if not torch.isfinite(loss):
        raise TrainingDivergedError(f"The loss is {loss.item()} in a step of the {what}.")
