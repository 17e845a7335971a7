"""The README: short, complete, and right in a shell."""

from __future__ import annotations

import contextlib
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from documents import ROOT, as_evonas, blocks, made, shortened, workplace

README = ROOT / "README.md"
TEXT = README.read_text(encoding="utf-8")


def test_the_readme_is_read_in_a_few_minutes() -> None:
    assert len(TEXT.split()) <= 1200


def test_every_wing_stands_in_the_map_of_the_files() -> None:
    wings = {path.name for path in (ROOT / "evonas").iterdir() if path.is_dir() and path.name != "__pycache__"}
    assert {name for name in wings if f"  {name}/ " not in TEXT} == set()


def test_every_page_is_named_in_the_readme() -> None:
    assert {path.name for path in (ROOT / "docs").glob("*.md") if f"(docs/{path.name})" not in TEXT} == set()


def test_the_objective_of_the_readme_is_ten_lines_of_code() -> None:
    example = next(block for block in blocks(README) if block.path == "objectives/steps.py")
    assert len([line for line in example.text.splitlines() if line.strip() and not line.startswith("#")]) <= 10


def test_commands_need_nothing_that_the_readme_has_not_said_before() -> None:
    shown = [command for block in blocks(README) if block.kind == "sh" for command in block.commands]
    entering = shown.index("source .venv/bin/activate")
    assert {command.split()[0] for command in shown[:entering]} == {"make"}
    assert TEXT.index("source .venv/bin/activate") < TEXT.index("evonas front")


@pytest.mark.slow
def test_every_command_of_the_readme_works_as_written_in_a_shell_that_has_entered_the_environment(
    tmp_path: Path,
) -> None:
    folder = workplace(tmp_path / "work")
    for block in blocks(README):
        if block.path is not None:
            (folder / block.path).parent.mkdir(exist_ok=True)
            (folder / block.path).write_text(block.text)
    environment = Path(sys.prefix) / "bin" / "activate"
    shown = [command for block in blocks(README) if block.kind == "sh" for command in block.commands]
    plain = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path)}  # no environment has been entered before
    before, called = "set -e; export PYTHONWARNINGS=ignore", 0
    for command in shown:
        words = shlex.split(command)
        if words[0] == "source":
            before += f"; source {shlex.quote(str(environment))}"
            continue
        if words[0] == "make":  # what it runs at its end, by the path of its program, as in the Makefile
            words = as_evonas(made(words[1]))
            run = [f"{sys.prefix}/bin/evonas", *in_folder(words, folder)[1:]] if words[0] == "evonas" else [":"]
        else:
            run = in_folder(words, folder)
        done = subprocess.run(
            ["bash", "-c", f"{before}; {shlex.join(run)}"], cwd=folder, env=plain, capture_output=True, text=True,
            check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"{command}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
        called += words[0] == "evonas"
    assert called > 10


def in_folder(words: list[str], folder: Path) -> list[str]:
    """Return a command shortened, its files looked up in `folder`."""
    with contextlib.chdir(folder):
        return shortened(
            [str(folder / word) if word.endswith(".toml") and Path(word).exists() else word for word in words]
        )
