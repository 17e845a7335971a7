"""Seconds per sample on a chip, to be minimised."""

from __future__ import annotations

import math

from evonas.architecture.plan import Plan
from evonas.chips.deployment import WEIGHT_BITS, Deployment, Pipeline, Split, Weights
from evonas.chips.latency import check_time, estimate, gaps, seconds
from evonas.chips.profile import load
from evonas.chips.topology import silent
from evonas.measurement import Measurement
from evonas.objective import Objective


def objective(
    *,
    profile: str,
    weights: Weights = "unshared",
    weight_bits: int = WEIGHT_BITS,
    split: Split = "any",
    pipeline: Pipeline = "one-layer-per-step",
    clock_mhz: float | None = None,
) -> Objective:
    """Return the objective: seconds per sample on the chip `profile`, to be minimised.

    Args:
        profile: Name of a profile, or the path of its file.
        weights: As in `Deployment`, like all that follow.
        weight_bits: Bits of a weight.
        split: How a layer that is too large for a core is split.
        pipeline: When the next layer sees a spike.
        clock_mhz: Clock, or None for that of the profile.

    Raises:
        ProfileError: If the profile is missing or wrong, or says too little about time.
        OptionError: If an option is out of its range.
    """
    assumed = Deployment(weights=weights, weight_bits=weight_bits, split=split, pipeline=pipeline, clock_mhz=clock_mhz)
    chip = load(profile)
    check_time(chip)

    def score(measurement: Measurement) -> float:
        return seconds(measurement.activity, chip, assumed=assumed)

    def band(measurement: Measurement) -> tuple[float, float]:
        time = estimate(measurement.activity, chip, assumed=assumed).seconds
        return time.low, time.high

    def planned(plan: Plan) -> tuple[float, float]:
        return seconds(silent(plan), chip, assumed=assumed), math.inf

    return Objective(
        "latency", score, unit="s/sample", log=True, profile=chip.id, uncounted=gaps(chip), band=band, planned=planned
    )
