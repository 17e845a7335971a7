"""The order of networks that were scored without a training of their own: along the front of score and cost."""

from __future__ import annotations

import math
from collections.abc import Sequence

from evonas.engine.pareto import spread_first
from evonas.engine.proxy_score import ProxyScore
from evonas.engine.view import Row
from evonas.genotype import Genotype


def best_first(rows: Sequence[Row], *, sign: float, is_traded: bool = True) -> list[tuple[Genotype, int]]:
    """Return the networks that search jobs have scored, each once, with the slots of the jobs.

    They come by their non-dominated rank, within a rank the most spread first.

    Args:
        rows: Rows of the search jobs.
        sign: 1 where less of the cost is better, -1 where more is.
        is_traded: Whether the score is traded against a cost, so that networks without one are left out.
    """
    usable: dict[str, tuple[ProxyScore, int]] = {}
    for row in rows:
        for one in row.evaluation.proxy_scores:
            if one.value is not None and (one.cost is not None or not is_traded):
                usable.setdefault(one.genotype.key, (one, row.job.slot))
    found = list(usable.values())
    order = spread_first(_costs([one for one, _ in found], sign=sign))
    return [(found[i][0].genotype, found[i][1]) for i in order]


def _costs(scored: Sequence[ProxyScore], *, sign: float) -> list[tuple[float, ...]]:
    """Return what is to be minimised, costs that are no negative numbers in decades: they are spread more evenly there.

    Costs of 0 have no logarithm, and count as much as the smallest that has one.
    """
    costs = [sign * one.cost for one in scored if one.cost is not None]
    if all(cost >= 0 for cost in costs) and any(costs):
        least = min(cost for cost in costs if cost > 0)
        costs = [math.log10(max(cost, least)) for cost in costs]
    values = [-one.value for one in scored if one.value is not None]
    return list(zip(values, costs, strict=True)) if costs else [(value,) for value in values]
