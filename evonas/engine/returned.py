"""What an `evaluate` returned for a job that it could do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from evonas.engine.plain import kept
from evonas.engine.training_log import Trained
from evonas.genotype import Genotype
from evonas.measurement import Measurement


@dataclass(frozen=True)
class Returned:
    """What came of a job. Functions of a user's own may return the bare measurement, or the bare genotypes.

    Attributes:
        measurement: Of a network: a `Measurement` or a JSON object.
        proposals: Genotypes that a `search` job proposes.
        trained: What the training took, None where nobody counted.
    """

    measurement: Measurement | Mapping[str, Any] | None = None
    proposals: tuple[Genotype, ...] = ()
    trained: Trained | None = None

    @classmethod
    def of(cls, result: Any, *, kind: str) -> Returned:
        """Return what an `evaluate` has returned for a job of this kind, in the form in which it can be kept.

        Raises:
            TypeError: If it is nothing that a job of this kind comes to, or cannot be kept.
            ValueError: If it holds what JSON cannot.
        """
        whole = result if isinstance(result, Returned) else None
        if kind == "search":
            proposals = result if whole is None else whole.proposals
            if not isinstance(proposals, Sequence) or not all(isinstance(one, Genotype) for one in proposals):
                raise TypeError(
                    f"evaluate returned {type(result).__name__} for a search job, expected a sequence of genotypes"
                )
            return whole or cls(proposals=tuple(proposals))
        measurement = result if whole is None else whole.measurement
        if not isinstance(measurement, Measurement | Mapping):
            raise TypeError(f"evaluate returned {type(measurement).__name__}, expected a Measurement or a mapping")
        return replace(whole or cls(), measurement=kept(measurement))
