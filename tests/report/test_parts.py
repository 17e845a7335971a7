"""Dynamic and total energy side by side: in the table of a front, as JSON and CSV, of a pick and on the page."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest
from priced_runs import busy, write_priced_run
from typer.testing import CliRunner

from evonas.__main__ import app
from evonas.chips.energy import estimate
from evonas.chips.profile import load
from evonas.report.page.amounts import prefixed

NETWORKS = [(0.5, busy(1)), (0.9, busy(20))]


def results(folder: Path, **options: Any) -> Path:
    """Return the folder of a run of two networks that are priced on a chip."""
    objectives = [{"name": "accuracy"}, {"name": "energy", **options}]
    return write_priced_run(folder, networks=NETWORKS, objectives=objectives)


def front(*arguments: object) -> str:
    result = CliRunner().invoke(app, ["front", *map(str, arguments)])
    assert result.exit_code == 0, result.output
    return result.stdout


@pytest.mark.parametrize(
    ("options", "traded", "other"),
    [
        ({"profile": "loihi1_davies"}, "dynamic", "total"),
        ({"profile": "loihi1_davies", "part": "total"}, "total", "dynamic"),
        ({"profile": "spinnaker1"}, "total", "dynamic"),
    ],
)
def test_both_parts_of_an_energy_stand_side_by_side(
    tmp_path: Path, options: dict[str, Any], traded: str, other: str
) -> None:
    folder = results(tmp_path / "run", **options)
    content = json.loads(front(folder, "--format", "json"))
    assert content["objectives"]["energy"]["part"] == traded
    rows = list(csv.DictReader(io.StringIO(front(folder, "--format", "csv"))))
    table = " ".join(front(folder).split())
    assert f"energy, {other} [J/sample]" in table
    assert len(content["networks"]) == len(rows) > 0
    for network, row in zip(content["networks"], rows, strict=True):
        result = estimate(NETWORKS[network["slot"]][1], load(options["profile"]))
        both = {"dynamic": result.dynamic.nominal, "total": result.total.nominal}
        assert network["parts"]["energy"] == both
        assert network["objectives"]["energy"] == both[traded]
        assert float(row["energy [J/sample]"]) == both[traded]
        assert float(row[f"energy, {other} [J/sample]"]) == both[other]
        assert f"{both[traded]:.3g}" in table
        assert f"{both[other]:.3g}" in table


def test_the_breakdown_of_a_pick_and_the_page_name_both_parts_and_which_one_is_traded(tmp_path: Path) -> None:
    folder = results(tmp_path / "run", profile="loihi1_davies")
    result = estimate(NETWORKS[1][1], load("loihi1_davies"))
    both = f"dynamic {result.dynamic.nominal:.3g}, total {result.total.nominal:.3g} J/sample"
    told = front(folder, "--pick", "best:accuracy")
    assert "Energy on loihi1_davies (dynamic, core-dynamic)" in told
    assert both in told
    breakdown = json.loads(front(folder, "--pick", "best:accuracy", "--format", "json"))["picked"]["breakdown"]
    assert breakdown["part"] == "dynamic"
    assert breakdown["parts"] == {"dynamic": result.dynamic.nominal, "total": result.total.nominal}
    front(folder, "--pick", "best:accuracy", "--html")
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert f"of dynamic energy a sample; the total energy is {prefixed(result.total.nominal, 'J')}." in page


def test_an_energy_without_a_total_has_one_column(tmp_path: Path) -> None:
    folder = results(tmp_path / "run", profile="arith45_fp32")
    content = json.loads(front(folder, "--format", "json"))
    assert "part" not in content["objectives"]["energy"]
    assert all("parts" not in network for network in content["networks"])
    assert "energy, " not in front(folder)
    breakdown = json.loads(front(folder, "--pick", "best:accuracy", "--format", "json"))["picked"]["breakdown"]
    assert breakdown["parts"]["total"] is None
