"""Values of variables that differ from the one at hand."""

from __future__ import annotations

from typing import Any

import numpy as np

from evonas.variables import Choice, Integer, Variable


def another_value(variable: Variable, value: Any, rng: np.random.Generator) -> Any:
    """Return another value of a variable; of real ones the end that is further away."""
    if isinstance(variable, Choice):
        return rng.choice([other for other in variable.values if other != value])
    if isinstance(variable, Integer):
        return rng.choice([other for other in range(variable.low, variable.high + 1) if other != value])
    bounds: Any = variable
    return max((bounds.low, bounds.high), key=lambda other: abs(other - value))
