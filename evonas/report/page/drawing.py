"""What the drawing of a network needs: its layers with their constants and spikes, and the connections between them."""

from __future__ import annotations

from typing import Any

from evonas.architecture.constant import Constant, values_of
from evonas.architecture.neuron import PARAMETERS
from evonas.architecture.plan import INPUT, Plan
from evonas.measurement import Activity, Connection, Population

COLUMNS = 64
"""Most columns of the heat map of spikes; more time steps are added up, several to a column."""


def drawing(activity: Activity, plan: Plan | None) -> dict[str, Any]:
    """Return what the page draws of a network, as a JSON object. Figures are means per sample.

    Args:
        activity: Its counts.
        plan: What it consists of, for the constants of its neurons; None where that is not known.
    """
    position = {one.name: index for index, one in enumerate(activity.populations)}
    constants = {} if plan is None else _constants(plan)
    width = -(-activity.time_steps // COLUMNS)  # time steps a column, rounded up
    return {
        "samples": activity.samples,
        "steps": activity.time_steps,
        "stepsPerColumn": width,
        "stepSeconds": activity.step_seconds,
        "knowsConstants": plan is not None,
        "layers": [
            {**_layer(one, activity, width=width), "constants": constants.get(one.name, {})}
            for one in activity.populations
        ],
        "edges": [_edge(one, activity, position) for one in activity.connections],
    }


def fits_to(plan: Plan, activity: Activity) -> bool:
    """Return whether a plan is that of the network that was counted: the same layers of the same kinds and shapes."""
    planned = [(one.name, one.dynamics.kind, tuple(one.shape)) for one in plan.populations]
    return planned == [(one.name, one.kind, tuple(one.shape)) for one in activity.populations]


def _constants(plan: Plan) -> dict[str, dict[str, Any]]:
    """Return the constants that the neurons of each layer depend on, by the name of the layer."""
    found: dict[str, dict[str, Any]] = {}
    for layer in plan.populations:
        names = PARAMETERS[layer.dynamics.kind]
        found[layer.name] = {name: _ends(getattr(layer.dynamics, name)) for name in names}
        if "v_th" in names:
            found[layer.name]["reset"] = layer.dynamics.reset
    return found


def _ends(constant: Constant) -> float | list[float]:
    """Return a constant; of one for each channel the lowest and the highest."""
    values = values_of(constant)
    return values[0] if len(values) == 1 else [min(values), max(values)]


def _layer(layer: Population, activity: Activity, *, width: int) -> dict[str, Any]:
    columns = [layer.spikes[start : start + width] for start in range(0, len(layer.spikes), width)]
    return {
        "name": layer.name,
        "kind": layer.kind,
        "shape": layer.shape,
        "isStatic": layer.static,
        "sends": layer.kind != "readout" and not (layer.kind == "relay" and not any(layer.spikes)),
        "spikes": [round(sum(column) / activity.samples, 3) for column in columns],
        "total": layer.outputs / activity.samples,
    }


def _edge(edge: Connection, activity: Activity, position: dict[str, int]) -> dict[str, Any]:
    macs = edge.macs[:1] if edge.static else edge.macs
    return {
        "name": edge.name,
        "sources": [-1 if name == INPUT else position[name] for name in edge.sources],
        "target": position[edge.target],
        "operation": edge.operation,
        "element": edge.element,
        "kernel": edge.kernel,
        "stride": edge.stride,
        "groups": edge.groups,
        "inShape": edge.in_shape,
        "outShape": edge.out_shape,
        "weights": edge.weights,
        "delay": edge.delay,
        "events": (sum(edge.events) + sum(edge.graded)) / activity.samples,
        "macs": sum(macs) / activity.samples,
    }
