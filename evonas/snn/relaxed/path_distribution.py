"""Distribution of the path over levels: at each layer it stays on its level or goes one down.

The path is a Markov chain of moves. It gives the probability that the path passes a level at a layer and, if it does,
those of the levels of the last cell and of the one before.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

STAY, DOWN = 0, 1


def reached(layer: int, *, levels: int) -> range:
    """Return the levels that the path can reach at a layer; layer 0 is the stem."""
    return range(min(layer, levels - 1) + 1)


def choosing(layer: int, *, levels: int) -> range:
    """Return the levels from which the move into a layer is a choice; on the last level the path can only stay."""
    return range(min(layer - 1, levels - 2) + 1)


class LayerPath:
    """The Markov chain of the path, from the probabilities of the moves.

    Attributes:
        transitions: For each layer the `(levels, levels)` transition matrix.
        passing: For the stem and each layer the `(levels,)` probabilities that the path passes a level.

    Args:
        moves: For each layer `(levels that choose, 2)` probabilities of staying and of going down.
        levels: Number of levels.
    """

    def __init__(self, moves: Sequence[Tensor], *, levels: int) -> None:
        self.levels = levels
        self.transitions = [_transition(move, levels) for move in moves]
        start = torch.zeros(levels, dtype=moves[0].dtype)
        start[0] = 1.0
        self.passing = [start]
        for transition in self.transitions:
            self.passing.append(self.passing[-1] @ transition)

    def before(self, layer: int, *, back: int) -> Tensor:
        """Return `(levels before, levels)`: given that the path passes a level, the probability of each level before.

        Columns of levels that are never passed are zero.

        Args:
            layer: The layer.
            back: 1 for the last cell, 2 for the one before.
        """
        transition = self.transitions[layer - 1]
        if back == 2:
            transition = self.transitions[layer - 2] @ transition
        joint = self.passing[layer - back][:, None] * transition
        total = self.passing[layer][None, :]
        return joint / torch.where(total > 0, total, torch.ones_like(total))


def most_likely(moves: Sequence[Tensor], *, levels: int) -> tuple[int, ...]:
    """Return the level of each layer on the most likely path, by dynamic programming.

    Ties go to the path that stays on its level.
    """
    best: dict[int, tuple[float, tuple[int, ...]]] = {0: (1.0, ())}
    for move in moves:
        probabilities = move.tolist()
        following: dict[int, tuple[float, tuple[int, ...]]] = {}
        for level, (probability, path) in best.items():
            stay, down = probabilities[level] if level < levels - 1 else (1.0, 0.0)
            for reached_level, factor in ((level, stay), (level + 1, down)):
                candidate = (probability * factor, (*path, reached_level))
                known = following.get(reached_level)
                if reached_level < levels and (known is None or candidate[0] > known[0]):
                    following[reached_level] = candidate
        best = following
    return max(best.values(), key=lambda candidate: candidate[0])[1]


def _transition(move: Tensor, levels: int) -> Tensor:
    """Return the `(levels, levels)` transition matrix of one layer; unreachable levels stay."""
    rest = levels - len(move)
    stay = torch.cat([move[:, STAY], move.new_ones(rest)])
    down = torch.cat([move[:, DOWN], move.new_zeros(rest)])
    return torch.diag(stay) + torch.diag(down[: levels - 1], 1)
