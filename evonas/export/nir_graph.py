"""A network as a graph of NIR, written so that tools with different readings of NIR run it alike.

Every spiking neuron is a `CubaLIF` under forward Euler with a step of 1e-4 s, which snnTorch has built in and
SpikingJelly has by default. A membrane that loses `mem` of its potential in a time step has tau_mem = 1e-4 / mem,
r = tau_mem / 1e-4 and weights times mem; without a synaptic current tau_syn is the float32 above 1e-4 and w_in is 1.
The threshold is the float32 above the own one, so that tools that fire at it and tools that fire above it agree. Pools,
skips and depthwise convolutions are convolutions with one group, in which what is not connected has the weight zero,
because tools drop or misread pools and groups. Linear layers are convolutions with the whole map as kernel. The maximum
of spikes is a neuron without memory that one of them makes fire. The readout ends at its currents.

Source: J. E. Pedersen et al., Neuromorphic intermediate representation: A unified instruction set for interoperable
brain-inspired computing, Nature Communications 15, 2024.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import nir
import numpy as np

from evonas.architecture.neuron import DT_MS
from evonas.architecture.plan import Plan
from evonas.errors import EvonasError
from evonas.export.folded import Folded, Neurons, Synapses, has_whole_windows, is_or_of_spikes
from evonas.export.nir_interpreter import closing_edges
from evonas.export.nir_loops import loop_refusals
from evonas.measurement import Shape

DT = 1e-4
"""The step of the file in seconds, which stands for a time step of `DT_MS`."""

NEVER = 1e3
"""Time constant in seconds of a membrane that loses nothing."""

INPUT, OUTPUT = "input", "output"
"""Names of the nodes through which data come in and currents of the readout go out."""

_ABOVE_DT = np.nextafter(np.float32(DT), np.float32(1))


def nir_graph(network: Folded, *, about: Mapping[str, str]) -> nir.NIRGraph:
    """Return a network as a graph: data at each time step in, currents of the classes at each time step out.

    Args:
        network: The network, which `refusals` has nothing against.
        about: Further texts for the metadata, such as a `time_step_ms` that is another one than that of static data.
    """
    shape = np.array(network.plan.input_shape)
    nodes: dict[str, nir.NIRNode] = {INPUT: nir.Input(input_type={"input": shape})}
    edges: list[tuple[str, str]] = []
    names = node_names(network)
    readout = network.readout
    delayed: dict[tuple[str, str], Synapses] = {}
    for neurons in network.populations:
        target = names[neurons.name]
        nodes[target] = cuba_lif(neurons) if neurons.fires else _same(neurons)
        for synapses in neurons.incoming:
            name, source = _name(synapses, target), names[synapses.source]
            nodes[name] = _convolution(synapses, scale=current_scale(neurons))
            edges += [(source, name), (name, target)]
            delayed[source, name] = synapses
    nodes[OUTPUT] = nir.Output(output_type={"output": np.array(readout.planned.shape)})
    edges.append((names[readout.name], OUTPUT))
    edges = _with_delays(edges, delayed, nodes)
    graph = nir.NIRGraph(nodes=nodes, edges=edges, type_check=False)
    graph.metadata = {**metadata(network), **about}
    return graph


def node_names(network: Folded) -> dict[str, str]:
    """Return the name of each population's node, of letters, digits and underscores; `"input"` is `INPUT`."""
    names = {"input": INPUT}
    for neurons in network.populations:
        name = base = re.sub(r"\W", "_", neurons.name)
        number = 2
        while name in names.values() or name == OUTPUT:
            name, number = f"{base}_{number}", number + 1
        names[neurons.name] = name
    return names


def current_scale(neurons: Neurons) -> np.ndarray:
    """Return what the weights into a population are multiplied by: the part of a current that one step takes up.

    It is `()`, or of each channel `(channels,)`.
    """
    return neurons.taken.reshape(-1 if neurons.taken.ndim else ()) if neurons.fires else np.array(1.0)


def of_outputs(scale: np.ndarray, like: np.ndarray) -> np.ndarray:
    """Return a scale that is `()` or `(channels,)` so that it multiplies weights or biases by their outputs."""
    return scale.reshape(-1, *[1] * (like.ndim - 1)) if scale.ndim else scale


def cuba_lif(neurons: Neurons) -> nir.CubaLIF:
    """Return the neurons of a population, one entry for each of `(channels, height, width)`."""
    ones = np.ones(neurons.planned.shape, np.float32)
    tau_mem = np.where(neurons.mem > 0, DT / neurons.taken, NEVER).astype(np.float32)
    tau_mem = np.maximum(tau_mem, _ABOVE_DT)
    tau_syn = np.maximum((DT / neurons.syn).astype(np.float32), _ABOVE_DT)
    # a synaptic current takes a spike up whole, and loses its part afterwards
    w_in = np.where(neurons.syn < 1, tau_syn / np.float32(DT), np.float32(1))
    return nir.CubaLIF(
        tau_syn=tau_syn * ones,
        tau_mem=tau_mem * ones,
        r=(tau_mem.astype(float) / DT).astype(np.float32) * ones,
        v_leak=0 * ones,
        v_reset=0 * ones,
        v_threshold=np.nextafter(neurons.threshold.astype(np.float32), np.float32(np.inf)) * ones,
        w_in=w_in * ones,
    )


def metadata(network: Folded) -> dict[str, str]:
    """Return what a host and other tools need to know beside the graph, as texts."""
    plan, readout = network.plan, network.readout
    return {
        "format": "evonas 1: CubaLIF under forward Euler with the step nir_dt_s",
        "nir_dt_s": repr(DT),
        "time_step_ms": repr(DT_MS),
        "time_steps": str(plan.time_steps),
        "input": "channels, height, width at each time step; a static image is shown at all of them",
        "order": "layers compute one after another within a time step; states are zero before the first one",
        "reset": "to zero in the step of the spike",
        "tie": "fires at v > theta; v_threshold is the float32 above theta, so that v >= v_threshold says the same",
        "output": "currents x of the readout, (classes, 1, 1) or those of a map, at each time step",
        "readout": "v += readout_decay * (x - v) at each time step; the mean v is the answer, of classes the largest",
        "readout_decay": repr(readout.mem.item()),
        "readout_weights": json.dumps(list(readout_weights(readout.mem.item(), plan.time_steps))),
    }


def readout_weights(decay: float, time_steps: int) -> tuple[float, ...]:
    """Return the factor with which the current of each time step counts in the mean potential of the readout.

    Example:
        >>> readout_weights(1.0, 2)
        (0.5, 0.5)
        >>> readout_weights(0.5, 2)
        (0.375, 0.25)
    """
    steps = range(time_steps)
    return tuple(sum(decay * (1 - decay) ** (later - t) for later in steps if later >= t) / time_steps for t in steps)


def to_bytes(graph: nir.NIRGraph) -> bytes:
    """Return a graph as the content of a NIR file."""
    content = io.BytesIO()
    nir.write(content, graph)
    return content.getvalue()


def read(path: Path) -> nir.NIRGraph:
    """Return the graph of a NIR file.

    Raises:
        EvonasError: If it is none.
    """
    try:
        return nir.read(path, type_check=False)
    except (OSError, KeyError, ValueError, TypeError, AttributeError, AssertionError) as error:
        raise EvonasError(f"{path} is no NIR file that can be read: {type(error).__name__}: {error}") from error


def _name(synapses: Synapses, target: str) -> str:
    own = re.sub(r"\W", "_", synapses.connection.name)
    number = synapses.connection.sources.index(synapses.source)
    name = own if own != target else f"{own}_in"
    return f"{name}_{number}" if len(synapses.connection.sources) > 1 else name


def _same(neurons: Neurons) -> nir.Conv2d:
    """Return a node that hands on the sum of its inputs, which tools do not add at an output."""
    channels = neurons.planned.shape[0]
    return _conv2d(np.eye(channels)[:, :, None, None], np.zeros(channels), in_shape=neurons.planned.shape)


def _with_delays(
    edges: list[tuple[str, str]], synapses: Mapping[tuple[str, str], Synapses], nodes: dict[str, nir.NIRNode]
) -> list[tuple[str, str]]:
    """Return the edges, those of delayed synapses through a node of their delay, which is added to `nodes`.

    An edge that closes a loop takes a step in itself.

    Args:
        edges: All edges, without delays.
        synapses: Synapses by the edge into their node.
        nodes: The nodes.

    Raises:
        EvonasError: If the edge that closes a loop belongs to synapses without a delay, or with a bias.
    """
    closing = closing_edges(edges, first=INPUT)
    arriving: list[tuple[str, str]] = []
    targets = dict(edge for edge in edges if edge not in synapses)  # of nodes of synapses, which have one
    for edge in edges:
        if edge not in synapses:
            arriving.append(edge)
            continue
        source, name = edge
        one = synapses[edge]
        closes = edge in closing or (name, targets[name]) in closing
        steps = one.connection.delay - closes
        if steps < 0:
            raise EvonasError(
                f"The connection {one.connection.name} has no delay and closes a loop as tools read NIR, which would "
                "delay it by a step. Pick a network whose loops are entered behind their delay, or use --to onnx."
            )
        if closes and one.bias.any():
            raise EvonasError(
                f"The connection {one.connection.name} closes a loop and alone could have the bias of its target, "
                "which would come a step late. Pick a network in which something else drives it, or use --to onnx."
            )
        if steps:
            nodes[f"{name}_delay"] = nir.Delay(delay=np.full(one.in_shape, steps * DT, np.float32))
        arriving += [(source, f"{name}_delay"), (f"{name}_delay", name)] if steps else [edge]
    return arriving


def _convolution(synapses: Synapses, *, scale: np.ndarray) -> nir.Conv2d:
    """Return synapses as a convolution, of linear layers too: tools read `Flatten` in two ways."""
    weight, stride, padding = synapses.as_convolution()
    weight, bias = weight * of_outputs(scale, weight), synapses.bias * scale
    return _conv2d(weight, bias, in_shape=synapses.in_shape, stride=stride, padding=padding)


def _conv2d(weight: np.ndarray, bias: np.ndarray, *, in_shape: Shape, stride: int = 1, padding: int = 0) -> nir.Conv2d:
    return nir.Conv2d(
        input_shape=in_shape[1:],
        weight=np.float32(weight),
        stride=stride,
        padding=padding,
        dilation=1,
        groups=1,
        bias=np.float32(bias),
    )


def refusals(plan: Plan) -> list[str]:
    """Return a sentence for each thing of a network that NIR, as it is written here, cannot say."""
    neurons = {one.name: one.dynamics for one in plan.populations}
    edges = {edge.name: edge for edge in plan.connections}
    return [
        *_refused(
            [name for name, one in neurons.items() if one.kind == "analog"],
            "analog neurons ({}): NIR has no rectified linear units; expected spiking neurons everywhere, or --to "
            "onnx, which takes them",
        ),
        *_refused(
            [name for name, one in neurons.items() if one.is_spiking and one.reset == "subtract"],
            "reset by subtraction ({}): NIR knows the reset to a value alone; expected reset 'value', or --to onnx, "
            "which takes it",
        ),
        *_refused(
            [name for name, one in neurons.items() if one.kind == "alif"],
            "thresholds that adapt ({}, of kind alif): NIR has fixed ones alone; expected another kind of neuron, or "
            "--to onnx, which takes them",
        ),
        *_refused(
            [name for name, edge in edges.items() if edge.operation == "resize" and not is_or_of_spikes(edge)],
            "resizing ({}) that repeats elements, or picks others than spikes: NIR cannot say it; expected a network "
            "without",
        ),
        *loop_refusals(plan),
        *_refused(
            [name for name, edge in edges.items() if edge.operation == "max_pool" and not is_or_of_spikes(edge)],
            "maxima ({}) of elements other than spikes, or of windows cut off at the border: NIR has no such pool; "
            "expected a network without",
        ),
        *_refused(
            [name for name, edge in edges.items() if edge.operation == "pool" and not has_whole_windows(edge)],
            "means ({}) of windows cut off at the border: NIR has no such pool; expected a height and a width that the "
            "windows divide",
        ),
        *_refused(
            [name for name, edge in edges.items() if edge.gate],
            "gates of attention ({}): NIR has no products of what neurons send; expected a network without attention",
        ),
    ]


def _refused(names: Sequence[str], sentence: str) -> list[str]:
    """Return the sentence with the names in its braces, none where there are none."""
    return [sentence.format(", ".join(names))] if names else []


def is_chain(graph: nir.NIRGraph) -> bool:
    """Return whether every node of a graph has one edge in and one edge out at most."""
    sources, targets = [one for one, _ in graph.edges], [one for _, one in graph.edges]
    return len(set(sources)) == len(sources) and len(set(targets)) == len(targets)
