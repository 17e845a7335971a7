"""The placement of a network: cores for each layer, and to how many of them each spike has to be sent.

One layer shares no core with another. A layer that is too large is split along its channels, so that all its cores need
all its inputs; where that is more than a core has axons, it is split into strips of rows instead, each of which may be
split along channels again. A core whose neurons go to more cores than it has output axons is split as well.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple

from evonas.chips.deployment import ASSUMED, Deployment
from evonas.chips.profile import Profile
from evonas.chips.topology import Edge, Layer, Topology, reach, recurrent_sources
from evonas.measurement import repeats

_HOPS = 2.0
_ROUNDS = 8  # of placing loops: the cores that read a layer follow from the cores of layers before it
_SENDERS = 4  # cores of a source that are looked at where their spikes go to different cores


_Reader = tuple[str, int, int, int]
"""A layer that needs the spikes of a source: its name, its first core, its cores, and how many of them need each."""


class Place(NamedTuple):
    """The cores of a layer.

    Attributes:
        cores: Cores that hold it and nothing else.
        strips: Strips of rows that it is cut into.
        axons: Most distinct sources of any of its cores; 0 where the chip has no limit.
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
    """The cores of all layers.

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

    def visits(self, spikes: Mapping[str, int]) -> dict[str, float]:
        """Return the chips that messages visit by layer: routers copy a message where its ways part.

        A spike visits the chip that sends it, and each other chip on which a core needs it, once. Each visit belongs to
        the first layer that needs the spike there, and that of the sending chip to the first of all. Chips that a
        message only passes are not counted, as its way is unknown.

        Cores are numbered layer by layer. A spike that only some cores of a reader need goes to those that lie where
        its own core lies within its layer or, where the data send it, in the middle.

        Args:
            spikes: Spikes of each source.
        """
        readers: dict[str, list[_Reader]] = {}
        partial: set[str] = set()  # sources of which not every spike goes to all cores of its readers
        layers, first = {}, 0
        for name, spot in self.places.items():
            layers[name] = (first, spot.cores)
            for source, copies in spot.copies.items():
                if copies < spot.cores:
                    partial.add(source)
                if source in readers:
                    readers[source].append((name, first, spot.cores, copies))
                else:
                    readers[source] = [(name, first, spot.cores, copies)]
            first += spot.cores
        visits = dict.fromkeys(self.places, 0.0)
        for source, all_readers in readers.items():
            begin, cores = layers.get(source, (0, 0))
            if self.chips == 1:
                reached = [1.0] * len(all_readers)
            elif source in partial:
                reached = self._reached_on_average(all_readers, begin, cores)
            else:
                reached = self._reached(all_readers, begin, begin + cores, share=0.5)
            count, before = spikes[source], 0.0
            for (name, *_), visited in zip(all_readers, reached):
                visits[name] += (visited - before) * count
                before = visited
        return visits

    def _reached_on_average(self, readers: Sequence[_Reader], begin: int, cores: int) -> list[float]:
        """Return the mean of `_reached` over a few cores of the source, evenly spread."""
        if not cores:
            return self._reached(readers, 0, 0, share=0.5)
        senders = range(0, cores, math.ceil(cores / _SENDERS))
        reached = [self._reached(readers, begin + i, begin + i + 1, share=(i + 0.5) / cores) for i in senders]
        return [sum(chips) / len(chips) for chips in zip(*reached)]

    def _reached(self, readers: Sequence[_Reader], begin: int, end: int, *, share: float) -> list[float]:
        """Return the mean chips that a spike visits for each reader and all before it.

        Args:
            readers: In the order of their cores.
            begin: The first of the cores that send the spikes.
            end: The core behind the last of them; `begin` where the data send them.
            share: Where they lie within their layer, from 0 to 1.
        """
        per_chip, cores, reached = self.cores_per_chip, end - begin, []
        chips = inside = last = 0  # chips with a reader, sending cores on them, and the chip behind the last of them
        for _, first, size, copies in readers:
            if copies < size:
                first += min(max(round(share * size - copies / 2), 0), size - copies)
                size = copies
            low, high = first // per_chip, (first + size - 1) // per_chip + 1
            if low < last:
                low = last
            if high > low:
                chips += high - low
                last = high
                if begin < high * per_chip and low * per_chip < end:
                    inside += min(high * per_chip, end) - max(low * per_chip, begin)
            reached.append(chips + (cores - inside) / cores if cores else float(chips))
        return reached


class _Room(NamedTuple):
    """What a core can hold, infinity where the profile has no limit.

    Attributes:
        neurons: Neurons.
        synapse_bits: Bits of all synapses, which are stored with their targets.
        weight_bits: Bits of a weight.
        overhead: Bits of a synapse for each bit of its weight.
        in_axons: Distinct sources.
        out_axons: Pairs of a neuron and a core that it sends to.
    """

    neurons: float
    synapse_bits: float
    weight_bits: int
    overhead: float
    in_axons: float
    out_axons: float

    def cores(self, neurons: int, synapses: int) -> int:
        """Return the fewest cores that hold these neurons and synapses."""
        bits = synapses * self.weight_bits * self.overhead
        return max(math.ceil(neurons / self.neurons), math.ceil(bits / self.synapse_bits), 1)


ONE_CORE = Placement({}, 1, 1, 1)
"""The placement of work that is not divided among layers."""


def place(topology: Topology[Any], profile: Profile, *, assumed: Deployment = ASSUMED) -> Placement:
    """Return the placement of a network, on as many cores as it needs even if the chip has fewer.

    Without cores in the profile each layer is one core; a chip of a single core has all layers on it.
    """
    fit = profile.fit
    if fit.get("cores") == 1:
        together = {
            layer.name: Place(1, 1, 0, stored(layer, assumed), dict.fromkeys(_sources(layer), 1))
            for layer in topology.layers
        }
        return Placement(together, 1, 1, 1)
    room = _Room(
        fit.get("neurons_per_core", math.inf), fit.get("syn_bits_per_core", math.inf),
        assumed.weight_bits, fit.get("syn_overhead", 1.0), fit.get("in_axons_per_core", math.inf),
        fit.get("out_axons_per_core", math.inf),
    )  # fmt: skip
    fed_back = recurrent_sources(topology)
    places: dict[str, Place] = {}
    readers: dict[str, int] = {}
    for _ in range(_ROUNDS if fed_back else 1):
        before, readers = readers, {}
        for layer in reversed(topology.layers):  # its readers are placed before it: it needs an axon for each
            known = (before if layer.name in fed_back else readers).get(layer.name, 0)
            spot = _place(layer, topology.sizes, room, assumed, readers=known)
            places[layer.name] = spot
            for name, copies in spot.copies.items():
                readers[name] = readers.get(name, 0) + copies
        if all(readers[name] == before.get(name) for name in fed_back):
            break
    places = {layer.name: places[layer.name] for layer in topology.layers}
    cores = sum(spot.cores for spot in places.values())
    per_chip = fit.get("cores_per_chip") or fit.get("cores") or max(cores, 1)
    tiles, chips = math.ceil(cores / fit.get("cores_per_tile", 1)), math.ceil(cores / per_chip)
    return Placement(places, cores, tiles, chips, per_chip)


def stored(layer: Layer[Any], assumed: Deployment) -> int:
    """Return the weights that the cores of a layer hold, constant ones among them."""
    if assumed.weights == "shared":
        return sum(edge.weights or edge.kernel**2 for edge in layer.edges)
    return sum([edge.dense for edge in layer.edges])


def _place(layer: Layer[Any], sizes: Mapping[str, int], room: _Room, assumed: Deployment, *, readers: int) -> Place:
    synapses, height = stored(layer, assumed), layer.shape[1]
    given = assumed.cores.get(layer.name) if assumed.cores else None
    cores = given or room.cores(layer.neurons, synapses)
    limit = room.in_axons
    axons = _axons(layer, sizes, cores=cores, rows=height) if limit < math.inf else 0
    if given or assumed.split == "channels":
        return Place(cores, 1, axons, synapses, _copies(layer, cores, 1))
    outgoing = math.ceil(layer.neurons * readers / room.out_axons)
    if axons <= limit:
        cores = max(cores, outgoing)
        return Place(cores, 1, axons, synapses, _copies(layer, cores, 1))
    most = _most_rows(layer, sizes, limit)
    for rows in _strip_heights(height):
        if rows > most:
            continue
        strips = math.ceil(height / rows)
        share = rows / height
        per_strip = room.cores(math.ceil(layer.neurons * share), math.ceil(synapses * share))
        per_strip = max(per_strip, math.ceil(outgoing / strips))
        narrow = _axons(layer, sizes, cores=per_strip, rows=rows)
        if narrow <= limit:
            return Place(strips * per_strip, strips, narrow, synapses, _copies(layer, per_strip, strips))
    return Place(cores, 1, axons, synapses, _copies(layer, cores, 1))


@cache
def _strip_heights(height: int) -> tuple[int, ...]:
    """Return the rows of a strip for every number of strips above one, each once, the widest first."""
    return tuple(dict.fromkeys(math.ceil(height / strips) for strips in range(2, height + 1)))


def _most_rows(layer: Layer[Any], sizes: Mapping[str, int], limit: float) -> float:
    """Return a number of rows beyond which the inputs of one edge alone are more than `limit`, whatever the cores."""
    most = math.inf
    for edge in layer.edges:
        inputs = sum([sizes[name] for name in edge.sources])
        if not edge.is_linear and edge.groups == 1 and inputs > limit:
            most_read = edge.in_shape[1] * limit / inputs
            most = min(most, (most_read - edge.kernel) / edge.stride + 2)  # 1, and 1 against rounding
    return most


def _sources(layer: Layer[Any]) -> Iterable[str]:
    """Return the sources of all connections of a layer, each once."""
    if len(layer.edges) == 1:
        (edge,) = layer.edges
        return tuple(edge.sources)
    return dict.fromkeys([name for edge in layer.edges for name in edge.sources])


def _axons(layer: Layer[Any], sizes: Mapping[str, int], *, cores: int, rows: int) -> int:
    """Return the distinct sources of a core that holds `rows` rows of a `cores`-th of the channels."""
    is_strip = rows < layer.shape[1]
    if cores == 1 and not is_strip:
        return sum([sizes[name] for name in _sources(layer)])
    needed: dict[str, float] = {}
    for edge in layer.edges:
        share = 1.0
        if is_strip and not edge.is_linear:
            height = edge.in_shape[1]
            share = min(1.0, reach(edge, rows) / height)
        if edge.groups > 1 and cores > 1:
            share *= math.ceil(edge.groups / cores) / edge.groups
        for name in edge.sources:
            inputs = share * sizes[name]
            if inputs > needed.get(name, 0.0):
                needed[name] = inputs
    return math.ceil(sum(needed.values()) - 1e-9)


def _copies(layer: Layer[Any], per_strip: int, strips: int) -> dict[str, int]:
    """Return the cores that a spike of each source reaches; in strips, those whose windows overlap it."""
    if per_strip == strips == 1:
        return dict.fromkeys(_sources(layer), 1)
    copies: dict[str, int] = {}
    rows = math.ceil(layer.shape[1] / strips)
    for edge in layer.edges:
        reached = 1 if per_strip == 1 else _channel_copies(edge, per_strip)
        if strips > 1 and not edge.is_linear:
            further = repeats(edge) - 1 or (edge.kernel - 1) / edge.stride  # rows that a row reaches beside its own
            reached *= min(strips, 1 + math.ceil(further / rows))
        for name in edge.sources:
            if reached > copies.get(name, 0):
                copies[name] = reached
    return copies


def _channel_copies(edge: Edge, cores: int) -> int:
    return cores if edge.groups == 1 else max(1, math.ceil(cores / edge.groups))
