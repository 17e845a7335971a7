"""A task that is no classification, in one class: networks are trained, measured and searched by it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from task_search import searched_for_an_epoch
from torch import Tensor, nn

from evonas.data.dataset import DataSet, SearchData
from evonas.data.samples import Samples
from evonas.engine.job import Job
from evonas.errors import DataError, EvonasError
from evonas.expected_counts import total_spikes
from evonas.genotype import Genotype
from evonas.measurement import Measurement
from evonas.objective import score
from evonas.report.ties import ties
from evonas.runfile.data_section import baseline_notes
from evonas.runfile.schema import ObjectiveSection
from evonas.task import Constant, Metric, Task
from evonas.tasks.classification import Classification
from evonas.training.bilevel_search import BilevelSearcher
from evonas.training.fit import loss_of
from evonas.training.trainer import TrainingEvaluator, check_answers
from evonas.training.training_settings import Training
from spaces.spatial_temporal import space

torch.set_num_threads(1)

ERROR = Metric("error", "min", unit="brightness", low=0.0, sampling_error=lambda value, samples: value / samples**0.5)


@dataclass(frozen=True)
class MeanOfPixels:
    """The mean of the pixels of each half of an image; targets are `(samples, 2)` float32 means."""

    answer_shape: tuple[int, ...] = (2,)
    outputs: int = 2
    metrics: tuple[Metric, ...] = (ERROR, Metric("loss", "min", low=0.0))
    smooths_labels: bool = False
    summary: str = "the mean of the pixels of each half"

    @property
    def about(self) -> Mapping[str, Any]:
        return {"halves": ["upper", "lower"]}

    def loss(self, answers: Tensor, targets: Tensor, *, label_smoothing: float = 0.0) -> Tensor:
        return nn.functional.mse_loss(answers, targets)

    def losses(self, answers: Tensor, targets: Tensor) -> Tensor:
        return (answers - targets).square().mean(dim=1)

    def tally(self) -> Errors:
        return Errors()

    def constant(self, targets: np.ndarray) -> Constant:
        mean = targets.mean(axis=0)
        return Constant(str(mean.round(2)), {"error": float(np.abs(targets - mean).mean())})


class Errors:
    def __init__(self) -> None:
        self.absolute, self.squared, self.samples = 0.0, 0.0, 0

    def add(self, answers: Tensor, targets: Tensor) -> None:
        difference = answers - targets
        self.absolute += difference.abs().mean(dim=1).sum().item()
        self.squared += difference.square().mean(dim=1).sum().item()
        self.samples += len(targets)

    def metrics(self) -> dict[str, float]:
        return {"error": self.absolute / self.samples, "loss": self.squared / self.samples}

    def counts(self) -> dict[str, tuple[int, ...]]:
        return {"measured": (self.samples,)}


@pytest.fixture(scope="module")
def samples() -> Samples:
    rng = np.random.default_rng(5)
    brightness = rng.random((160, 2), np.float32)
    images = np.repeat(brightness, 4, axis=1).reshape(160, 1, 1, 8, 1) * rng.random((160, 1, 1, 8, 8), np.float32) * 2
    return Samples(images, images.reshape(160, 2, 32).mean(axis=2))


@pytest.fixture(scope="module")
def data(samples: Samples) -> SearchData:
    return DataSet(samples, task=MeanOfPixels(), validation_part=0.25, test_part=0.125).for_search()


@pytest.fixture(scope="module")
def genotype() -> Genotype:
    """Return a small network that spikes."""
    rng = np.random.default_rng(0)
    drawn = (space.sample(rng) for _ in range(10_000))
    return next(g for g in drawn if g["channels"] == 4 and g["time_steps"] == 3 and "surrogate" in g)


def test_a_data_set_of_another_task_is_split_with_its_targets_as_they_are(samples: Samples) -> None:
    whole = DataSet(samples, task=MeanOfPixels(), validation_part=0.25, test_part=0.125)
    parts = [whole.for_search().train, whole.for_search().validation, whole.test()]
    assert [len(part) for part in parts] == [100, 40, 20]
    for part in parts:
        images = part.inputs.batch(np.arange(len(part)), time_steps=1, rng=np.random.default_rng(0))
        np.testing.assert_allclose(images.reshape(-1, 2, 32).mean(axis=2), part.labels, rtol=1e-5)
    every = np.concatenate([part.labels for part in parts])
    np.testing.assert_array_equal(np.unique(every, axis=0), np.unique(samples.labels, axis=0))
    apart = DataSet(samples.take(np.arange(100)), official_test=samples.take(np.arange(100, 160)), task=MeanOfPixels())
    np.testing.assert_array_equal(apart.test().labels, samples.labels[100:])
    assert apart.for_search().task == MeanOfPixels()


@pytest.mark.parametrize(
    ("targets", "options", "message"),
    [
        (np.full(160, "dark"), {}, "The samples have targets of <U4; expected numbers"),
        (np.zeros((80, 2)), {}, r"The samples are 160, their labels have the shape \(80, 2\)"),
        (np.zeros((160, 2)), {"classes": 2}, "classes and class_labels are of a classification; leave them out"),
    ],
)
def test_wrong_targets_of_another_task_are_told(
    samples: Samples, targets: np.ndarray, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(DataError, match=message):
        DataSet(Samples(samples.inputs, targets), task=MeanOfPixels(), **options)


@pytest.mark.parametrize("loss", ["of_mean", "of_each_step"])
def test_a_network_learns_another_task_and_is_measured_by_its_metrics(
    data: SearchData, genotype: Genotype, loss: str
) -> None:
    assert isinstance(data.task, Task)
    assert isinstance(Classification(3), Task)
    measure = TrainingEvaluator(space, data, training=Training(epochs=8, batch_size=8, loss=loss))  # type: ignore[arg-type]
    few, many = (measure(Job(0, "evaluate", genotype, "toy", epochs=epochs)).measurement for epochs in (1, 8))
    assert isinstance(few, Measurement)
    assert isinstance(many, Measurement)
    assert set(many.metrics) == {"error", "loss"}
    assert many.counts == {"measured": (40,)}
    assert many.activity.populations[-1].shape == (2, 1, 1)
    assert many.loss < few.loss
    assert score(many, [ERROR.objective()]).values == (many.metrics["error"],)
    with pytest.raises(EvonasError, match="no metric 'accuracy', it has error, loss"):
        _ = many.accuracy


def test_a_search_trades_a_metric_of_another_task(data: SearchData, tmp_path: Path) -> None:
    stored, front = searched_for_an_epoch(space, data, tmp_path, metric=ERROR, evaluations=2)
    assert len(stored) == 2
    assert all(isinstance(one, Measurement) and set(one.metrics) == {"error", "loss"} for one in stored)
    tied = ties(front)
    assert tied is not None
    assert tied.merit.name == "error"
    assert tied.cost.name == "spikes"
    assert tied.best == min(row.score.values[0] for row in front.rows if row.score is not None)


def test_the_differentiable_search_lowers_the_loss_of_another_task(data: SearchData) -> None:
    settings = {"price": 0.0, "warm_up": 1, "epochs": 1, "proposals": 2, "seed": 3, "context.nodes": 1}
    sizes = {"context.layers": 2, "context.channels": 4, "context.stem.stride": 1, "context.readout.input": "mean"}
    found = BilevelSearcher(space, data, price=total_spikes, training=Training())(
        Job(5, "search", Genotype({}), "differentiable", settings={**settings, **sizes})
    )
    assert len(found.proposals) == 2


def test_what_is_for_classes_alone_is_refused(data: SearchData) -> None:
    with pytest.raises(EvonasError, match="label_smoothing = 0.1 is for classes, and the task is the mean"):
        TrainingEvaluator(space, data, training=Training(label_smoothing=0.1))


def test_answers_of_another_shape_are_told(data: SearchData) -> None:
    with pytest.raises(EvonasError, match=r"\(2, 8, 8\), expected \(2, 2\) for two samples of the mean"):
        check_answers(nn.Flatten(0, 2), data)


def test_bounds_that_a_constant_answer_keeps_are_told_for_any_direction(data: SearchData) -> None:
    section = ObjectiveSection(name="error")
    (note,) = baseline_notes(data, [ERROR.objective(at_most=5.0)], [section])
    assert note.startswith("error at_most = 5 does not keep out a network that answers [")
    assert baseline_notes(data, [ERROR.objective(at_most=1e-3)], [section]) == []


def test_squared_errors_of_rates_are_for_classes(data: SearchData, genotype: Genotype) -> None:
    with pytest.raises(
        EvonasError, match='loss = "squared_error" is for classes, and the task is .* Set it to "of_mean"'
    ):
        TrainingEvaluator(space, data, training=Training(loss="squared_error"))
    assert space.build is not None
    network = space.build(genotype, data.input_shape, data.task.outputs)
    with pytest.raises(EvonasError, match='loss = "squared_error" is for classes'):
        loss_of(network, torch.rand(1, 2, 1, 8, 8), torch.rand(2, 2), task=data.task,
                training=Training(loss="squared_error"))  # fmt: skip
