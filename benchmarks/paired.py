"""Networks trained twice, once on each side of a choice: the median difference in accuracy, with its interval."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from evonas.data.dataset import SearchData
from evonas.engine.job import Job
from evonas.errors import TrainingDivergedError
from evonas.genotype import Genotype
from evonas.measurement import Measurement
from evonas.space import Space
from evonas.training.trainer import TrainingEvaluator
from evonas.training.training_settings import Training

RESAMPLES = 4_000
"""Bootstrap samples of an interval."""


@dataclass(frozen=True)
class Difference:
    """Of two sides, in points of accuracy, network by network.

    Attributes:
        median: Over networks.
        low: Lower end of the 95 % interval of the median, by bootstrap over networks.
        high: Its upper end.
        wins: Part of the networks that gain; those without a difference count half.
        networks: Number of networks.
    """

    median: float
    low: float
    high: float
    wins: float
    networks: int

    def __str__(self) -> str:
        return f"{self.median:+.1f} [{self.low:+.1f}, {self.high:+.1f}], {self.wins:.0%} of {self.networks}"


def difference(ones: Sequence[float], others: Sequence[float]) -> Difference:
    """Return how much accuracy rises from `ones` to `others`, fractions of the same networks in the same order."""
    rises = 100 * (np.asarray(others) - np.asarray(ones))
    drawn = np.random.default_rng(0).choice(rises, size=(RESAMPLES, len(rises)))
    low, high = np.quantile(np.median(drawn, axis=1), (0.025, 0.975))
    wins = ((rises > 0) + 0.5 * (rises == 0)).mean()
    return Difference(statistics.median(rises), float(low), float(high), float(wins), len(rises))


def drawn(space: Space, data: SearchData, *, count: int, most: float, seed: int, **given: object) -> list[Genotype]:
    """Return random networks of at most `most` dense multiply-accumulates a sample.

    Args:
        space: Draws them.
        data: Gives the shape.
        count: How many.
        most: Limit of a network, so that a processor gets through.
        seed: Of the draws.
        given: Values that all have, with `__` for the dot in a name.
    """
    rng = np.random.default_rng(seed)
    found: list[Genotype] = []
    fixed = {name.replace("__", "."): value for name, value in given.items()}
    assert space.operations is not None
    while len(found) < count:
        genotype = space.sample(rng, given=fixed)  # type: ignore[arg-type]
        if space.operations(genotype, data.input_shape, data.task.outputs) <= most:
            found.append(genotype)
    return found


@dataclass(frozen=True)
class TrainedNetwork:
    """What a network came to.

    Attributes:
        accuracy: On the validation samples; that of a guess where training diverged.
        operations: Synaptic events, graded ones and multiply-accumulates of a sample; NaN where training diverged.
    """

    accuracy: float
    operations: float


def trained(
    space: Space, data: SearchData, genotype: Genotype, training: Training, *, epochs: int, seed: int = 0
) -> TrainedNetwork:
    """Return what a network came to after `epochs` of a training."""
    result = result_of(space, data, genotype, training, epochs=epochs, seed=seed)
    if result is None:
        return TrainedNetwork(1 / data.task.outputs, float("nan"))
    activity = result.measurement.activity
    return TrainedNetwork(result.measurement.accuracy, activity.synaptic_operations + activity.macs)


@dataclass(frozen=True)
class TrainingResult:
    """What a training came to.

    Attributes:
        measurement: Of the network, on the validation samples.
        sample_steps: Samples that went forward and backward, times their time steps.
    """

    measurement: Measurement
    sample_steps: float


def result_of(
    space: Space,
    data: SearchData,
    genotype: Genotype,
    training: Training,
    *,
    epochs: int | None = None,
    seed: int = 0,
) -> TrainingResult | None:
    """Return what `epochs`, or all, of a training came to; None where it diverged."""
    evaluate = TrainingEvaluator(space, data, training=training)
    try:
        result = evaluate(Job(0, "evaluate", genotype, "paired", epochs=epochs or training.epochs, seed=seed))
    except TrainingDivergedError:
        return None
    assert isinstance(result.measurement, Measurement)
    assert result.trained is not None
    return TrainingResult(result.measurement, result.trained.sample_steps)
