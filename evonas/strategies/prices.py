"""Prices: what the next differentiable search is told, so that its networks fall where the front is thin."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from evonas.variables import Scalar

JITTER = 0.25
"""Two searches with the same aim are told prices that differ by up to so much of the way between their neighbours."""


@dataclass(frozen=True)
class Aim:
    """What a search is told.

    Attributes:
        price: Weight of the priced objective in its loss.
        context: Sizes that it keeps fixed, by name of the variable.
    """

    price: float
    context: Mapping[str, Scalar]


@dataclass(frozen=True)
class Landing:
    """Where a search has landed.

    Attributes:
        aim: What it was told.
        cost: Median cost of its networks under the priced objective, on the axis of that objective.
    """

    aim: Aim
    cost: float


class Prices:
    """All prices and sizes that searches may be told: a box, in which each point is written as positions in [0, 1].

    The position of a price is its place between `low` and `high` on a logarithmic axis, that of a size its place in
    the list of sizes.

    Args:
        low: Lowest price.
        high: Highest price.
        contexts: Name of a variable to the sizes that it may be kept fixed at, rising.
    """

    def __init__(self, low: float, high: float, *, contexts: Mapping[str, Sequence[Scalar]]) -> None:
        self._low = math.log(low)
        self._high = math.log(high)
        self._contexts = contexts

    def spread(self, index: int) -> Aim:
        """Return the aim number `index` of a sequence that covers the front: end, middle, end, the quarters, ….

        High prices come with small sizes and low prices with large ones, so that the ends lie far apart. What costs
        least comes first.
        """
        part = _halving(index)
        return self._aim(np.array([part, *[1 - part] * len(self._contexts)]))

    def anywhere(self, rng: np.random.Generator) -> Aim:
        """Return any aim."""
        return self._aim(rng.random(1 + len(self._contexts)))

    def between(self, target: float, landings: Sequence[Landing], *, rng: np.random.Generator) -> Aim:
        """Return the aim that should land at `target`: on the line between those of the two nearest landings.

        Where nothing has landed on a side yet, the end of the box stands for it: the highest price and the smallest
        sizes for what is cheaper, the opposite for what is dearer.
        """
        cheaper = max((one for one in landings if one.cost <= target), key=lambda one: one.cost, default=None)
        dearer = min((one for one in landings if one.cost > target), key=lambda one: one.cost, default=None)
        sizes = len(self._contexts)
        first = np.array([1.0, *[0.0] * sizes]) if cheaper is None else self._position(cheaper.aim)
        last = np.array([0.0, *[1.0] * sizes]) if dearer is None else self._position(dearer.aim)
        way = 0.5
        if cheaper is not None and dearer is not None:
            way = (target - cheaper.cost) / (dearer.cost - cheaper.cost)
        way = min(max(way + rng.uniform(-JITTER, JITTER), 0.0), 1.0)
        return self._aim(first + way * (last - first), rng=rng)

    def _aim(self, position: np.ndarray, *, rng: np.random.Generator | None = None) -> Aim:
        """Return the aim at `(1 + sizes,)` positions; a size between two is one of them by chance, if there is any."""
        price = math.exp(self._low + position[0] * (self._high - self._low))
        context = {}
        for (name, sizes), part in zip(self._contexts.items(), position[1:], strict=True):
            place = part * (len(sizes) - 1)
            place = round(place) if rng is None else math.floor(place + rng.random())
            context[name] = sizes[min(place, len(sizes) - 1)]
        return Aim(float(f"{price:.3g}"), context)

    def _position(self, aim: Aim) -> np.ndarray:
        wide = self._high - self._low
        parts = [(math.log(aim.price) - self._low) / wide if wide else 0.0]
        for name, sizes in self._contexts.items():
            parts.append(list(sizes).index(aim.context[name]) / max(len(sizes) - 1, 1))
        return np.clip(parts, 0.0, 1.0)


def _halving(index: int) -> float:
    """Return 1, 1/2, 0, 3/4, 1/4, 7/8, …: each next point lies in a widest gap of those before, the cheap end first."""
    if index < 3:
        return 1 - index / 2
    parts = 1 << (index - 1).bit_length()
    return 1 - (2 * (index - 1 - parts // 2) + 1) / parts
