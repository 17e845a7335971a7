"""One and the same network, built by evonas and as a user of each peer would build it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn

from evonas.architecture.draft import Draft, Incoming
from evonas.architecture.neuron import Dynamics
from evonas.architecture.plan import INPUT
from evonas.snn.network import Network

LAYERS, TIME_STEPS, BATCH, IN_CHANNELS, CLASSES = 4, 5, 32, 2, 10


@dataclass(frozen=True)
class Load:
    """What the networks compute: the shape of their layers."""

    size: int = 16
    channels: int = 32
    batch: int = BATCH
    time_steps: int = TIME_STEPS

    def data(self) -> tuple[Tensor, Tensor]:
        """Return `(time, batch, 2, size, size)` frames that differ at each step, and labels."""
        generator = torch.Generator().manual_seed(0)
        frames = torch.rand(self.time_steps, self.batch, IN_CHANNELS, self.size, self.size, generator=generator)
        return frames, torch.randint(0, CLASSES, (self.batch,), generator=generator)


def evonas_network(load: Load) -> nn.Module:
    """Return four convolutions with batch norm and LIF neurons, mean over space, linear readout, mean over time."""
    draft = Draft((load.time_steps, IN_CHANNELS, load.size, load.size), time_steps=load.time_steps)
    source = INPUT
    for layer in range(LAYERS):
        edge = Incoming(f"conv{layer}", (source,), "conv", channels=load.channels, kernel=3)
        source = draft.add(f"layer{layer}", Dynamics("lif_box", tau_mem_ms=2.0, v_th=1.0), incoming=[edge])
    readout = Incoming("linear", (source,), "linear", channels=CLASSES)
    draft.add("readout", Dynamics("readout", tau_mem_ms=2.0), incoming=[readout])
    return Network(draft.finish())


class Stacked(nn.Module):
    """The layers of a peer with the same head. `over_time` is how it runs a module on all time steps."""

    def __init__(self, load: Load, neurons: Callable[[], nn.Module], before: Callable[[nn.Module], None]) -> None:
        super().__init__()
        channels = [IN_CHANNELS] + LAYERS * [load.channels]
        self.operations = nn.ModuleList(
            nn.Sequential(nn.Conv2d(i, o, 3, padding=1, bias=False), nn.BatchNorm2d(o)) for i, o in pairwise(channels)
        )
        self.neurons = nn.ModuleList(neurons() for _ in range(LAYERS))
        self.linear = nn.Linear(load.channels, CLASSES, bias=False)
        self.before = before

    def forward(self, frames: Tensor) -> Tensor:
        """Return `(batch, classes)` logits."""
        self.before(self)
        for operation, neurons in zip(self.operations, self.neurons, strict=True):
            frames = neurons(operation(frames.flatten(0, 1)).unflatten(0, frames.shape[:2]))
        logits: Tensor = 10 * self.linear(frames.mean((-2, -1))).mean(0)
        return logits


def spikingjelly_network(load: Load) -> nn.Module:
    """Return the network with SpikingJelly's multi-step LIF neurons, reset before each batch."""
    from spikingjelly.activation_based import functional, neuron

    return Stacked(load, lambda: neuron.LIFNode(tau=2.0, step_mode="m"), functional.reset_net)


def relu_network(load: Load) -> nn.Module:
    """Return the network without any neurons."""
    return Stacked(load, nn.ReLU, lambda network: None)


class NorseNetwork(nn.Module):
    """Norse as its tutorials use it: a `SequentialState`, one time step after the other."""

    def __init__(self, load: Load) -> None:
        super().__init__()
        import norse.torch as norse

        parameters = norse.LIFBoxParameters(tau_mem_inv=torch.tensor(500.0), v_th=torch.tensor(1.0))
        channels = [IN_CHANNELS] + LAYERS * [load.channels]
        layers: list[nn.Module] = []
        for i, o in pairwise(channels):
            layers += [nn.Conv2d(i, o, 3, padding=1, bias=False), nn.BatchNorm2d(o), norse.LIFBoxCell(parameters)]
        self.body = norse.SequentialState(*layers)
        self.linear = nn.Linear(load.channels, CLASSES, bias=False)

    def forward(self, frames: Tensor) -> Tensor:
        """Return `(batch, classes)` logits."""
        state, logits = None, []
        for frame in frames:
            spikes, state = self.body(frame, state)
            logits.append(10 * self.linear(spikes.mean((-2, -1))))
        return torch.stack(logits).mean(0)


def snntorch_network(load: Load) -> nn.Module | None:
    """Return the network with snnTorch's leaky neurons, None where snnTorch is not installed."""
    try:
        import snntorch
    except ImportError:
        return None

    class OverTime(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.neurons = snntorch.Leaky(beta=0.5, reset_mechanism="zero")

        def forward(self, currents: Tensor) -> Tensor:
            potential, outputs = self.neurons.init_leaky(), []
            for current in currents:
                spikes, potential = self.neurons(current, potential)
                outputs.append(spikes)
            return torch.stack(outputs)

    return Stacked(load, OverTime, lambda network: None)
