"""Joules per sample on a chip, to be minimised."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any, get_args

from evonas.architecture.plan import Plan
from evonas.chips.coverage import Part, check_searchable, gaps, has_static, headline
from evonas.chips.deployment import WEIGHT_BITS, Deployment, Host, Pipeline, Reset, Split, StaticFirst, Weights
from evonas.chips.energy import estimate, joules, parts
from evonas.chips.energy_sum import priced
from evonas.chips.expected_energy import expected_energy
from evonas.chips.profile import load
from evonas.chips.topology import silent
from evonas.errors import OptionError
from evonas.expected_counts import PriceFunction
from evonas.measurement import Measurement
from evonas.objective import Objective


def objective(
    *,
    profile: str,
    part: Part | None = None,
    static_first: StaticFirst = "once",
    reset: Reset = "not-counted",
    host: Host = "not-counted",
    weights: Weights = "unshared",
    weight_bits: int = WEIGHT_BITS,
    split: Split = "any",
    pipeline: Pipeline = "one-layer-per-step",
    hops: float | None = None,
    clock_mhz: float | None = None,
) -> Objective:
    """Return the objective: joules per sample on the chip `profile`, to be minimised.

    Args:
        profile: Name of a profile, or the path of its file.
        part: `"dynamic"` (the operations of the network) or `"total"` (plus static power during the sample). The
            default is dynamic where the profile prices operations, and total where their sum would leave out most of
            the energy of the chip.
        static_first: As in `Deployment`, like all that follow.
        reset: Whether the reset of the chip before a sample is counted.
        host: Whether the power of the host is counted in the total.
        weights: How convolutions are stored and priced.
        weight_bits: Bits of a weight.
        split: How a layer that is too large for a core is split.
        pipeline: When the next layer sees a spike, which sets the time during which static power is drawn.
        hops: Hops of a message.
        clock_mhz: Clock, or None for that of the profile.

    Raises:
        ProfileError: If the profile is missing or wrong, or says too little about this part of the energy.
        OptionError: If an option is out of its range.
    """
    faults = [f"part: got {part!r}, expected one of dynamic, total."] if part not in (None, *get_args(Part)) else []
    try:
        assumed = Deployment(
            static_first=static_first, reset=reset, host=host, weights=weights, weight_bits=weight_bits, split=split,
            pipeline=pipeline, hops=hops, clock_mhz=clock_mhz,
        )  # fmt: skip
    except OptionError as error:
        raise OptionError([*faults, *error.faults]) from None
    if faults:
        raise OptionError(faults)
    chip = load(profile)
    traded = part or headline(chip)
    check_searchable(chip, assumed, part=traded)
    prices = priced(chip, assumed)

    def score(measurement: Measurement) -> float:
        return joules(measurement.activity, chip, part=traded, assumed=assumed, prices=prices)

    def band(measurement: Measurement) -> tuple[float, float]:
        estimated = estimate(measurement.activity, chip, assumed=assumed)
        energy = estimated.total if traded == "total" else estimated.dynamic
        return energy.low, energy.high

    def planned(plan: Plan) -> tuple[float, float]:
        return joules(silent(plan), chip, part=traded, assumed=assumed, prices=prices), math.inf

    def both(measurement: Measurement) -> dict[str, float | None]:
        return parts(measurement.activity, chip, assumed=assumed)

    has_both = has_static(chip)
    return Objective(
        "energy",
        score,
        unit="J/sample",
        log=True,
        profile=chip.id,
        uncounted=tuple(gaps(chip, assumed, part=traded).values()),
        band=band,
        planned=planned,
        part=traded if has_both else None,
        parts=both if has_both else None,
    )


def expected(*, profile: str, part: Part | None = None, **assumed: Any) -> PriceFunction:
    """Return the objective as a function of expected counts, for the differentiable search; arguments as there.

    Raises:
        ProfileError: If the energy of this chip is no sum over operations that decreases with fewer spikes.
    """
    energy = expected_energy(profile, assumed=Deployment(**assumed))
    return replace(energy, uncounted=(*energy.uncounted, "static power")) if part == "total" else energy
