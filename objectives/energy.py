"""Joules per sample on a chip: counts times the coefficients of its profile, term by term and layer by layer.

A coefficient that the profile does not have is not counted, which is never the same as zero: the estimate lists it.
A kind of operation that the chip cannot do at all makes the network infeasible there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal, get_args

from evonas.errors import ProfileError, RunFileError
from evonas.measurement import Activity, Measurement
from evonas.objective import Objective
from objectives import latency
from objectives.band import at
from objectives.coverage import gaps
from objectives.deployment import ASSUMED, Deployment, Host, Pipeline, Reset, Split, StaticFirst, Weights
from objectives.energy_estimate import MILLI, PICO, EnergyEstimate, compose, is_power_time, priced
from objectives.expected_energy import expected_energy
from objectives.memory import accesses
from objectives.operations import Operations, operations
from objectives.placed import Placed
from objectives.power import static_watts
from objectives.profile import Coefficient, Profile, load

if TYPE_CHECKING:
    from evonas.snn.expected_counts import PriceFunction

Part = Literal["dynamic", "total"]

_TRAFFIC = ("msg_out", "hop")


def objective(
    *,
    profile: str,
    part: Part = "dynamic",
    static_first: StaticFirst = "once",
    reset: Reset = "not-counted",
    host: Host = "not-counted",
    weights: Weights = "unshared",
    weight_bits: int = 8,
    split: Split = "any",
    pipeline: Pipeline = "one-layer-per-step",
    hops: float | None = None,
    clock_mhz: float | None = None,
) -> Objective:
    """Return the objective: joules per sample on the chip `profile`, to be minimised.

    Args:
        profile: Name of a profile, or the path of its file.
        part: `"dynamic"` (what the network does) or `"total"` (and the static power during the sample).
        static_first: As in `Deployment`, like all that follow.
        reset: Whether the reset of the chip before a sample is counted.
        host: Whether the power of the host is counted in the total.
        weights: How convolutions are stored and priced.
        weight_bits: Bits of a weight.
        split: How a layer that is too large for a core is split.
        pipeline: When the next layer sees a spike: it decides how long static power flows.
        hops: Hops of a message.
        clock_mhz: Clock, or None for that of the profile.

    Raises:
        ProfileError: If the profile is missing or wrong, or says too little for this part of the energy.
        RunFileError: If an option has a value that it cannot have.
    """
    faults = [f"part: got {part!r}, expected one of dynamic, total."] if part not in get_args(Part) else []
    try:
        assumed = Deployment(
            static_first=static_first, reset=reset, host=host, weights=weights, weight_bits=weight_bits, split=split,
            pipeline=pipeline, hops=hops, clock_mhz=clock_mhz,
        )  # fmt: skip
    except RunFileError as error:
        raise RunFileError([*faults, *error.faults]) from None
    if faults:
        raise RunFileError(faults)
    chip = load(profile)
    _check(chip, assumed)
    if part == "total" and not _has_static(chip):
        raise ProfileError(
            f"{chip.id} has no total energy: its profile gives no power or no time of a sample"
            f'{", and its figures hold everything already" * (chip.scope == "all-in")}. Use part = "dynamic".'
        )
    prices = priced(chip, assumed)

    def score(measurement: Measurement) -> float:
        return joules(measurement.activity, chip, part=part, assumed=assumed, prices=prices)

    def band(measurement: Measurement) -> tuple[float, float]:
        found = estimate(measurement.activity, chip, assumed=assumed)
        joules = found.total if part == "total" else found.dynamic
        return joules.low, joules.high

    left_out = tuple(gaps(chip, assumed, part=part).values())
    return Objective("energy", score, unit="J/sample", log=True, profile=chip.id, uncounted=left_out, band=band)


def expected(*, profile: str, part: Part = "dynamic", **assumed: Any) -> PriceFunction:
    """Return the same on expected counts, for the differentiable search; arguments as for `objective`.

    Raises:
        ProfileError: If the energy of this chip is not a sum over operations that networks spare by spiking less.
    """
    found = expected_energy(profile, assumed=Deployment(**assumed))
    return replace(found, uncounted=(*found.uncounted, "static power")) if part == "total" else found


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
    busy = latency.estimate(activity, profile, assumed=assumed).busy if _has_static(profile) else None
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
    _check(profile, placed.assumed)
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


def _has_static(profile: Profile) -> bool:
    return bool(profile.power) and profile.scope != "all-in" and latency.has_time(profile)


def _check(profile: Profile, assumed: Deployment) -> None:
    """Return if energy can be computed on this chip.

    Raises:
        ProfileError: If it cannot.
    """
    if is_power_time(profile):
        if not _has_static(profile):
            raise ProfileError(f"{profile.id} composes energy as power times time and gives no power or no time.")
    elif not {"synop", "synop_conv", "mac"} & set(profile.energy):
        raise ProfileError(
            f"{profile.id} has no energy of any operation: none is published, which is not the same as none. Use it "
            "for fit and latency, and another profile for energy."
        )
    if assumed.reset == "per-sample" and "reset" not in profile.energy:
        raise ProfileError(f"{profile.id} has no energy.reset: a reset per sample cannot be counted there.")
