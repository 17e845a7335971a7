"""A trained network as a chip holds it: weights with the batch norm folded in, one set of synapses for each source."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, cast

import numpy as np
from torch import nn

from evonas.architecture.neuron import DT_MS
from evonas.architecture.plan import NORMALISED, Plan, PlannedConnection, PlannedPopulation
from evonas.errors import EvonasError
from evonas.measurement import Shape
from evonas.snn.loop_norm import LoopNorm
from evonas.snn.network import Network


@dataclass(frozen=True, eq=False)
class Synapses:
    """The synapses from one source into one population.

    Attributes:
        connection: The planned connection that they belong to; one with several sources has synapses for each.
        source: The population, or `"input"`, whose outputs they carry.
        channels: First channel of this source among all of the connection, and the one after its last.
        kind: `"conv"`; `"mean"`, a linear layer on the mean over space; or `"dense"`, one on all positions.
        weight: `(out, in / groups, kernel, kernel)`, or `(classes, inputs)`, float64, gains folded in.
        bias: `(out,)` float64; zero but for the first source.
        groups: Groups of channels that are connected among themselves only.
        in_shape: `(channels, height, width)` of the source.
    """

    connection: PlannedConnection
    source: str
    channels: tuple[int, int]
    kind: Literal["conv", "mean", "dense"]
    weight: np.ndarray
    bias: np.ndarray
    groups: int
    in_shape: Shape

    def as_convolution(self) -> tuple[np.ndarray, int, int]:
        """Return weights, stride and padding of the same synapses as a convolution with one group.

        Of a linear layer the kernel is the whole map.
        """
        if self.kind == "conv":
            weight = self.ungrouped()
            return weight, self.connection.stride, self.connection.padding if weight.shape[-1] > 1 else 0
        channels, height, width = self.in_shape
        repeats = height * width if self.kind == "mean" else 1
        return np.repeat(self.weight, repeats, axis=1).reshape(-1, channels, height, width), 1, 0

    def ungrouped(self) -> np.ndarray:
        """Return the weights of the same convolution with one group; what is not connected has the weight zero."""
        if self.groups == 1:
            return self.weight
        out, each = self.weight.shape[0], self.weight.shape[1]
        whole = np.zeros((out, self.in_shape[0], *self.weight.shape[2:]))
        for channel in range(out):
            first = channel // (out // self.groups) * each
            whole[channel, first : first + each] = self.weight[channel]
        return whole


@dataclass(frozen=True)
class Neurons:
    """A population with its constants as float64 arrays, `()` or of each channel `(channels, 1, 1)`.

    Attributes:
        planned: The population.
        mem: What the membrane loses in a time step: the time step over the time constant; 0 for `integrate_and_fire`.
        syn: The same of the synaptic current; 1 where there is none.
        threshold: It fires above this.
        adapt: What the adaptation loses in a time step; 1 where there is none.
        beta: What one unit of adaptation, a spike, adds to the threshold; 0 where there is none.
        incoming: Its synapses.
    """

    planned: PlannedPopulation
    mem: np.ndarray
    syn: np.ndarray
    threshold: np.ndarray
    adapt: np.ndarray
    beta: np.ndarray
    incoming: tuple[Synapses, ...]

    @property
    def name(self) -> str:
        """Name of the population."""
        return self.planned.name

    @property
    def kind(self) -> str:
        """Kind of its neurons."""
        return self.planned.dynamics.kind

    @property
    def taken(self) -> np.ndarray:
        """The part of a current that a membrane takes up in a time step: what it loses, and 1 where that is nothing."""
        return np.where(self.mem > 0, self.mem, 1.0)

    @property
    def fires(self) -> bool:
        """Whether it decides on spikes; relays of the maximum or a pick of spikes do as well, without memory."""
        return self.planned.dynamics.is_spiking or any(is_or_of_spikes(edge) for edge in self.planned.incoming)


@dataclass(frozen=True)
class Folded:
    """A network without batch norms.

    Attributes:
        plan: What it consists of.
        populations: Its populations in the order in which they compute; the last one is the readout.
    """

    plan: Plan
    populations: tuple[Neurons, ...]

    @property
    def readout(self) -> Neurons:
        """The population whose mean potentials are the answer."""
        return self.populations[-1]

    @property
    def spiking(self) -> tuple[Neurons, ...]:
        """The populations before the readout."""
        return self.populations[:-1]


def folded(network: Network) -> Folded:
    """Return a network with its batch norms folded into weights and biases, as they are in evaluation.

    Raises:
        EvonasError: If it has an operation that cannot be folded.
    """
    return Folded(network.plan, tuple(_neurons(network, population) for population in network.plan.populations))


def _neurons(network: Network, planned: PlannedPopulation) -> Neurons:
    constants = {name: _array(value) for name, value in network.neurons[planned.name].named_parameters()}

    def part(name: str, *, without: float) -> np.ndarray:
        if name not in constants:
            return np.array(without)
        return np.asarray(DT_MS / np.maximum(constants[name], DT_MS))  # one below the time step acts as the time step

    incoming = _with_bias_at_once(
        [one for edge in planned.incoming for one in _synapses(network, edge)], looped=network.plan.stepped
    )
    zero, one_step = np.array(0.0), np.array(1.0)
    if any(is_or_of_spikes(edge) for edge in planned.incoming):
        return Neurons(planned, one_step, one_step, np.array(0.5), one_step, zero, incoming)
    return Neurons(
        planned,
        mem=part("tau_mem_ms", without=0.0),
        syn=part("tau_syn_ms", without=1.0),
        threshold=constants.get("v_th", zero),
        adapt=part("tau_adapt_ms", without=1.0),
        beta=constants.get("beta", zero),
        incoming=incoming,
    )


def _with_bias_at_once(synapses: Sequence[Synapses], *, looped: Collection[str]) -> tuple[Synapses, ...]:
    """Return synapses of which delayed ones within loops have no bias: it drives their target from the first step on.

    A tool that reads a loop only once something has come through it would leave the bias out until then. Where all
    synapses into a population are such, they keep theirs.

    Args:
        synapses: The synapses into a population.
        looped: Names of the connections within loops.
    """
    late = [one for one in synapses if one.connection.name in looped and one.connection.delay]
    others = sorted((one for one in synapses if one not in late), key=lambda one: not _has_bias(one))
    if not any(_has_bias(one) for one in late) or not others:
        return tuple(synapses)
    moved = np.sum([one.bias for one in late], axis=0)
    changed = {id(one): np.zeros_like(one.bias) for one in late} | {id(others[0]): others[0].bias + moved}
    return tuple(replace(one, bias=changed.get(id(one), one.bias)) for one in synapses)


def _has_bias(synapses: Synapses) -> bool:
    return synapses.connection.operation in NORMALISED


def _synapses(network: Network, edge: PlannedConnection) -> Iterator[Synapses]:
    kind, weight, bias, groups = whole_weights(network.operations[edge.name], edge)
    shapes = {one.name: one.shape for one in network.plan.populations}
    first = 0
    for source in edge.sources:
        shape = shapes.get(source, network.plan.input_shape)
        last = first + shape[0]
        if groups > 1 and len(edge.sources) == 1:
            own = weight
        elif groups > 1:  # its channels are some of all: the others get nothing from this source
            own = np.zeros((edge.out_shape[0], shape[0], *weight.shape[2:]))
            own[np.arange(first, last), np.arange(shape[0])] = weight[first:last, 0]
        elif kind == "dense":
            area = shape[1] * shape[2]
            own = weight[:, first * area : last * area]
        else:
            own = weight[:, first:last]
        is_grouped = groups > 1 and len(edge.sources) == 1
        drive = bias if first == 0 else np.zeros_like(bias)
        yield Synapses(edge, source, (first, last), kind, own, drive, groups if is_grouped else 1, shape)
        first = last


def whole_weights(
    module: nn.Module, edge: PlannedConnection
) -> tuple[Literal["conv", "mean", "dense"], np.ndarray, np.ndarray, int]:
    """Return kind, weights, biases and groups of a connection with all its sources, in the forms of `Synapses`.

    Raises:
        EvonasError: If it is an operation that has none.
    """
    found, channels = cast(Any, module), edge.out_shape[0]
    if edge.operation == "conv":
        gain, bias = _factors_and_biases(found.norm)
        return "conv", _array(found.conv.weight) * gain[:, None, None, None], bias, edge.groups
    if edge.operation == "norm":
        gain, bias = _factors_and_biases(found.norm)
        return "conv", gain[:, None, None, None], bias, channels
    if edge.operation == "skip" or (edge.operation == "pool" and has_whole_windows(edge)):
        size = edge.kernel if edge.operation == "pool" else 1
        gains = np.broadcast_to(np.asarray(edge.gain, float), channels)
        window = np.broadcast_to((gains / size**2)[:, None, None, None], (channels, 1, size, size))
        return "conv", window, np.zeros(channels), channels
    if edge.operation == "dense":
        gain, bias = _factors_and_biases(found.norm)
        return "dense", _array(found.linear.weight) * gain[:, None], bias, 1
    if edge.operation == "linear":
        positions = edge.in_shape[1] * edge.in_shape[2]
        return "mean", _array(found.weight) * edge.one_gain / positions, np.zeros(channels), 1
    if edge.operation == "flat_linear":
        return "dense", _array(found.weight) * edge.one_gain, np.zeros(channels), 1
    if edge.operation == "vote":
        each = edge.in_shape[0] // channels
        return "conv", np.full((channels, each, 1, 1), edge.one_gain / each), np.zeros(channels), channels
    if is_or_of_spikes(edge):
        return "conv", np.ones((channels, 1, edge.kernel, edge.kernel)), np.zeros(channels), channels
    if edge.gate:
        raise EvonasError(
            f"The connection {edge.name} is a gate of attention ({edge.operation}), whose products no synapses can "
            "make. Pick a network without attention."
        )
    raise EvonasError(
        f"The connection {edge.name} is a {edge.operation} of {edge.element} elements, its windows perhaps cut off at "
        "the border or its elements repeated, of which no synapses can be made. Pick a network without it."
    )


def _factors_and_biases(norm: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return the `(channels,)` factors and biases that a norm comes to once a network is trained."""
    if isinstance(norm, LoopNorm):
        return _array(norm.factors())[:, 0, 0], _array(norm.bias)
    factors = _array(norm.weight) / np.sqrt(_array(norm.running_var) + norm.eps)
    return factors, _array(norm.bias) - _array(norm.running_mean) * factors


def is_or_of_spikes(edge: PlannedConnection) -> bool:
    """Return whether a connection hands spikes on so that neurons can say it: the maximum of whole windows, a pick."""
    is_picking = edge.operation == "resize" and edge.repeats == 1
    return edge.element == "binary" and (is_picking or (edge.operation == "max_pool" and has_whole_windows(edge)))


def has_whole_windows(edge: PlannedConnection) -> bool:
    """Return whether the border cuts no window of a pool off, as convolutions of other tools need it."""
    return edge.padding > 0 or not any((side - edge.kernel) % edge.stride for side in edge.in_shape[1:])


def _array(tensor: Any) -> np.ndarray:
    array: np.ndarray = tensor.detach().cpu().double().numpy()
    return array
