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


def spent_by(module: str, *arguments: str) -> tuple[float, float]:
    """Return the CPU seconds that `python -m module arguments` takes, and its peak in MB, its imports counted in."""
    command = [sys.executable, "-W", "ignore", "-c", _SPENT, module, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    seconds, megabytes = done.stderr.split()[-2:]
    return float(seconds), float(megabytes)


# The process says it itself: what its parent holds would be counted in the account that parents get.
_SPENT = """
import runpy, sys, time
from pathlib import Path
try:
    runpy.run_module(sys.argv.pop(1), run_name="__main__", alter_sys=True)
except SystemExit as ending:
    if ending.code:
        raise
lines = Path("/proc/self/status").read_text().splitlines()
peak = next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))
print(time.process_time(), peak / 1024, file=sys.stderr)
"""


def _account(name: str) -> float:
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return next(float(line.split()[1]) for line in lines if line.startswith(name)) / 1024
