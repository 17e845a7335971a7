"""Distribution of the path over levels: at each layer a cell stays on its level or goes one down.

A chain of moves: what is computed with are the probability that the path passes a level, and, where it does, the
probabilities of the levels that the last cell and the one before had.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

STAY, DOWN = 0, 1


def reached(layer: int, *, levels: int) -> range:
    """Return the levels on which the cell of a layer can be; layer 0 is the stem."""
    return range(min(layer, levels - 1) + 1)


def choosing(layer: int, *, levels: int) -> range:
    """Return the levels from which the move into a layer is a choice; from the last level it is a stay."""
    return range(min(layer - 1, levels - 2) + 1)


class LayerPath:
    """All that follows from the probabilities of the moves.

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
        """Return `(levels before, levels)`: where the path passes a level, the probability that it came from another.

        Columns of levels that are never passed are zero.

        Args:
            layer: The layer.
            back: 1 for the last cell, 2 for the one before.
        """
        ways = self.transitions[layer - 1]
        if back == 2:
            ways = self.transitions[layer - 2] @ ways
        joint = self.passing[layer - back][:, None] * ways
        total = self.passing[layer][None, :]
        return joint / torch.where(total > 0, total, torch.ones_like(total))


def most_likely(moves: Sequence[Tensor], *, levels: int) -> tuple[int, ...]:
    """Return the level of each layer on the most likely path, by dynamic programming.

    Ties go to the path that stays on its level.
    """
    best: dict[int, tuple[float, tuple[int, ...]]] = {0: (1.0, ())}
    for move in moves:
        chances = move.tolist()
        following: dict[int, tuple[float, tuple[int, ...]]] = {}
        for level, (chance, path) in best.items():
            stay, down = chances[level] if level < levels - 1 else (1.0, 0.0)
            for reached_level, factor in ((level, stay), (level + 1, down)):
                candidate = (chance * factor, (*path, reached_level))
                known = following.get(reached_level)
                if reached_level < levels and (known is None or candidate[0] > known[0]):
                    following[reached_level] = candidate
        best = following
    return max(best.values(), key=lambda found: found[0])[1]


def _transition(move: Tensor, levels: int) -> Tensor:
    """Return the `(levels, levels)` matrix of one layer; levels that nothing reaches stay."""
    rest = levels - len(move)
    stay = torch.cat([move[:, STAY], move.new_ones(rest)])
    down = torch.cat([move[:, DOWN], move.new_zeros(rest)])
    return torch.diag(stay) + torch.diag(down[: levels - 1], 1)
