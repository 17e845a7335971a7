"""Trainable weights and biases of the network."""

from __future__ import annotations

import math

from evonas.architecture.plan import Plan
from evonas.objective import Objective


def objective() -> Objective:
    """Return the objective: the number of trainable parameters, to be minimised."""

    def planned(plan: Plan) -> tuple[float, float]:
        return float(sum(edge.weights + edge.biases for edge in plan.connections)), math.inf

    return Objective(
        "parameters", lambda measurement: measurement.parameters, unit="parameters", log=True, planned=planned
    )
