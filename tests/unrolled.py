"""A network unrolled: one plain loop over time steps, and counts by every synapse. The slow twin of `Network`."""

from __future__ import annotations

import itertools

import torch
from torch import nn
from torch.nn.functional import conv2d, pad

from evonas.architecture.plan import INPUT, PlannedConnection
from evonas.measurement import Activity, Connection
from evonas.snn.kernels.scan import _STEPS, _at_rest
from evonas.snn.loop_norm import LoopNorm
from evonas.snn.network import Network


def unrolled(network: Network, data: torch.Tensor) -> dict[str, torch.Tensor]:
    """All outputs by one plain loop over time steps, each neuron by Norse's own step and each norm written out."""
    plan = network.plan
    outputs: dict[str, list[torch.Tensor]] = {one.name: [] for one in plan.populations}
    outputs[INPUT] = list(data.expand(plan.time_steps, *data.shape[1:]))
    states: dict[str, object] = {}
    for t in range(plan.time_steps):
        for population in plan.populations:
            total = None
            for edge in population.incoming:
                at = t - edge.delay
                zeros = data.new_zeros(data.shape[1], *edge.in_shape)
                read = torch.cat([outputs[name][at] for name in edge.sources], 1) if at >= 0 else zeros
                current = _by_hand(network.operations[edge.name], read, edge)
                total = current if total is None else total + current
            neuron, kind = network.neurons[population.name], population.dynamics.kind
            if kind != "readout":
                total = total.reshape(len(total), *population.shape)
            if kind in ("analog", "relay"):
                outputs[population.name].append(torch.relu(total) if kind == "analog" else total)
                continue
            parameters = neuron.norse_parameters()
            if kind != "readout":  # constants of channels without positions
                parameters = parameters._replace(
                    **{
                        name: one[:, None, None]
                        for name, one in parameters._asdict().items()
                        if getattr(one, "ndim", 0) == 1
                    }
                )
            state = states.get(population.name) or _at_rest(total, parameters)
            output, states[population.name] = _STEPS[type(parameters)](total, state, parameters, 0.001)
            outputs[population.name].append(output)
    return {name: torch.stack(steps) for name, steps in outputs.items()}


def _by_hand(operation: nn.Module, images: torch.Tensor, edge: PlannedConnection) -> torch.Tensor:
    gain = torch.tensor(edge.gain, dtype=images.dtype)[..., None, None]  # of all channels, or of each
    if edge.operation == "skip":
        return gain * images
    if edge.operation == "resize":
        rows, columns = (
            torch.arange(out) * side // out if edge.repeats > 1 else torch.arange(out) * edge.stride
            for side, out in zip(edge.in_shape[1:], edge.out_shape[1:], strict=True)
        )
        return images[:, :, rows][:, :, :, columns]
    if edge.operation == "pool":
        window = images.new_full((edge.in_shape[0], 1, edge.kernel, edge.kernel), 1 / edge.kernel**2)
        if not edge.padding:  # windows side by side, the last ones cut off
            below, beside = (
                out * edge.stride - side for out, side in zip(edge.out_shape[1:], edge.in_shape[1:], strict=True)
            )
            images = pad(images, (0, beside, 0, below))
        return gain * conv2d(images, window, stride=edge.stride, padding=edge.padding, groups=edge.in_shape[0])
    if edge.operation == "linear":
        return edge.gain * images.mean((2, 3)) @ operation.weight.T
    if edge.operation == "flat_linear":
        return edge.gain * images.flatten(1) @ operation.weight.T
    norm = operation.norm
    if edge.operation == "dense":
        current = (images.flatten(1) @ operation.linear.weight.T)[..., None, None]
    elif edge.operation == "norm":
        current = images
    else:
        current = conv2d(images, operation.conv.weight, stride=edge.stride, padding=edge.padding)
    if isinstance(norm, LoopNorm):
        length = operation.weight.flatten(1).pow(2).sum(1).sqrt()[:, None, None]
        return current / length * norm.weight[:, None, None] + norm.bias[:, None, None]
    mean, deviation = norm.running_mean[:, None, None], (norm.running_var + norm.eps).sqrt()[:, None, None]
    return (current - mean) / deviation * norm.weight[:, None, None] + norm.bias[:, None, None]


def check_counts(network: Network, data: torch.Tensor, activity: Activity) -> None:
    """Check spikes, inputs and events of a network against every synapse, at the steps at which events arrive."""
    outputs, steps = unrolled(network, data), network.plan.time_steps
    for planned, population in zip(network.plan.populations[:-1], activity.populations[:-1], strict=True):
        sent = tuple(0 if planned.is_sum else int((step != 0).sum()) for step in outputs[population.name])
        assert population.spikes == sent, population.name
    for edge in activity.connections:
        read = torch.cat([outputs[name] for name in edge.sources], dim=2)
        expected, inputs = [0] * steps, [0] * steps
        for t in range(edge.delay, steps):
            now = read[t - edge.delay] != 0
            inputs[t] = int(now.sum())
            for c, y, x in itertools.product(*map(range, edge.in_shape)):
                expected[t] += int(now[:, c, y, x].sum()) * _targets(edge, y, x)
        assert edge.inputs == tuple(inputs), edge.name
        counted = {"binary": edge.events, "graded": edge.graded, "real": edge.macs}
        assert counted.pop(edge.element) == tuple(expected), edge.name
        assert not any(map(sum, counted.values()))
        if edge.element == "graded":
            sizes = [float(read[t - edge.delay].sum()) if t >= edge.delay else 0 for t in range(steps)]
            assert edge.units == tuple(map(round, sizes))


def _targets(edge: Connection, y: int, x: int) -> int:
    if edge.is_linear:
        return edge.out_shape[0]
    _, height, width = edge.out_shape
    if edge.operation == "resize" and height > edge.in_shape[1]:
        return sum(
            i * edge.in_shape[1] // height == y and j * edge.in_shape[2] // width == x
            for i, j in itertools.product(range(height), range(width))
        )
    beyond = itertools.product(range(edge.kernel), repeat=2)
    corners = [(y + edge.padding - dy, x + edge.padding - dx) for dy, dx in beyond]
    places = sum(
        not (row % edge.stride or column % edge.stride)
        and 0 <= row // edge.stride < height
        and 0 <= column // edge.stride < width
        for row, column in corners
    )
    return places * (1 if edge.groups > 1 else edge.out_shape[0])
