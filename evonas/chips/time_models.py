"""Models of time: the time of a sample on chips with barriers, ticks, clock cycles or events.

All loads are means over the samples at each time step. Means over the steps as well would be too low, by a third on one
network: a step lasts as long as its busiest core.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from evonas.architecture.plan import INPUT
from evonas.chips.band import End
from evonas.chips.deployed_network import Counts, DeployedNetwork, summed, table
from evonas.chips.operation_counts import SYNAPTIC_EVENTS, operations
from evonas.chips.profile import Profile
from evonas.chips.topology import Layer, size
from evonas.errors import UnpriceableError
from evonas.measurement import Connection


@dataclass(frozen=True)
class Loads:
    """The work of the cores of all layers, at each of a layer's own time steps; `(layers, time)` by default.

    Attributes:
        cores: `(layers, 1)` cores that share the layer evenly.
        neurons: `(layers, 1)` neurons with state.
        updates: Active updates (U).
        spikes: Spikes (K).
        sent: Messages out.
        events: Synaptic events (S).
        received: Messages in.
    """

    cores: np.ndarray
    neurons: np.ndarray
    updates: np.ndarray
    spikes: np.ndarray
    sent: np.ndarray
    events: np.ndarray
    received: np.ndarray


_WORK = ("acc_neuron", "upd_neuron", "spike_out", "msg_out", "synop", "msg_in")


def work_ns(deployed: DeployedNetwork, end: End = "value") -> dict[str, float]:
    """Return the ns of each kind of work of a core, 0 where the profile has none."""
    return {key: deployed.number(key, end) for key in _WORK}


def core_ns(loads: Loads, ns: Mapping[str, float]) -> np.ndarray:
    """Return `(layers, time)` ns that each core of a layer needs.

    The halves of a core that update neurons and deliver synaptic events work at the same time.

    Args:
        loads: What the cores do.
        ns: The ns of each kind of work, from `work_ns`.
    """
    soma = loads.neurons * ns["acc_neuron"] + loads.updates * ns["upd_neuron"] + loads.spikes * ns["spike_out"]
    synapse = loads.events * ns["synop"] + loads.received * ns["msg_in"]
    needed: np.ndarray = np.maximum(soma + loads.sent * ns["msg_out"], synapse) / loads.cores
    return needed


def core_ns_by_step(deployed: DeployedNetwork, ns: Mapping[str, float]) -> np.ndarray:
    """Return `(layers, time)` ns that each core of a layer needs at each time step of the chip.

    Where a spike is seen one step later, each layer is as many steps behind as it is deep: it waits before its first
    step and after its last, in which its neurons are updated and nothing else happens.
    """
    loads, steps = _loads(deployed, ns), deployed.activity.time_steps
    working, waiting = core_ns(loads, ns), loads.neurons * ns["acc_neuron"] / loads.cores
    if deployed.assumed.pipeline == "within-step":
        return working
    needed: np.ndarray = waiting.repeat(steps + max(deployed.topology.longest - 1, 0), axis=1)
    for row, layer in enumerate(deployed.topology.layers):
        behind = deployed.topology.depth[layer.name] - 1
        needed[row, behind : behind + steps] = working[row]
    return needed


def _loads(deployed: DeployedNetwork, ns: Mapping[str, float]) -> Loads:
    """Return the work of the cores of all layers; spikes and messages are 0 where they take no time."""
    activity, layers = deployed.activity, deployed.topology.layers
    steps, samples = activity.time_steps, activity.samples
    spikes = sent = received = np.zeros((len(layers), 1))
    if ns["spike_out"] or ns["msg_out"] or ns["msg_in"]:
        counts, copies = table(deployed.sent.values(), steps=steps), deployed.copies
        spikes = counts[: len(layers)] / samples
        sent = (copies.sum(axis=0)[:, None] * counts)[: len(layers)] / samples
        received = copies @ counts / samples
    nothing = (0,) * steps
    events = table([_delivered(layer, deployed.profile) or nothing for layer in layers], steps=steps)
    updates = [part.updates if part.state else nothing for part in activity.populations]
    places = deployed.placement.places
    return Loads(
        cores=np.array([places[layer.name].cores for layer in layers], float)[:, None],
        neurons=np.array([layer.neurons if layer.state else 0 for layer in layers], float)[:, None],
        updates=table(updates, steps=steps) / samples,
        spikes=spikes,
        sent=sent,
        events=events / samples,
        received=received,
    )


def _delivered(layer: Layer[Connection], profile: Profile) -> Counts:
    """Return `(time,)` events into a layer, graded ones one by one where the chip has only binary ones."""
    has_graded = "synop_graded" in profile.energy
    delivered = [edge.events for edge in layer.edges]
    delivered += [edge.graded if has_graded else edge.unrolled for edge in layer.edges if edge.element != "binary"]
    return delivered[0] if len(delivered) == 1 else summed(*delivered)


def barrier(deployed: DeployedNetwork, end: End) -> list[float]:
    """Return the seconds of each time step of a machine whose cores wait for each other at its end."""
    steps = deployed.profile.time.get("sync_by_tiles", [])
    sync = next((ns for tiles, ns in steps if deployed.placement.tiles <= tiles), steps[-1][1] if steps else 0.0)
    if deployed.placement.chips > 1:
        sync += deployed.number("sync_multichip_ns", end)
    overhead = sync + deployed.number("step_overhead", end)
    busiest = core_ns_by_step(deployed, work_ns(deployed, end)).max(axis=0, initial=0.0)
    return [(needed + overhead) * 1e-9 for needed in busiest.tolist()]


def ticks(deployed: DeployedNetwork, end: End) -> list[float]:
    """Return the seconds of each tick, those that fill the pipeline at the end.

    Raises:
        UnpriceableError: If some core has more work in a tick than fits in it.
    """
    tick = deployed.number("tick_us", end) * 1e-6
    work = work_ns(deployed)
    if any(work.values()):
        _check_ticks(deployed, core_ns_by_step(deployed, work))
    if deployed.profile.time["model"] == "tick+cycles":
        _check_clock(deployed)
    filling = deployed.topology.longest * deployed.number("pipeline_ticks_per_layer")
    return [tick] * deployed.activity.time_steps + [tick * filling] * bool(filling)


def _check_ticks(deployed: DeployedNetwork, needed: np.ndarray) -> None:
    busiest = needed.max(axis=0, initial=0.0)
    late = np.flatnonzero(busiest * 1e-9 > deployed.number("tick_us") * 1e-6)
    if late.size:
        step = int(late[0])
        where = deployed.topology.layers[int(needed[:, step].argmax())].name
        raise UnpriceableError(
            f"{deployed.profile.id} cannot keep its tick of {deployed.number('tick_us'):g} us: a core of {where} has "
            f"{busiest[step] * 1e-3:,.1f} us of work in step {step + 1}. Spread the layer or make it spike less."
        )


@dataclass(frozen=True)
class PoolCounts:
    """Inputs, hidden neurons and readouts of a core that has one pool of neurons."""

    inputs: int
    hidden: int
    readouts: int


def pool_cycles(profile: Profile, counts: PoolCounts, *, spikes_in: float, spikes: float, events: float) -> float:
    """Return the clock cycles of a time step of a core that has one pool of neurons.

    Source: the cycle model that the vendor of Xylo publishes in rockpool (`power_cycles_model.py`), with exact events
    between hidden neurons in place of a mean fan-out times a rate.

    Args:
        profile: The chip.
        counts: How large the network is.
        spikes_in: Inputs that are not zero.
        spikes: Hidden neurons that spike.
        events: Synaptic events between hidden neurons.
    """
    cycle = profile.time["cyc"]
    return float(
        cycle["in_spk"] * spikes_in * counts.hidden
        + cycle["in_fix"] * counts.inputs
        + cycle["hid_syn"] * events
        + cycle["hid_fix"] * counts.hidden
        + spikes * (cycle["out_spk_fix"] + cycle["out_syn"] * counts.readouts)
        + cycle["neu_fix"] * counts.hidden
        + cycle["neu_spk"] * spikes
        + cycle["out_fix"] * counts.readouts
    )


def _pool_cycles_by_step(deployed: DeployedNetwork) -> list[float]:
    profile, activity, layers = deployed.profile, deployed.activity, deployed.topology.layers
    samples = activity.samples
    hidden = [layer for layer in layers if layer.kind != "readout"]
    counts = PoolCounts(
        deployed.topology.sizes.get(INPUT, 0),
        sum([layer.neurons for layer in hidden]),
        sum([layer.neurons for layer in layers if layer.kind == "readout"]),
    )
    nothing = (0,) * activity.time_steps
    arriving = deployed.sent.get(INPUT, nothing)
    spiking = [population.spikes for population in activity.populations if population.kind != "readout"]
    among = [edge.events for layer in hidden for edge in layer.edges if INPUT not in edge.sources]
    by_step = zip(arriving, summed(nothing, *spiking), summed(nothing, *among), strict=True)
    return [
        pool_cycles(profile, counts, spikes_in=data / samples, spikes=spikes / samples, events=events / samples)
        for data, spikes, events in by_step
    ]


def _check_clock(deployed: DeployedNetwork) -> None:
    cycles = max(_pool_cycles_by_step(deployed))
    needed = (deployed.number("clock_margin") or 1.0) * cycles / deployed.number("tick_us")  # cycles a us are MHz
    limit = deployed.assumed.clock_mhz or deployed.number("clock_mhz_max")
    if needed > limit:
        raise UnpriceableError(
            f"{deployed.profile.id} would need a clock of {needed:,.0f} MHz for {cycles:,.0f} cycles in a time step of "
            f"{deployed.number('tick_us'):g} us, and {limit:g} MHz is the most. Make the network smaller or spike less."
        )


def cycles(deployed: DeployedNetwork, end: End) -> list[float]:
    """Return the seconds of a sample on a core that does one operation after another."""
    counts = operations(deployed)
    events = sum([count.get(name, 0.0) for count in counts.values() for name in SYNAPTIC_EVENTS])
    spikes = sum(deployed.spikes.values()) / deployed.activity.samples
    needed = deployed.number("cycles_per_synop", end) * events + deployed.number("cycles_per_spike", end) * spikes
    needed += deployed.number("cycles_per_tick_leak", end) * deployed.activity.time_steps
    clock = deployed.assumed.clock_mhz or deployed.number("clock_mhz")
    return [needed / (clock * 1e6)]


def event(deployed: DeployedNetwork, end: End) -> list[float]:
    """Return the seconds from the last event of a sample to the answer.

    Raises:
        UnpriceableError: If events come faster than a core can take them.
    """
    per_layer = deployed.number("event_layer_us", end) * 1e-6
    lasts = deployed.activity.seconds
    for layer, received in deployed.messages.items():
        share = received / deployed.activity.samples / lasts * deployed.number("event_layer_us") * 1e-6
        if share >= 1:
            raise UnpriceableError(
                f"{deployed.profile.id} cannot keep up with the events into {layer}: they would take {share:.1f} "
                "times the time in which they come. Make the layers before it spike less."
            )
    return [deployed.topology.longest * per_layer]


def roofline(deployed: DeployedNetwork, end: End) -> list[float]:
    """Return the seconds of each layer: its operations or its bytes, whichever takes longer, and a launch."""
    seconds = []
    steps = 1 if deployed.profile.rules["counts"] == "dense" else deployed.activity.time_steps
    for layer in deployed.topology.layers:
        edges = layer.all_edges
        moved = sum(edge.weights + size(edge.in_shape) for edge in edges) + layer.neurons
        arithmetic = sum(edge.dense for edge in edges) / deployed.number("peak_ops_per_s")
        transfer = moved * deployed.assumed.weight_bits / 8 / deployed.number("bytes_per_s")
        seconds.append(steps * (max(arithmetic, transfer) + deployed.number("launch_us", end) * 1e-6))
    return seconds
