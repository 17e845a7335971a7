"""Joules per sample on a chip: counts times the coefficients of its profile, term by term and layer by layer.

A coefficient that the profile does not have is not counted, which is never the same as zero: the estimate lists it.
A kind of operation that the chip cannot do at all makes the network infeasible there.

The figure that stands for the chip where nobody asks for a part is the dynamic energy where the profile prices what
networks do, synaptic operations or the power of working cores. Where it prices less than that, messages alone for
instance, but gives power and time, it is the total: a sum that leaves out most of the chip is no figure to search by.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from evonas.chips import latency
from evonas.chips.deployed_network import Placed
from evonas.chips.deployment import ASSUMED, Deployment
from evonas.chips.energy_estimate import EnergyEstimate, compose
from evonas.chips.energy_sum import Work, energy_sum, is_power_time, priced
from evonas.chips.memory_access import accesses
from evonas.chips.operation_counts import Operations, operations
from evonas.chips.profile import Coefficient, Profile
from evonas.chips.static_power import has_static_power, static_watts
from evonas.errors import ProfileError
from evonas.measurement import Activity

Part = Literal["dynamic", "total"]

_TRAFFIC = ("msg_out", "hop")
_SYNAPTIC = ("synop", "synop_conv", "mac")


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
    check_part(profile, part)
    prices = priced(profile, assumed) if prices is None else prices
    placed = Placed(activity, profile, assumed)
    work = _work(placed, prices)
    is_timed = part == "total" or is_power_time(profile)
    seconds = latency.busy_seconds(placed) if is_timed else None
    watts = static_watts(profile, placement=placed.placement, assumed=assumed) if part == "total" else None
    found = energy_sum(work, profile, prices, seconds=seconds, watts=watts)
    return found.total if part == "total" else found.dynamic


def estimate(activity: Activity, profile: Profile, *, assumed: Deployment = ASSUMED) -> EnergyEstimate:
    """Return the energy of a sample with its terms, layers, band and everything that it leaves out.

    Events of a static input are counted at every step, as an event-driven chip delivers them; only its
    multiply-accumulates are saved by `static_first = "once"`.

    Raises:
        UnpriceableError: If the network does a kind of operation that has no price on this chip at all, or takes
            longer than the chip can wait.
        ProfileError: If energy cannot be computed on this chip.
    """
    placed = Placed(activity, profile, assumed)
    work = _work(placed, priced(profile, assumed))
    is_timed = has_static(profile)
    return compose(
        work.counts,
        profile,
        stored=work.stored,
        per_sample=work.per_sample,
        busy=latency.busy(placed) if is_timed else None,
        placement=placed.placement if is_timed else None,
        assumed=assumed,
    )


def headline(profile: Profile) -> Part:
    """Return the part of the energy that stands for the chip where nobody asks for one.

    It is `"dynamic"` where the profile prices synaptic operations, or gives the power of working cores of a chip whose
    energy is power times time; else `"total"`, as far as power and time are given.
    """
    has_operations = any(name in profile.energy for name in _SYNAPTIC)
    has_work = is_power_time(profile) and "dynamic_run" in profile.power
    return "total" if has_static(profile) and not (has_operations or has_work) else "dynamic"


def _work(placed: Placed, prices: Mapping[str, Coefficient]) -> Work:
    check_energy(placed.profile, placed.assumed)
    counts = _counted(placed, prices)
    stored = accesses(placed, counts) if placed.profile.memory else {}
    is_dense = placed.profile.rules["counts"] == "dense"
    steps = 1 if is_dense else placed.activity.time_steps
    chips = placed.placement.chips if "reset" in prices else 1
    return Work(counts, {"step": steps, "reset": chips}, stored)


def _counted(placed: Placed, prices: Mapping[str, Coefficient]) -> Operations:
    """Return operations, with messages and hops where they have a price."""
    activity, profile = placed.activity, placed.profile
    counts = operations(activity, profile, assumed=placed.assumed)
    if profile.rules["counts"] != "dense" and any(name in prices for name in _TRAFFIC):
        hops = placed.placement.hops(placed.assumed)
        received = placed.traffic.received.sum(axis=1).tolist()
        for layer, messages in zip(placed.topology.layers, received, strict=True):
            counts[layer.name]["msg_out"] = messages / activity.samples
            counts[layer.name]["hop"] = hops * counts[layer.name]["msg_out"]
        if "msg_out" in prices and prices["msg_out"].per == "spike and chip visited":
            for name, visits in placed.visits.items():
                counts[name]["msg_out"] = visits / activity.samples
    if "add" in prices:
        for layer in placed.topology.layers:  # a bias that is no part of the weights is added at every step
            if layer.state and any(edge.biases for edge in layer.all_edges):
                counts[layer.name]["add"] = activity.time_steps * layer.neurons
    return counts


def has_static(profile: Profile) -> bool:
    """Return whether the static part of the energy can be told: the profile gives power and the time of a sample."""
    return has_static_power(profile) and latency.has_time(profile)


def check_energy(profile: Profile, assumed: Deployment) -> None:
    """Check that energy can be computed on this chip.

    Raises:
        ProfileError: If it cannot.
    """
    if is_power_time(profile):
        if not has_static(profile):
            raise ProfileError(
                f"{profile.id} composes energy as power times time and {without_static(profile)}. Fill it in, in a "
                "profile of your own, or choose another chip."
            )
    elif profile.energy.keys().isdisjoint(_SYNAPTIC):
        raise ProfileError(
            f"{profile.id} has no energy of any operation: none is published, which is not the same as none. Use it "
            "for fit and latency, and another profile for energy."
        )
    if assumed.reset == "per-sample" and "reset" not in profile.energy:
        raise ProfileError(f"{profile.id} has no energy.reset: a reset per sample cannot be counted there.")


def check_searchable(profile: Profile, assumed: Deployment, *, part: Part) -> None:
    """Check that this part of the energy has a value for spiking networks at all, before a search is run for it.

    Raises:
        ProfileError: If it has none.
    """
    check_energy(profile, assumed)
    check_part(profile, part)
    is_dense = profile.rules["counts"] == "dense"
    if not is_dense and not is_power_time(profile) and profile.energy.keys().isdisjoint(("synop", "synop_conv")):
        raise ProfileError(
            f"{profile.id} has no energy.synop, so that no spiking network has an energy there. Fill it in, in a "
            "profile of your own, or choose another chip."
        )


def check_part(profile: Profile, part: Part) -> None:
    """Check that this part of the energy can be told.

    Raises:
        ProfileError: If the total is asked for and the profile says too little of power or time.
    """
    if part == "total" and not has_static(profile):
        raise ProfileError(f'{profile.id} has no total energy: it {without_static(profile)}. Use part = "dynamic".')


def without_static(profile: Profile) -> str:
    """Return why the static part of the energy cannot be told, as the end of a sentence; empty where it can."""
    if profile.scope == "all-in":
        return "has figures that hold everything already (profile.scope = all-in)"
    lacking = [] if has_static_power(profile) else ["power.static_chip"]
    lacking += [f"time.{name}" for name in latency.lacking(profile)] if profile.time else ["[time]"]
    return f"gives no power or no time of a sample ({', '.join(lacking)})" if lacking else ""
