"""Entropy of choices, relative to that of equal logits."""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
from torch import Tensor


def mean_entropy(choices: Iterable[Tensor]) -> float:
    """Return the mean over the choices of their relative entropy, between 0 and 1.

    Args:
        choices: Logits, the options along their last dimension; one option alone is no choice.
    """
    relative = [relative_entropy(logits) for logits in choices if logits.shape[-1] > 1]
    return math.fsum(relative) / len(relative)


def relative_entropy(logits: Tensor) -> float:
    """Return the mean entropy of choices, the last dimension of `logits`, relative to that of equal logits."""
    probabilities = torch.softmax(logits.detach(), dim=-1)
    nats = -torch.special.xlogy(probabilities, probabilities).sum(-1).mean()
    return float(nats) / math.log(logits.shape[-1])
