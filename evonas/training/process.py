"""What training takes of the whole process, threads and random numbers for a while, freed memory for good."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

_TRIM_THRESHOLD, _MMAP_MAX = -1, -4  # of glibc's mallopt


@contextmanager
def torch_threads(count: int) -> Iterator[None]:
    """Return a context in which torch computes on `count` threads; the former number is set again at its end."""
    import torch

    former = torch.get_num_threads()
    if former == count:
        yield
        return
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(former)


@contextmanager
def seeded(seed: int, *, device: torch.device) -> Iterator[None]:
    """Return a context in which torch's global generators start from a seed; at its end they go on as if it never was.

    Args:
        seed: Any whole number; its lowest 63 bits count.
        device: Whose generator is seeded beside that of the CPU.
    """
    import torch

    gpus = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices=gpus):
        torch.default_generator.manual_seed(seed % 2**63)
        for gpu in gpus:
            with torch.cuda.device(gpu):
                torch.cuda.manual_seed(seed % 2**63)
        yield


def give_back_freed_memory() -> None:
    """Give memory that this process has freed back to the system, where the allocator can be told to (glibc).

    Large arrays that were read between others leave gaps, which the allocator would keep.
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if sys.platform.startswith("linux") else None
    if trim is not None:
        trim(0)


def sees_gpu() -> bool:
    """Return whether torch can train on a GPU in this process."""
    import torch

    return bool(torch.cuda.is_available())


def keep_freed_memory() -> bool:
    """Let this process keep freed memory for its next tensors; return whether that is possible (glibc).

    Each training step frees and takes the same tensors. Where they go back to the system in between, every page of
    them is cleared and mapped again, a tenth of the time of a step and most of that of a scan over many time steps.
    """
    if not sys.platform.startswith("linux"):
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    return bool(mallopt(_MMAP_MAX, 0)) and bool(mallopt(_TRIM_THRESHOLD, 2**31 - 1))
