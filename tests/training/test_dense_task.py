"""A dense task in one class, the disparity of each pixel: its readout is a map, and nothing else knows of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from disparity import ERROR, GENOTYPE, SIDE, read, space
from task_search import searched_for_an_epoch

from evonas.data.dataset import SearchData
from evonas.engine.job import Job
from evonas.measurement import Measurement
from evonas.report.ties import ties
from evonas.task import Task
from evonas.training.trainer import TrainingEvaluator, check_answers
from evonas.training.training_settings import Training

torch.set_num_threads(1)


@pytest.fixture(scope="module")
def data() -> SearchData:
    return read().for_search()


@pytest.mark.parametrize("loss", ["of_mean", "of_each_step"])
def test_networks_learn_a_map_and_are_measured_by_its_metrics(data: SearchData, loss: str) -> None:
    assert isinstance(data.task, Task)
    training = Training(epochs=12, batch_size=8, loss=loss, learning_rate=0.02)  # type: ignore[arg-type]
    network, result = TrainingEvaluator(space, data, training=training).train(
        Job(0, "evaluate", GENOTYPE, "toy", epochs=12)
    )
    check_answers(network, data)
    measurement = result.measurement
    assert isinstance(measurement, Measurement)
    constant = data.task.constant(data.validation.labels)
    assert constant is not None
    assert measurement.metrics["error"] < 0.8 * constant.metrics["error"]
    assert measurement.counts["pixels"] == (len(data.validation) * SIDE * SIDE,)
    assert measurement.activity.populations[-1].shape == (1, SIDE, SIDE)


def test_each_spike_reaches_the_pixels_around_it(data: SearchData) -> None:
    measurement = TrainingEvaluator(space, data, training=Training(epochs=1))(
        Job(0, "evaluate", GENOTYPE, "toy", epochs=1)
    ).measurement
    assert isinstance(measurement, Measurement)
    hidden, readout = measurement.activity.populations
    assert hidden.shape == (16, SIDE, SIDE)
    edge = measurement.activity.connections[-1]
    assert sum(hidden.spikes) > 0
    assert 4 * sum(hidden.spikes) <= sum(edge.events) <= 9 * sum(hidden.spikes)  # 4 targets at a corner, 9 inside
    assert sum(readout.spikes) == 0


def test_exports_answer_with_the_same_map(data: SearchData) -> None:
    pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    from evonas.export.check import nir_export, onnx_export

    network, _ = TrainingEvaluator(space, data, training=Training(epochs=1)).train(
        Job(0, "evaluate", GENOTYPE, "toy", epochs=1)
    )
    seen = torch.from_numpy(data.validation.inputs.batch(np.arange(8), time_steps=2, rng=np.random.default_rng(0)))
    for export in (onnx_export, nir_export):
        done = export(network, seen, about={})
        assert done.is_equal, done.lines


def test_a_search_trades_its_metrics(data: SearchData, tmp_path: Path) -> None:
    stored, front = searched_for_an_epoch(space, data, tmp_path, metric=ERROR, evaluations=3)
    assert all(isinstance(one, Measurement) and set(one.metrics) == {"error", "outliers"} for one in stored)
    assert front.rows
    assert ties(front) is None  # no metric says how far it may be from the truth
