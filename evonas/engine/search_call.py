"""Checks of a call of `search`: its arguments, and what its strategy and `predict` return."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from evonas.engine.job import Cost
from evonas.engine.view import Foresee, Proposal, Strategy, View
from evonas.errors import EvonasError, OptionError
from evonas.genotype import Genotype
from evonas.options import shown
from evonas.space import Space


def check_call(
    space: Space, *, strategy: Any, workers: Any, budget: Any, ladder: Any, functions: Mapping[str, Any]
) -> None:
    """Check that the arguments of `search` are of the right kinds; raise otherwise.

    Args:
        space: What may vary.
        strategy: Must have `name` and `propose`.
        workers: Must have `start`, `next` and `close`.
        budget: Must have `evaluations`, `seconds`, `core_hours` and `is_timed`.
        ladder: Must have `epochs` and `promotion`.
        functions: The optional functions, None if absent, by the names of their arguments.

    Raises:
        OptionError: With a sentence for each argument of the wrong kind.
    """
    needs: tuple[tuple[str, Any, tuple[str, ...], str], ...] = (
        ("space", space, ("sample", "canonical"), "a Space"),
        ("strategy", strategy, ("name", "propose"), "a strategy such as Evolution()"),
        ("workers", workers, ("start", "next", "close"), "InlineWorkers(evaluate) or RayWorkers(evaluate)"),
        (
            "budget",
            budget,
            ("evaluations", "seconds", "core_hours", "is_timed"),
            "a Budget such as Budget(evaluations=60)",
        ),
        ("ladder", ladder, ("epochs", "promotion"), "a Ladder such as Ladder(epochs=(2, 6))"),
    )
    faults = [
        f"{name}: got {shown(thing)}, expected {expected}"
        for name, thing, attributes, expected in needs
        if isinstance(thing, type) or not all(hasattr(thing, attribute) for attribute in attributes)
    ]
    faults += [
        f"{name}: got {shown(one)}, expected a function"
        for name, one in functions.items()
        if one is not None and not callable(one)
    ]
    if faults:
        raise OptionError(faults)


def proposed(strategy: Strategy, view: View, *, rungs: int) -> Proposal | None:
    """Return what `strategy` proposes, or None.

    Raises:
        EvonasError: If it returns something else, or a proposal that cannot become a job.
    """
    proposal: Any = strategy.propose(view)
    if proposal is None:
        return None
    if not isinstance(proposal, Proposal):
        fault = f"proposed {shown(proposal)}, expected a Proposal, or None where it has nothing to propose"
    elif not isinstance(proposal.genotype, Genotype):
        fault = f"proposed the genotype {shown(proposal.genotype)}, expected one that the space has made"
    elif proposal.kind not in ("evaluate", "search"):
        fault = f"proposed a job of the kind {shown(proposal.kind)}, expected 'evaluate' or 'search'"
    elif type(proposal.rung) is not int or not 0 <= proposal.rung < rungs:
        fault = f"proposed a job at the rung {shown(proposal.rung)}, expected one from 0 to {rungs - 1}"
    else:
        return proposal
    raise EvonasError(f"The strategy {strategy.name!r} {fault}.")


def predicted(predict: Callable[[Proposal, int], Any] | None, proposal: Proposal, epochs: int) -> Cost:
    """Return the predicted cost of a job; without `predict`, all cost the same.

    Raises:
        EvonasError: If `predict` does not return a `Cost`.
    """
    cost: Any = Cost() if predict is None else predict(proposal, epochs)
    if not isinstance(cost, Cost):
        raise EvonasError(f"predict returned {shown(cost)}, expected a Cost such as Cost(operations=1e9).")
    return cost


def foreseen(foresee: Foresee, genotype: Genotype) -> tuple[float, ...]:
    """Return what is known of a network before it is evaluated.

    Raises:
        EvonasError: If `foresee` does not return finite numbers.
    """
    traits: Any = foresee(genotype)
    try:
        numbers = tuple(float(one) for one in traits)
    except (TypeError, ValueError):
        numbers = (math.nan,)
    if not all(map(math.isfinite, numbers)):
        raise EvonasError(f"foresee returned {shown(traits)}, expected finite numbers such as (math.log(weights),).")
    return numbers
