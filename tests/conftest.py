"""What holds for all tests."""

from __future__ import annotations

import os

from hypothesis import settings

# how long an example takes depends on the machine and on what else it does
settings.register_profile("evonas", deadline=None)
settings.load_profile("evonas")


def pytest_configure() -> None:
    """Let numerical libraries use one thread: several tests run at once, and threads that wait for a core spin."""
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(name, "1")
