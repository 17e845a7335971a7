"""The Makefile on a machine that lacks something: it says what, and leaves nothing half done behind."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

MAKEFILE = Path(__file__).parents[2] / "Makefile"

WITHOUT_PIP = """#!/bin/sh
mkdir -p .venv/bin && touch .venv/bin/python
echo "The virtual environment was not created successfully because ensurepip is not available." >&2
exit 1
"""


def made(folder: Path, *, python: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["make", "-f", str(MAKEFILE), "search", f"PYTHON={python}"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.mark.parametrize("times", [1, 2])
def test_a_python_without_venv_is_told_again_and_leaves_no_half_environment(tmp_path: Path, times: int) -> None:
    (tmp_path / "pyproject.toml").touch()
    (tmp_path / "constraints.txt").touch()
    python = tmp_path / "python3.11"
    python.write_text(WITHOUT_PIP)
    python.chmod(0o755)
    for _ in range(times):
        done = made(tmp_path, python=str(python))
    assert done.returncode != 0
    assert "ensurepip is not available" in done.stderr
    assert "make PYTHON=/path/to/python3.11" in done.stderr
    assert not (tmp_path / ".venv").exists()


def test_a_python_that_is_not_there_is_told(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").touch()
    (tmp_path / "constraints.txt").touch()
    done = made(tmp_path, python="python3.999")
    assert done.returncode != 0
    assert "Install Python 3.11 with its venv module" in done.stderr
