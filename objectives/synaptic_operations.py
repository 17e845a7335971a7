"""Synaptic operations per sample: accumulates (ACs) and graded events, without multiply-accumulates (MACs)."""

from __future__ import annotations

from evonas.expected_counts import PriceFunction
from evonas.objective import Objective


def objective() -> Objective:
    """Return the objective: synaptic operations per sample, graded events included, to be minimised."""
    return Objective(
        "synaptic_operations",
        lambda measurement: measurement.activity.synaptic_operations,
        unit="operations/sample",
        log=True,
        uncounted=("multiply-accumulates: layers with real-valued inputs, such as a first layer behind an image",),
    )


def expected() -> PriceFunction:
    """Return the objective as a function of expected counts, for the differentiable search."""
    return lambda counts: counts.events + counts.graded
