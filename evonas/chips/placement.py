"""The placement of a network: cores for each layer, and to how many of them each spike has to be sent.

One layer shares no core with another. A layer that is too large is split along its channels, so that all its cores need
all its inputs; where that is more than a core has axons, it is split into strips of rows instead, each of which may be
split along channels again. A core whose neurons go to more cores than it has output axons is split as well.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from itertools import accumulate, pairwise
from typing import Any, NamedTuple

from evonas.chips.deployment import ASSUMED, Deployment
from evonas.chips.profile import Profile
from evonas.chips.topology import Edge, Layer, Topology

_HOPS = 2.0
_SENDERS = 4  # cores of a source that stand for all where their spikes go to different cores


class Place(NamedTuple):
    """Where a layer is.

    Attributes:
        cores: Cores that hold it and nothing else.
        strips: Strips of rows that it is cut into.
        axons: Most distinct sources of any of its cores.
        synapses: Stored weights.
        copies: Cores that each spike of a source is sent to, by the name of the source.
    """

    cores: int
    strips: int
    axons: int
    synapses: int
    copies: Mapping[str, int]


@dataclass(frozen=True)
class Placement:
    """Where all layers are.

    Attributes:
        places: By the name of the layer.
        cores: Cores that are used.
        tiles: Tiles that these make up.
        chips: Chips that these make up.
        cores_per_chip: Cores of a chip.
    """

    places: Mapping[str, Place]
    cores: int
    tiles: int
    chips: int
    cores_per_chip: int = 1

    def hops(self, assumed: Deployment) -> float:
        """Return the hops of a message: as assumed, else 2 or a third of width plus height of a square of tiles."""
        return assumed.hops or max(_HOPS, 2 * math.sqrt(self.tiles) / 3)

    def chips_visited(self, source: str, readers: Sequence[str]) -> list[float]:
        """Return the mean number of chips that a spike of `source` visits for each reader and for none before it.

        Cores are numbered layer by layer. A spike that only some cores of a reader need goes to those that lie where
        its own core lies within its layer or, where the data send it, in the middle.

        Args:
            source: A layer, or the data.
            readers: The layers that need its spikes, in the order of `places`.
        """
        if self.chips == 1:
            return [1.0] + [0.0] * (len(readers) - 1)
        own = self.places[source].cores if source in self.places else 0
        if any(self.places[reader].copies[source] < self.places[reader].cores for reader in readers):
            senders = range(0, max(own, 1), math.ceil(max(own, 1) / _SENDERS))
            chips = [self._visited(source, readers, core=core, cores=min(own, 1)) for core in senders]
            reached = [sum(counts) / len(counts) for counts in zip(*chips, strict=True)]
        else:  # every core of a reader needs the spike, whatever core sends it
            reached = self._visited(source, readers, core=0, cores=own)
        return [visited - before for before, visited in pairwise([0.0, *reached])]

    def _visited(self, source: str, readers: Sequence[str], *, core: int, cores: int) -> list[float]:
        """Return the mean chips that spikes of some cores of a source visit for each reader and all before it."""
        first = self._first_cores.get(source, 0) + core
        share = (core + 0.5) / self.places[source].cores if cores else 0.5
        per_chip, reached = self.cores_per_chip, []
        chips = inside = end = 0  # chips with a reader, sending cores on them, and the chip behind the last of them
        for reader in readers:
            spot, begin = self.places[reader], self._first_cores[reader]
            copies = spot.copies[source]
            if copies >= spot.cores:
                copies = spot.cores
            else:
                begin += min(max(round(share * spot.cores - copies / 2), 0), spot.cores - copies)
            low, high = max(begin // per_chip, end), (begin + copies - 1) // per_chip + 1
            if high > low:  # a reader's cores lie behind those of all readers before it
                chips += high - low
                inside += max(min(high * per_chip, first + cores) - max(low * per_chip, first), 0)
                end = high
            reached.append(chips + (cores - inside) / cores if cores else float(chips))
        return reached

    @cached_property
    def _first_cores(self) -> Mapping[str, int]:
        """The number of the first core of each layer."""
        ends = accumulate([spot.cores for spot in self.places.values()], initial=0)
        return dict(zip(self.places, ends))


ONE_CORE = Placement({}, 1, 1, 1)
"""The placement of work that is not divided among layers."""


def place(topology: Topology[Any], profile: Profile, *, assumed: Deployment = ASSUMED) -> Placement:
    """Return the placement of a network on a chip, of as many cores as it takes, be they there or not.

    A chip whose profile has no cores gets one for each layer, and one that has a single core holds all in it.
    """
    fit = profile.fit
    if fit.get("cores") == 1:
        together = {
            layer.name: Place(1, 1, 0, stored(layer, assumed), dict.fromkeys(_sources(layer), 1))
            for layer in topology.layers
        }
        return Placement(together, 1, 1, 1)
    places: dict[str, Place] = {}
    readers: dict[str, int] = {}
    for layer in reversed(topology.layers):  # the readers of a layer are placed before it: it needs an axon for each
        spot = _place(layer, topology.sizes, fit, assumed, readers=readers.get(layer.name, 0))
        places[layer.name] = spot
        for name, copies in spot.copies.items():
            readers[name] = readers.get(name, 0) + copies
    places = dict(reversed(places.items()))
    cores = sum(spot.cores for spot in places.values())
    per_chip = fit.get("cores_per_chip") or fit.get("cores") or max(cores, 1)
    tiles, chips = math.ceil(cores / fit.get("cores_per_tile", 1)), math.ceil(cores / per_chip)
    return Placement(places, cores, tiles, chips, per_chip)


def stored(layer: Layer[Any], assumed: Deployment) -> int:
    """Return the weights that the cores of a layer hold, constant ones among them."""
    if assumed.weights == "shared":
        return sum(edge.weights or edge.kernel**2 for edge in layer.edges)
    return sum([edge.dense for edge in layer.edges])


def _place(
    layer: Layer[Any], sizes: Mapping[str, int], fit: Mapping[str, Any], assumed: Deployment, *, readers: int
) -> Place:
    synapses, height = stored(layer, assumed), layer.shape[1]
    given = assumed.cores.get(layer.name)
    cores = given or _cores(layer.neurons, synapses, fit, assumed)
    axons, limit = _axons(layer, sizes, cores=cores, rows=height), fit.get("in_axons_per_core")
    if given or assumed.split == "channels":
        return Place(cores, 1, axons, synapses, _copies(layer, cores, 1))
    outgoing = math.ceil(layer.neurons * readers / fit["out_axons_per_core"]) if "out_axons_per_core" in fit else 1
    if limit is None or axons <= limit:
        cores = max(cores, outgoing)
        return Place(cores, 1, axons, synapses, _copies(layer, cores, 1))
    most = _most_rows(layer, sizes, limit)
    for rows in _strip_heights(height):
        if rows > most:
            continue
        strips = math.ceil(height / rows)
        share = rows / height
        per_strip = _cores(math.ceil(layer.neurons * share), math.ceil(synapses * share), fit, assumed)
        per_strip = max(per_strip, math.ceil(outgoing / strips))
        narrow = _axons(layer, sizes, cores=per_strip, rows=rows)
        if narrow <= limit:
            return Place(strips * per_strip, strips, narrow, synapses, _copies(layer, per_strip, strips))
    return Place(cores, 1, axons, synapses, _copies(layer, cores, 1))


@cache
def _strip_heights(height: int) -> tuple[int, ...]:
    """Return the rows of a strip for every number of strips above one, each once, the widest first."""
    return tuple(dict.fromkeys(math.ceil(height / strips) for strips in range(2, height + 1)))


def _most_rows(layer: Layer[Any], sizes: Mapping[str, int], limit: int) -> float:
    """Return a number of rows beyond which the inputs of one edge alone are more than `limit`, whatever the cores."""
    most = math.inf
    for edge in layer.edges:
        inputs = sum([sizes[name] for name in edge.sources])
        if edge.operation != "linear" and edge.groups == 1 and inputs > limit:
            reach = edge.in_shape[1] * limit / inputs
            most = min(most, (reach - edge.kernel) / edge.stride + 2)  # 1, and 1 against rounding
    return most


def _cores(neurons: int, synapses: int, fit: Mapping[str, Any], assumed: Deployment) -> int:
    cores = math.ceil(neurons / fit["neurons_per_core"]) if "neurons_per_core" in fit else 1
    if "syn_bits_per_core" in fit:  # synapses are stored with their targets
        bits = synapses * assumed.weight_bits * fit.get("syn_overhead", 1.0)
        cores = max(cores, math.ceil(bits / fit["syn_bits_per_core"]))
    return max(cores, 1)


def _sources(layer: Layer[Any]) -> list[str]:
    return list(dict.fromkeys([name for edge in layer.edges for name in edge.sources]))


def _axons(layer: Layer[Any], sizes: Mapping[str, int], *, cores: int, rows: int) -> int:
    """Return the distinct sources of a core that holds `rows` rows of a `cores`-th of the channels."""
    needed: dict[str, float] = {}
    is_strip = rows < layer.shape[1]
    for edge in layer.edges:
        share = 1.0
        if is_strip and edge.operation != "linear":
            height = edge.in_shape[1]
            reach = (rows - 1) * edge.stride + edge.kernel
            share = reach / height if reach < height else 1.0
        if edge.groups > 1 and cores > 1:
            share *= math.ceil(edge.groups / cores) / edge.groups
        for name in edge.sources:
            wanted = share * sizes[name]
            if wanted > needed.get(name, 0.0):
                needed[name] = wanted
    return math.ceil(sum(needed.values()) - 1e-9)


def _copies(layer: Layer[Any], per_strip: int, strips: int) -> dict[str, int]:
    """Return the cores that a spike of each source reaches; in strips, those whose windows overlap it."""
    copies: dict[str, int] = {}
    rows = math.ceil(layer.shape[1] / strips)
    for edge in layer.edges:
        reached = 1 if per_strip == 1 else _channel_copies(edge, per_strip)
        if strips > 1 and edge.operation != "linear":
            reached *= min(strips, 1 + math.ceil((edge.kernel - 1) / (rows * edge.stride)))
        for name in edge.sources:
            if reached > copies.get(name, 0):
                copies[name] = reached
    return copies


def _channel_copies(edge: Edge, cores: int) -> int:
    return cores if edge.groups == 1 else max(1, math.ceil(cores / edge.groups))
