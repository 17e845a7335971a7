"""A call of `search`: whether what it is given, and what that returns meanwhile, is of the kind that it should be."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from evonas.engine.job import Cost
from evonas.engine.view import Proposal, Strategy, View
from evonas.errors import EvonasError, OptionError
from evonas.genotype import Genotype
from evonas.options import shown
from evonas.space import Space


def check_call(
    space: Space, *, strategy: Any, workers: Any, budget: Any, ladder: Any, functions: Mapping[str, Any]
) -> None:
    """Check that a search is given what it needs; raise otherwise.

    Args:
        space: What may vary.
        strategy: Has to have `name` and `propose`.
        workers: Have to have `start`, `next` and `close`.
        budget: Has to have `evaluations` and `seconds`.
        ladder: Has to have `epochs` and `promotion`.
        functions: Functions that may be left out, by the names of their arguments.

    Raises:
        OptionError: With a sentence for each argument of another kind.
    """
    needs: tuple[tuple[str, Any, tuple[str, ...], str], ...] = (
        ("space", space, ("sample", "canonical"), "a Space"),
        ("strategy", strategy, ("name", "propose"), "a strategy such as Evolution()"),
        ("workers", workers, ("start", "next", "close"), "InlineWorkers(evaluate) or RayWorkers(evaluate)"),
        ("budget", budget, ("evaluations", "seconds"), "a Budget such as Budget(evaluations=60)"),
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
    """Return what a strategy proposes, None where it proposes nothing.

    Raises:
        EvonasError: If it returns something else, or a proposal that no job can be made of.
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


def predicted(predict: Callable[[Proposal, int], Any] | None, proposal: Proposal, *, epochs: int) -> Cost:
    """Return what a job is predicted to cost; all cost the same where nobody predicts.

    Raises:
        EvonasError: If what predicts returns no `Cost`.
    """
    cost: Any = Cost() if predict is None else predict(proposal, epochs)
    if not isinstance(cost, Cost):
        raise EvonasError(f"predict returned {shown(cost)}, expected a Cost such as Cost(operations=1e9).")
    return cost
