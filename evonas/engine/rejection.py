"""Rejections: why a network is not evaluated at all, and by how much it breaks the rules."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from evonas.errors import EvonasError
from evonas.genotype import Genotype
from evonas.options import shown


@dataclass(frozen=True)
class Rejection:
    """Why a network is rejected before its evaluation.

    Attributes:
        reasons: One for each rule that it breaks, for people. A bare string is one reason.
        degree: By how much it breaks them, above 0: of two rejected networks the one with the lower degree is better.

    Example:
        >>> from evonas import Rejection
        >>> Rejection(("6 layers, and there is room for 4",), degree=0.5).message
        '6 layers, and there is room for 4.'
    """

    reasons: tuple[str, ...]
    degree: float

    def __post_init__(self) -> None:
        reasons = (self.reasons,) if isinstance(self.reasons, str) else self.reasons
        are_reasons = isinstance(reasons, list | tuple) and all(isinstance(one, str) and one for one in reasons)
        is_degree = isinstance(self.degree, int | float) and 0 < self.degree < math.inf
        if not (reasons and are_reasons and is_degree):
            raise EvonasError(
                f"A rejection needs one or more reasons and a finite degree above 0, got {shown(self.reasons)} and "
                f"{shown(self.degree)}. Return None for a network that is not rejected."
            )
        object.__setattr__(self, "reasons", tuple(reasons))

    @property
    def message(self) -> str:
        """One sentence for each reason."""
        return " ".join(f"{reason}." for reason in self.reasons)


Reject = Callable[[Genotype], Rejection | None]
"""Returns why a network is not evaluated, or None. Must depend on the genotype alone; otherwise a resumed run would
differ from an uninterrupted one."""


def first_of(*rules: Reject | None) -> Reject | None:
    """Return a `Reject` that answers as the first of the rules that rejects; None if there is no rule."""
    given = [rule for rule in rules if rule is not None]

    def reject(genotype: Genotype) -> Rejection | None:
        return next((rejection for rule in given if (rejection := rule(genotype)) is not None), None)

    return reject if given else None


def most_common_reason(reject: Reject, genotypes: Iterable[Genotype]) -> str:
    """Return the rule that most of these networks break, without its numbers, and how many of the rejected break it."""
    rejections = [rejection for genotype in genotypes if (rejection := reject(genotype)) is not None]
    rules = Counter(rule for one in rejections for rule in {reason.partition(": ")[0] for reason in one.reasons})
    if not rules:
        return ""
    rule, count = min(rules.items(), key=lambda entry: (-entry[1], entry[0]))
    return f"{rule} ({count:,} of {len(rejections):,} rejected networks)"
