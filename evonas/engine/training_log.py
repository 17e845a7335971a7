"""The log of a training: its effort in sample-steps, and what was searched on the way."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

FORWARD = 1 / 3
"""Sample-steps charged per time step of a sample that goes forward only."""

TWO_PATHS = 3
"""Sample-steps charged per time step of a sample in a step of the choices (two-path sampling): two networks run at
once and expected counts are computed, about three training steps."""


@dataclass(frozen=True)
class Trained:
    """The log of a training: its effort in sample-steps, and what was searched on the way.

    Attributes:
        sample_steps: Samples that went forward and backward, times the time steps that they ran for: exactly those of
            this training. Samples that went forward only count `FORWARD`, those in a step of choices count `TWO_PATHS`.
        surrogate_widths: Stage to the width of its surrogate gradient, at the beginning and after each search of
            widths; empty where none are searched.
        epochs: One entry for each epoch of a differentiable search, the fields of
            `evonas.training.bilevel_search.Epoch`; empty for single networks.
    """

    sample_steps: float
    surrogate_widths: tuple[Mapping[str, float], ...] = ()
    epochs: tuple[Mapping[str, float | None], ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return a JSON object that `from_json` reads back without loss."""
        return {
            "sample_steps": self.sample_steps,
            "surrogate_widths": [dict(one) for one in self.surrogate_widths],
            "epochs": [dict(one) for one in self.epochs],
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Trained:
        """Return the log that `to_json` wrote."""
        return cls(data["sample_steps"], tuple(data["surrogate_widths"]), tuple(data["epochs"]))
