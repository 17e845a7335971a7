"""Freed memory can be kept."""

from __future__ import annotations

import subprocess
import sys

import pytest

from evonas.training import glibc_memory


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only glibc has the setting")
def test_tensors_that_are_freed_and_taken_again_cost_no_page_faults():
    code = """
import resource, torch
from evonas.training.glibc_memory import keep_freed_memory
assert keep_freed_memory()
for _ in range(5):
    torch.ones(2 ** 24)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(10):
    torch.ones(2 ** 24)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    pages = 10 * 2**24 * 4 // 4096
    assert int(done.stdout) < pages / 4


def test_another_system_is_told_from_this_one(monkeypatch):
    monkeypatch.setattr(glibc_memory.sys, "platform", "darwin")
    assert not glibc_memory.keep_freed_memory()
