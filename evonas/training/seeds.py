"""Seeds: the same network or search of a run begins alike wherever it is trained, scored or tested."""

from __future__ import annotations

import hashlib
import json

from evonas.engine.job import Job
from evonas.genotype import Genotype


def network_seed(genotype: Genotype, seed: int) -> int:
    """Return the seed of all that a network draws in a run with `seed`: weights, order of samples, variations."""
    return int(genotype.key, 16) ^ seed


def search_seed(job: Job) -> int:
    """Return the seed of a search job, made of the run's seed and the settings of the search."""
    return _hashed(json.dumps([job.seed, dict(job.settings)], sort_keys=True))


def draw_seed(seed: int, disturbance: str, draw: int) -> int:
    """Return the seed of one draw of a disturbance of a network that has itself a seed."""
    return _hashed(f"{seed} {disturbance} {draw}")


def _hashed(text: str) -> int:
    return int(hashlib.sha256(text.encode()).hexdigest()[:15], 16)
