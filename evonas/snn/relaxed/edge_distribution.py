"""Distribution of a node's edges: two (source, operation) pairs without replacement.

The second has another source than the first, or is absent.

A relaxed node weights each pair by its inclusion probability, that it is among the two drawn. Inclusion probabilities
are differentiable in the logits, lie in [0, 1] and are exactly 0 or 1 where the choice is certain. With that of "none"
they add up to two, the number of edges of a node, so a relaxed node sums as many currents as a sampled one.
"""

from __future__ import annotations

import torch
from torch import Tensor

from evonas.architecture.cell import OPERATIONS

NONE = -1
"""Index of the last option: the second edge is none."""


def sources_of(node: int) -> tuple[str, ...]:
    """Return the sources that a node can read."""
    return ("s0", "s1", *(f"n{index}" for index in range(node)))


def pairs_of(node: int) -> tuple[tuple[str, str], ...]:
    """Return the (source, operation) pairs of a node, in the order of its logits; "none" follows as the last option."""
    return tuple((source, operation) for source in sources_of(node) for operation in OPERATIONS)


def inclusion(logits: Tensor) -> Tensor:
    """Return the `(pairs + 1,)` inclusion probabilities of the options, "none" as the last.

    The first draw is a softmax over the pairs, the second one over the pairs from other sources and "none". An option
    whose logit is minus infinity is never drawn.

    Args:
        logits: `(pairs + 1,)`; the pairs of one source side by side. At least pairs of two sources, or one pair and
            "none", must have finite logits.
    """
    first, second = _draws(logits)  # (pairs,), (sources, pairs + 1)
    of_source = first.unflatten(0, (-1, len(OPERATIONS))).sum(1)  # (sources,)
    drawn_second = torch.where(of_source[:, None] > 0, of_source[:, None] * second, 0.0).sum(0)  # (pairs + 1,)
    return torch.cat([first, first.new_zeros(1)]) + drawn_second


def draw_two(logits: Tensor, *, generator: torch.Generator) -> tuple[int, int]:
    """Return the index of the first draw and that of the second, the last index where that is "none".

    Args:
        logits: As for `inclusion`, without gradients.
        generator: Source of both draws.
    """
    first_draw, second_draw = _draws(logits)
    first = int(torch.multinomial(first_draw, 1, generator=generator))
    return first, int(torch.multinomial(second_draw[first // len(OPERATIONS)], 1, generator=generator))


def _draws(logits: Tensor) -> tuple[Tensor, Tensor]:
    """Return `(pairs,)` probabilities of the first draw, and `(sources, pairs + 1)` of the second after each source."""
    sources = (len(logits) - 1) // len(OPERATIONS)
    is_same = torch.eye(sources, dtype=torch.bool).repeat_interleave(len(OPERATIONS), dim=1)  # (sources, pairs)
    is_same = torch.cat([is_same, torch.zeros(sources, 1, dtype=torch.bool)], dim=1).to(logits.device)
    second = torch.softmax(logits.expand(sources, -1).masked_fill(is_same, -torch.inf), dim=1)
    return torch.softmax(logits[:NONE], dim=0), second


def best_two(scores: Tensor) -> tuple[int, int | None]:
    """Return the index of the pair with the highest score, and of the best from another source (None: no second edge).

    Source and operation of an edge are chosen together, as a pair.

    Args:
        scores: `(pairs + 1,)`, "none" as the last: probabilities or logits.
    """
    values = scores.tolist()
    order = sorted(range(len(values) - 1), key=lambda index: -values[index])
    first = order[0]
    second = next(index for index in order if index // len(OPERATIONS) != first // len(OPERATIONS))
    return first, None if values[NONE] > values[second] else second
