"""What tests of several doors begin with."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from commands import search_sayable_networks


@pytest.fixture(scope="session")
def searched(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a place of work with `results`, a search of networks that NIR can say; tests work on copies of it."""
    place = tmp_path_factory.mktemp("searched")
    with contextlib.chdir(place):
        search_sayable_networks(place)
    return place
