"""Runs beside each other: what differs, in which corners, and whether by more than seeds do."""

from __future__ import annotations

import base64
import json
import math
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from commands import evonas

from evonas.archive.archive import Archive
from evonas.engine.evaluation import Evaluation, Outcome
from evonas.engine.job import Job
from evonas.engine.pareto import attainment
from evonas.objective import Objective
from evonas.space import Space
from evonas.variables import Integer

SPACE = Space({"a": Integer(0, 999)})
ACCURACY = Objective("accuracy", lambda m: m["accuracy"], direction="max", unit="fraction", best=1.0, basis="accuracy")
ENERGY = Objective("energy", lambda m: m["energy"], unit="J/sample", log=True, basis="energy", profile="loihi1_davies")
Points = Sequence[tuple[float, float]]
LOW: Points = [(0.4, 1e-8), (0.6, 1e-7), (0.7, 1e-6)]


def write(
    folder: Path,
    points: Points,
    *,
    seed: int = 0,
    objectives: Sequence[Objective] = (ACCURACY, ENERGY),
    **settings: Any,
) -> Path:
    """Write a run whose networks have these values of accuracy and energy, in this order; one more is rejected."""
    known = {"search.seed": seed, "search.evaluations": len(points), "strategies.0.name": "evolution", **settings}
    folder.mkdir(parents=True, exist_ok=True)
    with Archive(folder / "archive.h5", SPACE, objectives, seed=seed, settings=known, reference_rows=2) as archive:
        for slot, (accuracy, energy) in enumerate(points):
            job = Job(slot, "evaluate", SPACE.genotype({"a": slot}), "evolution", sample_steps=100.0)
            measurement = {"accuracy": accuracy, "energy": energy}
            archive.add(Evaluation(job, Outcome.MEASURED, measurement=measurement))
        job = Job(len(points), "evaluate", SPACE.genotype({"a": 999}), "evolution", sample_steps=100.0)
        archive.add(Evaluation(job, Outcome.REJECTED, "cores: 300 > 128.", degree=1.5))
    return folder


def shifted(points: Points, by: float) -> Points:
    return [(accuracy + by, energy) for accuracy, energy in points]


def seeds(folder: Path, name: str, points: Points, shifts: Sequence[float], **settings: Any) -> list[Path]:
    return [
        write(folder / f"{name}{seed}", shifted(points, by), seed=seed, **settings) for seed, by in enumerate(shifts)
    ]


def told(*folders: object) -> dict[str, Any]:
    done = evonas("front", *folders, "--format", "json")
    assert done.exit_code == 0, done.output
    content: dict[str, Any] = json.loads(done.stdout)
    return content


def volumes(content: dict[str, Any]) -> list[list[float]]:
    return [[run["hypervolume"] for run in group["runs"]] for group in content["groups"]]


def test_runs_are_measured_between_corners_that_all_have(tmp_path: Path) -> None:
    one = write(tmp_path / "one", [(0.5, 1e-6)])
    two = write(tmp_path / "two", [(0.75, 1e-7)], **{"strategies.0.name": "random"})
    content = told(one, two)
    assert content["ideal"] == {"accuracy": 1.0, "energy": 1e-8}, "the best energy of all, a decade better"
    assert content["ref_point"] == {"accuracy": 0.5, "energy": 1e-6}
    assert volumes(content) == [[0.0], [pytest.approx(0.5 * 0.5)]]


def test_runs_that_differ_only_in_their_seed_are_one_group_whatever_their_order(tmp_path: Path) -> None:
    ours = seeds(tmp_path, "ours", LOW, [0.0, 0.01, 0.02])
    theirs = seeds(tmp_path, "theirs", LOW, [0.1, 0.11], **{"strategies.0.name": "random"})
    content = told(ours[2], theirs[1], ours[0], theirs[0], ours[1])
    assert [[run["label"] for run in group["runs"]] for group in content["groups"]] == [
        ["ours0", "ours1", "ours2"],
        ["theirs0", "theirs1"],
    ]
    assert content["settings"] == {"strategies.0.name": ["evolution", "random"]}
    assert [group["label"] for group in content["groups"]] == ["ours0 and 2 more", "theirs0 and 1 more"]


def test_a_difference_is_more_than_the_spread_where_its_interval_leaves_out_zero(tmp_path: Path) -> None:
    ours = seeds(tmp_path, "ours", LOW, [0.0, 0.01, 0.02])
    far = seeds(tmp_path, "far", LOW, [0.2, 0.21, 0.22], **{"strategies.0.name": "random"})
    content = told(*ours, *far)
    (difference,) = content["differences"]
    first, second = map(np.array, reversed(volumes(content)))
    assert difference["hypervolume"] == pytest.approx(first.mean() - second.mean())
    # Student's quantile of 97.5 % for 4 degrees of freedom, which Welch's formula gives for equal variances
    error = math.sqrt(first.var(ddof=1) / 3 + second.var(ddof=1) / 3)
    assert difference["margin"] == pytest.approx(2.776 * error, rel=0.01)
    assert difference["is_more_than_spread"] is True
    assert "the difference is more than the spread over seeds" in content["sentences"][0]

    near = seeds(tmp_path, "near", LOW, [0.0, 0.005, 0.03], **{"strategies.0.name": "random"})
    content = told(*ours, *near)
    assert content["differences"][0]["is_more_than_spread"] is False
    assert "the difference is not more than the spread over seeds" in content["sentences"][0]


def test_single_runs_tell_no_spread_and_say_what_to_do(tmp_path: Path) -> None:
    one = write(tmp_path / "one", LOW)
    two = write(tmp_path / "two", shifted(LOW, 0.1), **{"strategies.0.name": "random"})
    content = told(one, two)
    assert content["differences"][0]["is_more_than_spread"] is None
    assert content["differences"][0]["margin"] is None
    assert "nothing tells how far seeds spread" in content["sentences"][0]


def test_a_single_run_is_taken_to_spread_as_the_others_do(tmp_path: Path) -> None:
    ours = seeds(tmp_path, "ours", LOW, [0.0, 0.01, 0.02])
    single = write(tmp_path / "single", shifted(LOW, 0.3), **{"strategies.0.name": "random"})
    content = told(*ours, single)
    deviation = np.std(volumes(content)[0], ddof=1)
    margin = 4.303 * deviation * math.sqrt(1 + 1 / 3)  # Student's quantile for 2 degrees of freedom
    assert content["differences"][0]["margin"] == pytest.approx(margin, rel=0.001)
    assert "the spread of ours0 and 2 more taken for both" in content["sentences"][0]


def test_three_groups_have_wider_intervals_that_hold_together(tmp_path: Path) -> None:
    groups = [
        seeds(tmp_path, name, LOW, [by, by + 0.01, by + 0.02], **{"strategies.0.name": name})
        for name, by in (("a", 0.0), ("b", 0.05), ("c", 0.1))
    ]
    pair, three = told(*groups[0], *groups[2]), told(*groups[0], *groups[1], *groups[2])
    assert len(three["differences"]) == 3
    assert [one["hypervolume"] for one in three["differences"]] == sorted(
        (one["hypervolume"] for one in three["differences"]), reverse=True
    )
    assert three["differences"][0]["margin"] > 1.3 * pair["differences"][0]["margin"]


def test_runs_of_one_group_alone_tell_how_far_they_spread(tmp_path: Path) -> None:
    content = told(*seeds(tmp_path, "ours", LOW, [0.0, 0.01, 0.02]))
    assert content["differences"] == []
    assert content["sentences"][0].startswith("All 3 runs differ only in their seed: their hypervolumes are from")


def test_the_longer_run_is_cut_to_the_evaluations_of_the_shorter(tmp_path: Path) -> None:
    short = write(tmp_path / "short", LOW[:2])
    long = write(tmp_path / "long", LOW, **{"strategies.0.name": "random"})
    content = told(short, long)
    assert content["evaluations"] == 2
    assert volumes(content)[0] == volumes(content)[1]
    assert len(content["groups"][1]["runs"][0]["front"]) == 2
    assert "Runs are compared after 2 evaluations" in " ".join(content["sentences"])
    assert "equal on average" in content["sentences"][0]


def test_the_growth_of_each_run_ends_at_what_is_compared(tmp_path: Path) -> None:
    content = told(write(tmp_path / "one", LOW), write(tmp_path / "two", LOW[::-1], **{"strategies.0.name": "random"}))
    for group in content["groups"]:
        grown = group["runs"][0]["growth"]
        assert grown["evaluations"] == [1, 2, 3]
        assert grown["hypervolume"] == sorted(grown["hypervolume"])
        assert grown["hypervolume"][-1] == group["runs"][0]["hypervolume"]


@pytest.mark.parametrize("seed", range(20))
def test_what_a_number_of_fronts_attains_is_what_counting_says(seed: int) -> None:
    rng = np.random.default_rng(seed)
    fronts = [rng.integers(0, 6, size=(rng.integers(0, 5), 2)).astype(float) for _ in range(4)]
    found = attainment(fronts)
    grid = np.array([(x, y) for x in np.arange(0, 6.5, 0.5) for y in np.arange(0, 6.5, 0.5)])
    reached = [(front[None] <= grid[:, None]).all(axis=2).any(axis=1) for front in fronts]  # (grid,) each
    counts = np.sum(reached, axis=0)
    for number, corners in enumerate(found, start=1):
        attained = (corners[None] <= grid[:, None]).all(axis=2).any(axis=1)
        assert (attained == (counts >= number)).all()


def test_attainment_surfaces_are_of_one_half_and_all_of_the_runs_in_their_own_units(tmp_path: Path) -> None:
    fronts: list[Points] = [[(0.5, 1e-7), (0.9, 1e-5)], [(0.6, 1e-6), (0.1, 1e-4)], [(0.7, 1e-7), (0.8, 1e-6)]]
    folders = [write(tmp_path / f"run{seed}", points, seed=seed) for seed, points in enumerate(fronts)]
    (group,) = told(*folders)["groups"]
    (attained,) = group["attainment"]
    assert attained["objectives"] == ["accuracy", "energy"]
    assert {(one["runs"], one["of"]) for one in attained["surfaces"]} == {(1, 3), (2, 3), (3, 3)}
    best, half, every = (one["points"] for one in attained["surfaces"])
    assert best == [[0.9, 1e-5], [0.8, 1e-6], [0.7, 1e-7]]
    assert half == [[0.8, 1e-5], [0.6, 1e-6], [0.5, 1e-7]]
    assert every == [[0.6, 1e-5], [0.5, 1e-6]]


def test_people_read_tables_a_verdict_and_what_differs(tmp_path: Path) -> None:
    ours = seeds(tmp_path, "ours", LOW, [0.0, 0.01, 0.02])
    single = write(tmp_path / "single", shifted(LOW, 0.3), **{"strategies.0.name": "random"})
    done = evonas("front", *ours, single)
    assert done.exit_code == 0, done.output
    said = " ".join(done.stdout.split())
    assert "Fronts after 3 evaluations, hypervolumes between common corners" in said
    assert "0.7100 (0.7000; 0.7200)" in said, "what half of three seeds attain at the highest energy"
    assert "The hypervolume of single is larger than that of ours0 and 2 more by" in said
    assert 'strategies.0.name: "evolution" in ours0 and 2 more, "random" in single' in said
    assert all(row.count("300") == 1 for row in done.stdout.splitlines() if "ours1 " in row), "sample-steps"


def test_runs_of_other_objectives_are_refused_with_what_differs(tmp_path: Path) -> None:
    one = write(tmp_path / "one", LOW)
    single = write(tmp_path / "single", LOW, objectives=[ACCURACY])
    done = evonas("front", one, single)
    assert done.exit_code == 2
    assert "one trades accuracy, energy, and single accuracy; expected runs of the same objectives" in done.output


@pytest.mark.parametrize(
    ("other", "told"),
    [
        ({"profile": "speck2f"}, "its profile is loihi1_davies in one and speck2f in two; --profile NAME scores all"),
        ({"at_most": 1e-6}, "its at_most is None in one and 1e-06 in two; --budget NAME=VALUE gives all one bound"),
        ({"unit": "J"}, "its unit is J/sample in one and J in two; expected one objective in all runs"),
        ({"basis": "another"}, "one and two compute it differently"),
    ],
)
def test_objectives_that_differ_in_chip_bound_or_making_are_refused(
    tmp_path: Path, other: dict[str, Any], told: str
) -> None:
    one = write(tmp_path / "one", LOW)
    two = write(tmp_path / "two", LOW, objectives=[ACCURACY, replace(ENERGY, **other)])
    done = evonas("front", one, two)
    assert done.exit_code == 2
    assert f"energy: {told}" in " ".join(done.output.split())


def test_one_bound_for_all_makes_runs_of_other_bounds_comparable(tmp_path: Path) -> None:
    one = write(tmp_path / "one", LOW)
    two = write(tmp_path / "two", LOW, objectives=[ACCURACY, replace(ENERGY, at_most=1e-6)], note="bounded")
    content = told(one, two, "--budget", "energy=1e-7")
    assert [len(group["runs"][0]["front"]) for group in content["groups"]] == [2, 2]


def test_a_search_and_itself_gone_on_with_are_no_two_searches(tmp_path: Path) -> None:
    done = evonas("front", write(tmp_path / "one", LOW[:2]), write(tmp_path / "two", LOW))
    assert done.exit_code == 2
    assert "two and one are one search: all their settings and their seed 0 are equal" in done.output


def test_runs_of_the_same_name_are_told_apart_by_their_paths(tmp_path: Path) -> None:
    one = write(tmp_path / "a" / "run", LOW)
    two = write(tmp_path / "b" / "run", LOW, **{"data.fingerprint": "other"})
    content = told(one, two)
    assert [group["label"] for group in content["groups"]] == [str(one), str(two)]
    assert "The runs are not of the same data" in " ".join(content["sentences"])


def test_runs_without_a_network_on_their_fronts_or_without_any_are_one_sentence(tmp_path: Path) -> None:
    one = write(tmp_path / "one", LOW)
    two = write(tmp_path / "two", [], seed=1)
    done = evonas("front", one, two)
    assert done.exit_code == 2
    assert "two holds no evaluation yet; expected runs that have begun" in done.output
    done = evonas("front", one, write(tmp_path / "three", LOW, seed=1), "--budget", "energy=1e-12")
    assert done.exit_code == 2
    assert "the fronts of one and three are empty" in done.output


def test_options_about_one_run_are_refused_for_several(tmp_path: Path) -> None:
    done = evonas("front", write(tmp_path / "one", LOW), tmp_path / "two", "--pick", "knee", "--all", "--format", "csv")
    assert done.exit_code == 2
    for option in ("--pick", "--all", "--format csv"):
        assert f"{option} is about one run; expected one DIR" in done.output


def test_the_page_holds_verdict_tables_and_pictures_and_asks_no_other_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    ours = seeds(tmp_path, "ours", LOW, [0.0, 0.01])
    odd = write(tmp_path / "<b>odd", LOW, **{"strategies.0.name": "<script>"})
    done = evonas("front", *ours, odd, "--html")
    assert done.exit_code == 0, done.output
    assert "Written: comparison.html" in done.stderr
    page = (tmp_path / "comparison.html").read_text()
    assert "<script" not in page
    assert "<b>odd" not in page
    assert "&lt;b&gt;odd" in page
    assert page.count("<table>") == 2
    pictures = re.findall(r'src="data:image/svg\+xml;base64,([^"]+)"', page)
    assert [ElementTree.fromstring(base64.b64decode(one)).tag.endswith("svg") for one in pictures] == [True, True]
    assert "http:" not in page
    assert "https:" not in page
    assert "is not more than the spread over seeds" in page
