"""Joules per sample on a chip: counts times the coefficients of its profile, term by term and layer by layer.

A coefficient that the profile does not have is not counted, which is never the same as zero: the estimate lists it.
A kind of operation that the chip cannot do at all makes the network infeasible there.
"""

from __future__ import annotations

from collections.abc import Mapping

from evonas.chips import latency
from evonas.chips.deployed_network import Placed
from evonas.chips.deployment import ASSUMED, Deployment
from evonas.chips.energy_estimate import EnergyEstimate, compose
from evonas.chips.energy_parts import Part, check_energy, check_part, has_static
from evonas.chips.energy_sum import Joules, Work, energy_sum, is_power_time, priced
from evonas.chips.memory_access import accesses
from evonas.chips.operation_counts import Operations, operations
from evonas.chips.profile import Coefficient, Profile
from evonas.chips.static_power import static_watts
from evonas.chips.units import VISITED
from evonas.errors import UnpriceableError
from evonas.measurement import Activity

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
    check_part(profile, part)
    placed = Placed(activity, profile, assumed)
    found = _nominal(placed, priced(profile, assumed) if prices is None else prices, part=part)
    return found.total if part == "total" else found.dynamic


def parts(activity: Activity, profile: Profile, *, assumed: Deployment = ASSUMED) -> dict[str, float | None]:
    """Return the nominal joules of a sample by part; the total is None where the chip cannot do the work in time.

    Raises:
        UnpriceableError: If the network does something that the chip cannot.
        ProfileError: If the total cannot be told on this chip.
    """
    check_part(profile, "total")
    placed, prices = Placed(activity, profile, assumed), priced(profile, assumed)
    try:
        found = _nominal(placed, prices, part="total")
    except UnpriceableError:
        return {"dynamic": _nominal(placed, prices, part="dynamic").dynamic, "total": None}
    return {"dynamic": found.dynamic, "total": found.total}


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


def _nominal(placed: Placed, prices: Mapping[str, Coefficient], *, part: Part) -> Joules:
    profile = placed.profile
    work = _work(placed, prices)
    is_timed = part == "total" or is_power_time(profile)
    seconds = latency.busy_seconds(placed) if is_timed else None
    watts = static_watts(profile, placement=placed.placement, assumed=placed.assumed) if part == "total" else None
    return energy_sum(work, profile, prices, seconds=seconds, watts=watts)


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
        if "msg_out" in prices and prices["msg_out"].per == VISITED:
            for name, visits in placed.visits.items():
                counts[name]["msg_out"] = visits / activity.samples
    if "add" in prices:
        for layer in placed.topology.layers:  # a bias that is no part of the weights is added at every step
            if layer.state and any(edge.biases for edge in layer.all_edges):
                counts[layer.name]["add"] = activity.time_steps * layer.neurons
    return counts
