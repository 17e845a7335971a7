"""The door to the chips: what it prints, for people and for programs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from evonas.__main__ import app
from evonas.profiles import described, known


def run(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["profiles", *arguments])
    return result.exit_code, result.output


def test_every_chip_is_listed_with_what_it_counts_and_what_it_does_not() -> None:
    code, output = run()
    assert code == 0
    for name in known():
        assert name in output
    for text in ("no energy is published", "power x time", "memory accesses"):
        assert text in " ".join(output.replace("│", " ").split()), text


def test_a_chip_is_shown_with_kinds_and_sources() -> None:
    code, output = run("truenorth28")
    assert code == 0
    for text in ("2.297 pJ", "derived", "akopyan2015", "never summed: all_in.synop", "not counted: neuron updates"):
        assert text in output


def test_programs_read_one_object_a_chip() -> None:
    code, output = run("loihi1_davies", "xylo_a2", "--format", "json")
    loihi, xylo = json.loads(output)
    assert code == 0
    assert loihi["energy"]["hop"] == {
        "value": 3.5, "low": 3.0, "high": 4.0, "kind": "derived", "counted": True,
        "source": "davies2018 mean of E-W 3.0 and N-S 4.0; per message, not per synop",
    }  # fmt: skip
    assert not loihi["energy"]["synop_learn"]["counted"]
    assert (loihi["latency"], xylo["composition"], xylo["energy"]) == ("async-barrier", "power-time", {})


@pytest.mark.parametrize("name", known())
def test_every_chip_says_where_its_numbers_come_from(name: str) -> None:
    chip = described(name)
    assert chip["sources"]
    assert all(number["source"] for section in ("energy", "power") for number in chip[section].values())
    assert chip["not_counted"]


def test_a_profile_of_ones_own_is_shown_by_its_path(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    source = (Path(__file__).parents[2] / "objectives/profiles/odin28.toml").read_text(encoding="utf-8")
    path.write_text(source.replace('id = "odin28"', 'id = "mine"'), encoding="utf-8")
    assert "mine" in run(str(path))[1]


def test_an_unknown_chip_is_a_wrong_command() -> None:
    code, output = run("loihi9")
    assert code == 2
    assert "There is no profile 'loihi9'; known are: arith45_fp32" in " ".join(output.split())
