"""The sections of objectives that name a metric: what the task of the data says of it is filled in."""

from __future__ import annotations

import inspect
from collections.abc import Mapping

from evonas.options import shown
from evonas.runfile.lookup import LookupFault, look_up
from evonas.runfile.schema import ObjectiveSection
from evonas.task import Metric, Task

METRIC = "metric"
"""The option that names a metric. An objective that takes it and a `direction` trades what the task says of it.

The objective that trades any metric as it is has the same name.
"""


def with_metrics(
    sections: Mapping[int, ObjectiveSection], task: Task | None
) -> tuple[dict[int, ObjectiveSection], list[str]]:
    """Return sections with direction, unit and best value of the metrics that they name, and a sentence for each fault.

    The results of a run are read without its data, so that its run file has to say what the task has said. Sections
    with a fault are left out, and without a task all that name a metric.

    Args:
        sections: By number in the run file.
        task: What is learnt; None where the data are wrong.
    """
    found, faults = {}, []
    for number, section in sections.items():
        if not takes_metric(section.name):
            found[number] = section
        elif task is not None:
            filled, wrong = _filled(section, task)
            faults += [f"objectives.{number}.{fault}" for fault in wrong]
            if not wrong:
                found[number] = filled
    return found, faults


def takes_metric(name: str) -> bool:
    """Return whether the objective of this name trades a metric that it is told."""
    try:
        make = look_up(name, folder="objectives", attribute="objective")
        parameters = inspect.signature(make).parameters
    except (LookupFault, TypeError, ValueError):  # told with all other faults when the objective is made
        return False
    return METRIC in parameters and "direction" in parameters


def trades(section: ObjectiveSection, metric: Metric) -> bool:
    """Return whether a section trades a metric as it is, by the objective of its name or one that is told its name."""
    return metric.name == (section.options.get(METRIC) if section.name == METRIC else section.name)


def named_by(metric: Metric) -> str:
    """Return what a section says that trades a metric, for people."""
    try:
        look_up(metric.name, folder="objectives", attribute="objective")
    except LookupFault:
        return f'name = "{METRIC}" and {METRIC} = "{metric.name}"'
    return "that name"


def _filled(section: ObjectiveSection, task: Task) -> tuple[ObjectiveSection, list[str]]:
    """Return a section with what the task says of its metric, by default the first one where it may be left out."""
    make = look_up(section.name, folder="objectives", attribute="objective")
    is_needed = inspect.signature(make).parameters[METRIC].default is inspect.Parameter.empty
    name = section.options.get(METRIC, None if is_needed else task.metrics[0].name)
    known = {metric.name: metric for metric in task.metrics}
    if not isinstance(name, str):
        return section, [f"{METRIC}: {'missing' if name is None else f'got {shown(name)}'}, {_there(task)}"]
    if name not in known:
        return section, [f"{METRIC}: got {shown(name)}, {_there(task)}"]
    said = _said(known[name])
    wrong = [
        f"{key}: got {shown(section.options[key])}, while {name} of {task.summary} has {shown(value)}; leave it out"
        for key, value in said.items()
        if key in section.options and section.options[key] != value
    ]
    given = section.model_dump(by_alias=True, exclude_none=True)
    return ObjectiveSection.model_validate({**given, METRIC: name, **said}), wrong


def _said(metric: Metric) -> dict[str, str | float]:
    """Return what a task says of a metric, as options."""
    said: dict[str, str | float] = {"direction": metric.direction, "unit": metric.unit}
    return said if metric.best is None else {**said, "best": metric.best}


def _there(task: Task) -> str:
    return f"expected a metric of {task.summary}: {', '.join(metric.name for metric in task.metrics)}"
