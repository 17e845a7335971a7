"""The door to a finished run: another chip, another budget, one network, the page. Networks are counted by hand."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import tomli_w
from counted import analog, small
from typer.testing import CliRunner, Result

from evonas.__main__ import app
from evonas.archive.archive import Archive
from evonas.chips.energy import estimate
from evonas.chips.profile import load
from evonas.engine.evaluation import Evaluation, Outcome
from evonas.engine.job import Job
from evonas.measurement import Activity, Measurement
from evonas.runfile.form import parse
from evonas.runfile.objective_sections import objectives_of
from evonas.space import Space
from evonas.variables import Choice

SPACE = Space({"a": Choice(range(100))})
RUN: dict[str, Any] = {
    "search": {"space": "spatial_temporal", "evaluations": 5},
    "data": {"name": "digits"},
    "objectives": [{"name": "accuracy"}, {"name": "energy", "profile": "loihi1_davies"}],
    "strategies": [{"name": "random"}],
    "ladder": {"epochs": [1]},
}


def measured(accuracy: float, activity: Activity) -> Measurement:
    return Measurement({"accuracy": accuracy, "loss": 1.0}, activity.samples, 30, activity.time_steps, False, activity)


def times(factor: int) -> Activity:
    """Return the small network whose second layer delivers more events."""
    activity = small()
    event = replace(activity.connections[1], events=(40 * factor, 60 * factor))
    return replace(activity, connections=(activity.connections[0], event))


def write(folder: Path, **sections: Any) -> Path:
    document = {key: value for key, value in {**RUN, **sections}.items() if value is not None}
    folder.mkdir(exist_ok=True)
    (folder / "run.toml").write_text(tomli_w.dumps(document))
    file, faults = parse(document)
    assert file is not None, faults
    objectives, faults = objectives_of(file.objectives)
    assert not faults
    with Archive(folder / "archive.h5", SPACE, objectives, reference_rows=2) as archive:
        for slot, (accuracy, activity) in enumerate(NETWORKS):
            job = Job(slot, "evaluate", SPACE.genotype({"a": slot}), "random")
            archive.add(Evaluation(job, Outcome.MEASURED, measurement=measured(accuracy, activity)))
        job = Job(len(NETWORKS), "evaluate", SPACE.genotype({"a": 50}), "random")
        archive.add(Evaluation(job, Outcome.REJECTED, "cores: 300 > 128.", degree=1.5))
    return folder


NETWORKS = [(0.5, times(1)), (0.9, times(20)), (0.95, times(400)), (0.4, times(500)), (0.99, analog())]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write(tmp_path / "run")


def front(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["front", *map(str, arguments)])


def shown(*arguments: object) -> dict[str, Any]:
    result = front(*arguments, "--format", "json")
    assert result.exit_code == 0, result.output
    content: dict[str, Any] = json.loads(result.stdout)
    return content


def slots(content: dict[str, Any]) -> list[int]:
    return [network["slot"] for network in content["networks"]]


def test_a_front_is_scored_again_for_another_chip_and_nothing_is_measured(folder: Path) -> None:
    before = (folder / "archive.h5").read_bytes()
    there = shown(folder, "--profile", "arith45_fp32")
    assert there["objectives"]["energy"]["profile"] == "arith45_fp32"
    assert slots(there) == [0, 4], "where multiply-accumulates have a price, the last one betters all but the cheapest"
    assert slots(shown(folder)) == [0, 1, 2]
    every = shown(folder, "--profile", "arith45_fp32", "--all")["networks"][: len(NETWORKS)]
    for network, (_, activity) in zip(every, NETWORKS, strict=True):
        expected = estimate(activity, load("arith45_fp32")).dynamic.nominal
        assert network["objectives"]["energy"] == pytest.approx(expected)
    assert (folder / "archive.h5").read_bytes() == before


def test_networks_that_a_chip_cannot_hold_or_price_keep_off_the_front_and_are_counted_with_their_reasons(
    folder: Path,
) -> None:
    assert slots(shown(folder, "--profile", "odin28")) == []
    said = " ".join(front(folder, "--profile", "odin28").output.split())
    assert "5 of 5 keep off the front: 5 x does not fit: bits of a weight" in said
    at_home = " ".join(front(folder).output.split())
    assert "1 of 5 keep off the front: 1 x energy: loihi1_davies has no price for" in at_home
    assert "keep off" not in front(folder, "--profile", "arith45_fp32").output


def test_how_networks_are_put_on_the_chip_is_taken_from_the_run(tmp_path: Path) -> None:
    narrow = {"profile": "loihi1_davies", "weight_bits": 3, "fit": False}
    wide = front(write(tmp_path / "wide"), "--profile", "odin28").output
    said = front(write(tmp_path / "narrow", hardware=narrow), "--profile", "odin28").output
    assert "keep off the front: 5 x does not fit: bits of a weight" in wide
    assert "keep off" in said
    assert "bits of a weight" not in said


def test_a_budget_is_a_hard_bound_by_the_direction_of_its_objective(folder: Path) -> None:
    every = {network["slot"]: network["objectives"] for network in shown(folder)["networks"]}
    bound = every[1]["energy"] * 1.01
    within = shown(folder, "--budget", f"energy={bound}", "--budget", "accuracy=0.6")
    assert slots(within) == [1]
    assert within["objectives"]["energy"]["at_most"] == bound
    assert within["objectives"]["accuracy"]["at_least"] == 0.6


def test_a_budget_of_an_objective_that_the_run_does_not_have_adds_it(folder: Path) -> None:
    content = shown(folder, "--budget", "latency=1", "--budget", "spikes=1000")
    assert list(content["objectives"]) == ["accuracy", "energy", "latency", "spikes"]
    assert content["objectives"]["latency"]["profile"] == "loihi1_davies"
    assert all(network["objectives"]["latency"] < 1 for network in content["networks"])
    assert slots(shown(folder, "--budget", "latency=1e-12")) == []


def test_a_chip_adds_energy_where_no_objective_depends_on_one(tmp_path: Path) -> None:
    plain = write(tmp_path / "plain", objectives=[{"name": "accuracy"}, {"name": "spikes"}])
    content = shown(plain, "--profile", "sram45_int8")
    assert list(content["objectives"]) == ["accuracy", "spikes", "energy"]
    assert content["objectives"]["energy"]["profile"] == "sram45_int8"
    assert shown(plain, "--pick", "knee")["picked"]["breakdown"] is None


def test_everything_that_is_wrong_with_a_command_is_told_at_once(folder: Path) -> None:
    said = front(
        folder, "--profile", "loihi9", "--budget", "foo=1", "--budget", "energy", "--budget", "accuracy=2",
        "--budget", "accuracy=1", "--pick", "best:acuracy",
    )  # fmt: skip
    assert said.exit_code == 2
    told = " ".join(said.output.split())
    for part in (
        "--profile: There is no profile 'loihi9'",
        "--budget foo: there is no such objective; there are accuracy, balanced_accuracy, energy, fit, latency",
        "--budget: got 'energy', expected NAME=NUMBER",
        "--budget accuracy: at_least: 2 can never be reached",
        "--budget accuracy: given twice",
        "--pick best:acuracy: there is no objective 'acuracy'; did you mean 'accuracy'?",
    ):
        assert part in told, told


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--budget", "energy=-1"], "--budget energy: at_most: -1 J/sample can never be kept"),
        (["--budget", "energy=nan"], "--budget: got 'energy=nan'"),
        (["--profile", "loihi2"], "--profile: loihi2 has no energy of any operation"),
        (["--pick", "zz"], "--pick zz: no measured network begins so"),
    ],
)
def test_a_wrong_option_ends_with_code_2(folder: Path, arguments: list[str], told: str) -> None:
    said = front(folder, *arguments)
    assert said.exit_code == 2
    assert told in " ".join(said.output.split())


def test_a_budget_that_needs_a_chip_says_so(tmp_path: Path) -> None:
    plain = write(tmp_path / "plain", objectives=[{"name": "accuracy"}, {"name": "spikes"}])
    said = front(plain, "--budget", "latency=1")
    assert said.exit_code == 2
    assert "--budget latency: it depends on a chip; name one with --profile" in said.output


def test_a_picked_network_comes_with_its_bill(folder: Path) -> None:
    picked = shown(folder, "--pick", "best:accuracy")["picked"]
    assert set(picked) == {"key", "slot", "strategy", "epochs", "genotype", "objectives", "breakdown"}
    assert (picked["slot"], picked["genotype"]) == (2, {"a": 2})
    breakdown, expected = picked["breakdown"], estimate(NETWORKS[2][1], load("loihi1_davies"))
    band = expected.dynamic
    assert breakdown["energy"] == {"low": band.low, "nominal": band.nominal, "high": band.high}
    assert breakdown["energy"]["nominal"] == pytest.approx(picked["objectives"]["energy"])
    whole = expected.dynamic.nominal
    assert breakdown["terms"] == pytest.approx({name: band.nominal / whole for name, band in expected.terms.items()})
    assert sum(breakdown["layers"].values()) == pytest.approx(1.0)
    assert breakdown["fit"]["verdict"] == "fits"
    assert any("static power" in text for text in breakdown["uncounted"])


def test_the_bill_of_the_total_holds_the_static_part_of_no_layer(tmp_path: Path) -> None:
    total = [{"name": "accuracy"}, {"name": "energy", "profile": "loihi1_davies", "part": "total"}]
    picked = shown(write(tmp_path / "total", objectives=total), "--pick", "best:accuracy")["picked"]
    breakdown, expected = picked["breakdown"], estimate(NETWORKS[2][1], load("loihi1_davies"))
    assert expected.static is not None
    assert breakdown["energy"]["nominal"] == pytest.approx(picked["objectives"]["energy"]) == expected.total.nominal
    assert breakdown["terms"]["static"] == pytest.approx(expected.static.nominal / expected.total.nominal)
    assert breakdown["layers"]["(no layer)"] == pytest.approx(breakdown["terms"]["static"])


def test_a_picked_network_without_a_price_says_why_and_whether_it_fits(folder: Path) -> None:
    key = SPACE.genotype({"a": 4}).key
    picked = shown(folder, "--pick", key[:8])["picked"]
    assert picked["breakdown"]["energy"] is None
    assert "has no price for" in picked["breakdown"]["unpriced"]
    assert picked["breakdown"]["fit"]["verdict"] == "does not fit"
    assert "Fit on loihi1_davies: does not fit" in front(folder, "--pick", key[:8]).output


def test_people_read_a_picked_network_in_lines(folder: Path) -> None:
    said = front(folder, "--pick", "knee").output
    for part in ("Genotype", "a = ", "Energy on loihi1_davies (dynamic", "between", "by term: synop", "by layer: "):
        assert part in said
    for part in ("not counted: static power", "Fit on loihi1_davies: fits"):
        assert part in said


def test_rejected_networks_are_shown_with_outcome_and_message(folder: Path) -> None:
    last = shown(folder, "--all")["networks"][-1]
    assert (last["outcome"], last["message"], last["objectives"]) == ("rejected", "cores: 300 > 128.", None)
    assert "rejected before its evaluation. cores: 300 > 128." in " ".join(front(folder, "--all").output.split())
    assert "cores: 300 > 128." in front(folder, "--all", "--format", "csv").output


def test_chips_are_named_for_a_page_only(folder: Path) -> None:
    said = front(folder, "--profiles", "odin28")
    assert said.exit_code == 2
    assert "--profiles: it names the chips of the page; give --html as well" in " ".join(said.output.split())
    said = front(folder, "--html", "--profiles", "odin28,")
    assert said.exit_code == 2
    assert "expected names of chips, separated by commas" in " ".join(said.output.split())
    said = front(folder, "--html", "--profiles", "nothing")
    assert said.exit_code == 2
    assert "nothing" in said.output
    assert not (folder / "report.html").exists()


def test_several_networks_are_picked_at_once_and_ties_are_named_to_people_alone(folder: Path) -> None:
    several = ("--pick", "best:accuracy", "--pick", "best:energy", "--pick", "cheapest")
    found = shown(folder, *several)
    assert [one["key"] for one in found["picks"]] == [
        shown(folder, "--pick", pick)["picked"]["key"] for pick in several[1::2]
    ]
    assert found["picked"] == found["picks"][0]
    assert "picks" not in shown(folder, "--pick", "cheapest")
    table = front(folder, *several)
    assert table.exit_code == 0
    assert table.stdout.count("Genotype") == 3
    assert "networks tie: 10 samples do not tell them from the best" in table.stderr
    assert front(folder, "--format", "csv", *several).stdout.count("\n") == 4


def test_the_best_within_a_budget_is_picked(folder: Path) -> None:
    joules = shown(folder, "--pick", "best:accuracy")["picked"]["objectives"]["energy"]
    bounded = shown(folder, "--budget", f"energy={joules * 0.99}", "--pick", "budget")["picked"]
    assert bounded["objectives"]["energy"] < joules
    without = front(folder, "--pick", "budget")
    assert without.exit_code == 2
    assert "it needs a bound: --budget NAME=VALUE" in without.stderr
