"""Prices and fixed sizes of differentiable searches, chosen so that their networks fall into gaps of the front."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from evonas.variables import Scalar

JITTER = 0.25
"""Largest random shift of an aim, relative to the distance between the two landings on both sides of its target."""


@dataclass(frozen=True)
class Aim:
    """Price and fixed sizes of a search.

    Attributes:
        price: Weight of the priced objective in its loss.
        context: Its fixed sizes, by name of the variable.
    """

    price: float
    context: Mapping[str, Scalar]


@dataclass(frozen=True)
class Landing:
    """Where the networks of a search have landed.

    Attributes:
        aim: Price and fixed sizes of the search.
        cost: Median cost of its networks under the priced objective, on the axis of that objective.
    """

    aim: Aim
    cost: float


class Prices:
    """All prices and fixed sizes of searches: a box, in which the coordinates of a point lie in [0, 1].

    A price has its position between `low` and `high` on a logarithmic axis, a size its position in the list of sizes.

    Args:
        low: Lowest price.
        high: Highest price.
        contexts: Name of a variable to the sizes at which it may be fixed, that of the smallest networks first.
    """

    def __init__(self, low: float, high: float, *, contexts: Mapping[str, Sequence[Scalar]]) -> None:
        self._low = math.log(low)
        self._high = math.log(high)
        self._contexts = contexts

    def spread(self, index: int) -> Aim:
        """Return aim number `index` of a sequence that covers the front: one end, middle, other end, quarters, ….

        High prices come with small sizes and low prices with large ones, so that the ends lie far apart. The
        cheap end comes first.
        """
        part = _halving(index)
        return self._aim(np.array([part, *[1 - part] * len(self._contexts)]))

    def anywhere(self, rng: np.random.Generator) -> Aim:
        """Return an aim drawn uniformly from the box."""
        return self._aim(rng.random(1 + len(self._contexts)))

    def between(self, target: float, landings: Sequence[Landing], *, rng: np.random.Generator) -> Aim:
        """Return the aim that should land at `target`: interpolated between the nearest landings on both sides.

        Where nothing has landed on a side yet, a corner of the box stands for it: the highest price and the smallest
        sizes on the cheaper side, the lowest price and the largest sizes on the dearer one.
        """
        cheaper = max((one for one in landings if one.cost <= target), key=lambda one: one.cost, default=None)
        dearer = min((one for one in landings if one.cost > target), key=lambda one: one.cost, default=None)
        sizes = len(self._contexts)
        first = np.array([1.0, *[0.0] * sizes]) if cheaper is None else self._position(cheaper.aim)
        last = np.array([0.0, *[1.0] * sizes]) if dearer is None else self._position(dearer.aim)
        fraction = 0.5
        if cheaper is not None and dearer is not None:
            fraction = (target - cheaper.cost) / (dearer.cost - cheaper.cost)
        fraction = min(max(fraction + rng.uniform(-JITTER, JITTER), 0.0), 1.0)
        return self._aim(first + fraction * (last - first), rng=rng)

    def _aim(self, position: np.ndarray, *, rng: np.random.Generator | None = None) -> Aim:
        """Return the aim at `(1 + sizes,)` coordinates; sizes are rounded, with `rng` stochastically (without bias)."""
        price = math.exp(self._low + position[0] * (self._high - self._low))
        context = {}
        for (name, sizes), part in zip(self._contexts.items(), position[1:], strict=True):
            exact = part * (len(sizes) - 1)
            index = round(exact) if rng is None else math.floor(exact + rng.random())
            context[name] = sizes[min(index, len(sizes) - 1)]
        return Aim(float(f"{price:.3g}"), context)

    def _position(self, aim: Aim) -> np.ndarray:
        span = self._high - self._low
        parts = [(math.log(aim.price) - self._low) / span if span else 0.0]
        for name, sizes in self._contexts.items():
            parts.append(list(sizes).index(aim.context[name]) / max(len(sizes) - 1, 1))
        return np.clip(parts, 0.0, 1.0)


def _halving(index: int) -> float:
    """Return 1, 1/2, 0, 3/4, 1/4, 7/8, …: each point halves a widest gap of those before it."""
    if index < 3:
        return 1 - index / 2
    parts = 1 << (index - 1).bit_length()
    return 1 - (2 * (index - 1 - parts // 2) + 1) / parts
