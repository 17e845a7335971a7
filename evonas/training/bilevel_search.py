"""The differentiable search: weights and logits of a relaxed network learn in turns, on parts of the training data.

Bi-level and first order: the logits follow the gradient at the weights as they are, and no step of the weights is
differentiated. Validation data are never read.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace

import torch
from torch import Tensor, nn

from evonas.data.dataset import Samples, SearchData
from evonas.engine.returned import Returned
from evonas.engine.training_log import FORWARD, TWO_PATHS, Trained
from evonas.errors import EvonasError, SpaceError, TrainingDivergedError
from evonas.expected_counts import PriceFunction, total_spikes
from evonas.snn.relaxed.expected_counter import ExpectedCounter, is_multiplying_priced
from evonas.snn.relaxed.logits import Logits
from evonas.snn.relaxed.mixture import NetworkMixture
from evonas.snn.relaxed.space import RelaxedSpace
from evonas.space import Genotype, Space
from evonas.training.bilevel_settings import Relaxation
from evonas.training.surrogate_search import Searchable, SurrogateSearch, samples_from
from evonas.training.trainer import as_tensors, optimizer_of, parameter_groups, surrogate_search_of
from evonas.training.training_settings import Training
from evonas.variables import Scalar

REFERENCE_NETWORKS = 8
"""Networks that are drawn for the reference of the price."""

DRAWS = 1000
"""Draws before the search for distinct networks is given up."""


@dataclass(frozen=True)
class Epoch:
    """What happened in an epoch: means over its steps.

    Attributes:
        temperature: What logits were divided by.
        weights_loss: Cross entropy in steps of the weights, in nats.
        logits_loss: Cross entropy in steps of the logits, without the price; None in the warm-up.
        objective: Expected value of what is priced, in its unit; None in the warm-up.
        entropy: Entropy of the choices at the end, relative to equal probabilities.
    """

    temperature: float
    weights_loss: float
    logits_loss: float | None
    objective: float | None
    entropy: float


def differentiable_search(
    space: Space,
    data: SearchData,
    *,
    context: Mapping[str, Scalar],
    price: float,
    objective_price: PriceFunction | None,
    relaxation: Relaxation,
    training: Training,
    seed: int,
    device: torch.device,
) -> Returned:
    """Return the network that the logits point at after a bi-level search, and further ones drawn from them.

    The same for the same seed and device. `trained` holds what the search took and, for each epoch, an `Epoch`.

    The logits minimise `cross entropy + price * objective / reference`. The reference is the mean objective of some
    networks drawn after the warm-up, so that a price is free of units: at 1, doing without all of the reference is
    worth one nat. (A logarithm would need no reference, but would reward networks that never spike without a limit.)

    Source: the alternation is that of DARTS (Liu et al., ICLR 2019) in its first-order form, as in SpikeDHS (Che et
    al., NeurIPS 2022). Departures: the logits have a price; time constants, thresholds, kinds of neurons and the number
    of time steps are searched too; branches are drawn.

    Args:
        space: A space that can be relaxed.
        data: Its training samples are split among weights and logits; its validation samples are not read.
        context: Sizes of the networks, as the `relax` of the space wants them.
        price: Price of the objective in nats.
        objective_price: The objective on expected counts; None for spikes.
        relaxation: How the relaxed network is trained.
        training: Learning rate, weight decay, clipping and search of surrogate gradients, as for single networks.
        seed: Of weights, logits, the split and all draws.
        device: Where to train.

    Raises:
        EvonasError: If the space cannot be relaxed, there are too few samples, or the price is negative.
        TrainingDivergedError: If a loss is no longer a finite number.
    """
    if space.relax is None:
        raise EvonasError("The space has no `relax`, so that it cannot be searched by gradients. Use another strategy.")
    if not 0 <= price < math.inf:
        raise EvonasError(f"The price of a differentiable search must be 0 or more, got {price}.")
    torch.manual_seed(seed % 2**63)
    relaxed: RelaxedSpace = space.relax(context, data.input_shape, data.classes)
    search = _Search(
        space,
        relaxed,
        data.train,
        price=price,
        objective=objective_price or total_spikes,
        relaxation=relaxation,
        training=training,
        generator=torch.Generator().manual_seed((seed ^ 0x5EA2C4) % 2**63),
        device=device,
        search_surrogates=surrogate_search_of(space, training),
    )
    trace = search.run()
    return Returned(proposals=search.found(), trained=replace(search.trained, epochs=tuple(map(asdict, trace))))


class _Search:
    """One search: the relaxed network, its logits, and what trains them."""

    def __init__(
        self,
        space: Space,
        relaxed: RelaxedSpace,
        samples: Samples,
        *,
        price: float,
        objective: PriceFunction,
        relaxation: Relaxation,
        training: Training,
        generator: torch.Generator,
        device: torch.device,
        search_surrogates: Callable[[Searchable], SurrogateSearch] | None,
    ) -> None:
        self.space = space
        self.relaxed, self.relaxation, self.training, self.generator = relaxed, relaxation, training, generator
        self.price, self.objective, self.reference = price, objective, 1.0
        self.inputs, self.labels = as_tensors(samples, device)
        self.network = relaxed.network.to(device).train()
        self.surrogates = None if search_surrogates is None else search_surrogates(self.network)
        self.steps = 0
        self.sample_steps = 0.0
        self.logits: Logits = relaxed.logits(generator=generator)
        if not is_multiplying_priced(objective):
            self.logits.leave_out("analog")
        self.counter = ExpectedCounter(relaxed.network.plan)
        order = torch.randperm(len(self.labels), generator=generator)
        of_weights = round(relaxation.weights_part * len(order))
        self.for_weights, self.for_logits = order[:of_weights], order[of_weights:]
        if not (len(self.for_weights) and len(self.for_logits)):
            raise EvonasError(f"{len(order)} training samples are too few to share them among weights and logits.")
        self.of_weights = optimizer_of(parameter_groups(self.network), training)
        steps = math.ceil(len(self.for_weights) / relaxation.batch_size) * (relaxation.warm_up + relaxation.epochs)
        self.schedule = torch.optim.lr_scheduler.CosineAnnealingLR(self.of_weights, steps)
        groups = [
            {"params": self.logits.choices, "lr": relaxation.logit_rate},
            {"params": self.logits.numbers, "lr": relaxation.constant_rate},
        ]
        self.of_logits = torch.optim.Adam(groups, betas=(0.5, 0.999))

    def run(self) -> tuple[Epoch, ...]:
        """Train, and return what happened."""
        trace = [self._epoch(epoch) for epoch in range(-self.relaxation.warm_up, 0)]
        self.reference = self._reference_objective()
        return (*trace, *(self._epoch(epoch) for epoch in range(self.relaxation.epochs)))

    @torch.no_grad()
    def found(self) -> tuple[Genotype, ...]:
        """Return the decoded network and distinct ones drawn from the mixture, fewer where it holds fewer."""
        temperature = self.relaxation.last_temperature
        first = self._decoded(self.logits.mixture(temperature=temperature))
        found = [] if first is None else [first]
        for _ in range(DRAWS):
            if len(found) == self.relaxation.proposals:
                break
            genotype = self._decoded(self.logits.network(temperature=temperature, generator=self.generator))
            if genotype is not None and genotype not in found:
                found.append(genotype)
        if not found:
            raise EvonasError(
                f"Of {DRAWS:,} networks drawn from the mixture none lies within what the space was narrowed to."
            )
        return tuple(found)

    def _decoded(self, mixture: NetworkMixture) -> Genotype | None:
        """Return the network of a mixture, None where it lies outside what the space was narrowed to."""
        try:
            genotype = self.relaxed.discretise(mixture)
            return self.space.genotype(genotype) if self.space.is_narrowed else genotype
        except SpaceError:
            if not self.space.is_narrowed:
                raise
            return None

    @property
    def trained(self) -> Trained:
        """What the training took so far."""
        return Trained(self.sample_steps, () if self.surrogates is None else tuple(self.surrogates.trace))

    def _epoch(self, epoch: int) -> Epoch:
        """Train for one epoch; those below 0 are the warm-up."""
        temperature = self.relaxation.temperature(epoch)
        losses, logits_losses, objectives = [], [], []
        others = self._endless(self.for_logits)
        batches = self._shuffled(self.for_weights)
        for position, index in enumerate(batches):
            self.steps += 1
            if self.surrogates is not None and self.surrogates.is_due(self.steps):
                size = self.relaxation.batch_size
                samples = samples_from(torch.cat(batches), first=position * size, batch_size=size)
                self._search_surrogates(self.surrogates, samples, temperature)
            losses.append(self._step_of_weights(index, temperature))
            if epoch >= 0:
                loss, objective = self._step_of_logits(next(others), temperature)
                logits_losses.append(loss)
                objectives.append(objective)
        return Epoch(
            temperature,
            weights_loss=_mean(losses),
            logits_loss=_mean(logits_losses) if epoch >= 0 else None,
            objective=_mean(objectives) if epoch >= 0 else None,
            entropy=self.logits.entropy(),
        )

    def _mixture_for_weights(self, temperature: float) -> NetworkMixture:
        if self.relaxation.paths == "all":
            return self.logits.mixture(temperature=temperature).detached()
        return self.logits.network(temperature=temperature, generator=self.generator)

    def _search_surrogates(self, search: SurrogateSearch, samples: Tensor, temperature: float) -> None:
        mixture = self._mixture_for_weights(temperature)

        def losses(index: Tensor) -> Tensor:
            answers = self.network(self.inputs[:, index], mixture)
            return nn.functional.cross_entropy(answers, self.labels[index], reduction="none")

        before = search.samples
        search.move(losses, samples, learning_rate=float(self.schedule.get_last_lr()[0]))
        self._count(search.samples - before, mixture)

    def _count(self, samples: float, mixture: NetworkMixture) -> None:
        self.sample_steps += samples * self.network.time_steps(mixture)

    def _step_of_weights(self, index: Tensor, temperature: float) -> float:
        mixture = self._mixture_for_weights(temperature)
        loss = nn.functional.cross_entropy(self.network(self.inputs[:, index], mixture), self.labels[index])
        _check_finite(loss, "weights")
        self.of_weights.zero_grad(set_to_none=True)  # branches that were not drawn have no gradient, and so no step
        loss.backward()
        length = nn.utils.clip_grad_norm_(self.network.parameters(), self.training.clip_norm)
        if not torch.isfinite(length):
            raise TrainingDivergedError(f"The gradient norm is {length} in a step of the weights.")
        self.of_weights.step()
        self.schedule.step()
        self._count(len(index), mixture)
        return loss.item()

    def _step_of_logits(self, index: Tensor, temperature: float) -> tuple[float, float]:
        if self.relaxation.paths == "all":
            mixture = self.logits.mixture(temperature=temperature)
        else:
            mixture = self.logits.two_paths(temperature=temperature, generator=self.generator)
        answers = self.network(self.inputs[:, index], mixture, counter=self.counter)
        loss = nn.functional.cross_entropy(answers, self.labels[index])
        objective = self.objective(self.counter.counts())
        total = loss + self.price * objective / self.reference
        _check_finite(total, "logits")
        trained = [*self.logits.choices, *self.logits.numbers]
        before = [values.detach().clone() for values in trained]
        for values, gradient in zip(trained, torch.autograd.grad(total, trained, allow_unused=True), strict=True):
            values.grad = gradient
        self.of_logits.step()
        with torch.no_grad():  # what was not contested stays, where the momentum of earlier steps would move it
            for values, former in zip(trained, before, strict=True):
                if values.grad is not None:
                    values.copy_(torch.where(values.grad == 0, former, values))
        self.logits.keep_bounds()
        self._count(TWO_PATHS * len(index), mixture)
        return loss.item(), objective.item()

    @torch.no_grad()
    def _reference_objective(self) -> float:
        index = self.for_logits[: self.relaxation.batch_size]
        objectives = []
        for _ in range(REFERENCE_NETWORKS):
            mixture = self.logits.network(temperature=self.relaxation.first_temperature, generator=self.generator)
            self.network(self.inputs[:, index], mixture, counter=self.counter)
            self._count(FORWARD * len(index), mixture)
            objectives.append(float(self.objective(self.counter.counts())))
        return max(_mean(objectives), torch.finfo(torch.float32).tiny)

    def _shuffled(self, samples: Tensor) -> tuple[Tensor, ...]:
        order = torch.randperm(len(samples), generator=self.generator)
        batches: tuple[Tensor, ...] = samples[order].to(self.labels.device).split(self.relaxation.batch_size)
        return batches

    def _endless(self, samples: Tensor) -> Iterator[Tensor]:
        while True:
            yield from self._shuffled(samples)


def _check_finite(loss: Tensor, what: str) -> None:
    if not torch.isfinite(loss):
        raise TrainingDivergedError(f"The loss is {loss.item()} in a step of the {what}.")


def _mean(values: list[float]) -> float:
    return sum(values) / len(values)
