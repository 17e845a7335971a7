"""The topology of a network: its layers, what each reads and how large that is, from a plan or from stored counts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar, overload

from evonas.measurement import Activity, Connection, Shape
from evonas.snn.plan import INPUT, Plan, PlannedConnection

Network = Activity | Plan
"""A measured network, or one that is only planned: both tell shapes, fan-in and weights."""

Edge = Connection | PlannedConnection
E_co = TypeVar("E_co", bound=Edge, covariant=True)


@dataclass(frozen=True)
class Layer(Generic[E_co]):
    """The neurons of one layer and the connections into it.

    Attributes:
        name: Unique in its network.
        kind: Of neuron, as in `evonas.measurement.Population`.
        shape: `(channels, height, width)`.
        state: State variables per neuron.
        reset: What a spike does to the membrane, `""` where counts are all that is stored.
        edges: What delivers its current on the chip.
        host_edges: What the host computes: the real numbers of a static input.
    """

    name: str
    kind: str
    shape: Shape
    state: int
    reset: str
    edges: tuple[E_co, ...]
    host_edges: tuple[E_co, ...]

    @property
    def all_edges(self) -> tuple[E_co, ...]:
        """The connections on the chip, and those of the host."""
        return self.edges + self.host_edges

    @property
    def neurons(self) -> int:
        """Number of neurons."""
        return size(self.shape)

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
    channels, height, width = shape
    return channels * height * width


def is_static_input(edge: Edge) -> bool:
    """Return whether the edge reads the real numbers of a static input, which a host can take over."""
    return edge.static and edge.element == "real" and edge.sources == (INPUT,)


@overload
def topology(network: Activity) -> Topology[Connection]: ...
@overload
def topology(network: Plan) -> Topology[PlannedConnection]: ...
def topology(network: Network) -> Topology[Any]:
    """Return the layers of a network as a chip sees them."""
    on_chip: dict[str, list[Any]] = {}
    on_host: dict[str, list[Any]] = {}
    sizes: dict[str, int] = {}
    depth: dict[str, int] = {}
    populations: tuple[Any, ...] = network.populations
    for population in populations:
        sizes[population.name] = size(population.shape)
    for edge in network.connections:  # in the order in which they compute, so that all sources are known
        (on_host if is_static_input(edge) else on_chip).setdefault(edge.target, []).append(edge)
        deepest = max([depth.get(name, 0) for name in edge.sources])
        depth[edge.target] = max(depth.get(edge.target, 0), deepest + 1)
        if INPUT in edge.sources and INPUT not in sizes and not is_static_input(edge):
            sizes[INPUT] = size(edge.in_shape) - sum(sizes[name] for name in edge.sources if name != INPUT)
    layers: list[Layer[Any]] = []
    for population in populations:
        name = population.name
        if isinstance(network, Plan):
            dynamics = population.dynamics
            kind, state, reset = dynamics.kind, dynamics.state_variables, dynamics.reset
        else:
            kind, state, reset = population.kind, population.state, ""
        edges, host_edges = tuple(on_chip.get(name, ())), tuple(on_host.get(name, ()))
        layers.append(Layer(name, kind, population.shape, state, reset, edges, host_edges))
        depth.setdefault(name, 1)
    return Topology(tuple(layers), sizes, depth)
