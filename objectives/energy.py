"""Joules per sample on a chip: exact counts times the coefficients of its profile, term by term and layer by layer.

A coefficient that the profile does not have is not counted, which is never the same as zero: the estimate lists it.
A kind of operation that the chip cannot do at all makes the network infeasible there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

from evonas.errors import ProfileError, RunFileError, UnpriceableError
from evonas.measurement import Activity, Connection, Measurement
from evonas.objective import Objective
from objectives.profile import Coefficient, Profile, load

StaticFirst = Literal["once", "every-step"]
Reset = Literal["not-counted", "per-sample"]

_PICO = 1e-12
# What a connection needs, by the class of its input elements: never by the values of a batch.
_OPERATION = {"binary": "synop", "graded": "synop_graded", "real": "mac"}
_KINDS_OF_OPERATION = {
    "synop": ("synaptic events", "Nothing can be said about spiking layers there: choose a profile with it."),
    "synop_graded": ("graded events", "Feed the layer with binary spikes, or choose a profile with it."),
    "mac": ("multiply-accumulates", "Put spiking neurons before the layer, or choose a profile with it."),
}
_HOST_MACS = "host_macs"
_PER_NETWORK = {
    "acc_neuron": "neuron updates at every step",
    "upd_neuron": "updates of active neurons",
    "spike_out": "spikes sent",
    "step": "time steps",
}
_PLACED = {
    "msg_out": "messages between cores",
    "hop": "hops between cores",
    "offchip_spike": "spikes between chips",
}
_LATER = {"addr": "address arithmetic", "add": "bias additions"}


@dataclass(frozen=True)
class Band:
    """Joules: the nominal value, and the ends of the band of the coefficients and of the profile as a whole."""

    low: float
    nominal: float
    high: float


@dataclass(frozen=True)
class EnergyEstimate:
    """What a sample costs on a chip, as far as its profile tells.

    Attributes:
        profile: Id of the profile.
        scope: What its coefficients include.
        counts: Operations per sample by population (connections belong to their target) and name of the coefficient.
        prices: The coefficients that were used, in pJ, by name.
        terms: Joules per sample by name of the coefficient.
        uncounted: What this network does that has no price in the estimate, for people.
    """

    profile: str
    scope: str
    counts: Mapping[str, Mapping[str, float]]
    prices: Mapping[str, Coefficient]
    terms: Mapping[str, Band]
    uncounted: tuple[str, ...]

    @property
    def evidence(self) -> dict[str, str]:
        """Kind of evidence by name of the coefficient."""
        return {name: price.kind for name, price in self.prices.items()}

    @property
    def layers(self) -> dict[str, dict[str, float]]:
        """Nominal joules per sample by population and name of the coefficient."""
        return {
            layer: {
                name: _PICO * count * self.prices[name].value for name, count in counts.items() if name in self.prices
            }
            for layer, counts in self.counts.items()
        }

    @property
    def total(self) -> Band:
        """Sum of all terms."""
        bands = self.terms.values()
        return Band(sum(b.low for b in bands), sum(b.nominal for b in bands), sum(b.high for b in bands))

    @property
    def shares(self) -> dict[str, float]:
        """Fraction of the nominal total by layer; empty where nothing costs anything."""
        total = self.total.nominal
        return {name: sum(parts.values()) / total for name, parts in self.layers.items()} if total else {}


def objective(*, profile: str, static_first: StaticFirst = "once", reset: Reset = "not-counted") -> Objective:
    """Return the objective: dynamic energy in joules per sample on the chip `profile`, to be minimised.

    Args:
        profile: Name of a profile, or the path of its file.
        static_first: Whether the multiply-accumulates of a static input are done `"once"` or `"every-step"` (the
            convention of many papers).
        reset: Whether the reset of the whole chip before a sample is counted: `"not-counted"` or `"per-sample"`.

    Raises:
        ProfileError: If the profile is missing or wrong, or its energy cannot be computed yet.
        RunFileError: If an option has another value.
    """
    faults = [
        f"{name}: got {value!r}, expected one of {', '.join(get_args(choices))}."
        for name, value, choices in (("static_first", static_first, StaticFirst), ("reset", reset, Reset))
        if value not in get_args(choices)
    ]
    if faults:
        raise RunFileError(faults)
    chip = load(profile)
    gaps = _gaps(chip, reset)

    def score(measurement: Measurement) -> float:
        return estimate(measurement.activity, chip, static_first=static_first, reset=reset).total.nominal

    return Objective("energy", score, unit="J/sample", log=True, profile=chip.id, uncounted=tuple(gaps.values()))


def estimate(
    activity: Activity, profile: Profile, *, static_first: StaticFirst = "once", reset: Reset = "not-counted"
) -> EnergyEstimate:
    """Return the dynamic energy of a sample with its terms, layers, band and everything that it leaves out.

    Events of a static input are counted at every step, as an event-driven chip delivers them; only its
    multiply-accumulates are saved by `static_first="once"`.

    Raises:
        UnpriceableError: If the network does a kind of operation that has no price on this chip at all.
        ProfileError: If the profile composes energy in a way that is not there yet.
    """
    gaps = _gaps(profile, reset)
    layers = _counts(activity, profile, static_first)
    totals: dict[str, float] = {**dict.fromkeys(_PER_NETWORK, 0.0), _HOST_MACS: 0.0}
    totals.update(step=activity.time_steps, reset=1)
    for counts in layers.values():
        for name, count in counts.items():
            totals[name] = totals.get(name, 0.0) + count
    prices = {
        name: price
        for name, price in profile.energy.items()
        if name in totals and name not in gaps and price.inside is None
    }
    uncounted = [
        f"{text}: {totals[name]:,.0f}" if name in totals else text for name, text in gaps.items() if totals.get(name, 1)
    ]
    return EnergyEstimate(
        profile=profile.id,
        scope=profile.scope,
        counts=layers,
        prices=prices,
        terms={name: _band(totals[name], price, profile) for name, price in prices.items()},
        uncounted=tuple(uncounted),
    )


def _band(count: float, price: Coefficient, profile: Profile) -> Band:
    joules, spread = count * _PICO, profile.uncertainty
    low, high = (spread.low, spread.high) if spread else (1.0, 1.0)
    return Band(joules * price.low * low, joules * price.value, joules * price.high * high)


def _counts(activity: Activity, profile: Profile, static_first: StaticFirst) -> dict[str, dict[str, float]]:
    """Return operations per sample, by population and name of the coefficient that is their price."""
    samples, once = activity.samples, static_first == "once"
    layers: dict[str, dict[str, float]] = {}
    for population in activity.populations:
        spikes = population.spikes[:1] if once and population.static else population.spikes
        layers[population.name] = counts = {"spike_out": sum(spikes) / samples}
        if population.state:
            counts["acc_neuron"] = activity.time_steps * population.neurons
            counts["upd_neuron"] = sum(population.updates) / samples
    unpriced: dict[str, list[str]] = {}
    for edge in activity.connections:
        counts = layers[edge.target]
        needed = _OPERATION[edge.element]
        macs = edge.macs[:1] if once and edge.static else edge.macs
        for name, count in (("synop", sum(edge.events)), ("synop_graded", sum(edge.graded)), ("mac", sum(macs))):
            if not count and name != needed:
                continue
            if name not in profile.energy:
                if name != "mac" or not _is_static_first(edge):
                    unpriced.setdefault(name, []).append(edge.name)
                    continue
                name = _HOST_MACS
            counts[name] = counts.get(name, 0.0) + count / samples
    if unpriced:
        raise UnpriceableError(" ".join(_unpriced(name, edges, profile) for name, edges in unpriced.items()))
    return layers


def _is_static_first(edge: Connection) -> bool:
    return edge.static and edge.sources == ("input",)


def _unpriced(name: str, edges: list[str], profile: Profile) -> str:
    operations, advice = _KINDS_OF_OPERATION[name]
    where = ", ".join(edges[:3]) + (f" and {len(edges) - 3} more" if len(edges) > 3 else "")
    return f"{profile.id} has no price for {operations} (energy.{name}), which {where} would need. {advice}"


def _gaps(profile: Profile, reset: Reset) -> dict[str, str]:
    """Return what an estimate on this chip leaves out, as texts by coefficient or topic.

    Raises:
        ProfileError: If energy on this chip is composed or counted in a way that is not there yet.
    """
    if profile.composition != "additive":
        raise ProfileError(
            f"{profile.id} composes energy as {profile.composition}: its power times the time of a sample, and there "
            'is no latency model yet. Choose a profile with composition = "additive".'
        )
    if profile.rules["counts"] != "exact":
        raise ProfileError(
            f"{profile.id} counts operations as {profile.rules['counts']}, and only exact counts can be priced yet. "
            'Choose a profile with counts = "exact".'
        )
    if reset == "per-sample" and "reset" not in profile.energy:
        raise ProfileError(f"{profile.id} has no energy.reset: a reset per sample cannot be counted there.")
    missing = "the profile has no energy."
    gaps = {name: f"{text} ({missing}{name})" for name, text in _PER_NETWORK.items() if name not in profile.energy}
    if profile.rules.get("neuron_update_ops") == "ignored":
        for name in ("acc_neuron", "upd_neuron"):
            gaps[name] = f"{_PER_NETWORK[name]} (ignored by the convention of the profile)"
    if reset == "not-counted":
        gaps["reset"] = "reset before a sample (" + (
            "counted on request)" if "reset" in profile.energy else f"{missing}reset)"
        )
    for name, text in _PLACED.items():
        if name not in profile.energy:
            gaps[name] = f"{text} ({missing}{name})"
        elif profile.energy[name].inside is None:
            gaps[name] = f"{text} (they need a placement)"
    gaps.update({name: f"{text} (energy.{name})" for name, text in _LATER.items() if name in profile.energy})
    if "mac" not in profile.energy:
        gaps[_HOST_MACS] = "MACs of a static first layer (the host computes it)"
    if profile.memory or profile.scope == "arithmetic-only":
        gaps["memory"] = "memory accesses"
    gaps["power"] = "static power (it needs the time of a sample)" if profile.power else "static power (none is given)"
    return gaps
