"""Pick: the knee against a slow twin, the best, and keys."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from counted import small
from hypothesis import given
from hypothesis import strategies as st

from evonas.archive.archive import Archive
from evonas.archive.pareto_front import Front
from evonas.archive.results import Results
from evonas.engine.evaluation import Evaluation, Outcome
from evonas.engine.job import Job
from evonas.engine.pareto import front as nondominated
from evonas.engine.view import Row
from evonas.errors import RunFileError
from evonas.genotype import Genotype
from evonas.measurement import Measurement
from evonas.objective import Objective, Score
from evonas.report.pick import knee, pick, usual
from evonas.report.ties import ties
from evonas.space import Space
from evonas.variables import Choice

LINEAR = (Objective("error", lambda m: m["error"]), Objective("rate", lambda m: m["rate"]))
SPACE = Space({"a": Choice(range(100))})


def made(points: Sequence[Sequence[float]], objectives: Sequence[Objective] = LINEAR) -> Front:
    rows = []
    for slot, point in enumerate(points):
        job = Job(slot, "evaluate", Genotype({"a": slot}), "toy")
        costs = tuple(map(float, point))
        rows.append(Row(Evaluation(job, Outcome.MEASURED), Score(costs, 0.0, ""), costs))
    return Front(tuple(nondominated(rows)), tuple(objectives), len(rows), 0, None, None)


def slow_knee(front: Front) -> float:
    """Return the largest distance to the line between the ends, point by point."""
    points = [row.costs or () for row in front.rows]
    lows, highs = [min(column) for column in zip(*points)], [max(column) for column in zip(*points)]
    scaled = [tuple((x - low) / ((high - low) or 1) for x, low, high in zip(p, lows, highs)) for p in points]
    return max((1 - x - y) / math.sqrt(2) for x, y in scaled)


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50)), min_size=1, max_size=20))
def test_the_knee_is_furthest_from_the_line_between_the_ends(points: list[tuple[int, int]]) -> None:
    front = made(points)
    costs = np.array([row.costs for row in front.rows])
    chosen = np.array(knee(front).costs)
    span = np.where(np.ptp(costs, axis=0) > 0, np.ptp(costs, axis=0), 1)
    distance = (1 - ((chosen - costs.min(0)) / span).sum()) / math.sqrt(2)
    assert distance == pytest.approx(slow_knee(front), abs=1e-9)


def test_the_knee_on_a_logarithmic_axis_is_measured_in_decades() -> None:
    points = [(0.0, 1e-3), (0.4, 1e-6), (0.6, 1e-7), (1.0, 1e-8)]
    log = (LINEAR[0], Objective("joules", lambda m: m, log=True))
    assert knee(made(points)).job.slot == 1
    assert knee(made([(0.0, 1000.0), (0.1, 500.0), (0.5, 3.0), (1.0, 1.0)], log)).job.slot == 2
    assert knee(made([(0.0, 1000.0), (0.1, 500.0), (0.5, 3.0), (1.0, 1.0)])).job.slot == 2
    assert knee(made([(0.0, 1000.0), (0.2, 100.0), (0.9, 5.0), (1.0, 1.0)], log)).job.slot == 1


def test_three_objectives_have_a_plane_and_its_knee() -> None:
    three = (*LINEAR, Objective("c", lambda m: m))
    ends = [(0.0, 1.0, 1.0), (1.0, 0.0, 1.0), (1.0, 1.0, 0.0)]
    assert knee(made([*ends, (0.2, 0.2, 0.2), (0.1, 0.5, 0.5)], three)).job.slot == 3


def test_axes_on_which_nothing_differs_and_single_networks_have_a_knee() -> None:
    assert knee(made([(1.0, 2.0)])).job.slot == 0
    assert knee(made([(1.0, 2.0), (1.0, 2.0)])).job.slot == 0
    three = (*LINEAR, Objective("c", lambda m: m))
    assert knee(made([(0.0, 9.0, 5.0), (2.0, 2.0, 5.0), (9.0, 0.0, 5.0)], three)).job.slot == 1
    one_end_for_two = [(0.0, 0.0, 9.0), (5.0, 5.0, 0.0), (1.0, 1.0, 2.0)]
    assert knee(made(one_end_for_two, three)).job.slot == 2


@pytest.fixture
def results(tmp_path: Path) -> Results:
    with Archive(tmp_path / "a.h5", SPACE, LINEAR, reference_rows=2) as archive:
        for slot, (error, rate) in enumerate([(0.0, 9.0), (2.0, 2.0), (9.0, 0.0), (9.0, 9.0)]):
            job = Job(slot, "evaluate", SPACE.genotype({"a": slot}), "toy")
            archive.add(Evaluation(job, Outcome.MEASURED, measurement={"error": error, "rate": rate}))
        rejected = Job(4, "evaluate", SPACE.genotype({"a": 4}), "toy")
        archive.add(Evaluation(rejected, Outcome.REJECTED, "too large.", degree=1.0))
    return Archive.read(tmp_path / "a.h5", LINEAR)


def test_a_network_is_picked_as_the_knee_as_the_best_or_by_its_key(results: Results) -> None:
    keys = [row.job.genotype.key for row in results.rows]
    assert pick(results, "knee").job.slot == 1
    assert pick(results, "best:rate").job.slot == 2
    assert pick(results, keys[3]).job.slot == 3
    unique = next(keys[0][:n] for n in range(1, 17) if sum(key.startswith(keys[0][:n]) for key in keys) == 1)
    assert pick(results, unique).job.slot == 0


@pytest.mark.parametrize(
    ("wanted", "told"),
    [
        ("best:rat", "did you mean 'rate'"),
        ("best:", "there are error, rate"),
        ("nothing", "no measured network begins so"),
        ("", "4 networks begin so"),
    ],
)
def test_a_pick_of_nothing_or_of_several_is_told(results: Results, wanted: str, told: str) -> None:
    with pytest.raises(RunFileError, match=told):
        pick(results, wanted)


def test_a_rejected_network_cannot_be_picked_and_an_empty_front_has_no_knee(results: Results) -> None:
    with pytest.raises(RunFileError, match="no measured network"):
        pick(results, results.rows[4].job.genotype.key)
    never = [Objective("error", lambda m: m["error"], at_most=-1.0), LINEAR[1]]
    with pytest.raises(RunFileError, match="the front is empty"):
        pick(results.under(never), "knee")


ACCURATE = (
    Objective("accuracy", lambda m: m.accuracy, direction="max", unit="fraction"),
    Objective("energy", lambda m: m.loss, unit="J/sample", log=True),  # its loss stands for its joules
)


def measured(
    folder: Path, points: Sequence[tuple[float, float]], objectives: Sequence[Objective] = ACCURATE
) -> Results:
    """Return the results of networks with these accuracies of 100 samples, and these joules."""
    path = folder / "measured.h5"
    with Archive(path, SPACE, ACCURATE, reference_rows=2) as archive:
        for slot, (accuracy, joules) in enumerate(points):
            job = Job(slot, "evaluate", SPACE.genotype({"a": slot}), "toy")
            measurement = Measurement({"accuracy": accuracy, "loss": joules}, 100, 30, 2, False, small())
            archive.add(Evaluation(job, Outcome.MEASURED, measurement=measurement))
    return Archive.read(path, objectives)


def test_the_cheapest_network_within_one_sampling_error_of_the_best_is_picked_and_ties_are_named(
    tmp_path: Path,
) -> None:
    # p = 92 / 104, so that the error is 0.0313: 0.87 is within it, 0.86 is not
    results = measured(tmp_path, [(0.9, 1e-5), (0.86, 1e-8), (0.87, 1e-6), (0.89, 2e-6), (0.5, 1e-9)])
    assert pick(results, "cheapest").job.slot == 2
    tied = ties(results.front())
    assert tied is not None
    assert [row.job.slot for row in tied.rows] == [2, 3, 0]
    assert tied.error == pytest.approx(0.03132, abs=1e-5)
    sentence = tied.sentence(results.front())
    keys = [results.rows[slot].job.genotype.key for slot in (2, 3, 0)]
    assert sentence.index(keys[0]) < sentence.index(keys[1]) < sentence.index(keys[2])
    assert "3 networks tie: 100 samples" in sentence


def test_a_network_without_a_mistake_is_not_taken_for_certain_and_one_alone_has_no_tie(tmp_path: Path) -> None:
    results = measured(tmp_path, [(1.0, 1e-5), (0.99, 1e-6), (0.97, 1e-9)])
    assert pick(results, "cheapest").job.slot == 1
    bounded = results.under([replace(ACCURATE[0], at_least=0.995), ACCURATE[1]])
    tied = ties(bounded.front())
    assert tied is not None
    assert (len(tied.rows), tied.sentence(bounded.front())) == (1, "")


def test_the_best_within_a_budget_is_picked_and_of_equals_the_cheapest(tmp_path: Path) -> None:
    results = measured(tmp_path, [(0.9, 1e-5), (0.8, 1e-6), (0.5, 1e-9)])
    bounded = results.under([ACCURATE[0], replace(ACCURATE[1], at_most=2e-6)])
    assert pick(bounded, "budget").job.slot == 1
    with pytest.raises(RunFileError, match="it needs a bound"):
        pick(results, "budget")


def test_the_cheapest_of_objectives_without_an_accuracy_is_told_and_the_knee_is_usual(results: Results) -> None:
    with pytest.raises(RunFileError, match="such as accuracy"):
        pick(results, "cheapest")
    chosen = usual(results)
    assert chosen is not None
    assert chosen.job.slot == pick(results, "knee").job.slot
