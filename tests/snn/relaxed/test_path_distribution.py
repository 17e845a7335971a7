"""The distribution of the path, against all paths."""

from __future__ import annotations

from itertools import product

import pytest
import torch

from evonas.snn.relaxed.path_distribution import LayerPath, choosing, most_likely, reached

LEVELS = 3


def random_moves(layers: int, *, seed: int) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return [
        torch.softmax(torch.randn(len(choosing(layer, levels=LEVELS)), 2, generator=generator, dtype=torch.float64), 1)
        for layer in range(1, layers + 1)
    ]


def all_paths(moves: list[torch.Tensor]) -> dict[tuple[int, ...], float]:
    """Every path with its probability, the stem's level first."""
    found: dict[tuple[int, ...], float] = {}
    for steps in product((0, 1), repeat=len(moves)):
        path, chance = [0], 1.0
        for move, step in zip(moves, steps, strict=True):
            if path[-1] < LEVELS - 1:
                chance *= float(move[path[-1], step])
            path.append(path[-1] + step)
        if path[-1] < LEVELS:
            found[tuple(path)] = chance
    return found


@pytest.mark.parametrize("layers", [1, 2, 3, 4, 6])
@pytest.mark.parametrize("seed", range(5))
def test_dynamic_programming_finds_the_path_that_trying_all_finds(layers, seed):
    moves = random_moves(layers, seed=seed)
    paths = all_paths(moves)
    assert sum(paths.values()) == pytest.approx(1)
    assert (0, *most_likely(moves, levels=LEVELS)) == max(paths, key=paths.__getitem__)


def test_of_equally_likely_paths_the_one_that_stays_is_taken():
    moves = [torch.full((len(choosing(layer, levels=LEVELS)), 2), 0.5) for layer in (1, 2)]
    assert most_likely(moves, levels=LEVELS) == (0, 0)


@pytest.mark.parametrize("layers", [2, 4])
def test_what_is_passed_and_where_it_came_from_are_those_of_all_paths(layers):
    moves = random_moves(layers, seed=7)
    path_of_moves, paths = LayerPath(moves, levels=LEVELS), all_paths(moves)
    for layer in range(1, layers + 1):
        for level in range(LEVELS):
            passing = sum(chance for path, chance in paths.items() if path[layer] == level)
            assert float(path_of_moves.passing[layer][level]) == pytest.approx(passing)
            assert (passing > 0) == (level in reached(layer, levels=LEVELS))
            for back in (1, 2) if layer > 1 else (1,):
                for before in range(LEVELS):
                    both = sum(c for path, c in paths.items() if path[layer] == level and path[layer - back] == before)
                    expected = both / passing if passing else 0.0
                    assert float(path_of_moves.before(layer, back=back)[before, level]) == pytest.approx(expected)
