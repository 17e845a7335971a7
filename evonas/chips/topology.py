"""The topology of a network: its layers, what each reads and how large that is, from a plan or from stored counts.

A planned network also has counts: those of a network in which nothing ever happens, below which it cannot go.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Generic, NamedTuple, TypeVar, overload

from evonas.architecture.constant import values_of
from evonas.architecture.neuron import PARAMETERS, Dynamics
from evonas.architecture.plan import INPUT, Plan, PlannedConnection
from evonas.measurement import Activity, Connection, Shape, repeats

Network = Activity | Plan
"""A measured network, or one that is only planned: both have shapes, fan-in and weights."""

Edge = Connection | PlannedConnection
_COUNTS = ("events", "graded", "macs", "inputs", "units", "unrolled")

E_co = TypeVar("E_co", bound=Edge, covariant=True)


class Layer(NamedTuple, Generic[E_co]):
    """The neurons of one layer and the connections into it.

    Attributes:
        name: Unique in its network.
        kind: Of neuron, as in `evonas.measurement.Population`.
        shape: `(channels, height, width)`.
        neurons: Number of neurons.
        state: State variables per neuron.
        reset: What a spike does to the membrane, `""` where counts are all that is stored.
        own: Channels with time constants of their own, and with thresholds of their own; 1 where all neurons share
            theirs, 0 where counts are all that is stored.
        edges: What delivers its current on the chip.
        host_edges: What the host computes: the real numbers of a static input.
    """

    name: str
    kind: str
    shape: Shape
    neurons: int
    state: int
    reset: str
    own: tuple[int, int]
    edges: tuple[E_co, ...]
    host_edges: tuple[E_co, ...]

    @property
    def all_edges(self) -> tuple[E_co, ...]:
        """The connections on the chip, and those of the host."""
        return self.edges + self.host_edges

    @property
    def fan_in(self) -> int:
        """Most inputs of a neuron from all connections on the chip."""
        return sum(edge.fan_in for edge in self.edges)


@dataclass(frozen=True)
class Topology(Generic[E_co]):
    """The layers of a network.

    Attributes:
        layers: In the order in which they compute.
        sizes: Elements of each source by its name, those of the data among them where the chip reads it.
        depth: Layers on the longest way from the data to each, itself among them, by its name.
    """

    layers: tuple[Layer[E_co], ...]
    sizes: Mapping[str, int]
    depth: Mapping[str, int]

    @property
    def longest(self) -> int:
        """Layers on the longest way from the data to a readout."""
        return max(self.depth.values(), default=0)


def size(shape: Shape) -> int:
    """Return the number of elements."""
    return math.prod(shape)


def reach(edge: Edge, rows: int) -> int:
    """Return how many rows of its input so many rows of an edge's output read at most, wherever they begin."""
    times = repeats(edge)
    return math.ceil((rows - 1) / times) + 1 if times > 1 else (rows - 1) * edge.stride + edge.kernel


def is_static_input(edge: Edge) -> bool:
    """Return whether the edge reads the real numbers of a static input, which a host can take over."""
    return edge.static and edge.element == "real" and edge.sources == (INPUT,)


def is_graded_maximum(edge: Edge) -> bool:
    """Return whether the edge takes the largest of graded elements: no sum of events can make it."""
    return edge.operation == "max_pool" and edge.element == "graded"


@overload
def topology(network: Activity) -> Topology[Connection]: ...
@overload
def topology(network: Plan) -> Topology[PlannedConnection]: ...
def topology(network: Network) -> Topology[Any]:
    """Return the layers of a network as a chip sees them."""
    populations: tuple[Any, ...] = network.populations
    is_plan = isinstance(network, Plan)
    sizes = {population.name: math.prod(population.shape) for population in populations}
    on_chip: dict[str, list[Any]] = {name: [] for name in sizes}
    on_host: dict[str, list[Any]] = {name: [] for name in sizes}
    depth: dict[str, int] = {}
    for edge in network.connections:  # in the order in which they compute, so that all sources are known
        if edge.static and is_static_input(edge):
            on_host[edge.target].append(edge)
            depth.setdefault(edge.target, 1)
            continue
        on_chip[edge.target].append(edge)
        deepest = depth.get(edge.target, 1)
        for name in edge.sources:
            if name == INPUT and INPUT not in sizes:
                sizes[INPUT] = size(edge.in_shape) - sum([sizes[other] for other in edge.sources if other != INPUT])
            if name != edge.target and depth.get(name, 0) >= deepest:  # feedback of later layers is not known yet
                deepest = depth[name] + 1
        depth[edge.target] = deepest
    layers = []
    for population in populations:
        name = population.name
        if is_plan:
            dynamics = population.dynamics
            kind, state, reset, own = dynamics.kind, population.state, dynamics.reset, _own(dynamics)
        else:
            kind, state, reset, own = population.kind, population.state, "", (0, 0)
        depth.setdefault(name, 1)
        edges, host_edges = tuple(on_chip[name]), tuple(on_host[name])
        layers.append(Layer(name, kind, population.shape, sizes[name], state, reset, own, edges, host_edges))
    return Topology(tuple(layers), sizes, depth)


def _own(dynamics: Dynamics) -> tuple[int, int]:
    """Return the time constants, or other constants than the threshold, of a population, and its thresholds."""
    lengths = {name: len(values_of(getattr(dynamics, name))) for name in PARAMETERS[dynamics.kind]}
    thresholds = lengths.pop("v_th", 1)
    return max(lengths.values(), default=1), thresholds


def recurrent_edges(shapes: Topology[E_co]) -> list[E_co]:
    """Return the connections that read their own layer or a later one."""
    known, found = {INPUT}, []
    for layer in shapes.layers:
        found += [edge for edge in layer.edges if not known.issuperset(edge.sources)]
        known.add(layer.name)
    return found


def recurrent_sources(shapes: Topology[Any]) -> set[str]:
    """Return the layers that are read by themselves or by layers before them."""
    known, found = {INPUT}, set[str]()
    for layer in shapes.layers:
        for edge in layer.edges:
            if not known.issuperset(edge.sources):
                found.update(set(edge.sources) - known)
        known.add(layer.name)
    return found


def silent(plan: Plan) -> Activity:
    """Return the counts of one sample in which no neuron spikes: no network of this plan has lower ones.

    Shapes, kinds and classes of inputs are those of the plan, so that what a chip cannot do at all shows here as well.
    """
    nothing = (0,) * plan.time_steps
    counts: dict[str, Any] = dict.fromkeys(_COUNTS, nothing)
    populations = tuple(planned.counted(spikes=nothing, updates=nothing) for planned in plan.populations)
    connections = tuple(planned.counted(**counts) for planned in plan.connections)
    return Activity(1, plan.time_steps, populations, connections)
