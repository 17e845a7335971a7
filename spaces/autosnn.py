"""AutoSNN: a stem, five searched blocks between three max pools, and neurons that vote.

    stem C | block1 C | pool | block2 2C | block3 2C | pool | block4 4C | block5 4C | pool | 10 neurons a class | vote

Source: Na et al., AutoSNN: Towards Energy-Efficient Spiking Neural Networks, ICML 2022 (macro architecture, blocks and
neurons; the published networks are those of its lambda -0.08 and of its table of other values). As published,
pooled spikes are spikes: the objective `spikes` counts the outputs of stem, blocks, pools and voters, and so did it.

Departures: time constants and thresholds are shared by a layer and trained where `[training] train_neurons` says so
(the paper trains time constants alone); gradients flow through the reset; the layer of the voters has a batch norm, so
that short trainings see it fire; currents begin larger by one factor, `Draft`'s, with which potentials are of order
one; pools keep windows that the border cuts off. The widths 4 and 8 are ours, for small machines.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from evonas.architecture.constant import each
from evonas.architecture.draft import Draft, Incoming
from evonas.architecture.neuron import Dynamics, Surrogate
from evonas.architecture.plan import INPUT, Plan
from evonas.input_shape import InputShape
from evonas.snn.planned import planned
from evonas.space import Space
from evonas.variables import Choice, Integer, Scalar
from evonas.weight_sharing import by_name

Values = Mapping[str, Scalar]

BLOCKS = ("skip", "SCB_k3", "SCB_k5", "SRB_k3", "SRB_k5")
"""What a block may be: nothing, two convolutions, or two with the input of the block added to the second one."""

WIDENING = (1, None, 2, 2, None, 4, 4, None)
"""Channels of the blocks in their order, as multiples of those of the stem; None is a pool."""

VOTES = 10
"""Neurons that vote for each class."""

SMALL_SIDE = 64
"""Event frames of a larger side meet a pool, a convolution and a pool first, which quarter it."""

PUBLISHED: Mapping[float, tuple[str, ...]] = {
    0.0: ("SRB_k5", "SRB_k5", "SRB_k5", "SCB_k5", "SRB_k5"),
    -0.08: ("SRB_k5", "SRB_k5", "skip", "SRB_k3", "SRB_k5"),
    -0.16: ("SRB_k5", "SRB_k5", "skip", "SRB_k5", "SRB_k5"),
    -0.24: ("skip", "SRB_k5", "skip", "SCB_k5", "SRB_k5"),
}
"""The blocks of the published networks, by the exponent with which the paper's search weighed spikes."""

NEURONS = Dynamics("lif_box", tau_mem_ms=2.0, v_th=1.0, surrogate=Surrogate("atan"))
"""All neurons before training: leaky integrators that lose half of their potential in a time step."""


def plan(genotype: Values, input_shape: Sequence[int], classes: int) -> Plan:
    """Return what the network of a genotype consists of; arguments as in `evonas.snn.planned`.

    What lies in a block is named by its choice, so that weights of one name are of one thing in all networks.
    """
    draft = Draft(input_shape, time_steps=int(genotype["time_steps"]))
    channels = int(genotype["channels"])
    source = _add_conv(draft, "stem", INPUT, channels=channels, kernel=3)
    shape = InputShape(input_shape)
    if not shape.is_static and max(shape.image[1:]) > SMALL_SIDE:
        source = _add_pool(draft, "stem/pool1", source)
        source = _add_conv(draft, "stem/conv", source, channels=channels, kernel=3)
        source = _add_pool(draft, "stem/pool2", source)
    block = pool = 0
    for times in WIDENING:
        if times is None:
            pool += 1
            source = _add_pool(draft, f"pool{pool}", source)
        else:
            block += 1
            choice = str(genotype[f"block{block}"])
            source = _add_block(draft, f"block{block}/{choice}", source, choice=choice, channels=times * channels)
    dense = Incoming("voters/dense", (source,), "dense", channels=VOTES * classes)
    voters = draft.add("voters", NEURONS, incoming=[dense])
    vote = Incoming("readout/vote", (voters,), "vote", channels=classes, gain=1.0)
    draft.add("readout", Dynamics("readout", tau_mem_ms=1.0), incoming=[vote])  # of one step: the mean is a rate
    return draft.finish()


def _add_conv(draft: Draft, name: str, source: str, *, channels: int, kernel: int) -> str:
    edge = Incoming(f"{name}/conv{kernel}", (source,), "conv", channels=channels, kernel=kernel)
    return draft.add(name, NEURONS, incoming=[edge])


def _add_pool(draft: Draft, name: str, source: str) -> str:
    edge = Incoming(f"{name}/max", (source,), "max_pool", kernel=2, stride=2)
    return draft.add(name, Dynamics("relay"), incoming=[edge])


def _add_block(draft: Draft, name: str, source: str, *, choice: str, channels: int) -> str:
    """Add a block, and return what its readers read: its source where it is nothing."""
    is_widening = draft.shape((source,))[0] != channels
    if choice == "skip":
        return _add_conv(draft, name, source, channels=channels, kernel=1) if is_widening else source
    kernel = int(choice[-1])
    first = _add_conv(draft, f"{name}/first", source, channels=channels, kernel=kernel)
    second = Incoming(f"{name}/second/conv{kernel}", (first,), "conv", channels=channels, kernel=kernel)
    incoming = [second]
    if choice.startswith("SRB"):
        operation, size = ("conv", channels) if is_widening else ("skip", 0)
        # a spike is worth a deviation of the current of the convolution
        gain = each(lambda deviation: 1 / deviation, NEURONS.deviation(draft.time_steps))
        incoming.append(Incoming(f"{name}/second/residual", (source,), operation, channels=size, gain=gain))
    return draft.add(f"{name}/second", NEURONS, incoming=incoming)


space = Space(
    {
        **{f"block{index}": Choice(BLOCKS) for index in range(1, 6)},
        "channels": Choice((4, 8, 16, 32, 64, 128)),
        "time_steps": Integer(2, 32),
    },
    **planned(plan),
    share=by_name,
)
