"""What torch holds for a whole process: threads, which are taken for a while, and whether it sees a GPU."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def torch_threads(count: int) -> Iterator[None]:
    """Return a context in which torch computes on so many threads; they are given back at its end."""
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


def sees_gpu() -> bool:
    """Return whether torch can train on a GPU in this process."""
    import torch

    return bool(torch.cuda.is_available())
