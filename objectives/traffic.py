"""The traffic of a network: what each source sends at each time step, and the messages and hops that this makes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from evonas.measurement import Activity, Connection
from evonas.snn.plan import INPUT
from objectives.placement import Placement
from objectives.profile import Profile
from objectives.topology import Topology, is_static_input

Counts = tuple[int, ...]


@dataclass(frozen=True)
class Traffic:
    """Messages between cores, totals over the samples, before anything is known of their ways.

    Attributes:
        sent: `(time,)` spikes of each source.
        received: `(time,)` messages into each layer (F).
        sent_out: `(time,)` messages from each source, whoever reads them.
    """

    sent: Mapping[str, Counts]
    received: Mapping[str, Counts]
    sent_out: Mapping[str, Counts]


def sent(activity: Activity, profile: Profile) -> dict[str, Counts]:
    """Return `(time,)` spikes of each source; graded data in unit events, unless the chip has graded ones."""
    in_units = "synop_graded" not in profile.energy
    spikes = {population.name: population.spikes for population in activity.populations}
    for edge in activity.connections:
        if INPUT in edge.sources and INPUT not in spikes and not is_static_input(edge):
            arriving = edge.units if in_units and edge.element == "graded" else edge.inputs
            others = [spikes[name] for name in edge.sources if name != INPUT]
            spikes[INPUT] = tuple(count - sum(step) for count, *step in zip(arriving, *others, strict=True))
    return spikes


def messages(activity: Activity, profile: Profile, *, placement: Placement) -> dict[str, int]:
    """Return the messages into each layer, totals over samples and time steps: what `traffic` adds up to."""
    spikes = {name: sum(counts) for name, counts in sent(activity, profile).items()}
    return {
        layer: sum([copies * spikes[source] for source, copies in spot.copies.items()])
        for layer, spot in placement.places.items()
    }


def traffic(activity: Activity, profile: Profile, *, topology: Topology[Connection], placement: Placement) -> Traffic:
    """Return the messages: one for each spike and each core that needs it."""
    spikes = sent(activity, profile)
    nothing = (0,) * activity.time_steps
    received, sent_out = {}, dict.fromkeys(spikes, nothing)
    for layer in topology.layers:
        total = nothing
        for source, copies in placement.places[layer.name].copies.items():
            counts = spikes[source]
            total = tuple([a + copies * b for a, b in zip(total, counts, strict=True)])
            sent_out[source] = tuple([a + copies * b for a, b in zip(sent_out[source], counts, strict=True)])
        received[layer.name] = total
    return Traffic(spikes, received, sent_out)
