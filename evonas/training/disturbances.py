"""Disturbances: what chips and sensors do to a trained network: noise, few bits, dead neurons, lost input."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol, cast

import torch
from torch import Tensor

from evonas.robustness import Against, disturbance_name
from evonas.snn.network import Network
from evonas.snn.neurons import Neuron
from evonas.training.chip_weights import weights_changed
from evonas.training.quantization import rounded


class Disturbance(Protocol):
    """Something that goes wrong with a trained network, or with what it sees."""

    @property
    def name(self) -> str:
        """What it is, for people."""
        ...

    @property
    def is_random(self) -> bool:
        """Whether one draw may differ from another."""
        ...

    def applied(self, network: Network, generator: torch.Generator) -> AbstractContextManager[None]:
        """Return a context in which a network is disturbed; afterwards it is as it was."""
        ...

    def seen(self, inputs: Tensor, generator: torch.Generator) -> Tensor:
        """Return what is left of `(time, batch, channels, height, width)` inputs."""
        ...


@dataclass(frozen=True)
class WeightNoise:
    """Each weight is off by a normal number, as in analog memory.

    Source: Joshi et al., Accurate deep neural network inference using computational phase-change memory (Nature
    Communications 11, 2020): the deviation is a part of the largest weight of the layer.

    Attributes:
        part: Standard deviation as a part of the largest absolute weight of the connection, norms folded in.
    """

    part: float

    @property
    def name(self) -> str:
        """What it is."""
        return disturbance_name("weight_noise", self.part)

    @property
    def is_random(self) -> bool:
        """Each draw has other weights."""
        return True

    def applied(self, network: Network, generator: torch.Generator) -> AbstractContextManager[None]:
        """Return a context in which a network has noisy weights."""

        def noisy(weight: Tensor) -> Tensor:
            noise = torch.randn(weight.shape, generator=generator).to(weight)
            return weight + self.part * weight.abs().max() * noise

        return weights_changed(network, noisy)

    def seen(self, inputs: Tensor, generator: torch.Generator) -> Tensor:
        """Return the inputs."""
        return inputs


@dataclass(frozen=True)
class FewBits:
    """Weights are whole multiples of one step for each connection, norms folded in; biases stay what they are.

    Attributes:
        bits: Of a weight, its sign included: 8 bits are -127 to 127 steps, the largest absolute weight 127.
    """

    bits: int

    @property
    def name(self) -> str:
        """What it is."""
        return disturbance_name("bits", self.bits)

    @property
    def is_random(self) -> bool:
        """Nothing is drawn."""
        return False

    def applied(self, network: Network, generator: torch.Generator) -> AbstractContextManager[None]:
        """Return a context in which a network has rounded weights."""
        return weights_changed(network, partial(rounded, bits=self.bits))

    def seen(self, inputs: Tensor, generator: torch.Generator) -> Tensor:
        """Return the inputs."""
        return inputs


@dataclass(frozen=True)
class DeadNeurons:
    """Neurons that send nothing, whatever reaches them: spiking and analog ones of all layers alike.

    Attributes:
        part: Of the neurons of the whole network; as many are drawn, to the nearest whole number.
    """

    part: float

    @property
    def name(self) -> str:
        """What it is."""
        return disturbance_name("dead_neurons", self.part)

    @property
    def is_random(self) -> bool:
        """Each draw has other dead neurons."""
        return True

    @contextmanager
    def applied(self, network: Network, generator: torch.Generator) -> Iterator[None]:
        """Return a context in which some neurons of a network are dead."""
        mortal = [one for one in network.plan.populations if one.dynamics.is_spiking or one.dynamics.kind == "analog"]
        sizes = [one.shape[0] * one.shape[1] * one.shape[2] for one in mortal]
        lives = torch.ones(sum(sizes))
        lives[torch.randperm(len(lives), generator=generator)[: round(self.part * len(lives))]] = 0
        with ExitStack() as stack:
            for one, alive in zip(mortal, lives.split(sizes), strict=True):
                neuron = cast(Neuron, network.neurons[one.name])
                stack.enter_context(_masked(neuron, alive.reshape(one.shape)))
            yield

    def seen(self, inputs: Tensor, generator: torch.Generator) -> Tensor:
        """Return the inputs."""
        return inputs


@dataclass(frozen=True)
class LostInput:
    """Events of the input that never arrive, each on its own; of an image, pixels that are 0 at all time steps.

    Attributes:
        part: Probability that one is lost. Of n events in one element of a frame a binomial number is left.
    """

    part: float

    @property
    def name(self) -> str:
        """What it is."""
        return disturbance_name("lost_input", self.part)

    @property
    def is_random(self) -> bool:
        """Each draw loses other events."""
        return True

    def applied(self, network: Network, generator: torch.Generator) -> AbstractContextManager[None]:
        """Return a context in which a network is as it is."""
        return nullcontext()

    def seen(self, inputs: Tensor, generator: torch.Generator) -> Tensor:
        """Return what is left: of frames of whole numbers as many events, of other elements all or nothing."""
        given = inputs.cpu()
        if len(inputs) > 1 and bool(((given == given.floor()) & (given >= 0)).all()):
            left = torch.binomial(given, torch.full_like(given, 1 - self.part), generator=generator)
        else:
            left = given * (torch.rand(given.shape, generator=generator) >= self.part)
        return left.to(inputs)


USUAL: tuple[Disturbance, ...] = (
    *(WeightNoise(part) for part in (0.01, 0.05, 0.1)),
    *(FewBits(bits) for bits in (8, 4)),
    *(DeadNeurons(part) for part in (0.05, 0.1)),
    *(LostInput(part) for part in (0.05, 0.1)),
)
"""Those that networks are put through."""


def disturbance_of(against: Against, amount: float) -> Disturbance:
    """Return the disturbance that `evonas.robustness.Robustness` names."""
    if against == "weight_noise":
        return WeightNoise(amount)
    if against == "bits":
        return FewBits(int(amount))
    return DeadNeurons(amount) if against == "dead_neurons" else LostInput(amount)


@contextmanager
def _masked(neuron: Neuron, alive: Tensor) -> Iterator[None]:
    """Return a context in which the outputs of neurons are multiplied by `(channels, height, width)` ones and zeros.

    A loop calls `step`, all else `forward`. Behind a linear layer currents and outputs are `(channels,)` alone.
    """
    forward, step = neuron.forward, neuron.step

    def masked_forward(*arguments: Any, **named: Any) -> Tensor:
        output = forward(*arguments, **named)
        return output * alive.to(output).reshape(output.shape[2:])

    def masked_step(*arguments: Any, **named: Any) -> Any:
        output, state = step(*arguments, **named)
        return output * alive.to(output).reshape(output.shape[1:]), state

    vars(neuron).update(forward=masked_forward, step=masked_step)
    try:
        yield
    finally:
        del vars(neuron)["forward"], vars(neuron)["step"]
