"""What training takes of a process: freed memory can be kept, random numbers are given back."""

from __future__ import annotations

import contextlib
import subprocess
import sys

import pytest
import torch

from evonas.training import process
from evonas.training.process import seeded


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only glibc has the setting")
def test_tensors_that_are_freed_and_taken_again_cost_no_page_faults():
    code = """
import resource, torch
from evonas.training.process import keep_freed_memory
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
    monkeypatch.setattr(process.sys, "platform", "darwin")
    assert not process.keep_freed_memory()


def test_random_numbers_follow_from_a_seed_and_go_on_afterwards_also_where_an_error_is_raised():
    torch.manual_seed(1)
    first = torch.rand(2)
    with contextlib.suppress(ValueError), seeded(2**80 + 7, device=torch.device("cpu")):
        drawn = torch.rand(2)
        raise ValueError("in between")
    torch.manual_seed(7)
    assert torch.equal(torch.rand(2), drawn)
    torch.manual_seed(1)
    assert torch.equal(torch.rand(2), first)
    rest = torch.rand(2)
    torch.manual_seed(1)
    torch.rand(2)
    with seeded(3, device=torch.device("cpu")):
        torch.rand(9)
    assert torch.equal(torch.rand(2), rest)
