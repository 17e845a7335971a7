"""An estimate of energy: what came of counts and prices, with its band and all that it leaves out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from evonas.chips.band import NOTHING, Band, End, total
from evonas.chips.coverage import gaps, notes
from evonas.chips.deployment import ASSUMED, Deployment
from evonas.chips.energy_sum import Joules, Work, energy_sum, priced
from evonas.chips.memory_access import Stored
from evonas.chips.placement import Placement
from evonas.chips.profile import Coefficient, Profile
from evonas.chips.static_power import has_static_power, static_watts


@dataclass(frozen=True)
class EnergyEstimate:
    """What a sample costs on a chip, as far as its profile tells.

    Attributes:
        profile: Id of the profile.
        scope: What its coefficients include; estimates of different scopes are not comparable.
        counts: Operations per sample by population (connections belong to their target) and name of the coefficient.
        per_sample: Operations per sample that belong to no population.
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
    work = Work(counts, per_sample or {}, stored or {})
    watts = None
    if busy is not None and has_static_power(profile):
        watts = static_watts(profile, placement=placement or Placement({}, 1, 1, 1), assumed=assumed)
    low, nominal, high = _three(work, profile, prices, busy=busy, watts=watts)
    static = None
    if low.static is not None and nominal.static is not None and high.static is not None:
        static = Band(low.static, nominal.static, high.static)
    sums: dict[str, float] = {**dict.fromkeys(("spike_out", "acc_neuron", "upd_neuron"), 0.0), **work.per_sample}
    for parts in counts.values():
        for name, count in parts.items():
            sums[name] = sums.get(name, 0.0) + count
    left_out = gaps(profile, assumed, part="total" if static is not None else "dynamic")
    return EnergyEstimate(
        profile.id,
        profile.scope,
        counts,
        work.per_sample,
        layers={layer: _bands(*_three(_of_layer(work, layer), profile, prices)) for layer in counts},
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


def _of_layer(work: Work, layer: str) -> Work:
    return Work({layer: work.counts[layer]}, {}, {layer: work.stored[layer]} if layer in work.stored else {})


def _bands(low: Joules, nominal: Joules, high: Joules) -> dict[str, Band]:
    return {name: Band(low.terms[name], joules, high.terms[name]) for name, joules in nominal.terms.items()}
