"""Training on inputs that are drawn: reproducible on any number of workers, and counted as what they are."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import event_files
import numpy as np
import pytest
import tomli_w
import torch
from toys import ListMemory

from evonas.architecture.plan import PlannedConnection
from evonas.data import digits
from evonas.data.dataset import DataSet, SearchData
from evonas.data.event_frames import EventFrames
from evonas.data.image_options import ImageSettings
from evonas.data.recordings import Events, joined
from evonas.data.samples import Samples
from evonas.engine.job import Job
from evonas.engine.workers import InlineWorkers, LazyEvaluate
from evonas.expected_counts import ExpectedCounts
from evonas.genotype import Genotype
from evonas.measurement import Measurement
from evonas.runfile.resolve import resolve
from evonas.training.bilevel_search import differentiable_search
from evonas.training.trainer import TrainingEvaluator
from evonas.training.training_settings import Relaxation, Training
from spaces.spatial_temporal import plan, space

VARIED: dict[str, Any] = {"encoding": "rate", "flip": True, "crop": 1, "cutout": 2}


def few(**options: Any) -> SearchData:
    data = digits.read(**options).for_search()
    return replace(data, train=data.train.take(np.arange(96)), validation=data.validation.take(np.arange(40)))


def few_varied() -> DataSet:
    return ImageSettings(**VARIED).applied(DataSet(digits.read().samples.take(np.arange(160)), classes=10))


@pytest.fixture(scope="module")
def genotype() -> Genotype:
    rng = np.random.default_rng(2)
    return next(g for g in (space.sample(rng) for _ in range(10_000)) if g["channels"] == 4 and g["time_steps"] == 4)


def measured(data: SearchData, genotype: Genotype, *, seed: int = 0, epochs: int = 1) -> Measurement:
    evaluate = TrainingEvaluator(space, data, training=Training(epochs=2))
    measurement = evaluate(Job(0, "evaluate", genotype, "toy", epochs=epochs, seed=seed)).measurement
    assert isinstance(measurement, Measurement)
    return measurement


def test_what_is_drawn_follows_from_the_seed_of_the_run_and_the_genotype(genotype: Genotype) -> None:
    first = measured(few(**VARIED), genotype)
    assert measured(few(**VARIED), genotype) == first
    assert measured(few(**VARIED), genotype, seed=1) != first
    assert measured(few(**VARIED), genotype, epochs=2) != first


def test_a_time_step_of_a_recording_lasts_its_part_of_the_recording(genotype: Genotype) -> None:
    rng = np.random.default_rng(0)
    recordings = []
    for _ in range(40):
        t = np.sort(rng.integers(1, 299_999, 50))
        t[0], t[-1] = 0, 299_999
        x, y = rng.integers(0, 8, (2, 50))
        recordings.append(Events(t, x, y, rng.integers(0, 2, 50), "here").packed((2, 8, 8)))
    inputs = EventFrames(joined(recordings, shape=(2, 8, 8)))
    data = DataSet(Samples(inputs, np.arange(40) % 2)).for_search()
    activity = measured(data, genotype).activity
    assert activity.seconds == pytest.approx(0.3)
    assert activity.step_seconds == pytest.approx(0.075)
    assert measured(few(), genotype).activity.step_seconds == 1e-3


def test_a_variation_changes_training_and_not_what_is_measured_on(genotype: Genotype) -> None:
    plain, varied = few(), few(flip=True, crop=1)
    assert measured(plain, genotype) != measured(varied, genotype)
    index = np.arange(40)
    seen = [one.validation.inputs.batch(index, time_steps=4, rng=np.random.default_rng(0)) for one in (plain, varied)]
    assert np.array_equal(*seen)


def targets(edge: PlannedConnection) -> np.ndarray:
    """Return how many targets each input element reaches, by walking over all targets."""
    reached = np.zeros(edge.in_shape, np.int64)
    if edge.is_linear:
        return reached + edge.out_shape[0]
    for _ in range(edge.out_shape[0]):
        for row, column in np.ndindex(edge.out_shape[1:]):
            top, left = row * edge.stride - edge.padding, column * edge.stride - edge.padding
            reached[:, max(top, 0) : top + edge.kernel, max(left, 0) : left + edge.kernel] += 1
    return reached


@pytest.mark.parametrize("encoding", ["rate", "latency", "delta"])
def test_spikes_at_the_input_are_counted_as_synaptic_events(genotype: Genotype, encoding: str) -> None:
    data = few(encoding=encoding)
    measurement = measured(data, genotype)
    edge = plan(genotype, data.input_shape, data.task.outputs).connections[0]
    counted = measurement.activity.connections[0]
    assert edge.sources == ("input",)
    assert (counted.element, counted.static, sum(counted.macs), sum(counted.graded)) == ("binary", False, 0, 0)
    spikes = data.validation.inputs.batch(np.arange(40), time_steps=4, rng=np.random.default_rng((0,)))
    assert counted.events == tuple(int((step * targets(edge)).sum()) for step in spikes)
    assert counted.inputs == tuple(int(np.count_nonzero(step)) for step in spikes)


def test_a_differentiable_search_sees_spikes_at_as_many_time_steps_as_its_networks_have(genotype: Genotype) -> None:
    counts: list[ExpectedCounts] = []

    def price(seen: ExpectedCounts) -> Any:
        counts.append(seen)
        return seen.events

    result = differentiable_search(
        space,
        few(encoding="rate"),
        context={"nodes": 1, "layers": 2, "channels": 4, "stem.stride": 1, "readout.input": "mean"},
        price=0.5,
        objective_price=price,
        relaxation=Relaxation(warm_up=1, epochs=1, batch_size=32),
        training=Training(),
        seed=0,
        device=torch.device("cpu"),
    )
    (steps,) = {proposal["time_steps"] for proposal in result.proposals}
    counts = [seen for seen in counts if seen.time_steps.item() > 0]  # of a network, not a question for the price
    assert len(counts) > 2
    assert all(seen.input_macs.item() == seen.graded.item() == 0 for seen in counts)
    assert all(seen.events.item() > 0 for seen in counts)
    assert {seen.time_steps.item() for seen in counts} == {steps}


def moving(file: Path) -> dict[str, Any]:
    """Write recordings of a bar that moves either way; return the section of a run that reads them, varied."""
    rng, ways = np.random.default_rng(0), ["left", "right"] * 40
    recordings = []
    for way in ways:
        t = np.sort(rng.integers(0, 100_000, 120))
        x = t * 8 // 100_000
        recordings.append((t, x if way == "right" else 7 - x, rng.integers(0, 8, 120), rng.integers(0, 2, 120)))
    event_files.own(file, recordings, ways, width=8, height=8)
    return {"name": "events", "path": str(file), "jitter_ms": 4.0, "flip": True, "shift": 1}


@pytest.mark.slow
@pytest.mark.xdist_group("ray")
@pytest.mark.timeout(900)
@pytest.mark.parametrize("kind", ["images", "events"])
def test_the_rows_are_the_same_in_this_process_and_on_two_workers(tmp_path: Path, kind: str) -> None:
    from evonas.engine.ray_workers import RayWorkers

    content = {
        "search": {"space": "spatial_temporal", "evaluations": 8, "parallel": 3},
        "space": {"only": {"channels": [4]}},
        "data": {"name": f"{__name__}:few_varied"} if kind == "images" else moving(tmp_path / "moving.h5"),
        "objectives": [{"name": "accuracy"}, {"name": "spikes"}],
        "strategies": [{"name": "evolution", "pop_size": 4}],
        "ladder": {"epochs": [1, 2]},
    }
    (tmp_path / "run.toml").write_text(tomli_w.dumps(content))
    run = resolve(tmp_path / "run.toml")
    seen = []
    for workers in (
        RayWorkers(run.make_evaluate(), count=2, num_cpus=0.5, sent=run.data.let_go),
        InlineWorkers(LazyEvaluate(run.make_evaluate())),
    ):
        memory = ListMemory(objectives=run.objectives)
        run.search(memory, workers=workers)
        workers.close()
        seen.append([(row.job, row.outcome, row.measurement) for _, row in sorted(memory.stored.items())])
    assert len(seen[0]) >= 8
    assert seen[0] == seen[1]
