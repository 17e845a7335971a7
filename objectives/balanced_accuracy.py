"""Mean over the classes of the fraction of their validation samples that the network classifies correctly."""

from __future__ import annotations

import math

from evonas.errors import UnpriceableError
from evonas.measurement import Measurement
from evonas.objective import Objective


def objective() -> Objective:
    """Return the objective: the balanced accuracy on the validation data, as a fraction, to be maximised.

    Each class counts the same, however many samples it has, so that a network that always gives the same answer is
    worth one class in n. Classes without validation samples are left out. The band is one standard error wide on both
    sides, from the binomial errors of the classes.

    Source: scikit-learn's `balanced_accuracy_score`.
    """
    return Objective("balanced_accuracy", _score, direction="max", unit="fraction", best=1.0, band=_band)


def _score(measurement: Measurement) -> float:
    recalls = _recalls(measurement)
    return math.fsum(recall for recall, _ in recalls) / len(recalls)


def _band(measurement: Measurement) -> tuple[float, float]:
    recalls, value = _recalls(measurement), _score(measurement)
    error = math.sqrt(math.fsum(recall * (1 - recall) / samples for recall, samples in recalls)) / len(recalls)
    return max(value - error, 0.0), min(value + error, 1.0)


def _recalls(measurement: Measurement) -> list[tuple[float, int]]:
    """Return the fraction of correct answers and the number of samples of each class that has any.

    Raises:
        UnpriceableError: If the measurement has no counts by class.
    """
    counted = zip(measurement.class_hits, measurement.class_samples, strict=True)
    recalls = [(hits / samples, samples) for hits, samples in counted if samples]
    if not recalls:
        raise UnpriceableError("the measurement has no hits by class")
    return recalls
