"""Synaptic flow: how much all weights together carry from the data to the readout, along every path."""

from __future__ import annotations

import math
from typing import cast

import torch
from torch import Tensor
from torch.nn.functional import conv2d

from evonas.architecture.plan import INPUT, PlannedConnection
from evonas.errors import EvonasError
from evonas.snn.network import Network
from evonas.snn.operations import Operation


def score(network: Network, inputs: Tensor) -> float:
    """Return the logarithm of the sum over all weights of weight times gradient, in the network of absolute weights.

    That network has no norms and all its gates are open, its neurons hand on the sums that they receive, and its data
    are ones; the gradient is that of the sum of its answers, the mean over time steps. A delayed connection reads
    earlier steps, zeros before the first. Of `inputs` only the device is read.

    Source: SynFlow (Tanaka et al., NeurIPS 2020), as a score of networks (Abdelfattah et al., ICLR 2021),
    which is about layers with rectified neurons. Departures: loops are unrolled over time; the logarithm, which keeps
    the order; float64.

    Raises:
        EvonasError: If a connection has weights that are neither of a convolution nor of a linear layer.
    """
    network = network.double().to(inputs.device)
    weights = {}
    for name, operation in network.operations.items():
        weight = cast(Operation, operation).weight
        if weight is not None:
            weights[name] = weight.detach().abs().requires_grad_()
    if not weights:
        raise EvonasError("The network has no weights, so that nothing flows through them.")
    with torch.enable_grad():
        answer = _flow(network, weights, device=inputs.device)
        gradients = torch.autograd.grad(answer, list(weights.values()), allow_unused=True)
    pairs = zip(weights.values(), gradients, strict=True)
    flow = sum(float((weight.detach() * gradient).sum()) for weight, gradient in pairs if gradient is not None)
    return math.log(flow) if flow > 0 else -math.inf


def _flow(network: Network, weights: dict[str, Tensor], *, device: torch.device) -> Tensor:
    """Return the sum of the answers, the mean over time steps."""
    plan = network.plan
    ones = torch.ones(1, *plan.input_shape, dtype=torch.float64, device=device)
    answers = []
    outputs: dict[str, list[Tensor]] = {INPUT: [ones] * plan.time_steps, **{one.name: [] for one in plan.populations}}
    for step in range(plan.time_steps):
        for population in plan.populations:
            current = torch.zeros(1, *population.shape, dtype=torch.float64, device=device)
            for edge in population.incoming:
                if step >= edge.delay:
                    read = torch.cat([outputs[name][step - edge.delay] for name in edge.sources], dim=1)
                    current = current + _carried(network, edge, read, weights).reshape(current.shape)
            outputs[population.name].append(current)
        answers.append(current.sum())
    return torch.stack(answers).mean()


def _carried(network: Network, edge: PlannedConnection, read: Tensor, weights: dict[str, Tensor]) -> Tensor:
    """Return what a connection makes of `(1, c, h, w)` values with the absolute values of its weights."""
    if edge.operation == "norm" or edge.gate:
        return read
    weight = weights.get(edge.name)
    if weight is None:
        carried: Tensor = network.operations[edge.name](read)
        return carried
    if edge.operation == "conv":
        return conv2d(read, weight, stride=edge.stride, padding=edge.padding, groups=edge.groups)
    if edge.operation == "linear":
        return edge.one_gain * read.mean((-2, -1)) @ weight.T
    if edge.operation in ("dense", "flat_linear"):
        return (edge.one_gain if edge.operation == "flat_linear" else 1.0) * read.flatten(1) @ weight.T
    raise EvonasError(
        f"The synaptic flow through {edge.operation!r} is not known, which {edge.name!r} is. Use another score."
    )
