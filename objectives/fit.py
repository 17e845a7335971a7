"""Relative excess of a network over what a chip can hold: a constraint, bounded to 0."""

from __future__ import annotations

from evonas.architecture.plan import Plan
from evonas.chips.deployment import WEIGHT_BITS, Split, Weights
from evonas.chips.fit import checker
from evonas.chips.profile import load
from evonas.measurement import Measurement
from evonas.objective import Objective


def objective(
    *, profile: str, weights: Weights = "unshared", weight_bits: int = WEIGHT_BITS, split: Split = "any"
) -> Objective:
    """Return the objective: the relative excess of a network over the limits of chip `profile`, at most 0.

    Args:
        profile: Name of a profile, or the path of its file.
        weights: As in `Deployment`, like all that follow.
        weight_bits: Bits of a weight.
        split: How a layer that is too large for a core is split.

    Raises:
        ProfileError: If the profile is missing or wrong.
        OptionError: If an option is out of its range.
    """
    fit = checker(profile=profile, weights=weights, weight_bits=weight_bits, split=split)

    def score(measurement: Measurement) -> float:
        return fit(measurement.activity).degree

    def planned(plan: Plan) -> tuple[float, float]:
        degree = fit(plan).degree
        return degree, degree

    return Objective(
        "fit", score, unit="relative excess", at_most=0.0, best=0.0, profile=load(profile).id, planned=planned
    )
