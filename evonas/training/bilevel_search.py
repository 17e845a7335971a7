"""The differentiable search: weights and logits of a relaxed network learn in turns, on parts of the training data.

Bi-level and first order: the logits follow the gradient at the weights as they are, and no step of the weights is
differentiated. Validation data are never read.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Generic

import torch
from torch import Tensor

from evonas.data.dataset import SearchData
from evonas.data.samples import Samples
from evonas.engine.evaluation import Result
from evonas.engine.gradient_search import GradientSearch
from evonas.engine.job import Job
from evonas.errors import EvonasError, SpaceError
from evonas.expected_counts import PriceFunction, total_spikes
from evonas.genotype import Genotype
from evonas.snn.relaxed.space import M, RelaxedSpace
from evonas.space import Space
from evonas.task import Task
from evonas.training.bilevel_step import BilevelSteps
from evonas.training.process import seeded, torch_threads
from evonas.training.seeds import search_seed
from evonas.training.surrogate_search import Searchable, SurrogateSearch, samples_from
from evonas.training.trainer import surrogate_search_of
from evonas.training.training_settings import Relaxation, Training
from evonas.variables import Scalar

DRAWS = 1000
"""Draws before the search for distinct networks is given up."""


class BilevelSearcher:
    """Does search jobs: `searcher(job)` returns the genotypes that the search of `job` proposes.

    All depends on the run's seed and the settings of the job alone, on one kind of device with one number of threads.

    Args:
        space: A space with `relax`.
        data: Training samples; those for validation are not read.
        price: The priced objective as a function of expected counts.
        training: How weights are trained; the schedule is that of the search.
        threads: Threads of torch while it works; results on other numbers of threads differ in the last bits.
        device: Where to train.
    """

    def __init__(
        self,
        space: Space,
        data: SearchData,
        *,
        price: PriceFunction,
        training: Training,
        threads: int = 1,
        device: str = "cpu",
    ) -> None:
        self._space = space
        self._data = data
        self._price = price
        self._training = training
        self._threads = threads
        self._device = torch.device(device)

    def __call__(self, job: Job) -> Result:
        """Return the genotypes that `job` proposes.

        Raises:
            TrainingDivergedError: If a loss is no longer a finite number.
            EvonasError: If the settings do not fit the space or the data.
        """
        given = GradientSearch.of(job.settings)
        relaxation = Relaxation(
            warm_up=given.warm_up,
            epochs=given.epochs,
            paths=given.paths,
            proposals=given.proposals,
            batch_size=self._training.batch_size,
        )
        with torch_threads(self._threads):
            return differentiable_search(
                self._space,
                self._data,
                context=given.context,
                price=given.price,
                objective_price=self._price,
                relaxation=relaxation,
                training=self._training,
                seed=search_seed(job),
                device=self._device,
            )


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
) -> Result:
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
    with seeded(seed, device=device):
        relaxed: RelaxedSpace[Any] = space.relax(context, data.input_shape, data.task.outputs)
        return _Search(
            space,
            relaxed,
            data.train,
            task=data.task,
            price=price,
            objective=objective_price or total_spikes,
            relaxation=relaxation,
            training=training,
            generator=torch.Generator().manual_seed((seed ^ 0x5EA2C4) % 2**63),
            device=device,
            search_surrogates=surrogate_search_of(space, training),
        ).run()


class _Search(Generic[M]):
    """One search: which samples train what, epoch by epoch, and what is decoded in the end."""

    def __init__(
        self,
        space: Space,
        relaxed: RelaxedSpace[M],
        samples: Samples,
        *,
        task: Task,
        price: float,
        objective: PriceFunction,
        relaxation: Relaxation,
        training: Training,
        generator: torch.Generator,
        device: torch.device,
        search_surrogates: Callable[[Searchable], SurrogateSearch] | None,
    ) -> None:
        self.space, self.relaxed, self.relaxation, self.generator = space, relaxed, relaxation, generator
        self.device = device
        count = len(samples)
        of_weights = round(relaxation.weights_part * count)
        self.steps = BilevelSteps(
            relaxed,
            samples,
            task=task,
            price=price,
            objective=objective,
            relaxation=relaxation,
            training=training,
            weight_steps=math.ceil(of_weights / relaxation.batch_size) * (relaxation.warm_up + relaxation.epochs),
            generator=generator,
            device=device,
            search_surrogates=search_surrogates,
        )
        order = torch.randperm(count, generator=generator)
        self.for_weights, self.for_logits = order[:of_weights], order[of_weights:]

    def run(self) -> Result:
        """Train, and return the networks that are decoded and what the training took."""
        epochs = [self._epoch(epoch) for epoch in range(-self.relaxation.warm_up, 0)]
        self.steps.set_reference(self.for_logits[: self.relaxation.batch_size])
        epochs += [self._epoch(epoch) for epoch in range(self.relaxation.epochs)]
        proposals = self._decoded_networks()
        return Result(proposals=proposals, trained=replace(self.steps.trained, epochs=tuple(map(asdict, epochs))))

    @torch.no_grad()
    def _decoded_networks(self) -> tuple[Genotype, ...]:
        """Return the decoded network and distinct ones drawn from the mixture, fewer where it holds fewer."""
        temperature = self.relaxation.last_temperature
        first = self._decoded(self.steps.logits.mixture(temperature=temperature))
        found = [] if first is None else [first]
        for _ in range(DRAWS):
            if len(found) == self.relaxation.proposals:
                break
            genotype = self._decoded(self.steps.logits.network(temperature=temperature, generator=self.generator))
            if genotype is not None and genotype not in found:
                found.append(genotype)
        if not found:
            raise EvonasError(
                f"Of {DRAWS:,} networks drawn from the mixture none lies within what the space was narrowed to."
            )
        return tuple(found)

    def _decoded(self, mixture: M) -> Genotype | None:
        """Return the network of a mixture, None where it lies outside what the space was narrowed to."""
        try:
            genotype = self.relaxed.discretise(mixture)
            return self.space.genotype(genotype) if self.space.is_narrowed else genotype
        except SpaceError:
            if not self.space.is_narrowed:
                raise
            return None

    def _epoch(self, epoch: int) -> Epoch:
        """Train for one epoch; those below 0 are the warm-up."""
        temperature = self.relaxation.temperature(epoch)
        losses, logits_losses, objectives = [], [], []
        others = self._endless(self.for_logits)
        batches = self._shuffled(self.for_weights)
        for position, index in enumerate(batches):
            size = self.relaxation.batch_size
            looked_at = samples_from(torch.cat(batches), first=position * size, batch_size=size)
            losses.append(self.steps.step_of_weights(index, temperature=temperature, looked_at=looked_at))
            if epoch >= 0:
                loss, objective = self.steps.step_of_logits(next(others), temperature=temperature)
                logits_losses.append(loss)
                objectives.append(objective)
        return Epoch(
            temperature,
            weights_loss=_mean(losses),
            logits_loss=_mean(logits_losses) if epoch >= 0 else None,
            objective=_mean(objectives) if epoch >= 0 else None,
            entropy=self.steps.logits.entropy(),
        )

    def _shuffled(self, samples: Tensor) -> tuple[Tensor, ...]:
        order = torch.randperm(len(samples), generator=self.generator)
        batches: tuple[Tensor, ...] = samples[order].to(self.device).split(self.relaxation.batch_size)
        return batches

    def _endless(self, samples: Tensor) -> Iterator[Tensor]:
        while True:
            yield from self._shuffled(samples)


def _mean(values: list[float]) -> float:
    return sum(values) / len(values)
