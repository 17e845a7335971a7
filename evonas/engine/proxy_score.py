"""The score of a network that was never trained, as a search job has found it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from evonas.errors import EvonasError
from evonas.genotype import Genotype


@dataclass(frozen=True)
class ProxyScore:
    """A network and its score without training.

    Attributes:
        genotype: The network.
        score: Name of the score, as the run file has it.
        value: The score, the more the better; None where it has none.
        cost: What the score is traded against, in the unit of that; None where it has none, or nothing is traded.
        message: Why there is no score or no cost; empty otherwise.

    Raises:
        EvonasError: If a number is not finite.

    Example:
        >>> from evonas import Genotype
        >>> ProxyScore(Genotype({"layers": 2}), "parameters", 1200.0, cost=5e4).value
        1200.0
    """

    genotype: Genotype
    score: str
    value: float | None
    cost: float | None = None
    message: str = ""

    def __post_init__(self) -> None:
        for name in ("value", "cost"):
            number = getattr(self, name)
            if number is not None and not math.isfinite(number):
                raise EvonasError(f"The {name} of a score is {number}, expected a finite number. Give None for none.")

    def to_json(self) -> dict[str, Any]:
        """Return a JSON object that `from_json` reads back without loss."""
        return {**vars(self), "genotype": dict(self.genotype)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> ProxyScore:
        """Return what `to_json` wrote."""
        return cls(**{**data, "genotype": Genotype(data["genotype"])})
