"""Pruning of choices: after each round of scores, every choice loses the value without which scores are highest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from evonas.engine.proxy_score import ProxyScore
from evonas.variables import Choice, Scalar, Variable

Kept = Mapping[str, tuple[Scalar, ...]]
"""Name of a `Choice` to the values that are left of it, in its own order, where some are gone."""


def pruned(kept: Kept, scored: Sequence[ProxyScore], variables: Mapping[str, Variable]) -> Kept:
    """Return what is left of each choice after one more round.

    Of each choice with more than one value left, that value goes without which the mean score of the round's networks
    is highest; one that no network with a score has goes first. Networks in which the choice is inactive do not count
    for it, nor do those without a score.

    Source: the pruning by importance of LightSNN (2025), which removes from each edge the operation whose removal
    leaves the highest score. Departures: what is scored is not one network with all operations, which most spaces do
    not have, but random networks of what is left, one round for all choices; and any `Choice` of any space is pruned,
    directions of edges among them, so that feedback edges take part.

    Args:
        kept: What was left before the round.
        scored: The networks of the round, drawn from what was left.
        variables: Those of the space.
    """
    left = dict(kept)
    for name, variable in variables.items():
        values = left.get(name, variable.values if isinstance(variable, Choice) else ())
        if len(values) > 1:
            worst = _worst(name, values, scored)
            left[name] = tuple(value for value in values if value != worst)
    return left


def _worst(name: str, values: Sequence[Scalar], scored: Sequence[ProxyScore]) -> Scalar | None:
    """Return the value without which scores are highest, the first of equal ones; None where nothing tells."""
    pairs = [(one.genotype[name], one.value) for one in scored if one.value is not None and name in one.genotype]
    if not pairs:
        return None
    means = []
    for value in values:
        others = [score for held, score in pairs if held != value]
        if len(others) == len(pairs):
            return value
        if others:
            means.append((sum(others) / len(others), value))
    return max(means, key=lambda one: one[0])[1] if means else None
