"""Draws without replacement: the highest logits with Gumbel noise."""

from __future__ import annotations

import torch
from torch import Tensor


def gumbel(shape: torch.Size, generator: torch.Generator) -> Tensor:
    """Return Gumbel noise in float64."""
    return -torch.empty(shape, dtype=torch.float64).exponential_(generator=generator).log()


def top(scores: Tensor, count: int) -> Tensor:
    """Return a mask of the `count` highest scores along the last dimension, of all where there are fewer."""
    count = min(count, scores.shape[-1])
    return torch.zeros_like(scores, dtype=torch.bool).scatter_(-1, scores.topk(count, dim=-1).indices, True)


def drawn(logits: Tensor, count: int, *, generator: torch.Generator) -> Tensor:
    """Return logits in which `count` options, drawn from their softmax, are left: all others are minus infinity.

    Gumbel top-k trick: the highest logits with Gumbel noise are a sample of their softmax without replacement.
    """
    return logits.masked_fill(~top(logits.detach() + gumbel(logits.shape, generator), count), -torch.inf)
