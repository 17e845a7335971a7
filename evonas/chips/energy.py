"""Joules per sample on a chip: counts times the coefficients of its profile, term by term and layer by layer.

A coefficient that the profile does not have is not counted, which is never the same as zero: the estimate lists it.
A kind of operation that the chip cannot do at all makes the network infeasible there.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from evonas.chips import latency
from evonas.chips.band import at
from evonas.chips.deployed_network import Placed
from evonas.chips.deployment import ASSUMED, Deployment
from evonas.chips.energy_estimate import MILLI, PICO, EnergyEstimate, compose, is_power_time, priced
from evonas.chips.memory_access import accesses
from evonas.chips.operation_counts import Operations, operations
from evonas.chips.profile import Coefficient, Profile
from evonas.chips.static_power import static_watts
from evonas.errors import ProfileError
from evonas.measurement import Activity

Part = Literal["dynamic", "total"]

_TRAFFIC = ("msg_out", "hop")


def joules(
    activity: Activity,
    profile: Profile,
    *,
    part: Part = "dynamic",
    assumed: Deployment = ASSUMED,
    prices: Mapping[str, Coefficient] | None = None,
) -> float:
    """Return the nominal joules of a sample: those of `estimate`, several times as fast.

    Args:
        activity: The counts.
        profile: The chip.
        part: `"dynamic"` or `"total"`.
        assumed: What the profile leaves open.
        prices: The coefficients that count, where they are known already.

    Raises:
        UnpriceableError: If the network does something that the chip cannot, or not in time.
        ProfileError: If energy cannot be computed on this chip.
    """
    prices = priced(profile, assumed) if prices is None else prices
    placed = Placed(activity, profile, assumed)
    counts = _counted(placed, prices)
    picojoules = 0.0
    for parts in (*counts.values(), _per_sample(activity, profile)):
        for name, count in parts.items():
            if name in prices:
                picojoules += count * prices[name].value
    result = picojoules * PICO
    if profile.memory:
        stored = accesses(placed, counts)
        memory = profile.memory
        result += sum([part.nominal(memory) for parts in stored.values() for found in parts.values() for part in found])
    if part == "total" or profile.composition == "power-time":
        seconds = latency.busy_seconds(placed)
        result += at(profile.power.get("dynamic_run", 0.0)) * MILLI * seconds * is_power_time(profile)
        if part == "total":
            result += static_watts(profile, placement=placed.placement, assumed=assumed) * seconds
    return result


def estimate(activity: Activity, profile: Profile, *, assumed: Deployment = ASSUMED) -> EnergyEstimate:
    """Return the energy of a sample with its terms, layers, band and everything that it leaves out.

    Events of a static input are counted at every step, as an event-driven chip delivers them; only its
    multiply-accumulates are saved by `static_first = "once"`.

    Raises:
        UnpriceableError: If the network does a kind of operation that has no price on this chip at all, or takes
            longer than the chip can wait.
        ProfileError: If energy cannot be computed on this chip.
    """
    prices = priced(profile, assumed)
    placed = Placed(activity, profile, assumed)
    counts = _counted(placed, prices)
    stored = accesses(placed, counts) if profile.memory else {}
    busy = latency.estimate(activity, profile, assumed=assumed).busy if has_static(profile) else None
    return compose(
        counts,
        profile,
        stored=stored,
        per_sample=_per_sample(activity, profile),
        busy=busy,
        placement=placed.placement,
        assumed=assumed,
    )


def _counted(placed: Placed, prices: Mapping[str, Coefficient]) -> Operations:
    """Return operations, with messages and hops where they have a price."""
    activity, profile = placed.activity, placed.profile
    check_energy(profile, placed.assumed)
    counts = operations(activity, profile, assumed=placed.assumed)
    if profile.rules["counts"] != "dense" and any(name in prices for name in _TRAFFIC):
        hops = placed.placement.hops(placed.assumed)
        received = placed.traffic.received.sum(axis=1).tolist()
        for layer, messages in zip(placed.topology.layers, received, strict=True):
            counts[layer.name]["msg_out"] = messages / activity.samples
            counts[layer.name]["hop"] = hops * counts[layer.name]["msg_out"]
    if profile.memory:
        for layer in placed.topology.layers:  # a bias that is no part of the weights is added at every step
            if layer.state and any(edge.biases for edge in layer.all_edges):
                counts[layer.name]["add"] = activity.time_steps * layer.neurons
    return counts


def _per_sample(activity: Activity, profile: Profile) -> dict[str, float]:
    steps = 1 if profile.rules["counts"] == "dense" else activity.time_steps
    return {"step": steps, "reset": 1}


def has_static(profile: Profile) -> bool:
    """Return whether the static part of the energy can be told: the profile gives power and the time of a sample."""
    return bool(profile.power) and profile.scope != "all-in" and latency.has_time(profile)


def check_energy(profile: Profile, assumed: Deployment) -> None:
    """Return if energy can be computed on this chip.

    Raises:
        ProfileError: If it cannot.
    """
    if is_power_time(profile):
        if not has_static(profile):
            raise ProfileError(f"{profile.id} composes energy as power times time and gives no power or no time.")
    elif not {"synop", "synop_conv", "mac"} & set(profile.energy):
        raise ProfileError(
            f"{profile.id} has no energy of any operation: none is published, which is not the same as none. Use it "
            "for fit and latency, and another profile for energy."
        )
    if assumed.reset == "per-sample" and "reset" not in profile.energy:
        raise ProfileError(f"{profile.id} has no energy.reset: a reset per sample cannot be counted there.")
