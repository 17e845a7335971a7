"""Largest Lyapunov exponent: whether a small change of the membranes grows or dies out from step to step."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from evonas.architecture.gate import is_temporal
from evonas.architecture.plan import INPUT, Plan
from evonas.errors import EvonasError
from evonas.snn.kernels.scan import NeuronState
from evonas.snn.network import Network

SAMPLES = 16
"""First samples that are looked at; a vector that goes back through all steps costs far more than an answer."""


def score(network: Network, inputs: Tensor) -> float:
    """Return minus the distance of the largest Lyapunov exponent from 0, the edge of chaos, in nats a time step.

    The state is all membrane potentials and synaptic currents of the first `SAMPLES` samples, and the outputs that
    delayed connections will still read. After one step of warm-up, the logarithm of the growth of a random unit vector
    is added up over the steps, in float64, and its mean is the exponent; derivatives of spikes are surrogate gradients.

    Source: LLE in the package of L-NAS (2026). Departures: vectors go back through the steps by the transposed
    Jacobians, whose product has the same singular values; batch norms take the statistics of the samples before they
    stay fixed, because those of a new network would silence it; delayed outputs belong to the state; one vector in
    place of the largest of several, which order networks alike (Kendall's tau of .96 between two vectors, of .97
    between twice three, on 40 networks of the joint space).

    Raises:
        EvonasError: If the network has only one time step, no neurons with memory, or a gate over time steps.
    """
    plan = network.plan
    if plan.time_steps < 2:
        raise EvonasError("The network has one time step, so that nothing can grow from step to step.")
    if not any(one.dynamics.has_memory for one in plan.populations):
        raise EvonasError("The network has no neurons with memory, so that nothing can grow from step to step.")
    waiting = [edge.name for edge in plan.connections if is_temporal(edge.operation)]
    if waiting:
        raise EvonasError(
            f"The gate {waiting[0]!r} weighs all time steps against each other, so that no step follows from the one "
            "before. Use another score."
        )
    inputs = inputs[:, :SAMPLES]
    _settle_norms(network, inputs)
    network.eval().requires_grad_(False)
    stepper = _Stepper(network, inputs)
    with torch.no_grad():
        state = stepper.step(_State({}, {}), 0)
    steps = []
    with torch.enable_grad():
        for t in range(1, plan.time_steps):
            before = state.as_leaves()
            after = stepper.step(before, t)
            steps.append((before.tensors(), after.tensors()))
            state = after
    return -abs(_exponent(steps))


@torch.no_grad()
def _settle_norms(network: Network, inputs: Tensor) -> None:
    """Let batch norms keep the statistics of these samples: those of all steps, or the mean over the steps."""
    for norm in network.modules():
        if isinstance(norm, nn.BatchNorm2d):
            norm.reset_running_stats()  # whatever it has seen before
            norm.momentum = None  # the mean of all that it sees
    network.train()(inputs, network.recorder())  # recorded, so that dropout leaves nothing out


@dataclass(frozen=True)
class _State:
    """What a step depends on besides the data.

    Attributes:
        neurons: Population to the state of its neurons, without those that have none.
        outputs: Population to its last `(batch, ...)` outputs, the latest first, as many as delays ask for.
    """

    neurons: Mapping[str, NeuronState]
    outputs: Mapping[str, tuple[Tensor, ...]]

    def tensors(self) -> list[Tensor]:
        """Return all of it in one order."""
        return [part for one in (*self.neurons.values(), *self.outputs.values()) for part in one]

    def as_leaves(self) -> _State:
        """Return the same values, with respect to which derivatives can be taken."""
        return _State(
            {name: type(one)(*(_leaf(part) for part in one)) for name, one in self.neurons.items()},
            {name: tuple(map(_leaf, parts)) for name, parts in self.outputs.items()},
        )


def _leaf(tensor: Tensor) -> Tensor:
    return tensor.detach().requires_grad_()


class _Stepper:
    """Computes a network one time step after the other, its states handed in and out.

    Args:
        network: The network.
        inputs: `(time, batch, channels, height, width)` samples.
    """

    def __init__(self, network: Network, inputs: Tensor) -> None:
        self._network = network
        self._inputs = inputs
        self._remembered = _remembered(network.plan)

    def step(self, before: _State, t: int) -> _State:
        """Return the state behind time step `t`."""
        now: dict[str, Tensor] = {INPUT: self._data(t, 0)}
        neurons: dict[str, NeuronState] = {}
        for population in self._network.plan.populations:
            current: Tensor | None = None
            for edge in population.incoming:
                parts = [self._read(name, edge.delay, t, now, before) for name in edge.sources]
                given = torch.cat(parts, dim=1).to(self._inputs.dtype)
                added = self._network.operations[edge.name](given)
                current = added if current is None else current + added
            assert current is not None
            module = self._network.neurons[population.name]
            output, state = module.step(current, state=before.neurons.get(population.name))  # type: ignore[operator]
            now[population.name] = output
            if state is not None:
                neurons[population.name] = state
        outputs = {}
        for name, count in self._remembered.items():
            earlier = before.outputs.get(name, tuple(torch.zeros_like(now[name]) for _ in range(count)))
            outputs[name] = (now[name], *earlier)[:count]
        return _State(neurons, outputs)

    def _data(self, t: int, delay: int) -> Tensor:
        if len(self._inputs) == 1:
            return self._inputs[0]
        return self._inputs[t - delay] if t >= delay else torch.zeros_like(self._inputs[0])

    def _read(self, name: str, delay: int, t: int, now: Mapping[str, Tensor], before: _State) -> Tensor:
        """Return the `(batch, c, h, w)` outputs of a population so many steps ago, zeros before the first one."""
        if name == INPUT:
            return self._data(t, delay)
        if not delay:
            return now[name]
        if name in before.outputs:
            return before.outputs[name][delay - 1]
        shape = next(one.shape for one in self._network.plan.populations if one.name == name)
        return self._inputs.new_zeros(self._inputs.shape[1], *shape)


def _remembered(plan: Plan) -> dict[str, int]:
    """Return population to the largest delay at which it is read, without those that are read at once only."""
    longest: dict[str, int] = {}
    for edge in plan.connections:
        for name in edge.sources:
            if edge.delay and name != INPUT:
                longest[name] = max(longest.get(name, 0), edge.delay)
    return longest


def _exponent(steps: list[tuple[list[Tensor], list[Tensor]]]) -> float:
    """Return the mean logarithm of the growth of a random vector that goes back through all steps."""
    vectors = _unit([torch.randn_like(part) for part in steps[-1][1]])[0]
    total = 0.0
    for before, after in reversed(steps):
        pairs = [(part, vector) for part, vector in zip(after, vectors, strict=True) if part.requires_grad]
        found = torch.autograd.grad(
            [part for part, _ in pairs],
            before,
            [vector for _, vector in pairs],
            allow_unused=True,
        )
        grown = [torch.zeros_like(one) if new is None else new for one, new in zip(before, found, strict=True)]
        vectors, length = _unit(grown)
        if length == 0:
            return -math.inf
        total += math.log(length)
    return total / len(steps)


def _unit(vectors: list[Tensor]) -> tuple[list[Tensor], float]:
    """Return vectors scaled so that all of them together have the length 1, and the length that they had."""
    length = math.sqrt(sum(float(one.double().square().sum()) for one in vectors))
    return [one / length for one in vectors] if length else vectors, length
