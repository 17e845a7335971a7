"""A relaxed network of a plan whose neurons are given: all connections that any network has, each with a weight."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol, cast

import torch
from torch import Tensor, nn

from evonas.architecture.plan import INPUT, Plan, PlannedPopulation
from evonas.errors import SpaceError
from evonas.snn.gates import Gating
from evonas.snn.network import Network, check_data, joined, summed
from evonas.snn.neurons import Neuron, by_temperature
from evonas.snn.relaxed.expected_counter import ExpectedCounter
from evonas.snn.relaxed.neurons import Output
from evonas.snn.relaxed.products import Factors, Products, Values
from evonas.snn.relaxed.space import Mixture


@dataclass(frozen=True)
class WeightedPlan:
    """The populations and connections of all networks of a mixture.

    Attributes:
        plan: All of them, without delays and dropout; the readout reads every population that a network could end with.
        weight: Connection to the factors of the weight of its current.
        presence: Connection or population to the factors of the probability that a network of the mixture has it.
        choices: Relays that stand for one of the populations that they read: a network has that one in their place.
    """

    plan: Plan
    weight: Mapping[str, Factors]
    presence: Mapping[str, Factors]
    choices: frozenset[str] = frozenset()


class WeightedMixture(Mixture, Protocol):
    """A mixture that says what the factors of weights and of presences are."""

    def factors(self) -> Mapping[str, Tensor]:
        """Return the value of every factor that the plan names."""


class WeightedNetwork(nn.Module):
    """All networks of a weighted plan, as `evonas.snn.relaxed.space.MixtureNetwork`.

    What is mixed are the currents at the membrane of a population, so that neurons send spikes in mixtures too; each
    temperature among them has its own gradient. What has weight 0 is not computed. If all weights are 0 or 1, the
    outputs are those of the single network to the last bit.

    Args:
        plan: All populations and connections.

    Raises:
        SpaceError: If a connection has a delay or dropout.
    """

    def __init__(self, plan: WeightedPlan) -> None:
        super().__init__()
        unknown = [edge.name for edge in plan.plan.connections if edge.delay or edge.dropout]
        if unknown:
            raise SpaceError(
                f"The connection {unknown[0]!r} has a delay or dropout, which a relaxed network has not. Leave it out."
            )
        self.plan = plan
        self.all = Network(plan.plan)
        self._weights = Products(plan.weight)
        self._presences = Products(plan.presence)

    @property
    def most_time_steps(self) -> int:
        """Time steps of all networks."""
        return self.plan.plan.time_steps

    def time_steps(self, mixture: WeightedMixture) -> int:
        """Return the time steps of a mixture, the same for all."""
        return self.plan.plan.time_steps

    def counter(self) -> ExpectedCounter:
        """Return a counter of what this network does, to hand to `forward`."""
        return ExpectedCounter(self.plan.plan)

    @property
    def surrogate_widths(self) -> Mapping[str, float]:
        """Stage to the width of its surrogate gradient; as in `Network`, a stage is a resolution."""
        return self.all.surrogate_widths

    def set_surrogate_width(self, stage: str, width: float) -> None:
        """Give the surrogate gradient of a stage this width."""
        self.all.set_surrogate_width(stage, width)

    def forward(self, data: Tensor, mixture: WeightedMixture, *, counter: ExpectedCounter | None = None) -> Tensor:
        """Return `(batch, classes)` logits.

        Args:
            data: `(time, batch, c, h, w)`; a static image has time 1.
            mixture: The factors.
            counter: Counts this batch.

        Raises:
            ValueError: If the data do not have the planned shape, or neither 1 nor all time steps.
        """
        plan, factors = self.plan.plan, mixture.factors()
        check_data(data, input_shape=plan.input_shape, time_steps=plan.time_steps)
        weights = self._weights.of(factors, data.device)
        presences: Mapping[str, Tensor] = {}
        if counter is not None:
            presences = self._presences.of(factors, data.device).values
            counter.begin(data, running=torch.ones(plan.time_steps, device=data.device))
        images: dict[tuple[str, ...], Tensor] = {(INPUT,): data.flatten(0, 1)}
        outputs = data
        for population in self._needed(weights):
            currents = by_temperature(self._currents(population, images, weights, batch=data.shape[1]))
            outputs = cast(Neuron, self.all.neurons[population.name]).fire(currents)
            images[(population.name,)] = outputs.reshape(-1, *population.shape)
            if counter is not None:
                self._count(counter, population, outputs, images, presences, weights)
        return outputs.flatten(2).mean(0)

    def _currents(
        self, population: PlannedPopulation, images: dict[tuple[str, ...], Tensor], weights: Values, *, batch: int
    ) -> Iterator[tuple[float | None, Tensor]]:
        """Yield the temperature and the weighted `(time, batch, ...)` current of each connection."""
        for edge in population.incoming:
            number = weights.numbers[edge.name]
            if number == 0:
                continue
            current: Tensor = self.all.operations[edge.name](joined(images, edge.sources)).unflatten(0, (-1, batch))
            if weights.trained or number != 1:
                current = weights.values[edge.name] * current
            yield edge.temperature, current

    def _needed(self, weights: Values) -> list[PlannedPopulation]:
        """Return the populations from which connections of weights other than 0 lead to the readout, and itself."""
        populations = self.plan.plan.populations
        needed = {populations[-1].name}
        for population in reversed(populations):
            if population.name in needed:
                for edge in population.incoming:
                    if weights.numbers[edge.name] != 0:
                        needed.update(edge.sources)
        return [population for population in populations if population.name in needed]

    def _count(
        self,
        counter: ExpectedCounter,
        population: PlannedPopulation,
        outputs: Tensor,
        images: dict[tuple[str, ...], Tensor],
        presences: Mapping[str, Tensor],
        weights: Values,
    ) -> None:
        name, first, presence = population.name, population.incoming[0], presences[population.name]
        if name in self.plan.choices:
            read = [
                (weights.values[edge.name], edge.sources)
                for edge in population.incoming
                if weights.numbers[edge.name] != 0
            ]
            rates = summed(weight * counter.rates(sources) for weight, sources in read)
            real = summed(weight * counter.real(sources) for weight, sources in read)
            counter.hand_on(name, rates, real=real, presence=0 * presence)
        elif first.gate:
            gating = cast(Gating, self.all.operations[first.name])
            scoring = gating.scoring(joined(images, first.sources)).unflatten(0, (-1, outputs.shape[1])).mean(1)
            counter.gate(first.name, scoring=scoring, presence=presences[first.name])
            keeps = first.gate.element == "binary"  # a real one leaves what is not zero
            rates = outputs.mean(1) if keeps else counter.rates(first.sources)
            real = counter.real(first.sources) if keeps else torch.ones_like(presence)
            counter.hand_on(name, rates, real=real, presence=presence)
        elif first.operation == "resize" and not self.plan.choices.isdisjoint(first.sources):
            counter.deliver(first.name, presence=presences[first.name])
            real = counter.real(first.sources)
            rates = self.all.operations[first.name](counter.rates(first.sources))
            counter.step(math.prod(population.shape), presence=presence * (1 - real))  # of real numbers it is a sum
            counter.hand_on(name, rates, real=real, presence=presence * (1 - real))
        else:
            _count_neurons(counter, population, outputs, presences, weights)


def _count_neurons(
    counter: ExpectedCounter,
    population: PlannedPopulation,
    outputs: Tensor,
    presences: Mapping[str, Tensor],
    weights: Values,
) -> None:
    for edge in population.incoming:
        if weights.numbers[edge.name] != 0:
            counter.deliver(edge.name, presence=presences[edge.name])
    presence = presences[population.name]
    if population.state:
        adaptive = presence if population.dynamics.kind == "alif" else None
        counter.step(math.prod(population.shape), presence=presence, adaptive=adaptive)
    if population.dynamics.kind != "readout":
        sent = Output(outputs, None, is_spiking=population.element == "binary")
        counter.fire(population.name, [sent], presence=0 * presence if population.is_sum else presence)
