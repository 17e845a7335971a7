"""A refusal: why a network is not evaluated at all, and by how much it misses what it would have to keep."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from evonas.errors import EvonasError
from evonas.space import Genotype


@dataclass(frozen=True)
class Refusal:
    """Why a network is refused before its evaluation.

    Attributes:
        reasons: One for each rule that it breaks, for people.
        degree: By how much it misses them, above 0: of two refused networks the one that misses by less is better.

    Example:
        >>> from evonas import Refusal
        >>> Refusal(("6 layers, and there is room for 4",), degree=0.5).message
        '6 layers, and there is room for 4.'
    """

    reasons: tuple[str, ...]
    degree: float

    def __post_init__(self) -> None:
        if not self.reasons or not 0 < self.degree < math.inf:
            raise EvonasError(
                f"A refusal needs one or more reasons and a finite degree above 0, got {self.reasons} and "
                f"{self.degree}. Return None for a network that is not refused."
            )

    @property
    def message(self) -> str:
        """One sentence for each reason."""
        return " ".join(f"{reason}." for reason in self.reasons)


Refuse = Callable[[Genotype], Refusal | None]
"""Returns why a network is not evaluated, or None. A pure function of the genotype, or resuming is no replaying."""


def first_of(*rules: Refuse | None) -> Refuse | None:
    """Return what refuses for the reasons of the first of several rules that refuses, None where there is no rule."""
    there = [rule for rule in rules if rule is not None]

    def refuse(genotype: Genotype) -> Refusal | None:
        return next((refusal for rule in there if (refusal := rule(genotype)) is not None), None)

    return refuse if there else None


def most_common_reason(refuse: Refuse, genotypes: Iterable[Genotype]) -> str:
    """Return the rule that most of these refused networks break, numbers left out, and by how many of them."""
    refusals = [refusal for genotype in genotypes if (refusal := refuse(genotype)) is not None]
    rules = Counter(rule for one in refusals for rule in {reason.partition(": ")[0] for reason in one.reasons})
    if not rules:
        return ""
    rule, count = min(rules.items(), key=lambda entry: (-entry[1], entry[0]))
    return f"{rule} ({count:,} of {len(refusals):,} refused networks)"
