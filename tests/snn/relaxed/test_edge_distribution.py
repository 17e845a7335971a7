"""The distribution of a node's two edges, against all ways in which they can be drawn."""

from __future__ import annotations

from itertools import product

import pytest
import torch

from evonas.architecture.cell import OPERATIONS
from evonas.snn.relaxed.edge_distribution import NONE, best_two, draw_two, inclusion, pairs_of


def drawn(logits: torch.Tensor) -> torch.Tensor:
    """The same by listing every first and every second draw."""
    pairs, none = len(logits) - 1, len(logits) - 1
    weights = logits.exp()
    chances = torch.zeros_like(logits)
    for first in range(pairs):
        chance = weights[first] / weights[:pairs].sum()
        allowed = [i for i in range(pairs) if i // len(OPERATIONS) != first // len(OPERATIONS)] + [none]
        for second in allowed:
            both = chance * weights[second] / weights[allowed].sum()
            chances[first] += both
            chances[second] += both
    return chances


@pytest.mark.parametrize("node", [0, 1, 2])
@pytest.mark.parametrize("spread", [0.1, 1.0, 5.0])
def test_inclusion_is_what_listing_all_draws_gives(node, spread):
    logits = spread * torch.randn(len(pairs_of(node)) + 1, dtype=torch.float64)
    chances = inclusion(logits)
    torch.testing.assert_close(chances, drawn(logits))
    assert float(chances.sum()) == pytest.approx(2)
    assert bool(((chances >= 0) & (chances <= 1 + 1e-12)).all())


def test_what_is_certain_has_exactly_zero_and_one():
    pairs = pairs_of(1)
    for first, second in ((("s0", "conv3"), ("n0", "pool")), (("s1", "skip"), None)):
        logits = torch.full((len(pairs) + 1,), -torch.inf, dtype=torch.float64)
        wanted = {pairs.index(first), len(pairs) if second is None else pairs.index(second)}
        logits[list(wanted)] = torch.randn(2, dtype=torch.float64)
        chances = inclusion(logits).float()
        assert {index for index, chance in enumerate(chances.tolist()) if chance == 1.0} == wanted
        assert float(chances.sum()) == 2.0


def test_a_source_that_takes_all_of_the_probability_leaves_numbers_and_gradients_finite():
    logits = torch.zeros(len(pairs_of(0)) + 1, dtype=torch.float64)
    logits[0] = 2000.0
    logits.requires_grad_()
    chances = inclusion(logits)
    assert chances[0].item() == 1.0
    assert chances.sum().item() == pytest.approx(2)
    chances[6].backward()
    assert bool(torch.isfinite(logits.grad).all())


@pytest.mark.parametrize("spread", [0.001, 1.5])
def test_draws_follow_the_distribution(spread):
    generator = torch.Generator().manual_seed(1)
    logits = spread * torch.randn(len(pairs_of(0)) + 1, dtype=torch.float64, generator=generator)
    counts = torch.zeros_like(logits)
    draws = 4000
    for _ in range(draws):
        first, second = draw_two(logits, generator=generator)
        assert first != len(logits) - 1
        assert first // len(OPERATIONS) != second // len(OPERATIONS)
        counts[[first, second]] += 1
    expected = inclusion(logits)
    error = (expected * (1 - expected) / draws).sqrt()
    assert bool(((counts / draws - expected).abs() < 4 * error + 1e-9).all())


def test_the_best_two_keep_source_and_operation_together():
    pairs = pairs_of(0)
    for first, second in product(range(5), range(5, 10)):
        scores = torch.zeros(len(pairs) + 1)
        scores[first], scores[second] = 0.9, 0.8
        scores[(first + 1) % 5] = 0.85  # better than the second, but from the same source
        assert best_two(scores) == (first, second)
        scores[NONE] = 0.82
        assert best_two(scores) == (first, None)
