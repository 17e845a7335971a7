"""The networks that a supernet is trained on, batch by batch: near one of them at first, then any."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from evonas.engine.rejection import Reject
from evonas.errors import OutsideError, SpaceError
from evonas.genotype import Genotype
from evonas.space import TRIES, Space

ANCHORS = 16
"""Networks that are drawn, of which the one of the most operations is the anchor."""


class PathDraws:
    """Draws networks: `draws(progress)` returns that of the next batch, given the part of all batches so far.

    While the training warms up, each variable keeps the value of one network, the anchor, with a probability that falls
    in a line from 1 to 0; after that all networks are equally likely. Few batches are not enough for weights of many
    networks, drawn apart, to agree on what spikes mean: next to a network that has learnt something they find it out.

    Source: uniform sampling (`warm_up = 0`) is that of Guo et al., ECCV 2020, and AutoSNN; the warm-up is ours.

    Args:
        space: What is drawn from.
        warm_up: Part of all batches, from 0 to 1.
        reject: Says which networks cannot take the data; None where all can.
        operations: Returns the operations of a network; None where they are not known, and the first one is the anchor.
        rng: Source of all chance.
    """

    def __init__(
        self,
        space: Space,
        *,
        warm_up: float,
        reject: Reject | None,
        operations: Callable[[Genotype], float] | None,
        rng: np.random.Generator,
    ) -> None:
        self._space, self._warm_up, self._reject, self._rng = space, warm_up, reject, rng
        drawn = [self._drawn(0.0) for _ in range(ANCHORS if operations is not None and warm_up else 1)]
        self._anchor = drawn[0] if operations is None else max(drawn, key=operations)

    def __call__(self, progress: float) -> Genotype:
        """Return the network of the next batch.

        Raises:
            SpaceError: If none is found that can take the data.
        """
        return self._drawn(1 - progress / self._warm_up if progress < self._warm_up else 0.0)

    def _drawn(self, kept: float) -> Genotype:
        """Return a network in which each variable keeps the value of the anchor with a probability."""
        for _ in range(TRIES):
            genotype = self._space.sample(self._rng)
            if kept:
                values = self._space.fill(genotype, self._rng)
                is_kept = self._rng.random(len(self._anchor)) < kept
                values |= {name: self._anchor[name] for name, keep in zip(self._anchor, is_kept, strict=True) if keep}
                try:
                    genotype = self._space.canonical(values)
                except OutsideError:
                    continue
            if self._reject is None or self._reject(genotype) is None:
                return genotype
        raise SpaceError(f"Of {TRIES:,} networks drawn none can take the data.")
