"""The traffic of a network: what each source sends at each time step, and the messages and hops that this makes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from evonas.architecture.plan import INPUT
from evonas.chips.deployment import Deployment
from evonas.chips.placement import Placement
from evonas.chips.profile import Profile
from evonas.chips.topology import Topology, is_static_input
from evonas.measurement import Activity, Connection

Counts = tuple[int, ...]
Table = np.ndarray


@dataclass(frozen=True)
class Traffic:
    """Messages between cores, totals over the samples, before anything is known of their ways.

    Attributes:
        spikes: `(layers, time)` spikes of each layer.
        received: `(layers, time)` messages into each layer (F).
        sent_out: `(layers, time)` messages from each layer, whoever reads them.
    """

    spikes: Table
    received: Table
    sent_out: Table


def sent(activity: Activity, profile: Profile, *, assumed: Deployment) -> dict[str, Counts]:
    """Return `(time,)` spikes of each source; graded data in unit events, unless the chip has graded ones.

    The outputs of a static layer are sent in the first step alone where its multiply-accumulates are done once.
    """
    in_units = "synop_graded" not in profile.energy
    spikes = {population.name: population.spikes for population in activity.populations}
    for edge in activity.connections:
        if INPUT in edge.sources and INPUT not in spikes and not is_static_input(edge):
            arriving = edge.units if in_units and edge.element == "graded" else edge.inputs
            others = [spikes[name] for name in edge.sources if name != INPUT]
            spikes[INPUT] = tuple(count - sum(step) for count, *step in zip(arriving, *others, strict=True))
    if assumed.static_first == "once":
        for population in activity.populations:
            if population.static:
                spikes[population.name] = (population.outputs, *[0] * (activity.time_steps - 1))
    return spikes


def traffic(
    spikes: Mapping[str, Counts], topology: Topology[Connection], *, placement: Placement, steps: int
) -> Traffic:
    """Return the messages: one for each spike and each core that needs it.

    Args:
        spikes: What each source sends, from `sent`.
        topology: The layers.
        placement: Where they are.
        steps: Time steps.
    """
    column = {source: index for index, source in enumerate(spikes)}  # the layers in their order, and then the data
    copies = np.zeros((len(topology.layers), len(spikes)))
    for row, layer in enumerate(topology.layers):
        for source, cores in placement.places[layer.name].copies.items():
            copies[row, column[source]] = cores
    counts = table(spikes.values(), steps=steps)
    sent_out = copies.sum(axis=0)[:, None] * counts
    layers = slice(len(topology.layers))
    return Traffic(counts[layers], copies @ counts, sent_out[layers])


def visits(spikes: Mapping[str, Counts], topology: Topology[Connection], *, placement: Placement) -> dict[str, float]:
    """Return the chips that messages visit by layer, totals over the samples: a router copies what others need as well.

    A spike visits the chip that sends it, and each other chip on which a core needs it, once. Each visit belongs to the
    first layer that needs the spike there, and that of the sending chip to the first of all. Chips that a message only
    passes on its way are not counted: nothing is known of its way.

    Args:
        spikes: What each source sends, from `sent`.
        topology: The layers.
        placement: Where they are.
    """
    readers: dict[str, list[str]] = {}
    for layer in topology.layers:
        for source in placement.places[layer.name].copies:
            readers.setdefault(source, []).append(layer.name)
    found = dict.fromkeys([layer.name for layer in topology.layers], 0.0)
    for source, names in readers.items():
        counts = sum(spikes[source])
        for name, chips in zip(names, placement.chips_visited(source, names), strict=True):
            found[name] += chips * counts
    return found


def table(rows: Iterable[Counts], *, steps: int) -> Table:
    """Return `(rows, time)` counts as float64, also where there is no row."""
    return np.array(list(rows), np.float64).reshape(-1, steps)


def summed(*rows: Counts) -> Counts:
    """Return `(time,)` the sum of several counts at each time step."""
    return tuple([sum(step) for step in zip(*rows, strict=True)])
