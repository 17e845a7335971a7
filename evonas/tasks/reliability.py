"""Reliability of a classifier: which classes it takes for which, and whether it is right as often as it is sure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from torch import Tensor

BINS = 15
"""Intervals of confidence, equally wide."""


class Reliability:
    """Counts answers by class, and by confidence: the largest probability of the softmax of the logits.

    Source: Guo et al., On calibration of modern neural networks (ICML 2017), equation 3, with 15 intervals.

    Args:
        classes: Number of classes.
    """

    def __init__(self, classes: int) -> None:
        self._confusion = np.zeros((classes, classes), np.int64)
        self._samples, self._hits = np.zeros(BINS, np.int64), np.zeros(BINS, np.int64)
        self._confidence = np.zeros(BINS)

    def add(self, answers: Tensor, targets: Tensor) -> None:
        """Add a batch of `(batch, classes)` logits and its `(batch,)` classes."""
        sure, answered = answers.detach().double().softmax(dim=1).max(dim=1)
        truth, answer, confidence = (one.cpu().numpy() for one in (targets, answered, sure))
        np.add.at(self._confusion, (truth, answer), 1)
        interval = np.clip(np.ceil(confidence * BINS).astype(np.int64) - 1, 0, BINS - 1)
        self._samples += np.bincount(interval, minlength=BINS)
        self._hits += np.bincount(interval[truth == answer], minlength=BINS)
        self._confidence += np.bincount(interval, weights=confidence, minlength=BINS)

    def metrics(self) -> dict[str, float]:
        """Return the expected calibration error: the mean distance of accuracy and confidence over all samples."""
        distances = np.abs(self._hits - self._confidence)
        return {"expected_calibration_error": float(distances.sum() / max(1, self._samples.sum()))}

    def counts(self) -> dict[str, tuple[int, ...]]:
        """Return the samples and the hits of each interval of confidence."""
        return {"samples": tuple(self._samples.tolist()), "hits": tuple(self._hits.tolist())}

    def to_json(self) -> dict[str, Any]:
        """Return `confusion`, a row a class and a column an answer, and `calibration` by interval of confidence."""
        mean = self._confidence / np.maximum(self._samples, 1)
        return {
            "confusion": self._confusion.tolist(),
            "calibration": {**self.metrics(), **self.counts(), "mean_confidence": mean.tolist()},
        }
