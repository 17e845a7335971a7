"""Joules per sample on a chip: counts times the coefficients of its profile, term by term and layer by layer.

A coefficient that the profile does not have is not counted, which is never the same as zero: the estimate lists it.
A kind of operation that the chip cannot do at all makes the network infeasible there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from evonas.chips import latency
from evonas.chips.band import NOTHING, Band, Coefficient, End, total
from evonas.chips.coverage import Part, check_energy, check_part, gaps, has_static, notes
from evonas.chips.deployed_network import DeployedNetwork
from evonas.chips.deployment import ASSUMED, Deployment
from evonas.chips.energy_sum import Joules, Work, energy_sum, has_static_power, is_power_time, priced, static_watts
from evonas.chips.memory_access import accesses
from evonas.chips.operation_counts import Operations, operations
from evonas.chips.placement import ONE_CORE, Placement
from evonas.chips.profile import Profile
from evonas.chips.units import VISITED
from evonas.errors import UnpriceableError
from evonas.measurement import Activity


@dataclass(frozen=True)
class EnergyEstimate:
    """The energy of a sample on a chip, as far as it can be computed from the profile.

    Attributes:
        profile: Id of the profile.
        scope: What its coefficients include; estimates of different scopes are not comparable.
        counts: Operations per sample by population (connections belong to their target) and name of the coefficient.
        per_sample: Operations per sample that belong to no population.
        layers: Joules per sample by population and name of the coefficient.
        terms: Joules per sample by name of the coefficient: the layers' sums, and what belongs to no layer.
        static: Joules of the static power during the sample; None where they are unknown.
        prices: The coefficients that were used, by name.
        uncounted: What this network does and the estimate leaves out, as texts for people.
        notes: What was assumed, for people.
    """

    profile: str
    scope: str
    counts: Mapping[str, Mapping[str, float]]
    per_sample: Mapping[str, float]
    layers: Mapping[str, Mapping[str, Band]]
    terms: Mapping[str, Band]
    static: Band | None
    prices: Mapping[str, Coefficient]
    uncounted: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def dynamic(self) -> Band:
        """Sum of all terms."""
        return total(self.terms.values())

    @property
    def total(self) -> Band:
        """Sum of all terms and, where it is known, of the static part."""
        return self.dynamic + (self.static or NOTHING)


def joules(
    activity: Activity,
    profile: Profile,
    *,
    part: Part = "dynamic",
    assumed: Deployment = ASSUMED,
    prices: Mapping[str, Coefficient] | None = None,
) -> float:
    """Return the nominal joules of a sample: the same as `estimate` does, several times as fast.

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
    deployed = DeployedNetwork(activity, profile, assumed)
    nominal = _nominal(deployed, priced(profile, assumed) if prices is None else prices, part=part)
    return nominal.total if part == "total" else nominal.dynamic


def parts(activity: Activity, profile: Profile, *, assumed: Deployment = ASSUMED) -> dict[str, float | None]:
    """Return the nominal joules of a sample by part; the total is None where the chip cannot do the work in time.

    Raises:
        UnpriceableError: If the network does something that the chip cannot.
        ProfileError: If the profile says too little for a total.
    """
    check_part(profile, "total")
    deployed, prices = DeployedNetwork(activity, profile, assumed), priced(profile, assumed)
    try:
        nominal = _nominal(deployed, prices, part="total")
    except UnpriceableError:
        return {"dynamic": _nominal(deployed, prices, part="dynamic").dynamic, "total": None}
    return {"dynamic": nominal.dynamic, "total": nominal.total}


def estimate(activity: Activity, profile: Profile, *, assumed: Deployment = ASSUMED) -> EnergyEstimate:
    """Return the energy of a sample with its terms, layers, band and everything that it leaves out.

    Events of a static input are counted at every step, as an event-driven chip delivers them; only its
    multiply-accumulates are saved by `static_first = "once"`.

    Raises:
        UnpriceableError: If the network does a kind of operation that has no price on this chip at all, or takes
            longer than the chip can wait.
        ProfileError: If energy cannot be computed on this chip.
    """
    deployed = DeployedNetwork(activity, profile, assumed)
    work = _work(deployed, priced(profile, assumed))
    if not has_static(profile):
        return compose(work, profile, assumed=assumed)
    return compose(work, profile, busy=latency.busy(deployed), placement=deployed.placement, assumed=assumed)


def compose(
    work: Work,
    profile: Profile,
    *,
    busy: Band | None = None,
    placement: Placement = ONE_CORE,
    assumed: Deployment = ASSUMED,
) -> EnergyEstimate:
    """Return the energy of any work: the arithmetic of `estimate`.

    Args:
        work: The work of a sample.
        profile: The chip.
        busy: Seconds for which the sample occupies the chip, None where they are unknown.
        placement: Cores and chips that are occupied.
        assumed: What the profile leaves open.
    """
    prices = priced(profile, assumed)
    watts = None
    if busy is not None and has_static_power(profile):
        watts = static_watts(profile, placement=placement, assumed=assumed)
    low, nominal, high = _three(work, profile, prices, busy=busy, watts=watts)
    static = None
    if low.static is not None and nominal.static is not None and high.static is not None:
        static = Band(low.static, nominal.static, high.static)
    sums: dict[str, float] = {**dict.fromkeys(("spike_out", "acc_neuron", "upd_neuron"), 0.0), **work.per_sample}
    for counts in work.counts.values():
        for name, count in counts.items():
            sums[name] = sums.get(name, 0.0) + count
    left_out = gaps(profile, assumed, part="total" if static is not None else "dynamic")
    return EnergyEstimate(
        profile.id,
        profile.scope,
        work.counts,
        work.per_sample,
        layers={layer: _bands(*_three(work.of_layer(layer), profile, prices)) for layer in work.counts},
        terms=_bands(low, nominal, high),
        static=static,
        prices={name: prices[name] for name in nominal.terms if name in prices},
        uncounted=tuple(
            f"{text}: {sums[name]:,.0f}" if name in sums else text for name, text in left_out.items()
            if sums.get(name, 1)
        ),
        notes=notes(profile, assumed),
    )  # fmt: skip


def _three(
    work: Work,
    profile: Profile,
    prices: Mapping[str, Coefficient],
    *,
    busy: Band | None = None,
    watts: float | None = None,
) -> tuple[Joules, Joules, Joules]:
    """Return the joules at the low end of all bands, the nominal ones, and those at the high end."""

    def at_end(end: End, seconds: float | None) -> Joules:
        return energy_sum(work, profile, prices, seconds=seconds, watts=watts, end=end)

    if busy is None:
        return at_end("low", None), at_end("value", None), at_end("high", None)
    return at_end("low", busy.low), at_end("value", busy.nominal), at_end("high", busy.high)


def _bands(low: Joules, nominal: Joules, high: Joules) -> dict[str, Band]:
    return {name: Band(low.terms[name], joules, high.terms[name]) for name, joules in nominal.terms.items()}


def _nominal(deployed: DeployedNetwork, prices: Mapping[str, Coefficient], *, part: Part) -> Joules:
    profile, seconds, watts = deployed.profile, None, None
    work = _work(deployed, prices)
    if part == "total" or is_power_time(profile):
        seconds = latency.busy_seconds(deployed)
    if part == "total":
        watts = static_watts(profile, placement=deployed.placement, assumed=deployed.assumed)
    return energy_sum(work, profile, prices, seconds=seconds, watts=watts)


def _work(deployed: DeployedNetwork, prices: Mapping[str, Coefficient]) -> Work:
    profile = deployed.profile
    check_energy(profile, deployed.assumed)
    is_dense = profile.rules["counts"] == "dense"
    counts = operations(deployed)
    if not is_dense:
        _add_messages(counts, deployed, prices)
    if "add" in prices:
        for layer in deployed.topology.layers:  # a bias that is no part of the weights is added at every step
            if layer.state and any(edge.biases for edge in layer.all_edges):
                biases = deployed.activity.time_steps * layer.neurons
                counts[layer.name]["add"] = counts[layer.name].get("add", 0.0) + biases
    stored = accesses(deployed, counts) if profile.memory else {}
    chips = deployed.placement.chips if "reset" in prices else 1
    return Work(counts, {"step": 1 if is_dense else deployed.activity.time_steps, "reset": chips}, stored)


def _add_messages(counts: Operations, deployed: DeployedNetwork, prices: Mapping[str, Coefficient]) -> None:
    """Add messages and hops to the operations of each layer, where either has a price."""
    if "msg_out" not in prices and "hop" not in prices:
        return
    samples, hops = deployed.activity.samples, deployed.placement.hops(deployed.assumed)
    for layer, messages in deployed.messages.items():
        counts[layer]["msg_out"] = messages / samples
        counts[layer]["hop"] = hops * counts[layer]["msg_out"]
    if "msg_out" in prices and prices["msg_out"].per == VISITED:
        for layer, visits in deployed.visits.items():
            counts[layer]["msg_out"] = visits / samples
