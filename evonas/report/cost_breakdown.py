"""A bill: what one network costs on a chip, term by term and layer by layer, and whether it fits there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from evonas.chips.deployment import Deployment
from evonas.chips.energy import estimate
from evonas.chips.energy_parts import headline
from evonas.chips.profile import load
from evonas.errors import ProfileError, UnpriceableError
from evonas.measurement import Activity
from evonas.report.rescoring import Question


@dataclass(frozen=True)
class Bill:
    """What a network costs on a chip, as far as its profile tells. Values are plain, so that it is a JSON object.

    Attributes:
        profile: The chip.
        scope: What its coefficients include.
        part: `"dynamic"`, or `"total"` with the static power during the sample: what `energy` is.
        parts: Nominal joules per sample of both, None for a total that cannot be told; empty where there is no energy.
        energy: `low`, `nominal` and `high` in joules per sample; None where the chip cannot price it.
        terms: Share of the nominal energy by term.
        layers: Share of the nominal energy by layer, and of what belongs to no layer.
        joules: Nominal joules per sample by layer and term.
        uncounted: What the estimate leaves out.
        unpriced: Why there is no energy; empty where there is one.
        fit: `verdict`, `violations`, `unchecked` and `cores` by layer.
    """

    profile: str
    scope: str
    part: str
    parts: Mapping[str, float | None]
    energy: Mapping[str, float] | None
    terms: Mapping[str, float]
    layers: Mapping[str, float]
    joules: Mapping[str, Mapping[str, float]]
    uncounted: tuple[str, ...]
    unpriced: str
    fit: Mapping[str, Any]

    def to_json(self) -> dict[str, Any]:
        """Return a JSON object with these attributes."""
        return asdict(self)


NO_LAYER = "(no layer)"


def bill(activity: Activity, question: Question) -> Bill | None:
    """Return what a network costs on the chip of the question, None where that has no chip."""
    if question.profile is None or question.check is None:
        return None
    chip = load(question.profile)
    options = {name: value for name, value in question.energy.items() if name != "part"}
    assumed = Deployment(**options)
    part = str(question.energy.get("part") or headline(chip))
    checked: Any = question.check(activity)
    fit = {
        "verdict": checked.verdict,
        "violations": list(checked.violations),
        "unchecked": list(checked.unchecked),
        "cores": dict(checked.cores),
    }
    try:
        found = estimate(activity, chip, assumed=assumed)
    except (UnpriceableError, ProfileError) as error:
        return Bill(chip.id, chip.scope, part, {}, None, {}, {}, {}, (), str(error), fit)
    band = found.total if part == "total" else found.dynamic
    joules = {name: {term: one.nominal for term, one in terms.items()} for name, terms in found.layers.items()}
    terms = {name: one.nominal for name, one in found.terms.items()}
    if part == "total" and found.static is not None:
        terms["static"] = found.static.nominal
    in_layers = {term: sum(parts.get(term, 0.0) for parts in joules.values()) for term in terms}
    rest = {term: value - in_layers[term] for term, value in terms.items() if value - in_layers[term] > 1e-9 * value}
    joules |= {NO_LAYER: rest} if rest else {}
    uncounted = tuple(found.uncounted)
    if part == "dynamic" and found.static is not None:
        uncounted += (f"static power, which is in the total: {found.static.nominal:.3g} J/sample",)
    both = {"dynamic": found.dynamic.nominal, "total": None if found.static is None else found.total.nominal}
    energy = {"low": band.low, "nominal": band.nominal, "high": band.high}
    layers = {name: sum(parts.values()) for name, parts in joules.items()}
    return Bill(
        chip.id, found.scope, part, both, energy, _shares(terms), _shares(layers), joules, uncounted, "", fit
    )  # fmt: skip


def _shares(joules: Mapping[str, float]) -> dict[str, float]:
    whole = sum(joules.values())
    return {name: value / whole for name, value in joules.items()} if whole else {}
