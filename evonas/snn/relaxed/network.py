"""The relaxed network: all networks of the same fixed sizes at once, with the kernels of a single network."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor, nn

from evonas.architecture.neuron import Dynamics, Surrogate
from evonas.architecture.plan import INPUT, PlannedPopulation
from evonas.snn.kernels.scan import scan
from evonas.snn.network import check_data, joined
from evonas.snn.neurons import norse_parameters, summed
from evonas.snn.operations import make_operation
from evonas.snn.relaxed.expected_counter import ExpectedCounter
from evonas.snn.relaxed.mixture import NetworkMixture
from evonas.snn.relaxed.neurons import GAINS, Current, MixedNeurons, mixed
from evonas.snn.relaxed.plan import RelaxedPlan, factors
from evonas.snn.relaxed.products import Products, Values


class RelaxedNetwork(nn.Module):
    """All networks of a relaxed plan, time first: `(time, batch, c, h, w)` data and a `NetworkMixture` to logits.

    Operations, sources and levels are mixed as currents at the membranes of a node, so each node has one population
    that sends spikes. Kinds of neurons and resets are mixed as the outputs of populations on the same current, numbers
    of time steps as readouts after so many steps of one run. Time constants and thresholds are not mixed: there is one
    value per stage, or one per group of its channels. What has weight 0 is not computed. If all probabilities are 0 or
    1, the outputs are those of the single network to the last bit.

    Args:
        plan: All populations and connections.
        surrogate: The surrogate gradient of all spikes; its width can be set for each stage.
    """

    def __init__(self, plan: RelaxedPlan, *, surrogate: Surrogate) -> None:
        super().__init__()
        self.plan = plan
        self._surrogates = dict.fromkeys(sorted(set(plan.stage.values())), surrogate)
        self.operations = nn.ModuleDict({edge.name: make_operation(edge) for edge in plan.plan.connections})
        self._weights = Products(dict(plan.weight))
        self._presences = Products(dict(plan.presence))

    def surrogate(self, stage: int) -> Surrogate:
        """Return the surrogate gradient of the spikes of a stage."""
        return self._surrogates[stage]

    @property
    def surrogate_widths(self) -> dict[str, float]:
        """Stage to the width of its surrogate gradient."""
        return {str(stage): surrogate.width for stage, surrogate in self._surrogates.items()}

    def set_surrogate_width(self, stage: str, width: float) -> None:
        """Give the surrogate gradient of a stage this width."""
        self._surrogates[int(stage)] = replace(self._surrogates[int(stage)], width=width)

    @property
    def most_time_steps(self) -> int:
        """Time steps of the longest network: as many as inputs are made for."""
        return self.plan.plan.time_steps

    def counter(self) -> ExpectedCounter:
        """Return a counter of what this network does, to hand to `forward`."""
        return ExpectedCounter(self.plan.plan)

    def time_steps(self, mixture: NetworkMixture) -> int:
        """Return the largest number of time steps with probability above 0, for which the network runs."""
        options = zip(self.plan.sizes.time_steps, mixture.time_steps.tolist(), strict=True)
        return max(steps for steps, probability in options if probability)

    def forward(self, data: Tensor, mixture: NetworkMixture, *, counter: ExpectedCounter | None = None) -> Tensor:
        """Return `(batch, classes)` logits.

        Args:
            data: `(time, batch, c, h, w)`; a static image has time 1.
            mixture: The probabilities and constants.
            counter: Counts this batch.

        Raises:
            ValueError: If the data do not have the planned shape, or too few time steps.
        """
        sizes = self.plan.sizes
        longest = self.time_steps(mixture)
        data = data[:longest]
        check_data(data, input_shape=self.plan.plan.input_shape, time_steps=longest)
        values = factors(mixture, self.plan)
        run = _Run(self, mixture, self._weights.of(values, data.device), longest, counter)
        if counter is not None:
            run.presences = self._presences.of(values, data.device).values
            running = _running(mixture.time_steps, sizes.time_steps).to(data.device, torch.float32)
            counter.begin(data, running=running)
        potentials = run.potentials(data)
        return self._read(potentials, mixture.time_steps)

    def _read(self, potentials: Tensor, probabilities: Tensor) -> Tensor:
        """Return `(batch, classes)` logits: mean potentials for each number of time steps, weighted by probability."""
        logits: Tensor | None = None
        for steps, probability in zip(self.plan.sizes.time_steps, probabilities.unbind(), strict=True):
            if probability.item() > 0:
                part = probability.to(potentials) * potentials[:steps].mean(0)
                logits = part if logits is None else logits + part
        assert logits is not None
        return logits


class _Run:
    """One forward pass through the network."""

    def __init__(
        self,
        network: RelaxedNetwork,
        mixture: NetworkMixture,
        weights: Values,
        time_steps: int,
        counter: ExpectedCounter | None,
    ) -> None:
        self.network, self.mixture, self.weights = network, mixture, weights
        self.time_steps, self.counter = time_steps, counter
        self.presences: dict[str, Tensor] = {}
        self._stages: dict[int, MixedNeurons] = {}

    def potentials(self, data: Tensor) -> Tensor:
        """Return `(time, batch, classes)` potentials of the readout."""
        populations = self.network.plan.plan.populations
        needed = self._needed()
        batch = data.shape[1]
        images: dict[tuple[str, ...], Tensor] = {(INPUT,): data.flatten(0, 1)}
        for population in populations[:-1]:
            if population.name in needed:
                stage = self.network.plan.stage[population.name]
                neurons = self._neurons(stage, data.device)
                sent = neurons.send(self._currents(population, images, batch=batch))
                images[(population.name,)] = mixed(sent).flatten(0, 1)
                if self.counter is not None:
                    presence = self.presences[population.name]
                    self.counter.fire(population.name, sent, presence=presence)
                    self.counter.step(
                        _size(population),
                        presence=presence * neurons.probability_of_state,
                        adaptive=presence * neurons.probability_of_adaptation,
                    )
        readout = populations[-1]
        total = summed(current.value for current in self._currents(readout, images, batch=batch))
        if self.counter is not None:
            self.counter.step(_size(readout), presence=self.presences["readout"])
        tau = self.mixture.readout_tau_mem_ms.to(data.device, torch.float32)
        parameters = norse_parameters(Dynamics("readout"), {"tau_mem_ms": tau})
        return scan(total, parameters, time_steps=self.time_steps)

    def _needed(self) -> set[str]:
        """Return the populations from which connections of weights other than 0 lead to the readout."""
        populations = self.network.plan.plan.populations
        needed = {populations[-1].name}
        for population in reversed(populations):
            if population.name in needed:
                for edge in population.incoming:
                    if self.weights.numbers[edge.name] != 0:
                        needed.update(edge.sources)
        return needed

    def _currents(
        self, population: PlannedPopulation, images: dict[tuple[str, ...], Tensor], *, batch: int
    ) -> list[Current]:
        currents = []
        for edge in population.incoming:
            number = self.weights.numbers[edge.name]
            if number == 0:
                continue
            value = self.network.operations[edge.name](joined(images, edge.sources)).unflatten(0, (-1, batch))
            if self.weights.trained or number != 1:
                value = self.weights.values[edge.name] * value
            currents.append(Current(value, GAINS.get(edge.operation)))
            if self.counter is not None:
                self.counter.deliver(edge.name, presence=self.presences[edge.name])
        return currents

    def _neurons(self, stage: int, device: torch.device) -> MixedNeurons:
        if stage not in self._stages:
            self._stages[stage] = MixedNeurons(
                self.mixture,
                stage,
                channels=self.network.plan.sizes.channels * 2**stage,
                surrogate=self.network.surrogate(stage),
                time_steps=self.time_steps,
                device=device,
            )
        return self._stages[stage]


def _size(population: PlannedPopulation) -> int:
    channels, height, width = population.shape
    return channels * height * width


def _running(probabilities: Tensor, options: tuple[int, ...]) -> Tensor:
    """Return `(time,)` probabilities that a network still runs at each time step, up to the last possible one."""
    steps = [
        sum(
            (probability for probability, option in zip(probabilities.unbind(), options, strict=True) if option > step),
            0 * probabilities[0],
        )
        for step in range(
            max(option for option, probability in zip(options, probabilities.tolist(), strict=True) if probability)
        )
    ]
    return torch.stack(steps)
