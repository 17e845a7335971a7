"""Synaptic events of a sample: accumulates (AC) and graded events. Multiply-accumulates (MAC) are not in it."""

from __future__ import annotations

from evonas.expected_counts import PriceFunction
from evonas.objective import Objective


def objective() -> Objective:
    """Return the objective: delivered synaptic events per sample, graded ones included, to be minimised."""
    return Objective(
        "synaptic_operations",
        lambda measurement: measurement.activity.synaptic_operations,
        unit="operations/sample",
        log=True,
        uncounted=("multiply-accumulates: layers with real-valued inputs, such as a first layer behind an image",),
    )


def expected() -> PriceFunction:
    """Return the same on expected counts, for the differentiable search."""
    return lambda counts: counts.events + counts.graded
