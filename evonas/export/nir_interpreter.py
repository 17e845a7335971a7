"""Interpreter of NIR: a graph run step by step under forward Euler, with every spike to be seen.

It is written to be read: one small function for each kind of node. All nodes of NIR 1.0 but nested graphs are there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import nir
import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, conv1d, conv2d

from evonas.architecture.loops import strongly_connected
from evonas.errors import EvonasError

CLOSE = 1e-6
"""Files hold float32: what is so near to 1 is 1, such as the part of a current that passes in one step."""

State = dict[str, Tensor]


@dataclass(frozen=True)
class NirRun:
    """What a graph did.

    Attributes:
        outputs: `(time, batch, ...)` output of each node, by its name.
        potentials: `(time, batch, ...)` potentials of each node of neurons before its reset, by its name.
    """

    outputs: Mapping[str, Tensor]
    potentials: Mapping[str, Tensor]


@dataclass
class _Node:
    """A node that runs: its step, what it reads now, what it reads of the step before, and its state."""

    name: str
    step: Callable[[Tensor, State], Tensor]
    now: tuple[str, ...]
    before: tuple[str, ...]
    state: State = field(default_factory=dict)


def run_nir(graph: nir.NIRGraph, data: Tensor, *, time_steps: int, dt: float = 1e-4) -> NirRun:
    """Return what a graph does with data, computed in the number format of the data.

    A node with several inputs reads their sum. An edge that closes a loop carries what its source sent one step before.
    Neurons fire above their threshold; potentials and currents are zero before the first step.

    Args:
        graph: The graph, with one input.
        data: `(time, batch, ...)`; time 1 is shown at all steps.
        time_steps: Number of steps.
        dt: Length of a step in seconds; 1 for graphs whose time constants count steps.

    Raises:
        EvonasError: If the graph has a node that is not known, no single input, or shapes that do not fit.
    """
    if data.shape[0] not in (1, time_steps):
        raise EvonasError(f"The data have {data.shape[0]} time steps, expected 1 or {time_steps}.")
    nodes = _nodes(graph, like=data, dt=dt)
    outputs: dict[str, list[Tensor]] = {node.name: [] for node in nodes}
    potentials: dict[str, list[Tensor]] = {}
    for t in range(time_steps):
        for node in nodes:
            given = [outputs[name][t] for name in node.now]
            given += [outputs[name][t - 1] for name in node.before if t]
            if not given and node.before:  # nothing has come through a loop yet
                given = [_nothing(graph.nodes[node.name], data)]
            if isinstance(graph.nodes[node.name], nir.Input):
                given = [data[min(t, data.shape[0] - 1)]]
            try:
                outputs[node.name].append(node.step(_sum(given), node.state))
            except (RuntimeError, IndexError, ValueError) as error:
                shapes = ", ".join(str(tuple(one.shape[1:])) for one in given)
                raise EvonasError(f"The node {node.name!r} cannot take inputs of shape {shapes}: {error}") from error
            if "before_reset" in node.state:
                potentials.setdefault(node.name, []).append(node.state["before_reset"])
    return NirRun(
        {name: torch.stack(steps) for name, steps in outputs.items()},
        {name: torch.stack(steps) for name, steps in potentials.items()},
    )


def output_name(graph: nir.NIRGraph) -> str:
    """Return the name of the one output of a graph.

    Raises:
        EvonasError: If there is none, or several.
    """
    names = [name for name, node in graph.nodes.items() if isinstance(node, nir.Output)]
    if len(names) != 1:
        raise EvonasError(f"The graph has {len(names)} outputs, expected one.")
    return str(names[0])


def _nodes(graph: nir.NIRGraph, *, like: Tensor, dt: float) -> list[_Node]:
    """Return the nodes in the order in which they compute within a step."""
    unknown = [f"{name} ({type(node).__name__})" for name, node in graph.nodes.items() if type(node) not in _MAKERS]
    if unknown:
        known = ", ".join(sorted(kind.__name__ for kind in _MAKERS))
        raise EvonasError(f"The graph has nodes that cannot be run: {', '.join(unknown)}; expected {known}.")
    inputs = [name for name, node in graph.nodes.items() if isinstance(node, nir.Input)]
    if len(inputs) != 1:
        raise EvonasError(f"The graph has {len(inputs)} inputs, expected one.")
    strange = sorted({name for edge in graph.edges for name in edge} - graph.nodes.keys())
    if strange:
        raise EvonasError(f"The graph has edges of nodes that are not there: {', '.join(strange)}.")
    late = closing_edges(graph.edges, first=inputs[0])
    reads: dict[str, list[str]] = {name: [] for name in graph.nodes}
    for source, target in graph.edges:
        reads[target].append(source)
    now = {name: [one for one in sources if (one, name) not in late] for name, sources in reads.items()}
    order = [name for part in strongly_connected(now) for name in part]
    unread = [name for name in order if not reads[name] and name != inputs[0]]
    if unread:
        raise EvonasError(f"The graph has nodes that nothing feeds: {', '.join(unread)}.")
    return [
        _Node(
            name,
            _MAKERS[type(graph.nodes[name])](graph.nodes[name], _Numbers(like, dt)),
            tuple(now[name]),
            tuple(one for one in reads[name] if (one, name) in late),
        )
        for name in order
    ]


def closing_edges(edges: Sequence[tuple[str, str]], *, first: str) -> set[tuple[str, str]]:
    """Return the edges that close a loop, as a walk from the input finds them: each of them takes a step.

    Args:
        edges: Those of the graph, sources first.
        first: The input.
    """
    targets: dict[str, list[str]] = {first: [], **{name: [] for edge in edges for name in edge}}
    for source, target in edges:
        targets[source].append(target)
    late: set[tuple[str, str]] = set()
    done: set[str] = set()
    for start in (first, *targets):
        if start in done:
            continue
        trail: list[tuple[str, Any]] = [(start, iter(targets[start]))]
        inside = {start}
        while trail:
            node, rest = trail[-1]
            following = next(rest, None)
            if following is None:
                trail.pop()
                inside.discard(node)
                done.add(node)
            elif following in inside:
                late.add((node, following))
            elif following not in done:
                inside.add(following)
                trail.append((following, iter(targets[following])))
    return late


def _nothing(node: nir.NIRNode, data: Tensor) -> Tensor:
    """Return zeros in the shape that a node takes."""
    shape = next(iter(node.input_type.values()), None)
    if shape is None:
        raise EvonasError(f"A {type(node).__name__} that only a loop feeds does not say what shape it takes.")
    return data.new_zeros(data.shape[1], *(int(length) for length in np.atleast_1d(shape)))


def _sum(given: Iterable[Tensor]) -> Tensor:
    first, *others = given
    for other in others:
        first = first + other
    return first


@dataclass(frozen=True)
class _Numbers:
    """Reads the numbers of nodes in the format of the data."""

    like: Tensor
    dt: float

    def __call__(self, value: Any) -> Tensor:
        return torch.as_tensor(np.asarray(value)).to(self.like)

    def part(self, tau: Any) -> Tensor:
        """Return what is lost, or taken up, in a step: the step over the time constant."""
        return _near_one(self.dt / self(tau))


def _near_one(values: Tensor) -> Tensor:
    return torch.where((values - 1).abs() < CLOSE, torch.ones_like(values), values)


def _pair(value: Any) -> tuple[int, int]:
    numbers = [int(one) for one in np.atleast_1d(value)]
    return (numbers[0], numbers[-1])


def _padding(value: Any) -> Any:
    return value if isinstance(value, str) else _pair(value)


def _passed(node: Any, number: _Numbers) -> Callable[[Tensor, State], Tensor]:
    return lambda given, state: given


def _affine(node: Any, number: _Numbers) -> Callable[[Tensor, State], Tensor]:
    weight, bias = number(node.weight), number(getattr(node, "bias", 0.0))
    return lambda given, state: given @ weight.transpose(-1, -2) + bias


def _conv(node: Any, number: _Numbers) -> Callable[[Tensor, State], Tensor]:
    weight, bias, groups = number(node.weight), number(node.bias), int(node.groups)
    if weight.ndim == 3:
        stride, dilation = _pair(node.stride)[0], _pair(node.dilation)[0]
        padding = node.padding if isinstance(node.padding, str) else _pair(node.padding)[0]
        return lambda given, state: conv1d(given, weight, bias, stride, padding, dilation, groups)
    stride2, dilation2, padding2 = _pair(node.stride), _pair(node.dilation), _padding(node.padding)
    return lambda given, state: conv2d(given, weight, bias, stride2, padding2, dilation2, groups)


def _pool(node: Any, number: _Numbers) -> Callable[[Tensor, State], Tensor]:
    kernel, stride, padding = _pair(node.kernel_size), _pair(node.stride), _pair(node.padding)
    gain = kernel[0] * kernel[1] if isinstance(node, nir.SumPool2d) else 1
    return lambda given, state: avg_pool2d(given, kernel, stride, padding) * gain


def _flatten(node: Any, number: _Numbers) -> Callable[[Tensor, State], Tensor]:
    start, end = int(node.start_dim), int(node.end_dim)
    return lambda given, state: given.flatten(start + 1 if start >= 0 else start, end + 1 if end >= 0 else end)


def _scale(node: Any, number: _Numbers) -> Callable[[Tensor, State], Tensor]:
    scale = number(node.scale)
    return lambda given, state: given * scale


def _threshold(node: Any, number: _Numbers) -> Callable[[Tensor, State], Tensor]:
    threshold = number(node.threshold)
    return lambda given, state: (given > threshold).to(given)


def _delay(node: Any, number: _Numbers) -> Callable[[Tensor, State], Tensor]:
    steps = np.unique(np.round(np.asarray(node.delay, float) / number.dt).astype(int))
    if len(steps) != 1:
        raise EvonasError(f"A Delay has {len(steps)} different delays, expected one for all.")
    held: list[Tensor] = []

    def step(given: Tensor, state: State) -> Tensor:
        held.append(given)
        return held.pop(0) if len(held) > steps[0] else torch.zeros_like(given)

    return step


def _integrator(node: Any, number: _Numbers) -> Callable[[Tensor, State], Tensor]:
    """Return the step of `I`, `LI` and `CubaLI`, whose output is the potential."""
    charge = _charge(node, number)

    def step(given: Tensor, state: State) -> Tensor:
        state["v"] = charge(given, state)
        return state["v"]

    return step


def _spiking(node: Any, number: _Numbers) -> Callable[[Tensor, State], Tensor]:
    """Return the step of `IF`, `LIF` and `CubaLIF`."""
    charge, threshold, reset = _charge(node, number), number(node.v_threshold), number(node.v_reset)

    def step(given: Tensor, state: State) -> Tensor:
        v = state["before_reset"] = charge(given, state)
        spikes = v > threshold
        state["v"] = torch.where(spikes, reset.expand(v.shape), v)
        return spikes.to(given)

    return step


def _charge(node: Any, number: _Numbers) -> Callable[[Tensor, State], Tensor]:
    """Return how the potential follows from the input, before any reset.

    Forward Euler of `tau dv/dt = v_leak - v + r x` or `dv/dt = r x`, with `tau_syn di/dt = w_in x - i` in the place of
    `x` where there is a synaptic current, which is stepped first.
    """
    r = number(node.r)
    if isinstance(node, nir.I | nir.IF):
        gain = _near_one(number.dt * r)
        return lambda given, state: state.get("v", torch.zeros_like(given)) + gain * given
    leak = number(node.v_leak)
    has_current = isinstance(node, nir.CubaLIF | nir.CubaLI)
    lost = number.part(node.tau_mem if has_current else node.tau)
    gain = _near_one(lost * r)
    if has_current:
        current_lost = number.part(node.tau_syn)
        current_gain = _near_one(current_lost * number(node.w_in))

    def charge(given: Tensor, state: State) -> Tensor:
        current = given
        if has_current:
            before = state.get("i", torch.zeros_like(given))
            current = state["i"] = before - current_lost * before + current_gain * given
        v = state.get("v", torch.zeros_like(given))
        return v + lost * (leak - v) + gain * current

    return charge


_MAKERS: dict[type, Callable[[Any, _Numbers], Callable[[Tensor, State], Tensor]]] = {
    nir.Input: _passed,
    nir.Output: _passed,
    nir.Affine: _affine,
    nir.Linear: _affine,
    nir.Conv1d: _conv,
    nir.Conv2d: _conv,
    nir.SumPool2d: _pool,
    nir.AvgPool2d: _pool,
    nir.Flatten: _flatten,
    nir.Scale: _scale,
    nir.Threshold: _threshold,
    nir.Delay: _delay,
    nir.I: _integrator,
    nir.LI: _integrator,
    nir.CubaLI: _integrator,
    nir.IF: _spiking,
    nir.LIF: _spiking,
    nir.CubaLIF: _spiking,
}
