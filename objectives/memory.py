"""Memory: joules of the reads and writes that operations cause, in memories as large as what they hold.

Source: the accounting of Lemaire et al. (ICONIP 2022), corrected: events are exact, one element is charged its bits and
not a whole word, and the price of a word grows with the logarithm of the memory's size.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from evonas.measurement import Activity, Connection
from objectives.band import NOTHING, Band, at
from objectives.deployment import Deployment
from objectives.profile import Profile
from objectives.topology import Layer, Topology
from objectives.traffic import sent

QUEUE = 1024
"""Events that a layer's queue holds."""

WORD = 64
_PICO = 1e-12


def access(memory: Mapping[str, Any], *, values: float, bits: int) -> Band:
    """Return joules of one access to a value of `bits` in a memory that holds so many `values`."""
    nbytes = values * bits / 8
    if nbytes > memory.get("dram_above_bytes", math.inf):
        price = memory["dram_pj_per_64b"]
        word = Band(at(price, "low"), at(price), at(price, "high"))
    else:
        word = Band(*[_word(memory["sram_pj_per_64b"]["v"], nbytes)] * 3)
    return word.times(bits / WORD * _PICO)


def _word(table: Sequence[Sequence[float]], nbytes: float) -> float:
    """Return pJ a word: linear in the logarithm of the size, clamped at both ends of the table."""
    if nbytes <= table[0][0]:
        return table[0][1]
    for (small, cheap), (large, dear) in pairwise(table):
        if nbytes <= large:
            return cheap + (dear - cheap) * math.log2(nbytes / small) / math.log2(large / small)
    return table[-1][1]


def accesses(
    activity: Activity,
    profile: Profile,
    *,
    topology: Topology[Connection],
    operations: Mapping[str, Mapping[str, float]],
    assumed: Deployment,
) -> dict[str, dict[str, Band]]:
    """Return joules per sample by layer and what is accessed: weights, state, events, biases, activations.

    Every synaptic event reads a weight (constants need none) and reads and writes a potential. Every step sweeps over
    all state, except that of neurons without leak, which only change when something arrives.
    """
    memory, spikes = profile.memory, sent(activity, profile)
    result = {}
    for layer in topology.layers:
        counts = operations[layer.name]
        result[layer.name] = parts = {
            "weights": _weights(activity, layer, memory, once=assumed.static_first == "once"),
            "state": _state(activity, layer, memory),
            "events": _events(activity, layer, memory, spikes=spikes, own=counts.get("spike_out", 0.0)),
        }
        biases = sum(edge.biases for edge in layer.all_edges)
        if biases and layer.state:
            per_access = access(memory, values=biases, bits=memory["state_bits"])
            parts["biases"] = per_access.times(activity.time_steps * layer.neurons)
        if counts.get("mac"):
            parts["activations"] = _activations(layer, memory, macs=counts["mac"])
    return result


def _weights(activity: Activity, layer: Layer[Connection], memory: Mapping[str, Any], *, once: bool) -> Band:
    joules = NOTHING
    for edge in layer.all_edges:
        reads = sum(edge.events) + sum(edge.unrolled)
        reads += sum(edge.macs[:1] if once and edge.static else edge.macs) / memory.get("ann_reuse", 1)
        if edge.weights and reads:
            price = access(memory, values=edge.weights, bits=memory["weight_bits"])
            joules += price.times(reads / activity.samples)
    return joules


def _state(activity: Activity, layer: Layer[Connection], memory: Mapping[str, Any]) -> Band:
    if not layer.state:
        return NOTHING
    events = sum(sum(edge.events) + sum(edge.unrolled) for edge in layer.edges) / activity.samples
    leaks = layer.kind != "integrate_and_fire"
    sweep = layer.state * layer.neurons * activity.time_steps if leaks else 0
    per_access = access(memory, values=layer.state * layer.neurons, bits=memory["state_bits"])
    return per_access.times(2 * (events + sweep))


def _events(
    activity: Activity,
    layer: Layer[Connection],
    memory: Mapping[str, Any],
    *,
    spikes: Mapping[str, Sequence[int]],
    own: float,
) -> Band:
    sources = {name for edge in layer.edges if edge.element != "real" for name in edge.sources}
    arriving = sum(sum(spikes[name]) for name in sources) / activity.samples
    return access(memory, values=QUEUE, bits=memory["event_bits"]).times(arriving + own)


def _activations(layer: Layer[Connection], memory: Mapping[str, Any], *, macs: float) -> Band:
    inputs = max((math.prod(edge.in_shape) for edge in layer.all_edges if edge.element == "real"), default=0)
    return access(memory, values=inputs, bits=memory["weight_bits"]).times(macs / memory.get("ann_reuse", 1))
