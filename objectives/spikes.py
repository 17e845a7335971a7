"""Spikes per sample in all layers, with the non-zero outputs of analog neurons; static layers send once."""

from __future__ import annotations

from evonas.expected_counts import PriceFunction
from evonas.objective import Objective


def objective() -> Objective:
    """Return the objective: spikes per sample, to be minimised."""
    return Objective("spikes", lambda measurement: measurement.activity.spikes, unit="spikes/sample", log=True)


def expected() -> PriceFunction:
    """Return the objective as a function of expected counts, for the differentiable search."""
    return lambda counts: counts.spikes
