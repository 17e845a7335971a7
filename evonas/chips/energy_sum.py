"""The arithmetic of all energies: counts times coefficients, at one end of their bands, and static power.

It is shared by the nominal value that a search needs, by both ends of an estimate, and by the expected counts of a
network that is drawn from a mixture, which are tensors.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from evonas.chips.band import End, at
from evonas.chips.deployment import Deployment
from evonas.chips.memory_access import PICO, Stored
from evonas.chips.placement import Placement
from evonas.chips.profile import Coefficient, Profile

MILLI = 1e-3

_STATIC = ("static_chip", "active_core", "board_idle", "clk_mw_per_mhz")

UNUSED = ("offchip_spike", "synop_sparse", "synop_learn")
"""Coefficients that no estimate uses: nothing learns on the chip, and all layers are on one."""


@dataclass(frozen=True)
class Work:
    """The work of a chip for one sample.

    Attributes:
        counts: Operations by layer and name of the coefficient.
        per_sample: Operations that belong to no layer.
        stored: Accesses to memory by layer and what is accessed.
    """

    counts: Mapping[str, Mapping[str, float]]
    per_sample: Mapping[str, float] = field(default_factory=dict)
    stored: Stored = field(default_factory=dict)

    def of_layer(self, layer: str) -> Work:
        """Return the part of it that belongs to one layer."""
        stored = {layer: self.stored[layer]} if layer in self.stored else {}
        return Work({layer: self.counts[layer]}, {}, stored)


class Joules(NamedTuple):
    """The energy of a sample at one end of its band.

    Attributes:
        terms: By name of the coefficient: the sums of the layers, and what belongs to no layer.
        static: Joules of static power, None where they are unknown.
    """

    terms: Mapping[str, float]
    static: float | None

    @property
    def dynamic(self) -> float:
        """Sum of all terms."""
        return sum(self.terms.values(), 0.0)

    @property
    def total(self) -> float:
        """Sum of all terms and the static part."""
        return self.dynamic + (self.static or 0.0)


def priced(profile: Profile, assumed: Deployment) -> dict[str, Coefficient]:
    """Return the coefficients that counts are multiplied with: all but those that another one includes."""
    left_out = set(UNUSED)
    if profile.rules.get("neuron_update_ops") == "ignored":
        left_out |= {"acc_neuron", "upd_neuron", "add", "mul"}
    if assumed.reset == "not-counted":
        left_out.add("reset")
    return {name: price for name, price in profile.energy.items() if name not in left_out and price.inside is None}


def is_power_time(profile: Profile) -> bool:
    """Return whether energy is power times time, and not a sum over operations."""
    return profile.composition == "power-time"


def picojoules_at(prices: Mapping[str, Coefficient], end: End = "value") -> dict[str, float]:
    """Return one end of each coefficient, in pJ, by its name."""
    return {name: getattr(price, end) for name, price in prices.items()}


def joules_by_term(counts: Iterable[Mapping[str, Any]], picojoules: Mapping[str, float]) -> dict[str, Any]:
    """Return the joules of counts, numbers or tensors, by name of the coefficient; what has no price is left out."""
    terms: dict[str, Any] = {}
    for parts in counts:
        for name, count in parts.items():
            if name in picojoules:
                if name in terms:
                    terms[name] += picojoules[name] * (count * PICO)
                else:
                    terms[name] = picojoules[name] * (count * PICO)
    return terms


def energy_sum(
    work: Work,
    profile: Profile,
    prices: Mapping[str, Coefficient],
    *,
    seconds: float | None = None,
    watts: float | None = None,
    end: End = "value",
) -> Joules:
    """Return the joules of a sample at one end of its band.

    Args:
        work: The work of the sample.
        profile: The chip.
        prices: The coefficients that count, from `priced`.
        seconds: Seconds for which the sample occupies the chip at that end, None where they are not needed.
        watts: Static power during these seconds, None where it is not needed.
        end: Of the bands of all coefficients.
    """
    memory = profile.memory
    terms = joules_by_term([*work.counts.values(), work.per_sample], picojoules_at(prices, end))
    for accessed in work.stored.values():
        for name, reads_and_writes in accessed.items():
            joules = terms.get(name, 0.0)
            for access in reads_and_writes:
                joules += access.joules(memory, end)
            terms[name] = joules
    if seconds is not None and is_power_time(profile) and "dynamic_run" in profile.power:
        terms["dynamic_run"] = at(profile.power["dynamic_run"], end) * seconds * MILLI
    if profile.uncertainty is not None and end != "value":
        spread = at(profile.uncertainty, end)
        terms = {name: spread * joules for name, joules in terms.items()}
    return Joules(terms, None if seconds is None or watts is None else seconds * watts)


def has_static_power(profile: Profile) -> bool:
    """Return whether the profile has static power that its coefficients do not include already."""
    return profile.scope != "all-in" and any(name in profile.power for name in _STATIC)


def static_watts(profile: Profile, *, placement: Placement, assumed: Deployment) -> float:
    """Return the static power in watts; 0 for a chip whose coefficients include it already."""
    if profile.scope == "all-in":
        return 0.0
    power, chips = profile.power, placement.chips
    if "board_idle" in power and chips >= profile.fit.get("chips", 1):  # a whole board idles as one
        milliwatts = at(power["board_idle"])
    else:
        milliwatts = chips * at(power["static_chip"]) if "static_chip" in power else 0.0
    if "active_core" in power:
        milliwatts += placement.cores * at(power["active_core"])
    if "clk_mw_per_mhz" in power:
        milliwatts += at(power["clk_mw_per_mhz"]) * (assumed.clock_mhz or at(profile.time.get("clock_mhz", 0.0)))
    if assumed.host == "active" and "host_active" in power:
        milliwatts += at(power["host_active"])
    return milliwatts * MILLI
