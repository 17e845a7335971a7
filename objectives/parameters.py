"""Trainable weights and biases of the network."""

from __future__ import annotations

from evonas.objective import Objective


def objective() -> Objective:
    """Return the objective: number of trainable parameters, to be minimised."""
    return Objective("parameters", lambda measurement: measurement.parameters, unit="parameters", log=True)
