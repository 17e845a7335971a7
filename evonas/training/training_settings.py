"""How networks are trained: the settings of the trainer."""

from __future__ import annotations

from dataclasses import dataclass

from evonas.engine.ladder import MOST_EPOCHS
from evonas.options import Flag, Number, OptionRule, OrNone, Whole, settle

BATCH_SIZE = Whole(1, 1_000_000)

RATE = Number(0, 10, is_open=True)
"""A learning rate."""

WEIGHT_DECAY = Number(0, 10)

CLIP_NORM = Number(1e-6, 1e6)

STEPS = Whole(1, 10**9)

_RULES: dict[str, OptionRule] = {
    "epochs": Whole(1, MOST_EPOCHS),
    "batch_size": BATCH_SIZE,
    "learning_rate": RATE,
    "weight_decay": WEIGHT_DECAY,
    "clip_norm": CLIP_NORM,
    "train_neurons": Flag(),
    "search_surrogates_every": OrNone(STEPS),
}


@dataclass(frozen=True)
class Training:
    """How networks are trained: AdamW, one cosine from `learning_rate` to 0 over `epochs`, cross entropy.

    Attributes:
        epochs: Epochs of the whole schedule: those of the top rung. A lower rung stops on the way.
        batch_size: Samples a step.
        learning_rate: At the first step.
        weight_decay: Of AdamW, on convolution and linear weights.
        clip_norm: Gradients of a larger norm are scaled down to this.
        train_neurons: Whether time constants and thresholds are trained too.
        search_surrogates_every: Training steps between two searches of the widths of surrogate gradients, stage by
            stage; None where each network keeps its own.

    Raises:
        OptionError: If a setting is out of its range.
    """

    epochs: int = 1
    batch_size: int = 32
    learning_rate: float = 5e-3
    weight_decay: float = 1e-4
    clip_norm: float = 5.0
    train_neurons: bool = False
    search_surrogates_every: int | None = None

    def __post_init__(self) -> None:
        settle(self, _RULES)
