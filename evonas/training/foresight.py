"""Foresight: what the plan of a network tells of it before it is trained."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

from evonas.architecture.plan import Plan
from evonas.architecture.traits import NO_TRAITS, traits
from evonas.engine.view import MOST_FORESEEN, Foresee
from evonas.errors import SpaceError
from evonas.genotype import Genotype


def foresee_of(plan: Callable[[Genotype], Any] | None, *, constants: Collection[str] = ()) -> Foresee | None:
    """Return the function that tells the traits of a network, None where nobody plans networks.

    A network that cannot be planned, or whose plan is of a user's own kind, has the traits of nothing.

    Args:
        plan: Returns the plan of a genotype.
        constants: Names of variables that no trait depends on; networks that differ in these alone are planned once.
    """
    return None if plan is None else _Foresight(plan, constants)


class _Foresight:
    """Tells the traits of networks, and remembers those of the last ones."""

    def __init__(self, plan: Callable[[Genotype], Any], constants: Collection[str]) -> None:
        self._plan = plan
        self._constants = frozenset(constants)
        self._known: dict[str, tuple[float, ...]] = {}

    def __call__(self, genotype: Genotype) -> tuple[float, ...]:
        """Return the traits of a network."""
        counted = Genotype({name: value for name, value in genotype.items() if name not in self._constants})
        found = self._known.get(counted.key)
        if found is None:
            if len(self._known) >= MOST_FORESEEN:
                self._known.clear()
            found = self._known[counted.key] = self._traits(genotype)
        return found

    def _traits(self, genotype: Genotype) -> tuple[float, ...]:
        try:
            planned = self._plan(genotype)
        except SpaceError:  # its row will tell what is wrong
            return NO_TRAITS
        return traits(planned) if isinstance(planned, Plan) else NO_TRAITS
