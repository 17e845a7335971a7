"""Memory: joules of the reads and writes that operations cause, in memories as large as what they hold.

Source: the accounting of Lemaire et al. (ICONIP 2022), corrected: events are exact, one element is charged its bits and
not a whole word, and the price of a word grows with the logarithm of the memory's size.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import pairwise
from typing import Any, NamedTuple

from evonas.architecture.gate import is_gate, passes, summary_values
from evonas.chips.band import End, at
from evonas.chips.deployed_network import DeployedNetwork
from evonas.chips.topology import Layer, size
from evonas.measurement import Activity, Connection

QUEUE = 1024
"""Events that a layer's queue holds."""

WORD = 64
PICO = 1e-12


class Accesses(NamedTuple):
    """Reads and writes of values in one memory.

    Attributes:
        amount: Accesses per sample.
        values: Values that the memory holds.
        bits: Bits of a value.
    """

    amount: float
    values: float
    bits: int

    def joules(self, memory: Mapping[str, Any], end: End = "value") -> float:
        """Return the joules of all of them, at one end of the band of the memory's price."""
        word = _word(memory, self.values * self.bits / 8, end)
        return word * (self.amount * self.bits / WORD * PICO)


def _word(memory: Mapping[str, Any], nbytes: float, end: End) -> float:
    """Return pJ a word: linear in the logarithm of the size, clamped at both ends of the table."""
    if nbytes > memory.get("dram_above_bytes", math.inf):
        return at(memory["dram_pj_per_64b"], end)
    table = memory["sram_pj_per_64b"]["v"]
    if nbytes <= table[0][0]:
        return float(table[0][1])
    for (small, cheap), (large, dear) in pairwise(table):
        if nbytes <= large:
            return float(cheap + (dear - cheap) * math.log2(nbytes / small) / math.log2(large / small))
    return float(table[-1][1])


Stored = dict[str, dict[str, list[Accesses]]]
"""Accesses by layer and what is accessed."""


def accesses(deployed: DeployedNetwork, operations: Mapping[str, Mapping[str, float]]) -> Stored:
    """Return accesses per sample by layer and what is accessed: weights, state, events, biases, activations.

    Every synaptic event reads a weight (constants need none) and reads and writes a potential. Every step sweeps over
    all state, except that of neurons without leak, which only change when something arrives. The state of a gate are
    its summaries, which every element that is not zero reads and writes.
    """
    activity, memory, once = deployed.activity, deployed.profile.memory, deployed.assumed.static_first == "once"
    spikes = {name: count / activity.samples for name, count in deployed.spikes.items()}
    result: Stored = {}
    for layer in deployed.topology.layers:
        counts = operations[layer.name]
        events = sum([sum(edge.events) + sum(edge.unrolled) for edge in layer.edges]) / activity.samples
        sources = dict.fromkeys([name for edge in layer.edges if edge.element != "real" for name in edge.sources])
        moved = sum([spikes[name] for name in sources]) + counts.get("spike_out", 0.0)
        result[layer.name] = parts = {
            "weights": _weights(activity, layer, memory, once=once),
            "events": [Accesses(moved, QUEUE, memory["event_bits"])],
        }
        if layer.state:
            parts["state"] = [_state(layer, memory, events=events, steps=activity.time_steps)]
            biases = sum([edge.biases for edge in layer.all_edges])
            if biases:
                parts["biases"] = [Accesses(activity.time_steps * layer.neurons, biases, memory["state_bits"])]
        gates = [edge for edge in layer.all_edges if is_gate(edge.operation)]
        if gates:
            parts["state"] = [_summaries(edge, activity, memory) for edge in gates]
        if counts.get("mac"):
            parts["activations"] = [_activations(layer, memory, macs=counts["mac"])]
    return result


def _weights(activity: Activity, layer: Layer[Connection], memory: Mapping[str, Any], *, once: bool) -> list[Accesses]:
    per_edge = []
    for edge in layer.all_edges:
        reads = sum(edge.events) + sum(edge.unrolled)
        steps = 1 if once and edge.static else len(edge.macs)
        macs = sum(edge.macs[:steps])
        if is_gate(edge.operation):  # what its small layers do
            reads, macs = 0, reads + macs - passes(edge.operation) * sum(edge.inputs[:steps])
        reads += macs / memory.get("ann_reuse", 1)
        if edge.weights and reads:
            per_edge.append(Accesses(reads / activity.samples, edge.weights, memory["weight_bits"]))
    return per_edge


def _state(layer: Layer[Connection], memory: Mapping[str, Any], *, events: float, steps: int) -> Accesses:
    values = layer.state * layer.neurons
    sweep = values * steps if layer.kind not in ("integrate_and_fire", "relay") else 0
    return Accesses(2 * (events + sweep), values, memory["state_bits"])


def _summaries(edge: Connection, activity: Activity, memory: Mapping[str, Any]) -> Accesses:
    changes = (passes(edge.operation) - 1) * sum(edge.inputs) / activity.samples
    values = summary_values(edge.operation, shape=edge.in_shape, time_steps=activity.time_steps)
    return Accesses(2 * changes, values, memory["state_bits"])


def _activations(layer: Layer[Connection], memory: Mapping[str, Any], *, macs: float) -> Accesses:
    real = [edge for edge in layer.all_edges if edge.element == "real" or is_gate(edge.operation)]
    inputs = max([size(edge.in_shape) for edge in real], default=0)
    return Accesses(macs / memory.get("ann_reuse", 1), inputs, memory["weight_bits"])
