"""Fraction of the validation samples that the network classifies correctly."""

from __future__ import annotations

from evonas.objective import Objective
from evonas.tasks.classification import ACCURACY


def objective() -> Objective:
    """Return the objective: the accuracy on the validation samples, as a fraction, to be maximised."""
    return ACCURACY.objective()
