"""Settings of a one-shot search: a supernet is trained, and networks are judged with its weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from evonas.engine.effort import Effort
from evonas.engine.training_log import FORWARD
from evonas.variables import Scalar

METHOD_OF_SUPERNETS = "supernet"

VALIDATION = 1 / 4
"""Validation samples that are predicted for each training sample: a fifth of all, the default, is held back."""


@dataclass(frozen=True)
class SupernetSearch:
    """Settings of one job.

    Attributes:
        epochs: Epochs of the training of the supernet, one drawn network a batch.
        warm_up: Part of this training in which networks are drawn near one of them, as in
            `evonas.training.path_draws`; 0 for uniform draws throughout.
        networks: Networks that are judged with its weights.
        pop_size: Networks of the population from which the evolution among them breeds.
        calibration: Training samples from which the norms of a network take their statistics before it is judged; 0
            for those of the supernet.
        index: Tells supernets with equal settings apart.
    """

    epochs: int
    warm_up: float
    networks: int
    pop_size: int
    calibration: int
    index: int = 0

    def to_job(self) -> dict[str, Scalar]:
        """Return the settings of its job."""
        return {"method": METHOD_OF_SUPERNETS, **vars(self)}

    def effort(self, samples: int) -> Effort:
        """Return what its job goes through: the training, and each judged network forward."""
        judged = self.networks * (min(self.calibration, samples) + VALIDATION * samples)
        return Effort(self.epochs * samples + FORWARD * judged)

    @classmethod
    def of(cls, settings: Mapping[str, Scalar]) -> SupernetSearch:
        """Return the settings that `to_job` put into those of a job."""
        whole = {name: int(settings[name]) for name in cls.__dataclass_fields__ if name != "warm_up"}
        return cls(**whole, warm_up=float(settings["warm_up"]))
