"""Data with a time axis, from the run file to what is counted."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import tomli_w
from resolved_runs import searched

from evonas.architecture.plan import PlannedConnection
from evonas.archive.archive import Archive
from evonas.data.dataset import DataSet, Samples
from evonas.engine.job import Job
from evonas.engine.view import Proposal
from evonas.errors import RunFileError, SpaceError
from evonas.genotype import Genotype
from evonas.measurement import Measurement
from evonas.runfile.resolve import resolve
from evonas.runfile.sweep import resolve_sweep
from evonas.space import Space
from evonas.training.trainer import Training, TrainingEvaluator
from evonas.variables import Choice, Integer
from spaces.spatial_temporal import plan, space

FRAMES = 5


def events(*, frames: int = FRAMES, samples: int = 60) -> DataSet:
    """Return numbers of events of two polarities on 6 x 4 pixels; the class is where most of them lie."""
    rng = np.random.default_rng(0)
    labels = np.arange(samples) % 3
    inputs = rng.poisson(0.15, (samples, frames, 2, 6, 4)).astype(np.float32)
    for index, label in enumerate(labels):
        inputs[index, :, :, 2 * label : 2 * label + 2] += rng.poisson(0.8, (frames, 2, 2, 4))
    return DataSet(Samples(inputs, labels))


fixed = Space(
    {"width": Integer(1, 2)},
    build=lambda genotype, shape, classes: None,
    plan=lambda genotype, shape, classes: plan(fitting(3), shape, classes),
)
"""A space whose networks all have 3 time steps, which no variable says."""


def broken_build(genotype: Genotype, shape: tuple[int, ...], classes: int) -> object:
    import torch

    return torch.nn.Sequential(torch.nn.Flatten(0, 1), torch.nn.Conv2d(1, 4, 3))


def planned_where_wide(genotype: Genotype, shape: tuple[int, ...], classes: int) -> object:
    if genotype["width"] == 1:
        raise KeyError("width")
    return plan(fitting(FRAMES), shape, classes)


half_planned = Space({"width": Integer(1, 2)}, build=lambda genotype, shape, classes: None, plan=planned_where_wide)
"""A space that has no plan of half of its networks."""

unable = Space({"a": Choice([1, 2])}, build=broken_build)
"""A space whose networks can be built and cannot take these data."""


def build_flat(genotype: Genotype, shape: tuple[int, ...], classes: int) -> object:
    channels, height, width = shape
    return channels * height * width


flat = Space({"a": Choice([1, 2])}, build=build_flat)
"""A space that knows no data but static images."""


@cache
def fitting(steps: int, *, among: int = 4000) -> Genotype:
    """Return a small network of spiking neurons alone, of so many time steps; thousands are drawn to find it."""
    rng = np.random.default_rng(1)
    drawn: Iterator[Genotype] = (space.sample(rng) for _ in range(among))
    small = (one for one in drawn if one["time_steps"] == steps and one["channels"] == 4)
    wanted = (one for one in small if one["attention"] == "none")
    return next(one for one in wanted if not {"analog", "alif"} & set(one.values()))


def run_file(
    folder: Path,
    *,
    space_name: str = "spatial_temporal",
    frames: int = FRAMES,
    evaluations: int = 2,
    strategies: Sequence[dict[str, object]] = ({"name": "random"},),
) -> Path:
    path = folder / "run.toml"
    content = {
        "search": {"space": space_name, "evaluations": evaluations, "parallel": 2},
        "data": {"name": f"{__name__}:events", "frames": frames},
        "objectives": [{"name": "accuracy"}, {"name": "spikes"}],
        "strategies": list(strategies),
        "ladder": {"epochs": [1]},
    }
    path.write_text(tomli_w.dumps(content))
    return path


def test_the_time_axis_is_part_of_the_shape_and_static_images_have_none() -> None:
    data = events().for_search()
    assert (data.frames, data.input_shape) == (5, (5, 2, 6, 4))
    still = events(frames=1).for_search()
    assert (still.frames, still.input_shape) == (None, (2, 6, 4))


def pairs(edge: PlannedConnection, place: tuple[int, int, int]) -> int:
    """Return the targets that the input element at `place` reaches, one by one."""
    channel, y, x = place
    if edge.is_linear:
        return edge.out_shape[0]
    reached = 0
    for out_channel in range(edge.out_shape[0]):
        if edge.groups > 1 and out_channel // (edge.out_shape[0] // edge.groups) != channel // (
            edge.in_shape[0] // edge.groups
        ):
            continue
        for row in range(edge.out_shape[1]):
            for column in range(edge.out_shape[2]):
                dy, dx = y - (row * edge.stride - edge.padding), x - (column * edge.stride - edge.padding)
                reached += 0 <= dy < edge.kernel and 0 <= dx < edge.kernel
    return reached


def test_what_is_counted_of_events_is_what_a_walk_over_every_element_counts() -> None:
    data = events(samples=30).for_search()
    genotype = fitting(FRAMES)
    evaluator = TrainingEvaluator(space, data, training=Training(epochs=1))
    measurement = evaluator(Job(0, "evaluate", genotype, "toy", epochs=1, seed=0)).measurement
    assert isinstance(measurement, Measurement)
    planned = plan(genotype, data.input_shape, data.task.outputs)
    first, counted = planned.connections[0], measurement.activity.connections[0]
    assert first.sources == ("input",)
    graded = [0] * FRAMES
    for sample in data.validation.inputs.values:
        for step, frame in enumerate(sample):
            for place in zip(*np.nonzero(frame), strict=True):
                graded[step] += pairs(first, place)
    assert counted.graded == tuple(graded)
    assert (counted.element, counted.static, sum(counted.macs)) == ("graded", False, 0)
    dense = sum(
        pairs(edge, place) * (1 if edge.static else FRAMES)
        for edge in planned.connections
        for place in np.ndindex(edge.in_shape)
    )
    assert space.operations is not None
    assert dense == planned.operations == space.operations(genotype, data.input_shape, data.task.outputs)
    assert dense > space.operations(genotype, data.input_shape[1:], data.task.outputs)


def test_predicted_costs_are_those_of_networks_that_see_every_frame(tmp_path: Path) -> None:
    run = resolve(run_file(tmp_path))
    genotype = fitting(FRAMES)
    samples = len(run.search_data.train)
    cost = run.predict(Proposal(genotype, "toy"), 2)
    assert cost.operations == 2 * samples * plan(genotype, (FRAMES, 2, 6, 4), 3).operations
    assert cost.sample_steps == 2 * samples * FRAMES


def test_a_network_with_another_number_of_time_steps_is_not_built() -> None:
    assert space.build is not None
    with pytest.raises(SpaceError, match="3 time steps and each sample 5 frames; expected one frame for each"):
        space.build(fitting(3), (FRAMES, 2, 6, 4), 3)
    assert space.build(fitting(FRAMES), (FRAMES, 2, 6, 4), 3).plan.time_steps == FRAMES


def test_a_search_trains_the_networks_that_fit_the_frames_and_rejects_the_others(tmp_path: Path) -> None:
    run = resolve(run_file(tmp_path, evaluations=3))
    assert any("5 frames" in note and "only = { time_steps = [5, 5] }" in note for note in run.notes)
    rows = searched(run, tmp_path / "archive.h5").rows
    trained = [row for row in rows if not row.is_rejected]
    assert len(trained) == 3
    assert all(row.costs is not None and row.job.genotype["time_steps"] == FRAMES for row in trained)
    stored = [row.evaluation.measurement for row in Archive.read(tmp_path / "archive.h5").rows if not row.is_rejected]
    assert stored == [row.evaluation.measurement for row in trained]
    assert all(measurement.class_samples == (4, 4, 4) for measurement in stored)
    rejected = [row for row in rows if row.is_rejected]
    assert all(row.job.genotype["time_steps"] != FRAMES for row in rejected)
    assert all("while the samples have 5 frames" in row.evaluation.message for row in rejected)


def test_a_network_whose_plan_fails_does_not_pass_as_one_that_fits_the_frames(tmp_path: Path) -> None:
    run = resolve(run_file(tmp_path, space_name=f"{__name__}:half_planned", evaluations=2))
    assert run.reject is not None
    assert run.reject(Genotype({"width": 2})) is None
    with pytest.raises(SpaceError, match="The `plan` of the space failed for network .*: KeyError: 'width'"):
        run.reject(Genotype({"width": 1}))
    assert run.example()["width"] == 2


def test_the_differentiable_search_proposes_networks_with_one_time_step_for_each_frame(tmp_path: Path) -> None:
    strategy = {"name": "differentiable", "objective": "spikes", "warm_up": 1, "epochs": 1, "proposals": 1, "first": 2,
                "searches": 1, "contexts": {"nodes": [1], "layers": [2], "channels": [4], "stem.stride": [1], "readout.input": ["mean"]}}  # fmt: skip
    run = resolve(run_file(tmp_path, evaluations=1, strategies=[strategy]))
    rows = searched(run, tmp_path / "archive.h5").rows
    assert not [row.evaluation.message for row in rows if row.costs is None and row.job.kind == "evaluate"]
    search = next(row for row in rows if row.job.kind == "search")
    assert not search.evaluation.message
    assert [genotype["time_steps"] for genotype in search.evaluation.proposals] == [FRAMES]
    assert search.evaluation.trained is not None
    assert search.evaluation.trained.sample_steps % FRAMES == 0


def test_a_sweep_rejects_what_does_not_fit_the_frames_as_well(tmp_path: Path) -> None:
    path = run_file(tmp_path)
    sweep = resolve_sweep(path, profiles="loihi1_davies,spinnaker1", budgets=["energy=1e-5"])
    assert sweep.run.reject is not None
    assert sweep.run.reject(fitting(FRAMES)) is None
    rejection = sweep.run.reject(fitting(3))
    assert rejection is not None
    assert (rejection.degree, rejection.message) == (0.4, "time steps: 3, while the samples have 5 frames.")


def test_an_example_fits_the_frames_and_answers(tmp_path: Path) -> None:
    run = resolve(run_file(tmp_path))
    genotype = run.example()
    assert genotype["time_steps"] == FRAMES
    assert run.try_one(genotype).plan.time_steps == FRAMES


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"frames": 20}, "the samples have 20 frames, one for each time step, and no network of the space has as many"),
        ({"space_name": f"{__name__}:fixed"}, "time steps: 3, while the samples have 5 frames"),
    ],
)
def test_frames_that_no_network_of_the_space_can_take_are_a_fault_of_the_run_file(
    tmp_path: Path, options: dict[str, object], expected: str
) -> None:
    with pytest.raises(RunFileError) as caught:
        resolve(run_file(tmp_path, **options))  # type: ignore[arg-type]
    assert expected in str(caught.value)


def test_a_network_that_is_built_and_cannot_answer_is_told_by_the_dry_run(tmp_path: Path) -> None:
    run = resolve(run_file(tmp_path, space_name=f"{__name__}:unable"))
    with pytest.raises(RunFileError, match="was built, but cannot answer samples of shape") as caught:
        run.try_one(run.example())
    assert len(caught.value.faults) == 1


def test_a_network_that_cannot_be_built_for_the_data_is_told_by_the_dry_run(tmp_path: Path) -> None:
    run = resolve(run_file(tmp_path, space_name=f"{__name__}:flat"))
    with pytest.raises(RunFileError, match=r"cannot be built for samples of shape \(5, 2, 6, 4\): ValueError"):
        run.try_one(run.example())


def test_the_space_of_the_differentiable_search_has_one_time_step_for_each_frame() -> None:
    assert space.relax is not None
    context = {"nodes": 1, "layers": 2, "channels": 4, "stem.stride": 1, "readout.input": "mean"}
    relaxed = space.relax(context, (FRAMES, 2, 6, 4), 3)
    assert relaxed.network.plan.sizes.time_steps == (FRAMES,)
    with pytest.raises(SpaceError):
        space.relax(context, (20, 2, 6, 4), 3)
    assert math.prod(space.relax(context, (2, 6, 4), 3).network.plan.sizes.time_steps) > FRAMES
