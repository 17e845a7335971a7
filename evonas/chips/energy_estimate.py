"""An estimate of energy: what came of counts and prices, with its band and all that it leaves out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from evonas.chips.band import NOTHING, Band, total
from evonas.chips.coverage import UNUSED, gaps, notes
from evonas.chips.deployment import ASSUMED, Deployment
from evonas.chips.memory_access import Stored
from evonas.chips.placement import Placement
from evonas.chips.profile import Coefficient, Profile
from evonas.chips.static_power import static_watts

PICO = 1e-12
MILLI = 1e-3


@dataclass(frozen=True)
class EnergyEstimate:
    """What a sample costs on a chip, as far as its profile tells.

    Attributes:
        profile: Id of the profile.
        scope: What its coefficients include; estimates of different scopes are not comparable.
        counts: Operations per sample by population (connections belong to their target) and name of the coefficient.
        layers: Joules per sample by population and name of the coefficient.
        terms: Joules per sample by name of the coefficient: the layers' sums, and what belongs to no layer.
        static: Joules of the power that flows in any case, during the sample; None where it cannot be told.
        prices: The coefficients that were used, by name.
        uncounted: What this network does that has no price in the estimate, for people.
        notes: What was assumed, for people.
    """

    profile: str
    scope: str
    counts: Mapping[str, Mapping[str, float]]
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


def compose(
    counts: Mapping[str, Mapping[str, float]],
    profile: Profile,
    *,
    stored: Stored | None = None,
    per_sample: Mapping[str, float] | None = None,
    busy: Band | None = None,
    placement: Placement | None = None,
    assumed: Deployment = ASSUMED,
) -> EnergyEstimate:
    """Return the energy of counts, wherever they come from: the arithmetic of `estimate`.

    Args:
        counts: Operations per sample by layer and name of the coefficient.
        profile: The chip.
        stored: Accesses to memory by layer and what is accessed.
        per_sample: Counts that belong to no layer.
        busy: Seconds for which the sample occupies the chip, None where they are unknown.
        placement: Cores and chips that are occupied; one of each by default.
        assumed: What the profile leaves open.
    """
    prices = priced(profile, assumed)
    layers = {
        layer: {name: _band(count, prices[name], profile) for name, count in parts.items() if name in prices}
        for layer, parts in counts.items()
    }
    for layer, accessed in (stored or {}).items():
        for name, found in accessed.items():
            layers[layer][name] = spread(total(part.joules(profile.memory) for part in found), profile)
    terms: dict[str, Band] = {}
    for bands in layers.values():
        for name, band in bands.items():
            terms[name] = terms.get(name, NOTHING) + band
    terms.update({name: _band(count, prices[name], profile) for name, count in (per_sample or {}).items()
                  if name in prices})  # fmt: skip
    static = None
    if busy is not None and profile.power and profile.scope != "all-in":
        spot = placement or Placement({}, 1, 1, 1)
        static = busy.times(static_watts(profile, placement=spot, assumed=assumed))
        if is_power_time(profile) and "dynamic_run" in profile.power:
            watts = profile.power["dynamic_run"]
            running = Band(watts.low * busy.low, watts.value * busy.nominal, watts.high * busy.high)
            terms["dynamic_run"] = spread(running.times(MILLI), profile)
    sums: dict[str, float] = {**dict.fromkeys(("spike_out", "acc_neuron", "upd_neuron"), 0.0), **(per_sample or {})}
    for parts in counts.values():
        for name, count in parts.items():
            sums[name] = sums.get(name, 0.0) + count
    used = {name: prices[name] for name in terms if name in prices}
    left_out = gaps(profile, assumed, part="total" if static is not None else "dynamic")
    return EnergyEstimate(
        profile.id, profile.scope, counts, layers, terms, static, used,
        uncounted=tuple(f"{text}: {sums[name]:,.0f}" if name in sums else text for name, text in left_out.items()
                        if sums.get(name, 1)),
        notes=notes(profile, assumed),
    )  # fmt: skip


def priced(profile: Profile, assumed: Deployment) -> dict[str, Coefficient]:
    """Return the coefficients that are multiplied with counts: all that are there and are not held by another."""
    left_out = set(UNUSED)
    if profile.rules.get("neuron_update_ops") == "ignored":
        left_out |= {"acc_neuron", "upd_neuron", "add"}
    if assumed.reset == "not-counted":
        left_out.add("reset")
    return {name: price for name, price in profile.energy.items() if name not in left_out and price.inside is None}


def _band(count: float, price: Coefficient, profile: Profile) -> Band:
    return spread(Band(price.low, price.value, price.high).times(count * PICO), profile)


def spread(band: Band, profile: Profile) -> Band:
    """Return the band, widened by the uncertainty of the profile as a whole."""
    factor = profile.uncertainty
    return Band(band.low * factor.low, band.nominal, band.high * factor.high) if factor else band


def is_power_time(profile: Profile) -> bool:
    """Return whether energy is power times time, and not a sum over operations."""
    return profile.composition == "power-time"
