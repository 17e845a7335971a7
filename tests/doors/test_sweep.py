"""The sweep, end to end: a small one on the digits in this process, resumed, shown, rejected; and its table."""

from __future__ import annotations

import csv
import json
import math
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from commands import contents, evonas, importable, write_run_file
from scipy.stats import kendalltau
from toys import small_space
from typer.testing import Result

from evonas.archive.archive import Archive
from evonas.engine.evaluation import Evaluation, Outcome
from evonas.engine.job import Job
from evonas.engine.rejection import Rejection
from evonas.engine.view import Row
from evonas.genotype import Genotype
from evonas.objective import Objective
from evonas.report.rank_correlation import kendall_tau, rank_correlations
from evonas.report.sweep_table import SweepTable, why_none
from evonas.runfile.rejections import rejected_by_all
from evonas.runfile.sweep import Cell, resolve_sweep
from evonas.runfile.sweep_chip import Chip, listed_chips
from evonas.strategies.multi_target import TARGET, Target
from evonas.task import binomial_error
from evonas.tasks import classification

CHIPS = "loihi1_davies,sram45_int8,truenorth28,loihi2"


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a test find the data that `write_run_file` puts beside its run file."""
    monkeypatch.chdir(tmp_path)


def swept(run_file: Path, output: Path, *more: object) -> Result:
    budget = "energy=1e-9,2e-5"
    return evonas("sweep", run_file, "--profiles", CHIPS, "--budget", budget, "--output", output, *more)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Path, Result]]:
    """Return a run file, the results of its sweep, and what was said."""
    folder = tmp_path_factory.mktemp("swept")
    run_file = write_run_file(folder, evaluations=12)
    with importable(folder):
        yield run_file, folder / "results", swept(run_file, folder / "results")


def test_a_sweep_ends_in_a_table_its_reasons_and_its_files(finished: tuple[Path, Path, Result]) -> None:
    _, output, said = finished
    assert said.exit_code == 0, said.output
    text = " ".join(said.output.split())
    assert "12/12 evaluations" in text
    assert "of 8 cells have a network" in text
    assert "the smallest seen is" in text
    assert re.search(r"truenorth28[^:]*: none of \d+ networks (fits; most often|that fit keeps)", text)  # few are small
    assert "loihi2 has no energy of any operation" in text
    assert "Kendall" in text
    assert "Joules of different scopes are not comparable" in text
    assert {path.name for path in output.iterdir()} == {"archive.h5", "run.toml", "sweep.csv", "log.txt", "report.html"}


def test_every_network_is_trained_once_and_scored_on_every_chip(finished: tuple[Path, Path, Result]) -> None:
    run_file, output, _ = finished
    rows = contents(output)
    jobs = [job for job, *_ in rows if isinstance(job, Job)]
    assert len({(job.genotype.key, job.rung) for job in jobs}) == len(jobs) == 12
    assert any(TARGET in job.settings for job in jobs)
    shown = json.loads(swept(run_file, output, "--format", "json").stdout)
    pair = next(one for one in shown["rank_correlation"] if set(one["profiles"]) == {"loihi1_davies", "truenorth28"})
    assert pair["networks"] <= len({job.genotype.key for job in jobs})


def test_the_table_as_json_and_csv_says_the_same(finished: tuple[Path, Path, Result]) -> None:
    run_file, output, _ = finished
    shown = json.loads(swept(run_file, output, "--format", "json").stdout)
    assert shown["evaluations"] == 12
    assert [(cell["profile"], cell["budget"]["energy"]) for cell in shown["cells"]] == [
        (chip, bound) for chip in CHIPS.split(",") for bound in (1e-9, 2e-5)
    ]
    with open(output / "sweep.csv", newline="") as file:
        lines = list(csv.DictReader(file))
    assert [line["key"] or None for line in lines] == [cell["key"] for cell in shown["cells"]]
    assert any(cell["key"] for cell in shown["cells"])
    for cell, line in zip(shown["cells"], lines, strict=True):
        if cell["key"] is None:
            assert cell["reason"] == line["reason"] != ""
            continue
        energy, accuracy = cell["amounts"]["energy"], cell["accuracy"]
        assert energy["low"] <= energy["value"] <= energy["high"]
        assert energy["value"] <= cell["budget"]["energy"]
        assert float(line["energy [J/sample]"]) == energy["value"]
        parts = cell["parts"].get("energy", {})
        assert set(parts) == ({"dynamic", "total"} if cell["profile"] == "loihi1_davies" else set())
        assert {line[f"energy, {part} [J/sample]"] for part in parts} == {repr(value) for value in parts.values()}
        if parts:
            assert parts[shown["parts"][cell["profile"]]] == energy["value"]
        assert cell["accuracy_error"] == binomial_error(accuracy, 24)
        assert cell["fit"] in ("fits", "unchecked")
        assert cell["epochs"] == 2
        assert ("latency" in cell["amounts"]) == (cell["profile"] == "loihi1_davies")


def test_the_same_command_goes_on_and_more_budget_equals_the_longer_sweep(
    finished: tuple[Path, Path, Result],
) -> None:
    run_file, output, first = finished
    again = swept(run_file, output)
    assert "0 new rows" in again.output
    assert again.output.split("Best networks")[1] == first.output.split("Best networks")[1]
    extended = output.parent / "extended"
    assert swept(run_file, extended, "--set", "search.evaluations=7").exit_code == 0
    assert swept(run_file, extended).exit_code == 0
    assert contents(extended) == contents(output)


def test_other_chips_or_budgets_are_told_and_not_mixed(finished: tuple[Path, Path, Result]) -> None:
    run_file, output, _ = finished
    said = evonas(
        "sweep", run_file, "--profiles", "loihi1_davies", "--budget", "energy=1e-9", "--output", output
    )  # fmt: skip
    assert said.exit_code == 2
    assert "sweep.profiles: stored" in said.output
    assert "sweep.budget.energy: stored [1e-09, 2e-05], now [1e-09]" in said.output
    assert evonas("run", run_file, "--output", output).exit_code == 2


def test_the_front_of_a_swept_folder_is_that_of_its_run_file(finished: tuple[Path, Path, Result]) -> None:
    _, output, _ = finished
    assert json.loads(evonas("front", output, "--format", "json").output)["evaluations"] == 12


def test_the_page_at_the_end_of_a_sweep_is_that_of_its_stored_results(finished: tuple[Path, Path, Result]) -> None:
    _, output, _ = finished
    written = (output / "report.html").read_bytes()
    assert evonas("front", output, "--html", "--trust").exit_code == 0
    assert (output / "report.html").read_bytes() == written


def test_a_list_of_chips_names_each_once() -> None:
    assert listed_chips(" loihi2, truenorth28") == (["loihi2", "truenorth28"], [])
    assert listed_chips("loihi2,loihi2") == (["loihi2"], ["--profiles: loihi2 stands there 2 times"])
    for empty in ("", "loihi2,", "loihi2, ,odin28"):
        assert listed_chips(empty) == (
            [], [f"--profiles: got {empty!r}, expected names of chips, separated by commas"]
        )  # fmt: skip


def test_all_wrong_arguments_are_told_at_once_and_nothing_is_written(tmp_path: Path) -> None:
    run_file = write_run_file(tmp_path)
    said = evonas(
        "sweep", run_file, "--profiles", "loihi1_davies,nope,loihi1_davies", "--budget", "energy=1e-6,x,-1,1e-6",
        "--budget", "spikes=3", "--budget", "fit=1", "--budget", "charge=1", "--budget", "latency", "--set", "search.evaluations=0",
        "--output", tmp_path / "none",
    )  # fmt: skip
    assert said.exit_code == 2
    for fault in (
        "search.evaluations: input should be",
        "got 'x', expected numbers above 0",
        "got '-1', expected numbers above 0",
        "1e-6 stands there twice",
        "spikes takes no profile",
        "what does not fit on a chip is left out in any case",
        "there is no objectives/charge.py",
        "--budget latency: got ''",
        "There is no profile 'nope'",
        "loihi1_davies stands there 2 times",
    ):
        assert fault in said.output
    assert not (tmp_path / "none").exists()
    assert evonas("sweep", run_file, "--budget", "energy=1").exit_code == 2


def test_a_dry_run_builds_a_network_tells_what_would_be_sought_and_writes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_file = write_run_file(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.chdir(tmp_path)
    before = {path for path in tmp_path.rglob("*") if "__pycache__" not in path.parts}
    said = swept(run_file, tmp_path / "none", "--dry-run", "--set", "hardware.profile=odin28")
    assert said.exit_code == 0, said.output
    text = " ".join(said.output.split())
    assert "Note: hardware.profile = odin28 is not used here" in text
    assert "The run file is right: 72 training and 24 validation samples" in text
    assert text.count("parameters.") == 1
    assert "6 evaluations would seek the best network of each cell" in text
    sought = ("loihi1_davies", "sram45_int8", "truenorth28")
    assert all(f"- {chip_name} at most energy {bound}" in text for chip_name in sought for bound in ("1e-09", "2e-05"))
    assert text.count("- none on loihi2: loihi2 has no energy of any operation") == 1
    assert "loihi2 at most" not in text
    for chip_name in CHIPS.split(","):
        assert sum(text.count(f" {verdict} on {chip_name}") for verdict in ("fits", "does not fit", "unchecked")) == 1
    without = swept(run_file, tmp_path / "none", "--dry-run", "--format", "json")
    assert (without.exit_code, without.stdout) == (0, ""), "what people read never mixes with what programs read"
    assert {path for path in tmp_path.rglob("*") if "__pycache__" not in path.parts} == before


def test_a_dry_run_of_what_is_wrong_tells_every_fault_and_writes_nothing(tmp_path: Path) -> None:
    run_file = write_run_file(tmp_path)
    wrong = ("--set", "search.evaluations=0", "--set", "objectives.2.name=charge")
    more = ("--profiles", "nope,loihi1_davies", "--budget", "energy=x", "--output", tmp_path / "none")
    said = evonas("sweep", run_file, *more, *wrong, "--dry-run")
    assert said.exit_code == 2
    assert said.output == evonas("sweep", run_file, *more, *wrong).output
    for fault in ("search.evaluations: input should be", "objectives.2.name", "There is no profile 'nope'", "got 'x'"):
        assert fault in said.output
    assert not (tmp_path / "none").exists()


def test_what_a_sweep_cannot_do_with_a_run_file_is_told(tmp_path: Path) -> None:
    run_file = write_run_file(tmp_path)

    def told(*more: str, budget: str = "energy=1e-6", profiles: str = "loihi1_davies") -> str:
        said = evonas("sweep", run_file, "--profiles", profiles, "--budget", budget, *[w for m in more for w in ("--set", m)])  # fmt: skip
        assert said.exit_code == 2
        return said.output

    assert "ranks networks by accuracy" in told("objectives.0.name=parameters", "objectives.0.at_least=1")
    assert "give it as --budget energy" in told("objectives.2.at_most=1.0", budget="latency=1e-3")
    assert "none of the chips has a value for every budget" in told(profiles="loihi2")
    more = ("--budget", "energy=1e-6", "--budget", "energy=2e-6")
    assert "a second budget of energy" in evonas("sweep", run_file, "--profiles", "loihi1_davies", *more).output
    assert "weight_bits: got 0" in told("objectives.2.weight_bits=0")


def test_a_cell_has_one_budget_of_each_kind_and_the_options_of_the_run_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_file = write_run_file(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    sweep = resolve_sweep(
        run_file,
        profiles="loihi1_davies,sram45_int8",
        budgets=["energy=2e-6,1e-6", "latency=1e-3"],
        overrides=["objectives.2.part=total", "objectives.2.profile=loihi1_davies"],
    )
    assert [(cell.chip.name, dict(cell.budget)) for cell in sweep.cells] == [
        (chip, {"energy": energy, "latency": 1e-3}) for chip in ("loihi1_davies", "sram45_int8") for energy in (1e-6, 2e-6)
    ]  # fmt: skip
    first, *_, last = sweep.cells
    assert first.target is not None
    assert [(o.name, o.profile, o.at_most) for o in first.target.objectives] == [
        ("accuracy", None, None), ("spikes", None, None), ("energy", "loihi1_davies", 1e-6), ("latency", "loihi1_davies", 1e-3)
    ]  # fmt: skip
    assert [limit.name for limit in first.target.limits] == ["fit"]
    assert last.target is None
    assert "no total energy" in last.why_not
    assert "no [time]" in last.why_not


def test_the_rank_correlation_is_kendalls_over_what_both_can_price() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.random(30), rng.random(30)
    a[3], b[7] = math.nan, math.nan
    both = [i for i in range(30) if i not in (3, 7)]
    assert kendall_tau(a, b) == (28, pytest.approx(kendalltau(a[both], b[both]).statistic))
    pairs = [(i, j) for i in both for j in both if i < j]
    slow = sum(np.sign(a[i] - a[j]) * np.sign(b[i] - b[j]) for i, j in pairs) / len(pairs)
    assert kendall_tau(a, b)[1] == pytest.approx(slow)
    assert kendall_tau(a, -a) == (29, pytest.approx(-1.0))
    assert kendall_tau(a, np.ones(30))[1] is None
    assert kendall_tau(a[:4], b[:4]) == (3, None)


# The table on measurements that need no training.

ACCURACY = Objective("accuracy", lambda m: m["accuracy"], direction="max", at_least=0.2)


class Counts(dict[str, float]):
    """A measurement that is its own activity."""

    @property
    def activity(self) -> Counts:
        return self


class Verdict:
    verdict, unchecked = "fits", ()

    def __init__(self, neurons: float, most: float) -> None:
        self.violations = (f"neurons: {neurons:g} > {most:g}",) if neurons > most else ()
        self.degree = max(0.0, neurons / most - 1)


def chip(name: str, per_spike: float, *, most_neurons: int = 100) -> Chip:
    energy = Objective("energy", lambda m: per_spike * m["spikes"] + m["neurons"], unit="J", profile=name)
    fit = Objective("fit", lambda m: Verdict(m["neurons"], most_neurons).degree, at_most=0.0)
    return Chip(name, "chip", {"energy": energy}, {}, fit, check=lambda m: Verdict(m["neurons"], most_neurons))


def cell(on: Chip, most: float) -> Cell:
    energy = replace(on.priced["energy"], at_most=most)
    return Cell(on, {"energy": most}, Target(on.name, (ACCURACY, energy), (on.fit,)))


def rows(*measurements: Mapping[str, Any], rung: int = 0) -> list[Row]:
    genotypes = [small_space().sample(np.random.default_rng(i)) for i in range(40)]
    different = list({genotype.key: genotype for genotype in genotypes}.values())
    return [
        Row.of(
            Evaluation(
                Job(slot=i, kind="evaluate", genotype=different[i], strategy="x", rung=rung, epochs=rung + 1),
                Outcome.MEASURED,
                measurement=Counts(measurement),
            ),
            (ACCURACY,),
        )
        for i, measurement in enumerate(measurements)
    ]


def reason(asked: Cell, seen: list[Row]) -> str:
    assert asked.target is not None
    return why_none(asked, [asked.target.row(row) for row in seen])


def test_a_cell_without_a_network_says_what_stood_in_the_way() -> None:
    good = {"accuracy": 0.9, "spikes": 4.0, "neurons": 10}
    poor = {"accuracy": 0.1, "spikes": 0.0, "neurons": 1}
    small = chip("small", 1.0, most_neurons=5)
    assert reason(cell(small, 50.0), []) == "no network has been measured"
    assert "none of 2 networks fits; most often (2 times): neurons: 10 > 5" in reason(
        cell(small, 50.0), rows(good, good)
    )
    assert "keeps energy <= 2 J: the smallest seen is 14" in reason(cell(chip("large", 1.0), 2.0), rows(good))
    assert "keeps accuracy >= 0.2: the largest seen is 0.1" in reason(cell(chip("large", 1.0), 2.0), rows(poor))
    assert "each bound is kept by some of 2" in reason(cell(chip("large", 1.0), 2.0), rows(good, poor))
    assert "1 network kept every bound after 1 epoch, and" in reason(cell(chip("large", 1.0), 20.0), rows(good))


def test_a_network_is_rejected_only_if_it_fits_on_none_of_the_chips() -> None:
    small, large = chip("small", 1.0, most_neurons=2), chip("large", 1.0, most_neurons=8)
    reject = rejected_by_all({", on small": small.check, ", on large": large.check}, plan=planned)
    sizes = {size: Genotype({"neurons": size}) for size in (1, 5, 9)}
    assert reject(sizes[1]) is None
    assert reject(sizes[5]) is None
    assert reject(sizes[9]) == Rejection(("neurons: 9 > 8, on large",), 1 / 8)
    with pytest.raises(KeyError):  # what cannot be planned does not pass for what fits
        reject(Genotype({"layers": 1}))


def planned(genotype: Genotype) -> Counts:
    return Counts(neurons=genotype["neurons"])


def test_networks_that_fit_on_no_chip_are_rejected_where_the_run_file_asks_for_it(tmp_path: Path) -> None:
    run_file = write_run_file(tmp_path, evaluations=8)
    hardware = ("--set", "hardware.profile=loihi1_davies", "--set", "ladder.epochs=[1]")
    said = evonas(
        "sweep", run_file, "--profiles", "loihi1_davies,odin28", "--budget", "energy=1e-3", *hardware,
        "--output", tmp_path / "on", "--format", "json",
    )  # fmt: skip
    assert said.exit_code == 0, said.output
    shown = json.loads(said.stdout)
    assert shown["evaluations"] == 8
    assert shown["rejected"] > 0
    assert "rejects what fits on none of its own chips" in said.stderr
    rows = Archive.read(tmp_path / "on" / "archive.h5").rows
    assert all(row.is_rejected == ("on loihi1_davies" in row.evaluation.message) for row in rows)
    assert shown["cells"][0]["feasible"] > 0
    assert "none of 8 networks fits" in shown["cells"][1]["reason"]


def test_where_nothing_fits_on_any_chip_the_sweep_fails_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.modules["evonas.engine.search"], "REJECTED_IN_A_ROW", 30)
    monkeypatch.syspath_prepend(tmp_path)
    run_file = write_run_file(tmp_path, evaluations=3)
    said = evonas(
        "sweep", run_file, "--profiles", "odin28", "--budget", "energy=1e-3", "--set", "hardware.profile=odin28",
        "--output", tmp_path / "odin",
    )  # fmt: skip
    assert said.exit_code == 1
    assert "Nothing fits on any of the chips: no network has been measured; 30 were rejected, such as:" in said.stderr


def test_chips_that_rank_differently_are_told() -> None:
    spiky, still = chip("spiky", 10.0), chip("still", 0.0)
    measured = [{"accuracy": 0.5, "spikes": 9.0 - i, "neurons": i} for i in range(9)]
    (correlation,) = rank_correlations([spiky, still], rows(*measured), quantity="energy")
    assert (correlation.profiles, correlation.networks, correlation.tau) == (("spiky", "still"), 9, -1.0)
    table = SweepTable(
        (), (correlation,), {"energy": "J"}, {"spiky": "chip", "still": "chip"}, {}, 9, 0, 0, classification.ACCURACY
    )
    assert "spiky and still rank 9 networks differently by energy (tau -1.00: 0 % of the pairs" in table.notes()[0]
    assert "two models of one chip" in table.notes()[1]
    assert len(table.notes()) == 2
    assert SweepTable((), (replace(correlation, tau=0.9),), {}, {}, {}, 9, 0, 0, classification.ACCURACY).notes() == []


def test_energies_of_which_different_parts_are_compared_are_named() -> None:
    parts = {"spinnaker1": "total", "loihi1_davies": "dynamic"}
    table = SweepTable((), (), {"energy": "J"}, dict.fromkeys(parts, "chip"), parts, 9, 0, 0, classification.ACCURACY)
    (note,) = table.notes()
    assert "not comparable from chip to chip: spinnaker1 total, loihi1_davies dynamic." in note
    assert json.loads(table.to_json())["parts"] == parts
    assert replace(table, parts=dict.fromkeys(parts, "total")).notes() == []


def test_a_network_counts_once_for_a_correlation_as_it_was_after_its_longest_training() -> None:
    short = rows(*[{"accuracy": 0.5, "spikes": 1.0 * i, "neurons": i} for i in range(6)])
    longer = rows(*[{"accuracy": 0.5, "spikes": 9.0 - i, "neurons": i} for i in range(6)], rung=1)
    (correlation,) = rank_correlations([chip("spiky", 10.0), chip("still", 0.0)], [*longer, *short], quantity="energy")
    assert (correlation.networks, correlation.tau) == (6, pytest.approx(-1.0))
