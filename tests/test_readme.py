"""What the README says is run here."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    # blocks inside a list are indented; dedent by the fence
    found = re.findall(rf"^( *)```{language}\n(.*?)^ *```", README, re.DOTALL | re.MULTILINE)
    return [re.sub(rf"^{indent}", "", text, flags=re.MULTILINE) for indent, text in found]


def test_the_library_example_runs_without_torch_and_prints_a_front(tmp_path: Path) -> None:
    example = next(block for block in blocks("python") if "search(" in block)
    code = f"{example}\nimport sys\nassert 'torch' not in sys.modules and 'ray' not in sys.modules\n"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False, env={"PYTHONPATH": str(ROOT)}
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    front = json.loads(done.stdout)
    assert front["evaluations"] == 20
    assert {"error", "rate"} == set(front["networks"][0]["objectives"])


def test_the_objective_of_the_readme_has_at_most_ten_lines_and_works() -> None:
    example = next(block for block in blocks("python") if "def objective" in block)
    assert len(example.strip().splitlines()) <= 12
    scope: dict[str, object] = {}
    exec(compile(example, "README.md", "exec"), scope)

    class Measured:
        time_steps = 3

    assert scope["objective"](weight=2.0).score(Measured()) == 6.0  # type: ignore[operator]


def test_the_run_file_of_the_readme_has_a_right_form() -> None:
    from evonas.runfile.schema import parse

    file, faults = parse(tomllib.loads(next(block for block in blocks("toml") if "[search]" in block)))
    assert file is not None, faults


@pytest.mark.parametrize("path", re.findall(r"\]\(([^)#:]+)\)", README))
def test_every_file_that_the_readme_links_to_is_there(path: str) -> None:
    assert (ROOT / path).exists()


def test_every_wing_stands_in_the_map_of_the_files() -> None:
    wings = {path.name for path in (ROOT / "evonas").iterdir() if path.is_dir() and path.name != "__pycache__"}
    assert {name for name in wings if f"  {name}/ " not in README} == set()
