"""Entropy of choices: 1 where all options that are left are equally likely, 0 where one is certain or none is left."""

from __future__ import annotations

import math

import pytest
import torch

from evonas.snn.relaxed.entropy import mean_entropy

OUT = -math.inf


@pytest.mark.parametrize(
    ("logits", "entropy"),
    [
        ([[0.0, 0.0, 0.0]], 1.0),
        ([[0.0, OUT, 0.0, OUT]], 1.0),
        ([[50.0, 0.0, OUT]], 0.0),
        ([[0.0, 0.0], [0.0, OUT]], 1.0),  # the second is no choice
        ([[math.log(3.0), 0.0]], (0.75 * math.log(4 / 3) + 0.25 * math.log(4)) / math.log(2)),
        ([[0.0, OUT]], 0.0),
    ],
)
def test_entropy_is_relative_to_that_of_the_options_that_are_left(logits: list[list[float]], entropy: float) -> None:
    nobody, sure = torch.empty(0, 3), torch.tensor([[0.0]])  # no choice at all, and choices of one option
    assert mean_entropy([nobody, torch.tensor(logits), sure]) == pytest.approx(entropy, abs=1e-6)
