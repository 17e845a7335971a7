"""How a relaxed network is trained: the settings of the differentiable search."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from evonas.engine.ladder import MOST_EPOCHS
from evonas.options import Number, OneOf, OptionRule, Whole, settle
from evonas.training.training_settings import BATCH_SIZE, RATE

Paths = Literal["drawn", "all"]


_TEMPERATURE = Number(1e-3, 1e3)

_RULES: dict[str, OptionRule] = {
    "warm_up": Whole(0, MOST_EPOCHS),
    "epochs": Whole(1, MOST_EPOCHS),
    "paths": OneOf(get_args(Paths)),
    "first_temperature": _TEMPERATURE,
    "last_temperature": _TEMPERATURE,
    "logit_rate": RATE,
    "constant_rate": Number(0, RATE.high),
    "batch_size": BATCH_SIZE,
    "weights_part": Number(1e-6, 1 - 1e-6),
    "proposals": Whole(1, 1000),
}


@dataclass(frozen=True)
class Relaxation:
    """How the relaxed network is trained.

    Attributes:
        warm_up: Epochs in which the weights alone are trained.
        epochs: Epochs in which steps of weights and of logits alternate.
        paths: `"drawn"`: a step of the weights sees one drawn network, a step of the logits two paths
            (`Logits.two_paths`). `"all"`: all see the whole mixture, which takes the time and memory of all
            branches; a sample-step of it counts as one of a network all the same.
        first_temperature: What logits are divided by at first.
        last_temperature: The same in the last epoch; geometric in between. Low ones leave one option of each choice.
        logit_rate: Learning rate of the logits (Adam).
        constant_rate: Learning rate of time constants and thresholds (Adam), about the change in ms a step.
        batch_size: Samples a step.
        weights_part: Part of the training samples that the weights are trained on; the logits see the others.
        proposals: Number of genotypes to return: the decoded one, then different ones drawn from the final mixture.

    Raises:
        OptionError: If a number is out of its range.
    """

    warm_up: int = 2
    epochs: int = 6
    paths: Paths = "drawn"
    first_temperature: float = 1.0
    last_temperature: float = 0.2
    logit_rate: float = 0.1
    constant_rate: float = 0.03
    batch_size: int = 32
    weights_part: float = 0.5
    proposals: int = 1

    def __post_init__(self) -> None:
        settle(self, _RULES)

    def temperature(self, epoch: int) -> float:
        """Return the temperature of an epoch, counted from 0 after the warm-up."""
        progress = min(max(epoch, 0) / max(self.epochs - 1, 1), 1.0)
        return float(self.first_temperature * (self.last_temperature / self.first_temperature) ** progress)
