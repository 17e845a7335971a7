"""Residual networks that nobody searched: a stem and three blocks of two convolutions, of any number of parameters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from evonas.architecture.draft import Draft, Incoming
from evonas.architecture.neuron import Dynamics
from evonas.architecture.plan import INPUT, Plan
from evonas.genotype import Genotype
from evonas.snn.network import Network
from evonas.space import Space
from evonas.variables import Integer, Scalar

NEURONS = Dynamics("lif_box", tau_mem_ms=2.0, v_th=1.0)
MOST_CHANNELS = 512


def plan(genotype: Mapping[str, Scalar], input_shape: Sequence[int], classes: int) -> Plan:
    """Return stem C, block C, block 2C and block 4C, each of the last two at half the side, and means for the readout.

    The second convolution of a block and what skips both are one current, as in spike-element-wise networks but before
    the neuron (Fang et al., NeurIPS 2021, have it behind): so spikes stay spikes.
    """
    channels = int(genotype["channels"])
    draft = Draft(input_shape, time_steps=int(genotype["time_steps"]))
    last = draft.add("stem", NEURONS, incoming=[Incoming("stem/conv", (INPUT,), "conv", channels=channels, kernel=3)])
    for block, times in enumerate((1, 2, 4), start=1):
        name, stride, width = f"block{block}", 1 if times == 1 else 2, times * channels
        entering = Incoming(f"{name}/first/conv", (last,), "conv", channels=width, kernel=3, stride=stride)
        first = draft.add(f"{name}/first", NEURONS, incoming=[entering])
        second = Incoming(f"{name}/second/conv", (first,), "conv", channels=width, kernel=3)
        around = (
            Incoming(f"{name}/skip", (last,), "skip")
            if times == 1
            else Incoming(f"{name}/skip", (last,), "conv", channels=width, kernel=1, stride=stride)
        )
        last = draft.add(f"{name}/second", NEURONS, incoming=[second, around])
    readout = Incoming("readout/linear", (last,), "linear", channels=classes)
    draft.add("readout", Dynamics("readout", tau_mem_ms=2.0), incoming=[readout])
    return draft.finish()


def build(genotype: Mapping[str, Scalar], input_shape: Sequence[int], classes: int) -> Network:
    """Return the network of a genotype, its weights drawn from torch's global generator."""
    return Network(plan(genotype, input_shape, classes))


space = Space(
    {"channels": Integer(1, MOST_CHANNELS), "time_steps": Integer(2, 64)},
    build=build,
    operations=lambda *given: plan(*given).operations,
    plan=plan,
)


def of_parameters(parameters: int, *, time_steps: int, input_shape: Sequence[int], classes: int) -> Genotype:
    """Return the network whose trained parameters come closest to a number."""

    def distance(channels: int) -> int:
        network = build({"channels": channels, "time_steps": time_steps}, input_shape, classes)
        return sum(one.numel() for one in network.parameters() if one.requires_grad) - parameters

    low, high = 1, MOST_CHANNELS
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if distance(middle) <= 0 else (low, middle)
    nearest = min((low, high), key=lambda channels: abs(distance(channels)))
    return space.canonical({"channels": nearest, "time_steps": time_steps})
