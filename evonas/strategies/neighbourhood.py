"""Neighbours: networks that differ from a good one in a single variable."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from evonas.engine.view import Row, View
from evonas.errors import OutsideError
from evonas.strategies.mating import Child

TRIES = 4
"""Draws per neighbour that is asked for; near a well-explored network most draws give known networks."""


def neighbours(view: View, rows: Sequence[Row], *, count: int, rng: np.random.Generator) -> Iterator[Child]:
    """Yield up to `count` unknown networks, each one of `rows` with one variable drawn anew."""
    names, found = list(view.space.variables), set[str]()
    for _ in range(TRIES * count if rows else 0):
        row, name = rows[int(rng.integers(len(rows)))], names[int(rng.integers(len(names)))]
        genotype = row.job.genotype
        assignment = view.space.fill(genotype, rng)
        assignment[name] = view.space.variables[name].sample(rng)
        if name in genotype and assignment[name] != genotype[name]:  # otherwise it is the network of the row itself
            try:
                genotype = view.space.canonical(assignment)
            except OutsideError:
                continue
        if genotype.key not in found and not view.is_known(genotype):
            found.add(genotype.key)
            yield genotype, (row.job.slot,)
            if len(found) == count:
                return
