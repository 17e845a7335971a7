"""All operations of a sample: synaptic events, graded ones and multiply-accumulates, as often as they are computed."""

from __future__ import annotations

from evonas.measurement import Measurement
from evonas.objective import Objective


def operations(measurement: Measurement) -> float:
    """Return the operations per sample; those of a static input count once, for evonas computes them once."""
    return measurement.activity.synaptic_operations + measurement.activity.macs


def objective() -> Objective:
    """Return the objective: all operations per sample, to be minimised."""
    return Objective("operations", operations, unit="operations/sample", log=True)
