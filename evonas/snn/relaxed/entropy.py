"""Entropy of choices, relative to that of equal logits."""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
from torch import Tensor


def mean_entropy(choices: Iterable[Tensor]) -> float:
    """Return the mean over the choices of their relative entropy, between 0 and 1; 0 where nothing is left to choose.

    Args:
        choices: Logits, the options along their last dimension, minus infinity for those that are left out. One option
            alone is no choice.
    """
    relative = [_relative_entropy(logits.detach()) for logits in choices if (_options(logits) > 1).any()]
    return math.fsum(relative) / len(relative) if relative else 0.0


def _relative_entropy(logits: Tensor) -> float:
    """Return the mean entropy of choices relative to that of equal logits of the options that are left."""
    probabilities = torch.softmax(logits, dim=-1)
    nats, options = -torch.special.xlogy(probabilities, probabilities).sum(-1), _options(logits)
    return float((nats[options > 1] / options[options > 1].log()).mean())


def _options(logits: Tensor) -> Tensor:
    """Return how many options each choice has left."""
    return torch.isfinite(logits).sum(-1)
