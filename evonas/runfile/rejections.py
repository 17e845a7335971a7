"""Rejections of a run: networks that are not trained, because their plan fits on no chip or can keep no bound."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np

from evonas.chips.fit import Fit, checker
from evonas.engine.rejection import Reject, Rejection, first_of
from evonas.errors import SpaceError, UnpriceableError
from evonas.genotype import Genotype
from evonas.objective import Objective
from evonas.runfile.data_section import Frames
from evonas.runfile.schema import HardwareSection
from evonas.runfile.section_options import make
from evonas.runfile.space_section import EXAMPLES, Plan
from evonas.space import Space

Check = Callable[[Any], Fit]
"""Returns whether a planned network fits on a chip."""


@dataclass(frozen=True)
class ChipConstraint:
    """The chip that the networks of a run have to fit on.

    Attributes:
        section: What the run file says of it.
        check: Returns whether a planned network fits.
    """

    section: HardwareSection
    check: Check

    def notes(self, space: Space, *, plan: Plan) -> list[str]:
        """Return a sentence that names what the profile leaves unchecked, of a network drawn as an example."""
        rng, unchecked = np.random.default_rng(0), None
        for _ in range(EXAMPLES):
            with suppress(SpaceError):  # a network without a plan is an error in its own row
                unchecked = self.check(plan(space.sample(rng))).unchecked
                break
        return [f"What fits on {self.section.profile} is not checked for {'; '.join(unchecked)}."] if unchecked else []


def chip_constraint_of(
    section: HardwareSection | None, *, space: Space | None
) -> tuple[ChipConstraint | None, list[str]]:
    """Return the chip constraint of a run file, None where it has none, and a sentence for each fault.

    Args:
        section: The section `[hardware]`.
        space: The space, None where it is wrong: only the section itself is then looked at.
    """
    if section is None:
        return None, []
    options = {"profile": section.profile, "weight_bits": section.weight_bits, **section.options}
    check, faults = make(checker, options, key="hardware")
    if space is not None and space.plan is None and section.fit:
        faults.append(
            "hardware.fit: true, but the space has no `plan`, so that nobody can tell what fits before training; "
            "give it one, Space(…, plan=…), or set fit = false"
        )
    return (None if check is None else ChipConstraint(section, check)), faults


def rejected_by_run(
    frames: Frames | None, *, plan: Plan | None, checks: Mapping[str, Check], targets: Sequence[Sequence[Objective]]
) -> Reject | None:
    """Return what rejects the networks that no target of a run has use for, None where all are trained.

    Args:
        frames: Event frames of the data, if they are any.
        plan: Plans a network, None where the space has no `plan`.
        checks: As in `rejected_by_all`; without any, no chip rejects a network.
        targets: Objectives with bounds; a network is of use that can keep those of one target.
    """
    rules = [] if frames is None else [frames.reject]
    if plan is None:
        return first_of(*rules)
    chips = rejected_by_all(checks, plan=plan) if checks else None
    return first_of(*rules, chips, rejected_everywhere([rejected_by_plan(objectives, plan) for objectives in targets]))


def rejected_by_all(checks: Mapping[str, Check], *, plan: Plan) -> Reject:
    """Return what rejects the networks that fit on none of several chips, for the reasons of the one they miss least.

    What `plan` raises is not caught: a network without a plan must not pass as one that fits.

    Args:
        checks: By what their reasons end with, such as `", on loihi2"`.
        plan: Plans a network.
    """

    def reject(genotype: Genotype) -> Rejection | None:
        planned = plan(genotype)
        fits = {where: check(planned) for where, check in checks.items()}
        if not all(fit.violations for fit in fits.values()):
            return None
        where, nearest = min(fits.items(), key=lambda pair: pair[1].degree)
        return Rejection(tuple(f"{violation}{where}" for violation in nearest.violations), nearest.degree)

    return reject


def rejected_by_plan(objectives: Sequence[Objective], plan: Plan) -> Reject | None:
    """Return what rejects networks whose plan breaks a bound or has no value, None where no objective reads plans."""
    readers = [objective for objective in objectives if objective.planned is not None]
    if not readers:
        return None

    def reject(genotype: Genotype) -> Rejection | None:
        planned = plan(genotype)
        reasons, degree = [], 0.0
        for objective in readers:
            reason, miss = _miss(objective, planned)
            degree += miss
            reasons += [reason] if miss else []
        return Rejection(tuple(reasons), degree) if reasons else None

    return reject


def rejected_everywhere(rules: Sequence[Reject | None]) -> Reject | None:
    """Return what rejects where each of several rules does, for the reasons of the one that is missed by least."""
    present = [rule for rule in rules if rule is not None]
    if not present or len(present) < len(rules):
        return None

    def reject(genotype: Genotype) -> Rejection | None:
        rejections = []
        for rule in present:
            rejection = rule(genotype)
            if rejection is None:
                return None
            rejections.append(rejection)
        return min(rejections, key=lambda one: one.degree)

    return reject


def _miss(objective: Objective, planned: Any) -> tuple[str, float]:
    """Return why no network of this plan is feasible under an objective, and by how much it misses; 0 if one can be."""
    assert objective.planned is not None
    try:
        low, high = objective.planned(planned)
    except UnpriceableError as error:
        return f"{objective.name}: {str(error).rstrip('.')}", 1.0
    for value, bound, word in ((low, objective.at_most, "at least"), (high, objective.at_least, "at most")):
        broken = objective.violation(value) if bound is not None and abs(value) != float("inf") else 0.0
        if bound is not None and broken and (value > bound if word == "at least" else value < bound):
            return f"{objective.name}: {word} {value:.3g} breaks the bound {bound:g} {objective.unit}".rstrip(), broken
    return "", 0.0
