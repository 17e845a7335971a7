"""The operations of a sample by layer, named like the coefficients that price them, counted as the profile's rule says.

`exact` counts are those that were measured. `dense` is a machine without spikes: every synapse once a sample.
`dense-rate` is the convention of papers: dense operations, padding included, times the rate of the input.
`crossbar-full` is a core that reads a full row of synapses for every spike, zeros included.
"""

from __future__ import annotations

from typing import Literal

from evonas.architecture.gate import is_gate, is_temporal
from evonas.chips.deployed_network import DeployedNetwork
from evonas.chips.deployment import Deployment
from evonas.chips.neuron_models import models_for
from evonas.chips.profile import Profile
from evonas.chips.topology import is_graded_maximum, is_static_input, size
from evonas.errors import UnpriceableError
from evonas.measurement import Activity, Connection

HOST_MACS = "host_macs"
"""Multiply-accumulates of a static input on a chip that has none: work of the host, counted but never priced."""

SYNAPTIC_EVENTS = ("synop", "synop_conv", "synop_graded")
"""Names under which synaptic events are counted."""

Operations = dict[str, dict[str, float]]

_KINDS = {
    "synop": ("synaptic events", "Nothing can be said about spiking layers there: choose a profile with it."),
    "synop_graded": ("graded events", "Feed the layer with binary spikes, or choose a profile with it."),
    "mac": ("multiply-accumulates", "Put spiking neurons before the layer, or choose a profile with it."),
    "gate": ("multiply-accumulates", "Leave the gate of attention out, or choose a profile with it."),
}
_COEFFICIENTS = {"gate": "mac"}

STREAMING = ("async-barrier", "tick", "tick+cycles", "event")
"""The models of time of machines that are done with a time step before they see the next one."""


def operations(deployed: DeployedNetwork) -> Operations:
    """Return operations per sample, by population (connections belong to their target) and name of the coefficient.

    Raises:
        UnpriceableError: If the network does a kind of operation that has no price on this chip at all.
    """
    activity, profile, assumed = deployed.activity, deployed.profile, deployed.assumed
    rule = profile.rules["counts"]
    if rule == "dense":
        return _dense(activity, profile)
    _check_adaptive(activity, profile)
    layers = _neurons(activity, assumed)
    unpriced: dict[str, list[str]] = {}
    for edge in activity.connections:
        for name, count in _needs(edge, profile, assumed=assumed, samples=activity.samples):
            counted_as = _counted_as(name, edge, profile, assumed)
            if counted_as is None:
                unpriced.setdefault("gate" if is_gate(edge.operation) else name, []).append(edge.name)
            else:
                counts = layers[edge.target]
                counts[counted_as] = counts.get(counted_as, 0.0) + count / activity.samples
    waiting = _waiting(activity, profile)
    if unpriced or waiting:
        sentences = [_unpriced(name, edges, profile) for name, edges in unpriced.items()]
        raise UnpriceableError(" ".join(sentences + waiting))
    if rule == "crossbar-full":
        _fill_rows(layers, deployed)
    if "addr" in profile.energy:
        for counts in layers.values():
            counts["addr"] = sum(counts.get(name, 0.0) for name in SYNAPTIC_EVENTS)
    return layers


def check_possible(activity: Activity, profile: Profile) -> None:
    """Check that the chip can do what the network needs, whatever it costs.

    Raises:
        UnpriceableError: If it needs multiply-accumulates that neither the chip nor a host can do, or thresholds that
            adapt on a chip whose neurons have none.
    """
    _check_adaptive(activity, profile, of="time")
    faults = _waiting(activity, profile)
    if "mac" not in profile.energy:
        gates = [edge.name for edge in activity.connections if is_gate(edge.operation)]
        real = [
            edge.name
            for edge in activity.connections
            if (edge.element == "real" or is_graded_maximum(edge)) and not is_static_input(edge)
            and edge.name not in gates
        ]  # fmt: skip
        faults += [_unpriced(name, edges, profile) for name, edges in {"mac": real, "gate": gates}.items() if edges]
    if faults:
        raise UnpriceableError(" ".join(faults))


def _waiting(activity: Activity, profile: Profile) -> list[str]:
    """Return a sentence if the network has gates that wait for the last time step and the chip does not."""
    waiting = [edge.name for edge in activity.connections if is_temporal(edge.operation)]
    if not waiting or profile.time.get("model") not in STREAMING:
        return []
    return [
        f"{profile.id} is done with a time step before it sees the next one, and {_few(waiting)} weighs all time steps "
        "of a sample against each other. Use gates over channels or space, or a profile without time steps."
    ]


def _check_adaptive(activity: Activity, profile: Profile, *, of: Literal["energy", "time"] = "energy") -> None:
    """Raise `UnpriceableError` for thresholds that adapt where no neuron does, or where their work has no price.

    A price of neuron updates is that of neurons with a fixed threshold. Adaptation takes more than that: at every step
    it decays (a multiplication) and is added to the threshold, and each spike adds to it.
    """
    names = [population.name for population in activity.populations if population.kind == "alif"]
    if not names or profile.rules["counts"] == "dense":
        return
    if models_for("alif", profile.fit) == set():
        raise UnpriceableError(
            f"{profile.id} has neurons of {', '.join(profile.fit['neuron_models'])}, and none whose threshold adapts, "
            f"as those of {', '.join(names)} do (kind alif). Choose another kind of neuron, or another chip."
        )
    if (of == "energy" and not are_adaptations_priced(profile)) or (of == "time" and "acc_neuron" in profile.time):
        raise UnpriceableError(
            f"{profile.id} has {of}.acc_neuron for neurons with a fixed threshold, and none for thresholds that adapt, "
            f"as those of {', '.join(names)} do (kind alif). Choose another kind of neuron, or another profile."
        )


def are_adaptations_priced(profile: Profile) -> bool:
    """Return whether the energy of a chip says what thresholds that adapt cost, or leaves updates of neurons out."""
    if models_for("alif", profile.fit) == set():
        return False
    is_counted = "acc_neuron" in profile.energy and profile.rules.get("neuron_update_ops") != "ignored"
    return not is_counted or {"mul", "add"} <= profile.energy.keys()


def _neurons(activity: Activity, assumed: Deployment) -> Operations:
    layers: Operations = {}
    once = assumed.static_first == "once"
    for population in activity.populations:
        spikes = population.outputs if once and population.static else sum(population.spikes)
        layers[population.name] = counts = {"spike_out": spikes / activity.samples}
        if population.state:
            counts["acc_neuron"] = activity.time_steps * population.neurons
            counts["upd_neuron"] = sum(population.updates) / activity.samples
        if population.kind == "alif":
            counts["mul"] = activity.time_steps * population.neurons
            counts["add"] = counts["mul"] + sum(population.spikes) / activity.samples
    return layers


def _needs(edge: Connection, profile: Profile, *, assumed: Deployment, samples: int) -> list[tuple[str, float]]:
    """Return what an edge needs, totals over the samples, by the class of its input and not by a batch's values."""
    once = assumed.static_first == "once" and edge.static
    if profile.rules["counts"] == "dense-rate":
        dense = _with_padding(edge)
        if edge.element == "real" or is_gate(edge.operation):
            return [("mac", dense * samples * (1 if once else len(edge.macs)))]
        return [("synop", dense * sum(edge.inputs) / size(edge.in_shape))]
    needs: list[tuple[str, float]] = []
    events, graded, macs = sum(edge.events), sum(edge.graded), sum(edge.macs[:1] if once else edge.macs)
    if edge.element == "binary" or events:
        needs.append(("synop", events))
    if is_graded_maximum(edge):
        needs.append(("mac", graded))
    elif edge.element == "graded" or graded:
        has_graded = "synop_graded" in profile.energy or profile.fit.get("graded_spikes", False)
        needs.append(("synop_graded", graded) if has_graded else ("synop", sum(edge.unrolled)))
    if edge.element == "real" or macs or is_gate(edge.operation):
        needs.append(("mac", macs))
    return needs


def _counted_as(name: str, edge: Connection, profile: Profile, assumed: Deployment) -> str | None:
    """Return the name under which an operation is counted, or None where this chip cannot do it."""
    if name == "synop" and assumed.weights == "shared" and edge.operation == "conv" and "synop_conv" in profile.energy:
        return "synop_conv"
    if name in profile.energy:
        return name
    if name == "mac":
        return HOST_MACS if is_static_input(edge) else None
    return name if profile.composition == "power-time" else None


def _unpriced(name: str, edges: list[str], profile: Profile) -> str:
    kind, advice = _KINDS[name]
    coefficient = _COEFFICIENTS.get(name, name)
    return f"{profile.id} has no price for {kind} (energy.{coefficient}), which {_few(edges)} would need. {advice}"


def _few(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _dense(activity: Activity, profile: Profile) -> Operations:
    """Return every synapse and every neuron once: the machine computes a sample as a whole, without time steps."""
    if "mac" not in profile.energy:
        raise UnpriceableError(_unpriced("mac", [edge.name for edge in activity.connections], profile))
    layers: Operations = {
        population.name: {"mac": 0.0, "acc_neuron": float(population.neurons)} for population in activity.populations
    }
    for edge in activity.connections:
        layers[edge.target]["mac"] += edge.dense
    return layers


def _with_padding(edge: Connection) -> int:
    """Return the (input, target) pairs of an edge as papers count them, those with padding among them."""
    if edge.is_linear or is_gate(edge.operation):
        return edge.dense
    return size(edge.out_shape) * (edge.in_shape[0] // edge.groups) * edge.kernel**2


def _fill_rows(layers: Operations, deployed: DeployedNetwork) -> None:
    """Replace synaptic events by a full row of the crossbar for each spike, at the first layer that reads it."""
    activity, row = deployed.activity, deployed.profile.fit["neurons_per_core"]
    for counts in layers.values():
        if "synop" in counts:
            counts["synop"] = 0.0
    seen: set[str] = set()
    for edge in activity.connections:
        if is_static_input(edge):
            continue
        for source in edge.sources:
            if source not in seen:
                counts = layers[edge.target]
                counts["synop"] = counts.get("synop", 0.0) + row * deployed.spikes[source] / activity.samples
                seen.add(source)
