"""The fit of cores that each run one convolution: kernel and neuron memories, matched with layers (Speck).

Source: the placement rule of sinabs (`docs/speck`): entries are addressed by bits, so that numbers are rounded up to
powers of two.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from evonas.architecture.plan import INPUT
from evonas.chips.deployment import Deployment
from evonas.chips.fit_rules import Findings
from evonas.chips.profile import Profile
from evonas.chips.topology import Edge, Layer, Topology
from evonas.measurement import repeats

_KIBI = 1024


def convolution_cores(shapes: Topology[Any], profile: Profile, assumed: Deployment, findings: Findings) -> None:
    """Check each layer by itself, and then whether all find a core at the same time."""
    fit = profile.fit
    layers = [layer for layer in shapes.layers if layer.edges]
    for layer in layers:
        _layer(layer, fit, findings)
    readers: dict[str, int] = {}
    for layer in layers:
        for name in dict.fromkeys([name for edge in layer.edges for name in edge.sources]):
            readers[name] = readers.get(name, 0) + 1
    for name, count in readers.items():
        if name != INPUT:
            findings.at_most(f"layers that read {name}", count, fit.get("fanout_cores"))
    findings.at_most("layers", len(layers), fit.get("layers_max"))
    needs = [(kernel_entries(layer.edges[0]), neuron_entries(layer)) for layer in layers]
    rooms = [(kernel * _KIBI, neuron * _KIBI) for kernel, neuron in zip(fit["kernel_kib"], fit["neuron_kib"])]
    core_of = match(needs, rooms)
    without = [layer.name for layer, core in zip(layers, core_of, strict=True) if core is None]
    if without:
        memory = ", ".join(
            f"{layer.name} ({kernel:,} kernel and {neuron:,} neuron entries)"
            for layer, (kernel, neuron), core in zip(layers, needs, core_of, strict=True)
            if core is None
        )
        findings.violations.append(f"no core is left for {memory}")
        findings.degree += len(without) / len(layers)
    findings.cores.update({layer.name: 1 for layer in layers})
    if fit.get("timesteps") is False:
        findings.notes.append("time steps become times of events")


def _layer(layer: Layer[Any], fit: Mapping[str, Any], findings: Findings) -> None:
    if len(layer.edges) > 1:
        findings.impossible(f"{layer.name} sums {len(layer.edges)} connections, and a core has one kernel")
    for edge in layer.edges:
        if edge.operation == "pool" and not (edge.kernel == edge.stride and edge.kernel in fit.get("pool", ())):
            findings.impossible(f"{edge.name} pools {edge.kernel} wide in steps of {edge.stride}")
        elif not edge.is_linear and edge.stride not in fit.get("stride", (edge.stride,)):
            findings.impossible(f"{edge.name} has stride {edge.stride}, and there are {fit['stride']}")
        elif repeats(edge) > 1:
            findings.impossible(f"{edge.name} repeats what it reads, and a core has no kernel that does")
        if INPUT in edge.sources and "input_hw_max" in fit:
            findings.at_most(
                f"height or width of the input of {edge.name}", max(edge.in_shape[1:]), fit["input_hw_max"]
            )
        findings.at_most(f"kernel of {edge.name}", max(window(edge)), fit.get("kernel_max"))
        findings.at_most(f"padding of {edge.name}", edge.padding, fit.get("padding_max"))
        findings.at_most(f"biases of {edge.name}", edge.biases, fit.get("bias_entries"))
        findings.at_most(f"channels into {edge.name}", edge.in_shape[0], fit.get("channels_max"))
        findings.at_most(f"channels of {edge.name}", edge.out_shape[0], fit.get("channels_max"))
        if edge.groups > 1 and edge.operation in ("conv", "norm", "max_pool", "resize", "vote"):
            findings.notes.append(f"{edge.name} takes the room of a convolution of all channels")
    findings.at_most(f"height or width of {layer.name}", max(layer.shape[1:]), fit.get("output_hw_max"))


def window(edge: Edge) -> tuple[int, int]:
    """Return the height and width of an edge's kernel; a linear layer is a kernel as large as its input."""
    return edge.in_shape[1:] if edge.is_linear else (edge.kernel, edge.kernel)


def kernel_entries(edge: Edge) -> int:
    """Return the entries of kernel memory that an edge takes."""
    high, wide = window(edge)
    return int(edge.in_shape[0] * 2 ** (_bits(high * wide) + _bits(edge.out_shape[0])))


def neuron_entries(layer: Layer[Any]) -> int:
    """Return the entries of neuron memory that a layer takes."""
    channels, height, width = layer.shape
    return int(channels * 2 ** (_bits(height) + _bits(width)))


def _bits(number: int) -> int:
    return math.ceil(math.log2(number))


def match(needs: Sequence[tuple[int, int]], rooms: Sequence[tuple[int, int]]) -> list[int | None]:
    """Return the index of a room for each need, None where none is left, so that most needs have one.

    A need for which no room is free may take one whose holder can move to another (augmenting paths).
    """
    holder: dict[int, int] = {}
    large_enough = [
        [room for room, (kernels, neurons) in enumerate(rooms) if kernel <= kernels and neuron <= neurons]
        for kernel, neuron in needs
    ]

    def find(need: int, tried: set[int]) -> bool:
        for room in large_enough[need]:
            if room in tried:
                continue
            tried.add(room)
            if room not in holder or find(holder[room], tried):
                holder[room] = need
                return True
        return False

    for need in range(len(needs)):
        find(need, set())
    room_of = {need: room for room, need in holder.items()}
    return [room_of.get(need) for need in range(len(needs))]
