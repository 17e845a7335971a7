"""Effort of a search job, from which its cost is predicted: how many samples random networks would train on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from evonas.variables import Scalar


@dataclass(frozen=True)
class Effort:
    """What a search job goes through, as if random networks were trained in its place.

    Attributes:
        samples: Samples that go through a training step, forward and backward; one that goes forward only counts
            `FORWARD`.
        sizes: Variables that all networks of the job share, and their values.
    """

    samples: float
    sizes: Mapping[str, Scalar] = field(default_factory=dict)
