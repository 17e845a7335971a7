"""The cost of one network on a chip, term by term and layer by layer, and whether it fits there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from evonas.chips.coverage import headline
from evonas.chips.deployment import Deployment
from evonas.chips.energy import estimate
from evonas.chips.profile import load
from evonas.errors import ProfileError, UnpriceableError
from evonas.measurement import Activity
from evonas.report.rescoring import Rescoring


@dataclass(frozen=True)
class CostBreakdown:
    """The cost of a network on a chip, as far as its profile tells; all values can be written as JSON.

    Attributes:
        profile: Id of the profile of the chip.
        scope: What its coefficients include.
        part: The part that `energy` is: `"dynamic"`, or `"total"`, which adds the static power during the sample.
        parts: Nominal joules per sample of both parts; the total is None where it is unknown. Empty without energy.
        energy: `low`, `nominal` and `high` in joules per sample; None where it cannot be computed.
        terms: Share of the nominal energy by term.
        layers: Share of the nominal energy by layer, and of what belongs to no layer.
        joules: Nominal joules per sample by layer and term.
        uncounted: What the estimate leaves out.
        unpriced: Why there is no energy; empty where there is one.
        fit: `verdict`, `violations`, `kept`, `unchecked` and `cores` by layer.
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
"""The name under which `layers` and `joules` list what belongs to no layer."""


def cost_breakdown(activity: Activity, rescoring: Rescoring) -> CostBreakdown | None:
    """Return the cost of a network on the chip of a rescoring, None where there is no chip."""
    if rescoring.profile is None or rescoring.check is None:
        return None
    chip = load(rescoring.profile)
    options = {name: value for name, value in rescoring.energy.items() if name != "part"}
    assumed = Deployment(**options)
    part = str(rescoring.energy.get("part") or headline(chip))
    checked: Any = rescoring.check(activity)
    fit = {
        "verdict": checked.verdict,
        "violations": list(checked.violations),
        "kept": list(checked.kept),
        "unchecked": list(checked.unchecked),
        "cores": dict(checked.cores),
    }
    try:
        estimated = estimate(activity, chip, assumed=assumed)
    except (UnpriceableError, ProfileError) as error:
        return CostBreakdown(chip.id, chip.scope, part, {}, None, {}, {}, {}, (), str(error), fit)
    band = estimated.total if part == "total" else estimated.dynamic
    joules = {name: {term: one.nominal for term, one in terms.items()} for name, terms in estimated.layers.items()}
    terms = {name: one.nominal for name, one in estimated.terms.items()}
    if part == "total" and estimated.static is not None:
        terms["static"] = estimated.static.nominal
    in_layers = {term: sum(parts.get(term, 0.0) for parts in joules.values()) for term in terms}
    rest = {term: value - in_layers[term] for term, value in terms.items() if value - in_layers[term] > 1e-9 * value}
    joules |= {NO_LAYER: rest} if rest else {}
    uncounted = tuple(estimated.uncounted)
    if part == "dynamic" and estimated.static is not None:
        uncounted += (f"static power, which is in the total: {estimated.static.nominal:.3g} J/sample",)
    both = {
        "dynamic": estimated.dynamic.nominal,
        "total": None if estimated.static is None else estimated.total.nominal,
    }
    energy = {"low": band.low, "nominal": band.nominal, "high": band.high}
    layers = {name: sum(parts.values()) for name, parts in joules.items()}
    return CostBreakdown(
        chip.id, estimated.scope, part, both, energy, _shares(terms), _shares(layers), joules, uncounted, "", fit
    )  # fmt: skip


def _shares(joules: Mapping[str, float]) -> dict[str, float]:
    whole = sum(joules.values())
    return {name: value / whole for name, value in joules.items()} if whole else {}
