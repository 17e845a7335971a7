"""Balanced accuracy: the mean over classes of the fraction of their validation samples classified correctly."""

from __future__ import annotations

import math
from dataclasses import replace

from evonas.errors import UnpriceableError
from evonas.measurement import Measurement
from evonas.objective import Objective
from evonas.tasks.classification import BALANCED_ACCURACY, recalls_of


def objective() -> Objective:
    """Return the objective: the balanced accuracy on the validation samples, as a fraction, to be maximised.

    Each class has the same weight, however many samples it has, so a network that always gives the same answer scores
    1 / classes. Classes without validation samples are left out. The band is one standard error to both sides, from the
    binomial errors of the classes.

    Source: scikit-learn's `balanced_accuracy_score`.
    """
    return replace(BALANCED_ACCURACY.objective(band=_band), score=_score)


def _score(measurement: Measurement) -> float:
    recalls = _recalls(measurement)
    return math.fsum(recall for recall, _ in recalls) / len(recalls)


def _band(measurement: Measurement) -> tuple[float, float]:
    recalls, mean = _recalls(measurement), _score(measurement)
    error = math.sqrt(math.fsum(recall * (1 - recall) / samples for recall, samples in recalls)) / len(recalls)
    return max(mean - error, 0.0), min(mean + error, 1.0)


def _recalls(measurement: Measurement) -> list[tuple[float, int]]:
    """Return recall and number of samples of each class that has samples.

    Raises:
        UnpriceableError: If the measurement has no counts by class.
    """
    recalls = recalls_of(measurement.class_hits, measurement.class_samples)
    if not recalls:
        raise UnpriceableError("the measurement does not count correct answers by class")
    return recalls
