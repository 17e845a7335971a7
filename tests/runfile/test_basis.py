"""The basis of an objective: the same for the same values, another for whatever may change them."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from evonas.chips.profile import SHIPPED
from evonas.runfile.objective_sections import objectives_of
from evonas.runfile.schema import ObjectiveSection


def basis(**section: Any) -> str:
    made, faults = objectives_of((ObjectiveSection.model_validate(section),))
    assert faults == []
    return made[0].basis


def test_names_and_bounds_change_no_value_and_all_else_may() -> None:
    one = basis(name="energy", profile="loihi1_davies")
    assert len(one) == 64
    assert one == basis(name="energy", profile="loihi1_davies", at_most=1.0, **{"as": "joules"})
    others = [
        basis(name="energy", profile="loihi1_davies", part="total"),
        basis(name="energy", profile="arith45_fp32"),
        basis(name="latency", profile="loihi1_davies"),
        basis(name="spikes"),
    ]
    assert len({one, *others}) == 5


def test_a_profile_that_is_edited_changes_the_basis(tmp_path: Path) -> None:
    path = tmp_path / "arith45_fp32.toml"
    shutil.copy(SHIPPED / path.name, path)
    before = basis(name="energy", profile=str(path))
    assert before == basis(name="energy", profile="arith45_fp32")
    text = path.read_text()
    assert "4.6" in text
    path.write_text(text.replace("4.6", "4.7"))
    assert basis(name="energy", profile=str(path)) != before


def test_nobody_knows_what_code_of_a_users_own_depends_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "my_own_objective.py").write_text(
        "from evonas import Objective\n\n\ndef objective():\n    return Objective('mine', lambda m: 1.0)\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)
    assert basis(name="my_own_objective:objective") == ""
