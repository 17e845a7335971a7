"""The rules of fit: what the cores of each kind of chip can hold."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from evonas.architecture.gate import is_gate, is_temporal
from evonas.architecture.plan import INPUT
from evonas.chips.band import at
from evonas.chips.deployment import Deployment
from evonas.chips.neuron_models import MODELS, models_for
from evonas.chips.placement import place
from evonas.chips.profile import Profile
from evonas.chips.time_models import PoolCounts, pool_cycles
from evonas.chips.topology import Layer, Topology, is_graded_maximum, reach, recurrent_edges

_LEAKY = ("lif", "cuba-lif", "lif-bitshift", "cuba-lif-bitshift", "custom")
_SYNAPSE_BYTES = 4  # a synapse of a software neuron, in the rows of shared memory


@dataclass
class Findings:
    """The results of the rules so far."""

    violations: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    degree: float = 0.0
    unchecked: list[str] = field(default_factory=list)
    cores: dict[str, int] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def at_most(self, what: str, value: float, limit: float | None) -> None:
        """Add a violation if `value` is above `limit`, else that it is kept; without a limit, that it is unchecked."""
        if limit is None:
            self.unchecked.append(f"{what} (the profile has no limit)")
        elif value > limit:
            self.violations.append(f"{what}: {value:,.0f} > {limit:,.0f}")
            self.degree += (value - limit) / limit if limit else value
        else:
            self.kept.append(f"{what}: {value:,.0f} <= {limit:,.0f}")

    def impossible(self, what: str, *, times: int = 1) -> None:
        """Add a violation that cannot be measured; each of its `times` occurrences counts 1."""
        self.violations.append(what)
        self.degree += times


def everywhere(shapes: Topology[Any], profile: Profile, *, assumed: Deployment, findings: Findings) -> None:
    """Check what holds for every chip: weight bits, kinds of neuron, kinds of input."""
    fit, bits = profile.fit, assumed.weight_bits
    findings.notes.append(f"{bits}-bit weights")
    if "weight_bits" not in fit:
        findings.unchecked.append("weight bits (the profile does not tell)")
    elif bits > fit["weight_bits"][1]:
        findings.at_most("bits of a weight", bits, fit["weight_bits"][1])
    elif bits < fit["weight_bits"][0]:
        findings.notes.append(f"{bits}-bit weights take the room of {fit['weight_bits'][0]}-bit ones")
    _neurons(shapes, fit, findings)
    _constants(shapes, fit, findings)
    _recurrence(shapes, fit, findings)
    real = [edge.name for layer in shapes.layers for edge in layer.edges if edge.element == "real"]
    if real:
        findings.impossible(f"inputs of real numbers, and the chip takes events only: {_first(real)}", times=len(real))
    maxima = [edge.name for layer in shapes.layers for edge in layer.edges if is_graded_maximum(edge)]
    if maxima:
        findings.impossible(f"the largest of graded events, and neurons add them up: {_first(maxima)}")
    _gates(shapes, findings)
    for layer in shapes.layers:
        if layer.host_edges:
            text = f"the host computes {', '.join(edge.name for edge in layer.host_edges)} of the static input"
            if fit.get("bias", False):
                findings.notes.append(f"{text} and sets biases to its currents")
            else:
                findings.unchecked.append(f"how {text} and hands in its currents")
    if any(edge.element == "graded" for layer in shapes.layers for edge in layer.edges) and not fit.get(
        "graded_spikes", False
    ):
        findings.notes.append("graded events are sent as so many unit events")


def _gates(shapes: Topology[Any], findings: Findings) -> None:
    gates = [edge for layer in shapes.layers for edge in layer.edges if is_gate(edge.operation)]
    if gates:
        names = [edge.name for edge in gates]
        findings.impossible(f"gates of attention multiply, and neurons add up: {_first(names)}", times=len(names))
    late = [edge.name for edge in gates if is_temporal(edge.operation)]
    if late:
        findings.impossible(f"gates over time steps, and the chip takes one after the other: {_first(late)}")


def _recurrence(shapes: Topology[Any], fit: Mapping[str, Any], findings: Findings) -> None:
    for edge in recurrent_edges(shapes):
        if "recurrence" not in fit:
            findings.unchecked.append(f"recurrence of {edge.name} (the profile does not tell)")
        elif not fit["recurrence"]:
            findings.impossible(f"{edge.name} is recurrent, and the chip is feed-forward")
    delayed = [edge for layer in shapes.layers for edge in layer.edges if edge.delay]
    for edge in delayed:
        if not fit.get("timesteps", True):
            findings.impossible(f"{edge.name} has a delay, and the chip has no time steps")
        elif edge.delay > 1 and "delay_max" not in fit:
            findings.unchecked.append(f"the delay of {edge.name} (the profile has no limit)")
        elif edge.delay > 1:
            findings.at_most(f"delay of {edge.name}", edge.delay, fit["delay_max"])
    if delayed:
        findings.notes.append("delays are those of the model: steps that a chip takes from layer to layer come on top")


def _neurons(shapes: Topology[Any], fit: Mapping[str, Any], findings: Findings) -> None:
    models = fit.get("neuron_models")
    if models is None:
        findings.unchecked.append("kinds of neuron (the profile does not tell)")
        return
    kinds: dict[str, list[str]] = {}
    for layer in shapes.layers:
        kinds.setdefault(layer.kind, []).append(layer.name)
    for kind, names in kinds.items():
        where = _first(names)
        if kind == "readout":
            if not any(model in models for model in _LEAKY):
                findings.unchecked.append(f"how {where} integrates without spikes (the chip has {', '.join(models)})")
        elif kind == "analog":
            findings.impossible(f"analog neurons, and the chip spikes: {where}")
        elif not (able := models_for(kind, fit)):
            findings.impossible(f"{kind} neurons, and the chip has {', '.join(models)}: {where}")
        elif kind != "relay" and all("bitshift" in model for model in able):
            findings.notes.append(f"time constants of {where} are rounded to powers of two")
    resets = fit.get("reset")
    unknown = {layer.reset for layer in shapes.layers if layer.kind in MODELS}
    if resets is not None and "" in unknown and not {"zero", "subtract"} <= set(resets):
        findings.unchecked.append("resets (counts do not tell them)")
    for reset in unknown - {""}:
        if resets is not None and {"value": "zero"}.get(reset, reset) not in resets:
            findings.impossible(f"membranes are reset by {reset}, and the chip resets by {', '.join(resets)}")


def _constants(shapes: Topology[Any], fit: Mapping[str, Any], findings: Findings) -> None:
    """Check constants of channels; a core may hold neurons of all channels of a layer."""
    layers = [layer for layer in shapes.layers if max(layer.own) > 1]
    if layers and "constants" not in fit:
        where = _first([layer.name for layer in layers])
        findings.unchecked.append(f"constants of each channel of {where} (the profile does not tell)")
    elif fit.get("constants") == "layer":
        for layer in layers:
            findings.impossible(f"{layer.name} has constants of each channel, and the chip one for all of a layer")
    for what, which in (("time constants", 0), ("thresholds", 1)):
        limit = f"{what.replace(' ', '_')}_per_core"
        if limit in fit:
            for layer in layers:
                findings.at_most(f"{what} of a core of {layer.name}", layer.own[which], fit[limit])


def _first(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def cores(shapes: Topology[Any], profile: Profile, assumed: Deployment, findings: Findings) -> None:
    """Check cores that hold neurons, the synapses into them and their input axons, one layer a core (Loihi)."""
    fit = profile.fit
    placement = place(shapes, profile, assumed=assumed)
    findings.cores.update({name: spot.cores for name, spot in placement.places.items()})
    findings.notes.append(f"{assumed.weights} weights")
    findings.at_most("cores", placement.cores, fit.get("cores"))
    for name, spot in placement.places.items():
        if "in_axons_per_core" in fit:
            findings.at_most(f"distinct sources of a core of {name}", spot.axons, fit["in_axons_per_core"])
    if "in_axons_per_core" not in fit:
        findings.unchecked.append("input axons of a core (the profile has no limit)")
    if "syn_bits_per_core" not in fit:
        findings.unchecked.append("synapse memory of a core (the profile has no limit)")
    if "syn_total" in fit:
        findings.at_most("synapses", sum(spot.synapses for spot in placement.places.values()), fit["syn_total"])
    if "neurons_per_core" not in fit:
        findings.unchecked.append("neurons of a core (the profile has no limit)")
    if "out_axons_per_core" not in fit:
        findings.unchecked.append("output axons of a core (the profile has no limit)")
        return
    for layer in shapes.layers:
        readers = sum(spot.copies.get(layer.name, 0) for spot in placement.places.values())
        pairs = math.ceil(layer.neurons * readers / placement.places[layer.name].cores)
        findings.at_most(f"output axons of a core of {layer.name}", pairs, fit["out_axons_per_core"])


def one_core(shapes: Topology[Any], profile: Profile, assumed: Deployment, findings: Findings) -> None:
    """Check a single crossbar that holds all neurons, and every source, the data among them, as a row (ODIN)."""
    fit = profile.fit
    neurons = sum(layer.neurons for layer in shapes.layers)
    read = {name for layer in shapes.layers for edge in layer.edges for name in edge.sources}
    findings.at_most("neurons", neurons, fit.get("neurons_per_core"))
    findings.at_most("distinct sources", sum(shapes.sizes[name] for name in read), fit.get("in_axons_per_core"))
    synapses = sum(edge.dense for layer in shapes.layers for edge in layer.edges)
    findings.at_most("synapses", synapses, fit.get("syn_per_core"))


def blocks(shapes: Topology[Any], profile: Profile, assumed: Deployment, findings: Findings) -> None:
    """Check crossbars of few inputs, into which layers are cut in blocks of outputs (TrueNorth).

    A neuron goes to one core. Where several need it, cores that hold nothing but copies are added.
    """
    fit = profile.fit
    axons, outputs = fit["in_axons_per_core"], fit["neurons_per_core"]
    demanded: dict[str, int] = {}
    for layer in shapes.layers:
        used, inputs = _blocks(layer, axons=axons, outputs=outputs)
        findings.cores[layer.name] = used
        findings.at_most(f"inputs of a neuron of {layer.name}", layer.fan_in, axons)
        for name in dict.fromkeys([name for edge in layer.edges for name in edge.sources]):
            demanded[name] = demanded.get(name, 0) + used * inputs
    for name, inputs in demanded.items():
        if name != INPUT and inputs > shapes.sizes[name]:
            findings.cores[f"copies of {name}"] = math.ceil(inputs / axons)
    findings.at_most("cores", sum(findings.cores.values()), fit["cores"])
    if "weight_table" in fit:
        findings.unchecked.append(f"whether {fit['weight_table']} values a neuron suffice for its weights")
    findings.notes.append("copies of neurons that several cores need are estimated")


def _blocks(layer: Layer[Any], *, axons: int, outputs: int) -> tuple[int, int]:
    """Return the fewest blocks that cover a layer, and the inputs of one: square patches of all channels."""
    channels, height, width = layer.shape
    best = (math.ceil(layer.neurons / outputs), layer.fan_in)
    spatial = [edge for edge in layer.edges if not edge.is_linear]
    if not spatial or height * width == 1:
        return best
    covers = []
    apart = max([edge.groups for edge in spatial])  # a depthwise patch shares no inputs among its channels
    for side in range(1, max(height, width) + 1):
        inputs = 0
        for edge in spatial:
            depth, (_, high, wide) = edge.in_shape[0] // edge.groups, edge.in_shape
            inputs += depth * min(high, reach(edge, side)) * min(wide, reach(edge, side))
        if inputs > axons and side > 1:
            break
        patches = math.ceil(height / side) * math.ceil(width / side)
        per_patch = math.ceil(side * side * channels / outputs)
        covers.append((patches * max(per_patch, min(apart, math.ceil(apart * inputs / axons))), inputs))
    return min(covers)


def reservoir(shapes: Topology[Any], profile: Profile, assumed: Deployment, findings: Findings) -> None:
    """Check inputs, one pool of hidden neurons with a small fan-in, and readouts (Xylo)."""
    fit = profile.fit
    outputs = {layer.name for layer in shapes.layers if layer.kind == "readout"}
    hidden = [layer for layer in shapes.layers if layer.name not in outputs]
    findings.at_most("inputs", shapes.sizes.get(INPUT, 0), fit.get("inputs"))
    findings.at_most("hidden neurons", sum(layer.neurons for layer in hidden), fit.get("hidden"))
    findings.at_most("readouts", sum(n.neurons for n in shapes.layers if n.name in outputs), fit.get("outputs"))
    for layer in hidden:
        recurrent = sum(edge.fan_in for edge in layer.edges if INPUT not in edge.sources)
        findings.at_most(f"inputs of a neuron of {layer.name}", recurrent, fit.get("fanin_max"))
    for layer in shapes.layers:
        if layer.name in outputs and any(INPUT in edge.sources for edge in layer.edges):
            findings.impossible(f"{layer.name} reads the data, and readouts read hidden neurons only")
    needs = PoolCounts(
        shapes.sizes.get(INPUT, 0), sum(layer.neurons for layer in hidden), sum(shapes.sizes[name] for name in outputs)
    )
    among = sum(edge.dense for layer in hidden for edge in layer.edges if INPUT not in edge.sources)
    _cycles(profile, needs, events=among, findings=findings)


def _cycles(profile: Profile, needs: PoolCounts, *, events: int, findings: Findings) -> None:
    """Add that it is unchecked whether a time step is long enough, unless it is so in the worst case."""
    lacking = [name for name in ("cyc", "clock_mhz_max", "tick_us") if name not in profile.time]
    if lacking:
        findings.unchecked.append(f"cycles in a time step (the profile has no time.{', time.'.join(lacking)})")
        return
    worst = pool_cycles(profile, needs, spikes_in=needs.inputs, spikes=needs.hidden, events=events)
    limit = at(profile.time["clock_mhz_max"]) * at(profile.time["tick_us"]) / at(profile.time.get("clock_margin", 1.0))
    if worst > limit:
        findings.unchecked.append(
            f"cycles in a time step ({worst:,.0f} at worst, {limit:,.0f} are there: the latency tells)"
        )


def software(shapes: Topology[Any], profile: Profile, assumed: Deployment, findings: Findings) -> None:
    """Check neurons in software: cores, shared memory for the synapses, and entries of the routers (SpiNNaker)."""
    fit = profile.fit
    placement = place(shapes, profile, assumed=assumed)
    findings.cores.update({name: spot.cores for name, spot in placement.places.items()})
    if "neurons_per_core" in fit:
        findings.at_most("cores", placement.cores, fit["cores"])
    else:
        findings.unchecked.append("neurons of a core (they are software)")
    synapses = sum(edge.dense for layer in shapes.layers for edge in layer.edges)
    rows = _SYNAPSE_BYTES * synapses
    findings.at_most("bytes of synapses", rows, fit["sdram_bytes_per_chip"] * fit.get("chips", 1))
    findings.at_most("entries of a router", placement.cores, fit.get("router_entries"))
    findings.unchecked.append("whether a core keeps up in real time (the profile has no times of operations)")
    findings.notes.append(f"{_SYNAPSE_BYTES} bytes a synapse, one entry a core in every router")
