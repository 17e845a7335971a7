"""How networks are trained, single ones and all at once as a relaxed network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from evonas.engine.gradient_search import WEIGHTS_PART, Paths
from evonas.engine.ladder import MOST_EPOCHS
from evonas.options import Flag, Number, OneOf, OptionRule, OrNone, Whole, settle

BATCH_SIZE = Whole(1, 1_000_000)

RATE = Number(0, 10, is_open=True)
"""A learning rate."""

WEIGHT_DECAY = Number(0, 10)

CLIP_NORM = Number(1e-6, 1e6)

WARM_UP = Number(0, 1)

LABEL_SMOOTHING = Number(0, 0.9)

STEPS = Whole(1, 10**9)

Loss = Literal["of_mean", "of_each_step", "squared_error"]

_TRAINING_RULES: dict[str, OptionRule] = {
    "epochs": Whole(1, MOST_EPOCHS),
    "batch_size": BATCH_SIZE,
    "learning_rate": RATE,
    "weight_decay": WEIGHT_DECAY,
    "clip_norm": CLIP_NORM,
    "warm_up": WARM_UP,
    "loss": OneOf(get_args(Loss)),
    "label_smoothing": LABEL_SMOOTHING,
    "train_neurons": Flag(),
    "search_surrogates_every": OrNone(STEPS),
}

_TEMPERATURE = Number(1e-3, 1e3)

_RELAXATION_RULES: dict[str, OptionRule] = {
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
class Training:
    """How networks are trained: AdamW, one cosine from `learning_rate` to 0 over `epochs`, cross entropy.

    Attributes:
        epochs: Epochs of the whole schedule: those of the top rung. A lower rung stops on the way.
        batch_size: Samples a step.
        learning_rate: At the first step, or at the end of the warm-up.
        weight_decay: Of AdamW, on convolution and linear weights.
        clip_norm: Gradients of a larger norm are scaled down to this.
        warm_up: Part of the schedule in which the learning rate rises in a line from 0; the cosine fills the rest.
        loss: `"of_mean"`: cross entropy of the mean over time of the readout's potentials; `"of_each_step"`: mean over
            time of the cross entropy of each step's potentials. Source: TET (Deng et al., ICLR 2022), without its
            second term. `"squared_error"`: of the mean over time against 1 for the class and 0 for the others, for
            networks whose answers are rates (Fang et al., ICCV 2021; AutoSNN).
        label_smoothing: Part of a label that is spread evenly over all classes while training.
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
    warm_up: float = 0.0
    loss: Loss = "of_mean"
    label_smoothing: float = 0.0
    train_neurons: bool = False
    search_surrogates_every: int | None = None

    def __post_init__(self) -> None:
        settle(self, _TRAINING_RULES)


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
    weights_part: float = WEIGHTS_PART
    proposals: int = 1

    def __post_init__(self) -> None:
        settle(self, _RELAXATION_RULES)

    def temperature(self, epoch: int) -> float:
        """Return the temperature of an epoch, counted from 0 after the warm-up."""
        progress = min(max(epoch, 0) / max(self.epochs - 1, 1), 1.0)
        return float(self.first_temperature * (self.last_temperature / self.first_temperature) ** progress)
