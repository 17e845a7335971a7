"""A measured network on a chip: where its layers are and what they send, computed once for all that ask."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from evonas.chips.band import End, at
from evonas.chips.deployment import Deployment
from evonas.chips.placement import Placement, place
from evonas.chips.profile import Profile
from evonas.chips.topology import Topology, topology
from evonas.chips.traffic import Counts, Traffic, sent, traffic, visits
from evonas.measurement import Activity, Connection


@dataclass(frozen=True)
class Placed:
    """A measured network on a chip. What follows from the three is computed when it is first asked for."""

    activity: Activity
    profile: Profile
    assumed: Deployment

    @cached_property
    def topology(self) -> Topology[Connection]:
        """Its layers."""
        return topology(self.activity)

    @cached_property
    def placement(self) -> Placement:
        """Where its layers are."""
        return place(self.topology, self.profile, assumed=self.assumed)

    @cached_property
    def sent(self) -> Mapping[str, Counts]:
        """`(time,)` spikes of each source, totals over the samples."""
        return sent(self.activity, self.profile, assumed=self.assumed)

    @cached_property
    def traffic(self) -> Traffic:
        """Messages between its layers, totals over the samples."""
        return traffic(self.sent, self.topology, placement=self.placement, steps=self.activity.time_steps)

    @cached_property
    def visits(self) -> Mapping[str, float]:
        """Chips that the spikes into each layer visit and have not visited for one before it, over the samples."""
        return visits(self.sent, self.topology, placement=self.placement)

    def number(self, key: str, end: End = "value") -> float:
        """Return a number of the profile's `[time]`, 0 where it has none."""
        return at(self.profile.time.get(key, 0.0), end)
