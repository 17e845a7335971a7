"""By how much work raises the peak of a process: Linux' own account, in MB."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path


def raised_by(work: Callable[[], object]) -> float:
    """Return by how many MB `work` raises the peak of this process above what is in use now."""
    before = _account("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # the peak starts anew from what is in use
    work()
    return _account("VmHWM") - before


def told_by(script: str, *arguments: str) -> float:
    """Return the number that a script prints last, run in a process of its own."""
    command = [sys.executable, "-W", "ignore", script, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return float(done.stdout.split()[-1])


def _account(name: str) -> float:
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return next(float(line.split()[1]) for line in lines if line.startswith(name)) / 1024
