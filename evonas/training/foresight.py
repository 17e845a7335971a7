"""Foresight: what the plan of a network tells of it before it is trained."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from evonas.architecture.plan import Plan
from evonas.architecture.traits import NO_TRAITS, traits
from evonas.engine.view import Foresee
from evonas.errors import SpaceError
from evonas.genotype import Genotype


def foresee_of(plan: Callable[[Genotype], Any] | None) -> Foresee | None:
    """Return the function that tells the traits of a network, None where nobody plans networks.

    A network that cannot be planned, or whose plan is of a user's own kind, has the traits of nothing.
    """
    if plan is None:
        return None

    def foresee(genotype: Genotype) -> tuple[float, ...]:
        try:
            planned = plan(genotype)
        except SpaceError:  # its row will tell what is wrong
            return NO_TRAITS
        return traits(planned) if isinstance(planned, Plan) else NO_TRAITS

    return foresee
