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
    given = json.dumps([job.seed, dict(job.settings)], sort_keys=True)
    return int(hashlib.sha256(given.encode()).hexdigest()[:15], 16)
