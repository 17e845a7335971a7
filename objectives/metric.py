"""A metric of the task by its name, such as the loss: the direction is that of the task."""

from __future__ import annotations

from evonas.objective import Direction, Objective
from evonas.task import named_metric


def objective(
    *, metric: str, direction: Direction | None = None, unit: str = "", best: float | None = None
) -> Objective:
    """Return the objective: a metric that the task measures on the validation samples, in the task's own direction.

    Args:
        metric: Its name. Of classes there are `"accuracy"`, `"loss"` and `"balanced_accuracy"`.
        direction: As the task says, from which a run fills it in, like all that follow.
        unit: Of its values.
        best: The best possible value.

    Raises:
        OptionError: If the direction is missing.
    """
    return named_metric(metric, direction=direction, unit=unit, best=best).objective()
