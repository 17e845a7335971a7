"""A few digits and a small network that learns them."""

from __future__ import annotations

import numpy as np
import pytest

from evonas.data import digits
from evonas.data.dataset import SearchData
from evonas.genotype import Genotype
from evonas.tasks.classification import Classification
from spaces.spatial_temporal import space


@pytest.fixture(scope="module")
def data() -> SearchData:
    whole = digits.read().for_search(seed=0)
    return SearchData(whole.train.take(np.arange(96)), whole.validation.take(np.arange(40)), Classification(10))


@pytest.fixture(scope="module")
def genotype() -> Genotype:
    """Return a small network that spikes."""
    rng = np.random.default_rng(0)
    drawn = (space.sample(rng) for _ in range(10_000))
    return next(g for g in drawn if g["channels"] == 4 and g["time_steps"] == 3 and "surrogate" in g)
