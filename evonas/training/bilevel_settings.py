"""How a relaxed network is trained: the settings of the differentiable search."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from evonas.errors import EvonasError

Paths = Literal["drawn", "all"]


@dataclass(frozen=True)
class Relaxation:
    """How the relaxed network is trained.

    Attributes:
        warm_up: Epochs in which the weights alone are trained.
        epochs: Epochs in which steps of weights and of logits alternate.
        paths: `"drawn"`: a step of the weights sees one drawn network, a step of the logits a duel (`Logits.duel`).
            `"all"`: all see the whole mixture, which takes the time and memory of all branches; a sample-step of it
            counts as one of a network all the same.
        first_temperature: What logits are divided by at first.
        last_temperature: The same in the last epoch; geometric in between. Low ones leave one option of each choice.
        logit_rate: Learning rate of the logits (Adam).
        constant_rate: Learning rate of time constants and thresholds (Adam), about the change in ms a step.
        batch_size: Samples a step.
        weights_part: Part of the training samples that the weights are trained on; the logits see the others.
        proposals: Number of genotypes to return: the decoded one, then different ones drawn from the final mixture.

    Raises:
        EvonasError: If a number is out of its range.
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
        faults = [
            f"{name} = {getattr(self, name)}, expected more than 0"
            for name in ("epochs", "first_temperature", "last_temperature", "logit_rate", "batch_size", "proposals")
            if not getattr(self, name) > 0
        ]
        faults += [
            f"{name} = {getattr(self, name)}, expected 0 or more"
            for name in ("warm_up", "constant_rate")
            if getattr(self, name) < 0
        ]
        if not 0 < self.weights_part < 1:
            faults.append(f"weights_part = {self.weights_part}, expected a part between 0 and 1")
        if self.paths not in ("drawn", "all"):
            faults.append(f"paths = {self.paths!r}, expected 'drawn' or 'all'")
        if faults:
            raise EvonasError(f"The differentiable search cannot be run: {'; '.join(faults)}.")

    def temperature(self, epoch: int) -> float:
        """Return the temperature of an epoch, counted from 0 after the warm-up."""
        progress = min(max(epoch, 0) / max(self.epochs - 1, 1), 1.0)
        return float(self.first_temperature * (self.last_temperature / self.first_temperature) ** progress)
