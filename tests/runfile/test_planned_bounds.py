from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tomli_w
import torch
from recorded import recorded
from toys import ListMemory, measure, mixed_space

from evonas.engine.budget import Budget
from evonas.engine.evaluation import Outcome
from evonas.engine.search import search
from evonas.engine.workers import InlineWorkers
from evonas.errors import RunFileError, SpaceError, UnpriceableError
from evonas.genotype import Genotype
from evonas.measurement import Measurement
from evonas.objective import Objective
from evonas.runfile.rejections import rejected_by_plan, rejected_everywhere
from evonas.runfile.resolve import resolve
from evonas.space import Space
from evonas.strategies.random import RandomSearch
from evonas.variables import Integer
from objectives import energy, fit, latency, parameters
from spaces.spatial_temporal import space

SHAPE, CLASSES = (1, 8, 8), 10

RIGHT = {
    "search": {"space": "spatial_temporal", "evaluations": 8},
    "data": {"name": "digits"},
    "objectives": [{"name": "accuracy"}, {"name": "energy", "profile": "loihi1_davies"}],
    "strategies": [{"name": "random"}],
}


def write(folder: Path, **sections: object) -> Path:
    path = folder / "run.toml"
    path.write_text(tomli_w.dumps({**RIGHT, **sections}))
    return path


def value(objective: Objective, measurement: Measurement) -> float | None:
    try:
        return float(objective.score(measurement))
    except UnpriceableError:
        return None


def planned(objective: Objective, plan: Any) -> tuple[float, float] | None:
    assert objective.planned is not None
    try:
        return objective.planned(plan)
    except UnpriceableError:
        return None


@pytest.mark.parametrize(
    "objective",
    [
        *(energy.objective(profile=name) for name in ("loihi1_davies", "loihi1_sanafe", "sram45_int8", "arith45_fp32")),
        latency.objective(profile="loihi1_sanafe"),
        fit.objective(profile="loihi1_davies"),
        parameters.objective(),
    ],
    ids=lambda objective: f"{objective.name}-{objective.profile}",
)
def test_what_a_plan_tells_holds_for_the_measured_network(objective: Objective) -> None:
    rng, unpriced = np.random.default_rng(5), 0
    torch.manual_seed(0)
    assert space.build is not None
    assert space.plan is not None
    for _ in range(12):
        genotype = space.sample(rng)
        network = space.build(genotype, SHAPE, CLASSES)
        with torch.no_grad():
            _, activity = recorded(network, torch.rand(1, 2, *SHAPE))
        trained = sum(one.numel() for one in network.parameters() if one.requires_grad)
        measurement = Measurement({"accuracy": 0.5, "loss": 1.0}, 2, trained, activity.time_steps, False, activity)
        told, measured = planned(objective, space.plan(genotype, SHAPE, CLASSES)), value(objective, measurement)
        assert (told is None) == (measured is None), genotype
        unpriced += told is None
        if told is not None and measured is not None:
            assert told[0] <= measured * (1 + 1e-9)
            assert measured <= told[1]
    if objective.profile == "loihi1_davies" and objective.name == "energy":
        assert unpriced, "none of the networks drawn has analog stages, so that nothing was tried"


def test_networks_that_the_chip_of_an_objective_cannot_price_are_rejected_without_a_section_for_hardware(
    tmp_path: Path,
) -> None:
    run = resolve(write(tmp_path))
    assert run.reject is not None
    drawn = [run.space.sample(np.random.default_rng(seed)) for seed in range(40)]
    rejections = [rejection for genotype in drawn if (rejection := run.reject(genotype)) is not None]
    assert 0 < len(rejections) < len(drawn)
    causes = (
        "energy: loihi1_davies has no price for multiply-accumulates",
        "energy: loihi1_davies has neurons of cuba",
    )
    assert all(one.message.startswith(causes) for one in rejections)
    assert not any(".." in one.message for one in rejections)


def test_a_bound_that_the_plan_alone_breaks_is_rejected(tmp_path: Path) -> None:
    few = [{"name": "accuracy"}, {"name": "parameters", "at_most": 500.0}]
    run = resolve(write(tmp_path, objectives=few))
    assert run.reject is not None
    for seed in range(30):
        genotype = run.space.sample(np.random.default_rng(seed))
        trained = sum(one.numel() for one in run.try_one(genotype).parameters() if one.requires_grad)
        rejection = run.reject(genotype)
        if rejection is not None:
            assert trained > 500
            assert rejection.message.startswith("parameters: at least ")


def test_a_run_without_bounds_on_what_a_plan_tells_rejects_nothing(tmp_path: Path) -> None:
    run = resolve(write(tmp_path, objectives=[{"name": "accuracy"}, {"name": "spikes", "at_most": 100.0}]))
    assert run.reject is None


def exact(name: str, **bounds: float) -> Objective:
    return Objective(name, lambda m: m[name], planned=lambda plan: (plan[name], plan[name]), **bounds)


def test_all_reasons_are_told_and_the_misses_add_up() -> None:
    objectives = [exact("rows", at_most=2.0), exact("steps", at_least=10.0), Objective("error", lambda m: 0.0)]
    reject = rejected_by_plan(objectives, lambda genotype: {"rows": 3.0, "steps": 5.0})
    assert reject is not None
    rejection = reject(Genotype({}))
    assert rejection is not None
    assert rejection.reasons == ("rows: at least 3 breaks the bound 2", "steps: at most 5 breaks the bound 10")
    assert rejection.degree == pytest.approx(0.5 + 0.5)
    kept = rejected_by_plan(objectives, lambda genotype: {"rows": 2.0, "steps": 10.0})
    assert kept is not None
    assert kept(Genotype({})) is None


def test_a_network_that_one_of_several_targets_takes_is_not_rejected() -> None:
    one, other = (rejected_by_plan([exact("rows", at_most=most)], dict) for most in (2.0, 4.0))
    reject = rejected_everywhere([one, other])
    assert reject is not None
    assert reject(Genotype({"rows": 3})) is None
    rejection = reject(Genotype({"rows": 6}))
    assert rejection is not None
    assert rejection.degree == pytest.approx(0.5)
    assert rejected_everywhere([one, None]) is None


def unplanned(genotype: Genotype, input_shape: Any, classes: int) -> Any:
    raise ZeroDivisionError("no levels")


broken = Space({"a": Integer(0, 3)}, build=lambda *_: None, plan=unplanned)


def test_a_space_that_can_plan_nothing_is_a_fault_of_the_run_file(tmp_path: Path) -> None:
    with pytest.raises(RunFileError, match=r"search.space: The `plan` of the space failed .* ZeroDivisionError"):
        resolve(write(tmp_path, search={"space": f"{__name__}:broken", "evaluations": 8}))


def test_a_network_of_which_nobody_can_tell_whether_it_is_rejected_is_a_failed_row_and_not_evaluated() -> None:
    evaluated = []

    def reject(genotype: Genotype) -> None:
        if genotype["kind"] == "leaky":
            raise SpaceError("The `plan` of the space failed")

    def work(job: Any) -> Any:
        evaluated.append(job.genotype)
        return measure(job)

    memory = ListMemory()
    search(
        mixed_space(), memory, strategy=RandomSearch(), workers=InlineWorkers(work), budget=Budget(20), reject=reject
    )
    rows = [memory.get(slot) for slot in sorted(memory.stored)]
    failed = [row for row in rows if row is not None and row.is_failure]
    assert failed
    assert {row.evaluation.outcome for row in failed} == {Outcome.CRASHED}
    assert all("SpaceError: The `plan` of the space failed" in row.evaluation.message for row in failed)
    assert all(genotype["kind"] == "integrate" for genotype in evaluated)
    assert len(rows) == 20
