"""A dense task, the disparity of each pixel, with a space of networks whose readout is a map, and random dots to see."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import Tensor
from torch.nn.functional import smooth_l1_loss

from evonas.architecture.draft import Draft, Incoming
from evonas.architecture.neuron import Dynamics
from evonas.architecture.plan import INPUT, Plan
from evonas.data.dataset import DataSet
from evonas.data.samples import Samples
from evonas.genotype import Genotype
from evonas.snn.planned import planned
from evonas.space import Space
from evonas.task import Constant, Metric
from evonas.variables import Choice, Integer

SIDE, FARTHEST = 8, 2

ERROR = Metric("error", "min", unit="px", low=0.0)
"""Mean absolute error of the disparity."""

OUTLIERS = Metric("outliers", "min", unit="fraction", low=0.0, high=1.0)
"""Fraction of pixels that are wrong by more than one."""


@dataclass(frozen=True)
class Disparity:
    """By how many pixels the right image is moved against the left one, for each; targets are `(samples, 1, h, w)`.

    Attributes:
        height: Rows of the answer.
        width: Columns of the answer.
    """

    height: int
    width: int
    outputs: int = 1
    metrics: tuple[Metric, ...] = (ERROR, OUTLIERS)
    smooths_labels: bool = False

    @property
    def answer_shape(self) -> tuple[int, ...]:
        return (1, self.height, self.width)

    @property
    def summary(self) -> str:
        return f"the disparity of {self.height} x {self.width} pixels"

    @property
    def about(self) -> Mapping[str, Any]:
        return {"unit": "px"}

    def loss(self, answers: Tensor, targets: Tensor, *, label_smoothing: float = 0.0) -> Tensor:
        return smooth_l1_loss(answers, targets)

    def losses(self, answers: Tensor, targets: Tensor) -> Tensor:
        return smooth_l1_loss(answers, targets, reduction="none").flatten(1).mean(dim=1)

    def tally(self) -> Errors:
        return Errors()

    def constant(self, targets: np.ndarray) -> Constant:
        median = float(np.median(targets))
        errors = np.abs(targets - median)
        return Constant(f"{median:g} px", {"error": float(errors.mean()), "outliers": float((errors > 1).mean())})


class Errors:
    def __init__(self) -> None:
        self._absolute, self._outliers, self._pixels = 0.0, 0, 0

    def add(self, answers: Tensor, targets: Tensor) -> None:
        errors = (answers - targets).abs()
        self._absolute += errors.sum().item()
        self._outliers += int((errors > 1).sum())
        self._pixels += errors.numel()

    def metrics(self) -> dict[str, float]:
        return {"error": self._absolute / self._pixels, "outliers": self._outliers / self._pixels}

    def counts(self) -> dict[str, tuple[int, ...]]:
        return {"pixels": (self._pixels,), "outliers": (self._outliers,)}


def plan(genotype: Mapping[str, Any], input_shape: Sequence[int], outputs: int) -> Plan:
    """Return a convolution of spiking neurons and a readout of one neuron a pixel."""
    draft = Draft(input_shape, time_steps=genotype["time_steps"])
    wide = Incoming("hidden/conv", (INPUT,), "conv", channels=genotype["channels"], kernel=5)
    hidden = draft.add("hidden", Dynamics("lif"), incoming=[wide])
    dense = Incoming("readout/conv", (hidden,), "conv", channels=outputs, kernel=3, gain=1.0)
    draft.add("readout", Dynamics("readout"), incoming=[dense])
    return draft.finish()


space = Space({"channels": Choice((8, 16)), "time_steps": Integer(2, 4)}, **planned(plan))
GENOTYPE = Genotype({"channels": 16, "time_steps": 2})


def read() -> DataSet:
    """Return random dots as two cameras see them, the upper and the lower half of a scene at two distances."""
    rng = np.random.default_rng(0)
    images, targets = np.zeros((120, 1, 2, SIDE, SIDE), np.float32), np.zeros((120, 1, SIDE, SIDE), np.float32)
    for image, target in zip(images, targets, strict=True):
        scene = rng.random((SIDE, SIDE + FARTHEST)) < 0.4
        for rows in (slice(0, SIDE // 2), slice(SIDE // 2, SIDE)):
            moved = int(rng.integers(FARTHEST + 1))
            image[0, 0, rows], image[0, 1, rows] = scene[rows, :SIDE], scene[rows, moved : moved + SIDE]
            target[0, rows] = moved
    return DataSet(Samples(images, targets), task=Disparity(SIDE, SIDE), test_part=0.1)
