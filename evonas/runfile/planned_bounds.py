"""Planned bounds: networks of which the plan alone tells that an objective has no value, or breaks its bound."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from evonas.data.dataset import SearchData
from evonas.engine.rejection import Reject, Rejection
from evonas.errors import EvonasError, SpaceError, UnpriceableError
from evonas.objective import Objective
from evonas.space import Genotype, Space

EXAMPLES = 8
"""Networks of a space that are planned before a search begins, to see that they can be."""

Plan = Callable[[Genotype], Any]
"""Returns what the network of a genotype consists of."""


def plan_of(space: Space, data: SearchData) -> Plan | None:
    """Return what plans the networks of a space for these data, None where the space cannot tell.

    What it raises is a `SpaceError`, which says of which network the space has no plan, and why.
    """
    make = space.plan
    if make is None:
        return None
    shape, classes = data.input_shape, data.classes

    def plan(genotype: Genotype) -> Any:
        try:
            return make(genotype, shape, classes)
        except Exception as error:  # a user's own space may raise anything
            said = str(error) if isinstance(error, EvonasError) else f"{type(error).__name__}: {error}"
            raise SpaceError(f"The `plan` of the space failed for network {genotype.key}: {said}") from error

    return plan


def plan_faults(space: Space | None, data: SearchData | None) -> list[str]:
    """Return a sentence if the space can plan none of a few networks, so that nothing can be told of any before."""
    plan = None if space is None or data is None else plan_of(space, data)
    if plan is None or space is None:
        return []
    rng, said = np.random.default_rng(0), ""
    for _ in range(EXAMPLES):
        try:
            plan(space.sample(rng))
        except SpaceError as error:
            said = said or str(error)
        else:
            return []
    return [f"search.space: {said}"]


def rejected_by_plan(objectives: Sequence[Objective], plan: Plan) -> Reject | None:
    """Return what rejects networks that break a bound or have no value, whatever they do; None where no plan can tell.

    Args:
        objectives: What is traded; those that say nothing of plans are left out.
        plan: Returns what the network of a genotype consists of.
    """
    telling = [objective for objective in objectives if objective.planned is not None]
    if not telling:
        return None

    def reject(genotype: Genotype) -> Rejection | None:
        planned = plan(genotype)
        reasons, degree = [], 0.0
        for objective in telling:
            reason, miss = _miss(objective, planned)
            degree += miss
            reasons += [reason] if miss else []
        return Rejection(tuple(reasons), degree) if reasons else None

    return reject


def rejected_everywhere(rules: Sequence[Reject | None]) -> Reject | None:
    """Return what rejects where each of several rules does, for the reasons of the one that is missed by least."""
    there = [rule for rule in rules if rule is not None]
    if not there or len(there) < len(rules):
        return None

    def reject(genotype: Genotype) -> Rejection | None:
        rejections = []
        for rule in there:
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
