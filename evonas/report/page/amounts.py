"""Amounts for people: a number with its unit, short enough to be read in a sentence."""

from __future__ import annotations

import math

from evonas.objective import Objective

_PREFIXES = {-15: "f", -12: "p", -9: "n", -6: "µ", -3: "m", 0: "", 3: "k", 6: "M", 9: "G"}
"""Decades of a thousand to their prefix."""

PREFIXED = ("J", "s")
"""Units that are read with prefixes; counts are written out."""


def amount(value: float, objective: Objective, *, error: float | None = None) -> str:
    """Return a value of an objective for people, with one standard error where it is known.

    Example:
        >>> amount(1.178e-05, Objective("energy", abs, unit="J/sample"))
        '11.8 µJ a sample'
        >>> amount(0.9833, Objective("accuracy", abs, unit="fraction"), error=0.0071)
        '98.3 ± 0.7 %'
    """
    if objective.unit == "fraction":
        return f"{100 * value:.1f}" + (f" ± {100 * error:.1f} %" if error is not None else " %")
    base, _, per = objective.unit.partition("/")
    ending = f" a {per}" if per else ""
    if base in PREFIXED:
        return f"{prefixed(value, base)}{ending}"
    return f"{_counted(value)}{'' if error is None else f' ± {error:.2g}'} {base}{ending}".rstrip()


def prefixed(value: float, unit: str) -> str:
    """Return a value with the prefix of its unit that leaves one to three digits before the point.

    Example:
        >>> prefixed(4.7e-08, "J")
        '47 nJ'
    """
    if not value:
        return f"0 {unit}"
    decade = 3 * math.floor(math.log10(abs(value)) / 3)
    if round(abs(value) / 10.0**decade, 1) >= 1000:
        decade += 3
    if decade not in _PREFIXES:
        return f"{value:.3g} {unit}"
    return f"{value / 10.0**decade:.3g} {_PREFIXES[decade]}{unit}"


def _counted(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 or value == round(value) else f"{value:.3g}"
