"""Reliability of a classifier, against sums written out by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from evonas.tasks.reliability import BINS, Reliability


def test_confusion_and_calibration_are_those_of_a_count_by_hand() -> None:
    rng = np.random.default_rng(0)
    logits, truth = rng.normal(size=(200, 4)) * 3, rng.integers(4, size=200)
    found = Reliability(4)
    for part in (slice(0, 70), slice(70, 200)):
        found.add(torch.from_numpy(logits[part]), torch.from_numpy(truth[part]))
    confusion = [[0] * 4 for _ in range(4)]
    bins: list[list[tuple[float, bool]]] = [[] for _ in range(BINS)]
    for row, label in zip(logits, truth, strict=True):
        chances = np.exp(row) / np.exp(row).sum()
        answer = int(chances.argmax())
        confusion[label][answer] += 1
        number = next(n for n in range(BINS) if n / BINS < chances.max() <= (n + 1) / BINS)
        bins[number].append((float(chances.max()), answer == label))
    error = sum(abs(sum(hit for _, hit in one) - sum(sure for sure, _ in one)) for one in bins) / 200
    json = found.to_json()
    assert json["confusion"] == confusion
    assert json["calibration"]["expected_calibration_error"] == pytest.approx(error)
    assert json["calibration"]["samples"] == tuple(map(len, bins))
    assert json["calibration"]["hits"] == tuple(sum(hit for _, hit in one) for one in bins)


def test_who_is_certain_and_right_is_calibrated_and_who_is_certain_and_wrong_is_not() -> None:
    certain = 100 * torch.eye(3)
    for truth, error in (([0, 1, 2], 0.0), ([1, 2, 0], 1.0)):
        found = Reliability(3)
        found.add(certain, torch.tensor(truth))
        assert found.metrics()["expected_calibration_error"] == pytest.approx(error, abs=1e-12)
