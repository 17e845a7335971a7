"""The space of a run: what `[search]` names, narrowed as `[space]` says, and the plans of its networks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from evonas.data.dataset import SearchData
from evonas.errors import EvonasError, OptionError, SpaceError
from evonas.genotype import Genotype
from evonas.options import shown
from evonas.runfile.lookup import LookupFault, look_up
from evonas.runfile.schema import SearchSection, SpaceSection, TrainingSection
from evonas.space import Space

EXAMPLES = 8
"""Networks that are planned before a search begins, to see that they can be."""

Plan = Callable[[Genotype], Any]
"""Returns what the network of a genotype consists of, or raises a `SpaceError` that names the network and the cause."""


def space_of(
    search: SearchSection | None, narrowing: SpaceSection | None, *, trusted: bool = True
) -> tuple[Space | None, list[str]]:
    """Return the space that a run file names, narrowed as it says, and a sentence for each fault.

    Args:
        search: Names the space.
        narrowing: What is left of it.
        trusted: Whether code of the user's own may be imported.
    """
    if search is None:
        return None, []
    name = search.space
    try:
        space = look_up(name, folder="spaces", attribute="space", trusted=trusted)
    except LookupFault as fault:
        return None, [f"search.space: {fault}, got {shown(name)}"]
    if not isinstance(space, Space) or space.build is None:
        return None, [f"search.space: {name!r} is no Space with a `build`, so that its networks cannot be trained"]
    if narrowing is None:
        return space, []
    try:
        space = space.without(narrowing.without) if narrowing.without else space
    except OptionError as error:
        return None, [f"space.without: {fault.removeprefix(': ')}" for fault in error.faults]
    try:
        return (space.narrowed(narrowing.only) if narrowing.only else space), []
    except OptionError as error:
        return None, [f"space.only.{fault}" if fault[:1] != ":" else f"space.only{fault}" for fault in error.faults]


def surrogate_faults(space: Space | None, training: TrainingSection) -> list[str]:
    """Return a sentence if training searches surrogate gradients of which the space does not give the widths."""
    every = training.search_surrogates_every
    if every is None or space is None or space.surrogate_widths is not None:
        return []
    return [
        f"training.search_surrogates_every: got {every}, but the space of the run does not say which widths "
        "surrogate gradients may have; leave the key out, or give the Space a `surrogate_width`"
    ]


def plan_of(space: Space | None, data: SearchData | None) -> Plan | None:
    """Return the function that plans the networks of a space for these data, None where the space has no `plan`."""
    if space is None or data is None or space.plan is None:
        return None
    make, shape, outputs = space.plan, data.input_shape, data.task.outputs

    def plan(genotype: Genotype) -> Any:
        try:
            return make(genotype, shape, outputs)
        except Exception as error:  # a user's own space may raise anything
            cause = str(error) if isinstance(error, EvonasError) else f"{type(error).__name__}: {error}"
            raise SpaceError(f"The `plan` of the space failed for network {genotype.key}: {cause}") from error

    return plan


def plan_faults(space: Space | None, plan: Plan | None) -> list[str]:
    """Return a sentence if none of a few random networks can be planned."""
    if space is None or plan is None:
        return []
    rng, first = np.random.default_rng(0), ""
    for _ in range(EXAMPLES):
        try:
            plan(space.sample(rng))
        except SpaceError as error:
            first = first or str(error)
        else:
            return []
    return [f"search.space: {first}"]
