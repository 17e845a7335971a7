"""Settings of a search job that scores networks without training them, and their form in the settings of the job."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from evonas.engine.effort import Effort
from evonas.variables import Scalar

METHOD_OF_SCORES = "scores"

OPERATIONS = "operations"
"""What scores are traded against by default: dense multiply-accumulates, which follow from the genotype alone."""

NOTHING = "nothing"
"""What they are traded against where the highest score alone counts."""


_ONLY = "only."


@dataclass(frozen=True)
class ScoreSearch:
    """Settings of one job: a part of a pool of random networks.

    Attributes:
        score: Name of the score.
        first: Position of its first network among all that are drawn with the seed of the run.
        networks: Networks from there on.
        batch_size: Training samples on which they are scored, the same for all.
        against: `OPERATIONS`, `NOTHING`, or the name of an objective that needs no training.
        only: Variables that are drawn from some of their values only, and these.
    """

    score: str
    first: int
    networks: int
    batch_size: int
    against: str
    only: Mapping[str, Sequence[Scalar]] = field(default_factory=dict)

    def to_job(self) -> dict[str, Scalar]:
        """Return the settings of its job."""
        plain = {name: value for name, value in vars(self).items() if name != "only"}
        lists = {_ONLY + name: json.dumps(list(values)) for name, values in self.only.items()}
        return {"method": METHOD_OF_SCORES, **plain, **lists}

    def effort(self, samples: int) -> Effort:
        """Return what its job goes through: the batch once for each network, as if it were trained on it."""
        return Effort(float(self.networks * min(self.batch_size, samples)))

    @classmethod
    def of(cls, settings: Mapping[str, Scalar]) -> ScoreSearch:
        """Return the settings that `to_job` put into those of a job."""
        return cls(
            score=str(settings["score"]),
            first=int(settings["first"]),
            networks=int(settings["networks"]),
            batch_size=int(settings["batch_size"]),
            against=str(settings["against"]),
            only={
                name.removeprefix(_ONLY): tuple(json.loads(str(values)))
                for name, values in settings.items()
                if name.startswith(_ONLY)
            },
        )
