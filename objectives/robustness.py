"""Robustness: a metric of the task under noisy or coarse weights, dead neurons or lost input."""

from __future__ import annotations

from dataclasses import replace

from evonas.errors import OptionError
from evonas.objective import Direction, Objective
from evonas.options import OptionRule, faults_of
from evonas.robustness import AMOUNTS, DRAWS, Against, Robustness
from evonas.task import named_metric

_RULES: dict[str, OptionRule] = {**AMOUNTS, "draws": DRAWS}


def objective(
    *,
    weight_noise: float | None = None,
    bits: int | None = None,
    dead_neurons: float | None = None,
    lost_input: float | None = None,
    draws: int = 5,
    metric: str | None = None,
    direction: Direction | None = None,
    unit: str = "",
    best: float | None = None,
) -> Objective:
    """Return the objective: the mean of a metric over draws of one disturbance, on the validation samples.

    The disturbance is one of the first four options. A worker measures it after each training, with draws that depend
    on the seed of the run and the network alone; each draw takes as long as measuring the network once.

    Args:
        weight_noise: A normal number is added to each weight, its deviation this part of the largest of the connection.
        bits: Weights are rounded to so many bits, their sign included.
        dead_neurons: So large a part of the neurons, drawn anew, sends nothing.
        lost_input: Each event of a frame, of an image each pixel, is lost with this probability.
        draws: Of the disturbance; of `bits` nothing is drawn.
        metric: A metric of the task. By default its first one, of classes the accuracy.
        direction: As the task says, from which a run fills it in, like all that follow.
        unit: Of the values of the metric.
        best: The best possible value.

    Raises:
        OptionError: If there is not one disturbance, a value is out of its range, or the direction is missing.
    """
    amounts: dict[Against, float | None] = {
        "weight_noise": weight_noise, "bits": bits, "dead_neurons": dead_neurons, "lost_input": lost_input
    }  # fmt: skip
    given = {name: amount for name, amount in amounts.items() if amount is not None}
    if len(given) != 1:
        came = " and ".join(given) or "none"
        raise OptionError([f"weight_noise: got {came}, expected one of {', '.join(AMOUNTS)}; a section for each"])
    ((against, amount),) = given.items()
    if faults := faults_of({against: amount, "draws": draws}, {name: _RULES[name] for name in (against, "draws")}):
        raise OptionError(faults)
    named = named_metric(metric or "", direction=direction, unit=unit, best=best)
    asked = Robustness(named.name, against, amount, draws)
    kept = replace(named, name=asked.name)
    return replace(kept.objective(), name="robustness", measures=(asked,), metric="")
