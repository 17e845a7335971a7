"""The page of a run: well formed, right in what it holds, and deaf to names that want to be code."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from counted import analog, small
from pages import HOSTILE, write_hostile, written
from priced_runs import NETWORKS, busy, write_priced_run

from evonas.chips import latency
from evonas.chips.energy import estimate
from evonas.chips.profile import load
from evonas.engine.evaluation import Evaluation, Outcome
from evonas.engine.job import Job
from evonas.engine.view import Row
from evonas.genotype import Genotype
from evonas.objective import Objective
from evonas.report.page.amounts import amount
from evonas.report.page.costs import left_out
from evonas.report.page.drawing import COLUMNS, drawing
from evonas.report.page.importance import FEWEST, importances
from evonas.task import binomial_error

VOID = {"meta", "link", "img", "input", "br"}


class Tags(HTMLParser):
    """Checks that tags are closed in order; `found` are all of them, `texts` what scripts hold by their type."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.texts: dict[str, str] = {}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] in ("script", "style"):
            kind = self.found[-1][1].get("type") or self.open[-1]
            self.texts[kind] = self.texts.get(kind, "") + data


def parsed(text: str) -> Tags:
    tags = Tags()
    tags.feed(text)
    tags.close()
    assert tags.open == []
    return tags


def content(text: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(parsed(text).texts["application/json"])
    return found


def test_the_page_is_well_formed_and_asks_no_other_machine(tmp_path: Path) -> None:
    text = written(write_priced_run(tmp_path / "run"))
    tags = parsed(text)
    assert not [one for one in tags.found if {"src", "href", "style", "onclick"} & set(one[1])]
    assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)", text)
    policy = next(one[1]["content"] for one in tags.found if one[1].get("http-equiv"))
    assert policy is not None
    for name, kind in (("script", "script-src"), ("style", "style-src")):
        digest = base64.b64encode(hashlib.sha256(tags.texts[name].encode()).digest()).decode()
        assert f"{kind} 'sha256-{digest}'" in policy
    assert policy.startswith("default-src 'none'")


def test_the_scripts_make_no_markup_of_texts() -> None:
    assets = Path(__file__).parents[2] / "evonas/report/page/assets"
    for path in assets.glob("*.js"):
        assert not re.search(r"innerHTML|outerHTML|insertAdjacent|document\.write|eval\(|fetch\(", path.read_text())


def test_values_fronts_and_errors_are_those_of_the_rows(tmp_path: Path) -> None:
    found = content(written(write_priced_run(tmp_path / "run")))
    (chip,) = found["chips"]
    accuracy, energy = chip["objectives"]
    assert accuracy["values"] == [value for value, _ in NETWORKS]
    joules = [estimate(activity, load("loihi1_davies")).dynamic.nominal for _, activity in NETWORKS]
    assert energy["values"] == pytest.approx(joules)
    assert accuracy["errors"] == pytest.approx([binomial_error(value, 10) for value, _ in NETWORKS])
    assert energy["errors"] is None
    assert chip["front"] == [0, 1]  # the third is dearer and worse than both
    assert [(card["title"], card["row"]) for card in chip["cards"]] == [
        ("Best accuracy", 1), ("Cheapest of the best", 1), ("Knee", 0),
    ]  # fmt: skip
    assert f"energy {amount(joules[1], Objective('energy', abs, unit='J/sample'))}" in chip["cards"][0]["sentence"]
    (variable,) = found["variables"]
    assert (variable["name"], variable["levels"], variable["values"]) == ("a", None, [0, 1, 2])


def test_the_cost_of_each_network_is_that_of_its_chip(tmp_path: Path) -> None:
    found = content(written(write_priced_run(tmp_path / "run"), "--profiles", "odin28,loihi1_sanafe"))
    assert [chip["name"] for chip in found["chips"]] == ["loihi1_davies", "odin28", "loihi1_sanafe"]
    for chip in found["chips"]:
        for row, (_, activity) in enumerate(NETWORKS):
            cost, expected = chip["costs"][str(row)], estimate(activity, load(chip["name"]))
            for layer, terms in expected.layers.items():
                for term, band in terms.items():
                    assert cost["joules"][layer][term] == pytest.approx(band.nominal, rel=1e-4)
            assert sum(sum(terms.values()) for terms in cost["joules"].values()) == pytest.approx(
                expected.dynamic.nominal, rel=1e-4
            )
            seconds = latency.estimate(activity, load(chip["name"])).parts
            assert cost["latency"]["parts"] == pytest.approx(seconds, rel=1e-4)
            assert cost["fit"]["verdict"] in ("fits", "unchecked", "does not fit")


def test_what_a_chip_cannot_do_is_said_in_the_place_of_its_energy(tmp_path: Path) -> None:
    folder = write_priced_run(tmp_path / "run", networks=[(0.5, small()), (0.9, analog())])
    (chip,) = content(written(folder))["chips"]
    assert chip["costs"]["1"]["energy"] is None
    assert "has no price for" in chip["costs"]["1"]["why"]
    assert chip["reasons"] == [{"kind": "infeasible", "count": 1, "text": chip["reasons"][0]["text"]}]
    assert "has no price for multiply-accumulates" in chip["reasons"][0]["text"]


def test_the_drawing_holds_spikes_by_step_and_events_by_connection() -> None:
    found = drawing(busy(3), None)
    hidden, readout = found["layers"]
    assert (hidden["spikes"], hidden["total"], hidden["sends"]) == ([2.0, 3.0], 5.0, True)
    assert not readout["sends"]
    image, event = found["edges"]
    assert (image["sources"], image["target"], image["macs"]) == ([-1], 0, 60.0)
    assert (event["sources"], event["target"], event["events"]) == ([0], 1, 30.0)
    assert not found["knowsConstants"]


def test_many_time_steps_are_added_up_to_columns() -> None:
    steps = 3 * COLUMNS - 1
    hidden = replace(small().populations[0], spikes=tuple(range(steps)), updates=(0,) * steps)
    found = drawing(replace(small(), time_steps=steps, populations=(hidden,), connections=()), None)
    columns = found["layers"][0]["spikes"]
    assert found["stepsPerColumn"] == 3
    assert columns[:2] == [0.3, 1.2]
    assert len(columns) == COLUMNS
    assert sum(columns) == pytest.approx(sum(range(steps)) / 10)


def test_growth_adds_up_what_was_spent_and_strategies_share_the_front(tmp_path: Path) -> None:
    (chip,) = content(written(write_priced_run(tmp_path / "run")))["chips"]
    assert chip["growth"]["evaluations"] == [1, 2, 3]
    assert chip["growth"]["hypervolume"] == sorted(chip["growth"]["hypervolume"])
    assert chip["strategies"] == [{"strategy": "random", "evaluations": 3, "front": 2}]


def rows(count: int) -> tuple[list[Row], Objective]:
    """Return networks whose cost is 3 where `wide` is true, plus a noise that goes with nothing else."""
    noise = np.random.default_rng(0).normal(0, 0.5, count)
    objective = Objective("cost", lambda found: found["cost"])
    found = []
    for slot in range(count):
        genotype = Genotype({"wide": slot % 2 == 0, "other": slot % 3, "fixed": "a"})
        measurement = {"cost": 3.0 * (slot % 2 == 0) + float(noise[slot])}
        evaluation = Evaluation(Job(slot, "evaluate", genotype, "toy"), Outcome.MEASURED, measurement=measurement)
        found.append(Row.of(evaluation, [objective]))
    return found, objective


def test_the_importance_of_a_variable_is_its_share_of_the_variance() -> None:
    known, objective = rows(600)
    found = {one.variable: one for one in importances(known, [objective])}
    assert set(found) == {"wide", "other"}  # what is the same everywhere explains nothing
    assert found["wide"].share == pytest.approx(1.5**2 / (1.5**2 + 0.5**2), abs=3 * found["wide"].error)
    assert 0 < found["wide"].error < 0.03
    assert abs(found["other"].share) < 0.02
    assert importances(known[: FEWEST - 1], [objective]) == ()


def test_epsilon_squared_is_computed_as_its_definition_says() -> None:
    known, objective = rows(60)
    share = next(one.share for one in importances(known, [objective]) if one.variable == "other")
    values = np.array([row.costs[0] for row in known if row.costs])
    groups = [values[np.arange(60) % 3 == level] for level in range(3)]
    within = sum(((group - group.mean()) ** 2).sum() for group in groups)
    assert share == pytest.approx(1 - (within / 57) / values.var(ddof=1))


def test_what_is_not_counted_is_a_sentence_without_numbers() -> None:
    text = left_out(["spikes sent (the profile has no energy.spike_out): 6,373", "time steps (it has none): 8"])
    assert text == "Not counted: spikes sent; time steps."
    assert left_out([]) == ""


@pytest.mark.parametrize(
    ("value", "unit", "error", "text"),
    [
        (0.9833, "fraction", 0.0071, "98.3 ± 0.7 %"),
        (1.178e-05, "J/sample", None, "11.8 µJ a sample"),
        (9.9999e-07, "J/sample", None, "1 µJ a sample"),
        (6373.05, "spikes/sample", None, "6,373 spikes a sample"),
        (0.0, "s/sample", None, "0 s a sample"),
        (1.5, "px", 0.25, "1.5 ± 0.25 px"),
    ],
)
def test_amounts_are_read_with_their_unit(value: float, unit: str, error: float | None, text: str) -> None:
    assert amount(value, Objective("x", abs, unit=unit), error=error) == text


def test_names_in_files_are_texts(tmp_path: Path) -> None:
    folder = tmp_path / HOSTILE.replace("/", "\\")
    folder.mkdir()
    text = written(write_hostile(folder))
    assert "<script>alert" not in text
    assert text.count("<script") == text.count("</script") == 2
    found = content(text)
    assert found["title"] == folder.name
    assert found["rows"]["strategies"] == [HOSTILE]
    assert [(one["name"], one["levels"]) for one in found["variables"]] == [(HOSTILE, [HOSTILE, "\\x1b[31m"])]
    parsed(text)


def test_a_page_without_a_front_says_what_came_nearest(tmp_path: Path) -> None:
    (chip,) = content(written(write_priced_run(tmp_path / "run"), "--budget", "accuracy=0.99"))["chips"]
    assert "0 networks on the front" in chip["summary"]
    assert any("accuracy >= 0.99 fraction: 0 of 3 networks keep it" in sentence for sentence in chip["nearest"])
    assert chip["cards"] == []
