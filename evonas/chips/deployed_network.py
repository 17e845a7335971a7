"""A measured network on a chip: where its layers are, what they send, and the messages that this makes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from evonas.architecture.plan import INPUT
from evonas.chips.band import End, at
from evonas.chips.deployment import ASSUMED, Deployment
from evonas.chips.placement import Placement, place
from evonas.chips.profile import Profile
from evonas.chips.topology import Topology, is_static_input, topology
from evonas.measurement import Activity, Connection

Counts = tuple[int, ...]
Table = np.ndarray


@dataclass(frozen=True)
class DeployedNetwork:
    """A measured network on a chip. What follows from the three attributes is computed when it is first needed.

    Attributes:
        activity: The counts of the network.
        profile: The chip.
        assumed: What the profile leaves open.
    """

    activity: Activity
    profile: Profile
    assumed: Deployment = ASSUMED

    @cached_property
    def topology(self) -> Topology[Connection]:
        """The layers."""
        return topology(self.activity)

    @cached_property
    def placement(self) -> Placement:
        """The cores of the layers."""
        return place(self.topology, self.profile, assumed=self.assumed)

    @cached_property
    def sent(self) -> Mapping[str, Counts]:
        """`(time,)` spikes of each source, the layers in their order and then the data, totals over the samples.

        Graded data are sent as unit events, unless the chip has graded ones. The outputs of a static layer are sent in
        the first step alone where its multiply-accumulates are done once.
        """
        activity, in_units = self.activity, "synop_graded" not in self.profile.energy
        spikes = {population.name: population.spikes for population in activity.populations}
        for edge in activity.connections:
            if INPUT in edge.sources and INPUT not in spikes and not is_static_input(edge):
                arriving = edge.units if in_units and edge.element == "graded" else edge.inputs
                others = [spikes[name] for name in edge.sources if name != INPUT]
                spikes[INPUT] = tuple(count - sum(step) for count, *step in zip(arriving, *others, strict=True))
        if self.assumed.static_first == "once":
            for population in activity.populations:
                if population.static:
                    spikes[population.name] = (population.outputs, *[0] * (activity.time_steps - 1))
        return spikes

    @cached_property
    def spikes(self) -> Mapping[str, int]:
        """Spikes of each source over all time steps, totals over the samples."""
        return {source: sum(counts) for source, counts in self.sent.items()}

    @cached_property
    def messages(self) -> Mapping[str, int]:
        """Messages into each layer, one for each spike and each core that needs it, totals over the samples."""
        spikes = self.spikes
        return {
            name: sum([cores * spikes[source] for source, cores in spot.copies.items()])
            for name, spot in self.placement.places.items()
        }

    @cached_property
    def copies(self) -> Table:
        """`(layers, sources)` cores of each layer that a spike of each source is sent to, in the order of `sent`."""
        column = {source: index for index, source in enumerate(self.sent)}
        copies = np.zeros((len(self.placement.places), len(column)))
        for row, spot in enumerate(self.placement.places.values()):
            for source, cores in spot.copies.items():
                copies[row, column[source]] = cores
        return copies

    @cached_property
    def visits(self) -> Mapping[str, float]:
        """Chips that messages visit by layer, totals over the samples."""
        return self.placement.visits(self.spikes)

    def number(self, key: str, end: End = "value") -> float:
        """Return a number of the profile's `[time]`, 0 where it has none."""
        return at(self.profile.time.get(key, 0.0), end)


def table(rows: Iterable[Counts], *, steps: int) -> Table:
    """Return `(rows, time)` counts as float64, also where there is no row."""
    return np.array(list(rows), np.float64).reshape(-1, steps)


def summed(*rows: Counts) -> Counts:
    """Return `(time,)` the sum of several counts at each time step."""
    return tuple([sum(step) for step in zip(*rows, strict=True)])
