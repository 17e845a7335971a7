"""Comparison: the spikes of a network, neuron by neuron and step by step, against those of its file."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, cast

import nir
import numpy as np
import torch
from torch import Tensor, nn

from evonas.architecture.neuron import DT_MS
from evonas.architecture.plan import NORMALISED, PlannedConnection
from evonas.export.folded import Folded, Neurons, folded, whole_weights
from evonas.export.nir_graph import DT, cuba_lif, current_scale, node_names, of_outputs
from evonas.export.nir_interpreter import CLOSE, NirRun, output_name, run_nir
from evonas.snn.loop_norm import LoopNorm
from evonas.snn.network import Network


@dataclass(frozen=True)
class Difference:
    """The first place where two runs of a network differ.

    Attributes:
        population: The population, the first in the order of computation.
        step: The first time step at which it differs, from 0.
        sample: The first sample that differs there, from 0.
        neuron: Channel, row and column of the first neuron that differs there.
        margin: How far its potential is from its threshold, as a part of the threshold; None where it is not known.
    """

    population: str
    step: int
    sample: int
    neuron: tuple[int, ...]
    margin: float | None = None

    def __str__(self) -> str:
        where = ", ".join(map(str, self.neuron))
        near = "" if self.margin is None else f", whose potential is {self.margin:.1e} of its threshold away from it"
        return f"{self.population}, time step {self.step}, sample {self.sample}, neuron ({where}){near}"


@dataclass(frozen=True)
class Comparison:
    """Two runs of a network on the same samples.

    Attributes:
        samples: Samples that were shown.
        decisions: Neurons times time steps times samples: how often it was decided whether to fire.
        differing: How many of them differ.
        apart: Samples in which some differ: one spike more changes what comes after it.
        first: The first of them, None where there is none.
        answers: Samples that are answered otherwise.
    """

    samples: int
    decisions: int
    differing: int
    apart: int
    first: Difference | None
    answers: int

    @property
    def is_equal(self) -> bool:
        """Whether every neuron fires at the same steps, and every answer is the same."""
        return not self.differing and not self.answers

    def __str__(self) -> str:
        if self.is_equal:
            return f"0 of {self.decisions:,} spikes and pauses differ, and 0 of {self.samples:,} answers"
        first = "" if self.first is None else f", first in {self.first}"
        return (
            f"{self.differing:,} of {self.decisions:,} spikes and pauses differ, in {self.apart:,} of {self.samples:,} "
            f"samples, and {self.answers:,} answers{first}"
        )


@dataclass(frozen=True)
class Trace:
    """What a network did.

    Attributes:
        spikes: `(time, samples, channels, height, width)` of each spiking population, in the order of computation.
        logits: `(samples, outputs)`, those of a map one after the other.
        margins: In the shape of the spikes, how far potentials are from thresholds, as parts of these; may be empty.
    """

    spikes: Mapping[str, Tensor]
    logits: Tensor
    margins: Mapping[str, Tensor] = field(default_factory=dict)


class _Seen:
    """Stands in for a recorder, and keeps what it sees."""

    def __init__(self, time_steps: int) -> None:
        self.outputs: dict[str, Tensor] = {}
        self._time_steps = time_steps

    def see(self, name: str, output: Tensor) -> None:
        self.outputs[name] = output

    def updates(self, name: str, *, device: torch.device | None = None) -> Tensor:
        return torch.zeros(self._time_steps, dtype=torch.int64, device=device)


@torch.no_grad()
def traced(network: Network, data: Tensor) -> Trace:
    """Return what a network does in evaluation, computed in the number format of the data.

    Args:
        network: The network; its weights have that format as well.
        data: `(time, samples, channels, height, width)`; time 1 for static images.
    """
    seen = _Seen(network.plan.time_steps)
    logits = network.eval()(data, cast(Any, seen))
    names = [one.name for one in folded(network).spiking if one.fires]
    return Trace({name: seen.outputs[name] for name in names}, logits.flatten(1))


@torch.no_grad()
def traced_file(graph: nir.NIRGraph, network: Folded, data: Tensor) -> Trace:
    """Return what the graph of a network does, with its readout on the host."""
    steps = network.plan.time_steps
    run: NirRun = run_nir(graph, data, time_steps=steps, dt=DT)
    names = node_names(network)
    spikes = {one.name: run.outputs[names[one.name]] for one in network.spiking if one.fires}
    margins = {}
    for name in spikes:
        node: Any = graph.nodes[names[name]]
        threshold = torch.from_numpy(node.v_threshold).to(data)
        margins[name] = (run.potentials[names[name]] - threshold).abs() / threshold
    logits = host_readout(run.outputs[output_name(graph)].flatten(2), decay=network.readout.mem.item())
    return Trace(spikes, logits, margins)


def host_readout(currents: Tensor, *, decay: float) -> Tensor:
    """Return the `(samples, classes)` mean potentials of leaky integrators of `(time, samples, classes)` currents."""
    v, total = torch.zeros_like(currents[0]), torch.zeros_like(currents[0])
    for current in currents:
        v = v + decay * (current - v)
        total = total + v
    return total / len(currents)


def compared(one: Trace, other: Trace) -> Comparison:
    """Return where two runs differ; margins are those of the other."""
    differing, decisions, first = 0, 0, None
    samples = torch.zeros(len(one.logits), dtype=torch.bool)
    for name, spikes in one.spikes.items():
        apart = spikes.bool() != other.spikes[name].bool()
        decisions += apart.numel()
        differing += int(apart.sum())
        samples |= apart.any(0).flatten(1).any(1)
        if first is None and apart.any():
            place = tuple(torch.nonzero(apart)[0].tolist())
            margin = float(other.margins[name][place]) if name in other.margins else None
            first = Difference(name, place[0], place[1], place[2:], margin)
    answers = int((one.logits.argmax(1) != other.logits.argmax(1)).sum())
    return Comparison(len(one.logits), decisions, differing, int(samples.sum()), first, answers)


@torch.no_grad()
def deployed(network: Network) -> Network:
    """Return a network in double precision with the numbers that its file holds: what the file must do, spike by spike.

    A file holds float32 numbers with the batch norm folded in, which round otherwise than the trained network does; how
    often a spike comes out otherwise for that is another question, which comparing with the trained one answers. With
    the same numbers in double precision nothing but the graph and its reading can make a difference.
    """
    whole = folded(network)
    copied = copy.deepcopy(network).double().eval()
    for neurons in whole.populations:
        if neurons.planned.dynamics.is_spiking:
            _set_constants(copied.neurons[neurons.name], neurons)
        biases = _biases(neurons)
        for edge in neurons.planned.incoming:
            scale = current_scale(neurons)
            module, trained = copied.operations[edge.name], network.operations[edge.name]
            _set_weights(module, trained, edge, bias=biases[edge.name], scale=scale)
    return copied


def _biases(neurons: Neurons) -> dict[str, np.ndarray]:
    """Return the biases of connections: those that a file has on one without a norm are those of the first with one."""
    biases = {edge.name: next(one.bias for one in neurons.incoming if one.connection is edge)
              for edge in neurons.planned.incoming}  # fmt: skip
    normalised = [edge.name for edge in neurons.planned.incoming if edge.operation in NORMALISED]
    if normalised:
        biases[normalised[0]] = np.sum([bias for name, bias in biases.items()
                                        if name == normalised[0] or name not in normalised], axis=0)  # fmt: skip
    return biases


def _set_constants(module: nn.Module, neurons: Neurons) -> None:
    written = cuba_lif(neurons)
    constants = {
        "tau_mem_ms": _is_one_step(written.tau_mem),
        "tau_syn_ms": _is_one_step(written.tau_syn),
        "v_th": written.v_threshold.astype(float),
    }
    for name, parameter in module.named_parameters():
        of_channels = torch.from_numpy(constants[name][:, 0, 0])
        parameter.copy_(of_channels.reshape(parameter.shape) if parameter.ndim else of_channels[0])


def _is_one_step(tau: np.ndarray) -> np.ndarray:
    """Return time constants of a file in ms, the time step where they are as good as that."""
    tau_ms = tau.astype(float) / DT * DT_MS
    return np.where(np.abs(tau_ms / DT_MS - 1) < CLOSE, DT_MS, np.maximum(tau_ms, DT_MS))


def _set_weights(
    module: nn.Module, trained: nn.Module, edge: PlannedConnection, *, bias: np.ndarray, scale: np.ndarray
) -> None:
    """Give the module of a connection the float32 numbers that the file has, over what they are multiplied by there."""
    _, weight, _, _ = whole_weights(trained, edge)
    are_alike = not scale.ndim and not isinstance(edge.gain, tuple)
    scales = of_outputs(scale, weight), scale
    weight, bias = (
        np.float32(one * by).astype(np.float64) / by for one, by in zip((weight, bias), scales, strict=True)
    )
    found: Any = module
    if edge.operation in NORMALISED:
        found._of_spikes = False  # the compiled convolution of spikes is for float32
        given, norm = torch.from_numpy(weight), found.norm
        if edge.operation != "norm":
            (found.conv if edge.operation == "conv" else found.linear).weight.copy_(given)
        if isinstance(norm, LoopNorm):  # divides by the length of the weights
            norm.weight.copy_(torch.linalg.vector_norm(given.flatten(1), dim=1))
        else:
            norm.running_mean.zero_()
            norm.running_var.fill_(1 - norm.eps)
            norm.weight.copy_(given.flatten() if edge.operation == "norm" else torch.ones_like(norm.weight))
        norm.bias.copy_(torch.from_numpy(bias))
    elif edge.operation == "pool":
        found.window.fill_(1 / edge.kernel**2)
        found.gain = _gain_of(weight, are_alike=are_alike) * edge.kernel**2
    elif edge.operation == "skip":
        found.gain = _gain_of(weight, are_alike=are_alike)
    elif edge.operation in ("linear", "flat_linear"):
        positions = edge.in_shape[1] * edge.in_shape[2] if edge.operation == "linear" else 1
        rows = torch.from_numpy(weight * positions / edge.one_gain)
        found.linear.weight.copy_(rows.repeat_interleave(edge.votes, dim=0))
    elif edge.operation == "vote":
        found.gain = float(weight.flat[0]) * edge.in_shape[0] / edge.out_shape[0]


def _gain_of(weight: np.ndarray, *, are_alike: bool) -> Any:
    """Return the constant weight of a connection: a number, or the `(channels, 1, 1)` numbers of its channels."""
    return float(weight.flat[0]) if are_alike else torch.from_numpy(weight[:, 0, :1, :1])
