"""What the differentiable search trains beside the weights: a logit for every option, and the constants."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from evonas.architecture.neuron import RESETS
from evonas.errors import EvonasError
from evonas.snn.relaxed.edge_distribution import NONE, draw_two, inclusion, pairs_of
from evonas.snn.relaxed.mixture import KINDS, NetworkMixture
from evonas.snn.relaxed.path_distribution import choosing
from evonas.snn.relaxed.plan import FixedSizes

NOISE = 1e-3
"""Standard deviation of the logits at the beginning: no option is preferred, and no two are tied."""

STRUCTURE, NEURONS, NOTHING = "structure", "neurons", "nothing"
"""What is contested among the options that are drawn."""


@dataclass(frozen=True)
class Bounds:
    """Smallest and largest value of each constant, in its unit.

    Attributes:
        constants: A pair for each of `evonas.snn.relaxed.mixture.CONSTANTS`.
        readout_tau_mem_ms: That of the readout.
    """

    constants: tuple[tuple[float, float], ...]
    readout_tau_mem_ms: tuple[float, float]


@dataclass(frozen=True)
class Allowed:
    """Which options of each choice a space has, shaped like the logits of these choices.

    Attributes:
        edges: For each node `(pairs + 1,)`.
        moves: For each layer `(levels that choose, 2)`.
        kinds: `(stages, kinds)`.
        resets: `(stages, resets)`.
    """

    edges: tuple[Tensor, ...]
    moves: tuple[Tensor, ...]
    kinds: Tensor
    resets: Tensor


class Logits(nn.Module):
    """Logits of all choices, and time constants and thresholds as they are; float64, on the CPU.

    Constants are trained as numbers and rounded to the grid of the space in the end, not mixed of candidates: a
    membrane has one decay, so that one scan and one spike train a population are enough, whatever the grid, and what is
    found differs from what was trained by half a step of the grid at most.

    Args:
        sizes: The sizes.
        bounds: What the constants may be; they start at the geometric mean.
        generator: Draws the first logits.
    """

    def __init__(self, sizes: FixedSizes, bounds: Bounds, *, generator: torch.Generator) -> None:
        super().__init__()
        self.sizes, self.bounds = sizes, bounds

        def draw(*shape: int) -> nn.Parameter:
            return nn.Parameter(NOISE * torch.randn(*shape, generator=generator, dtype=torch.float64))

        self.edges = nn.ParameterList([draw(len(pairs_of(node)) + 1) for node in range(sizes.nodes)])
        layers = range(1, sizes.layers + 1)
        self.moves = nn.ParameterList([draw(len(choosing(layer, levels=sizes.levels)), 2) for layer in layers])
        self.kinds = draw(sizes.levels, len(KINDS))
        self.resets = draw(sizes.levels, len(RESETS))
        self.time_steps = draw(len(sizes.time_steps))
        middle = torch.tensor([(low * high) ** 0.5 for low, high in bounds.constants], dtype=torch.float64)
        self.constants = nn.Parameter(middle.repeat(sizes.levels, 1))
        low, high = bounds.readout_tau_mem_ms
        self.readout_tau_mem_ms = nn.Parameter(torch.tensor((low * high) ** 0.5, dtype=torch.float64))

    @property
    def choices(self) -> list[nn.Parameter]:
        """The logits."""
        return [*self.edges, *self.moves, self.kinds, self.resets, self.time_steps]

    @property
    def numbers(self) -> list[nn.Parameter]:
        """The constants."""
        return [self.constants, self.readout_tau_mem_ms]

    @torch.no_grad()
    def leave_out(self, kind: str) -> None:
        """Let no network have neurons of this kind.

        Raises:
            EvonasError: If no other kind is left.
        """
        self.kinds[:, KINDS.index(kind)] = -torch.inf
        if not self.kinds.isfinite().any(-1).all():
            raise EvonasError(
                f"The price of this search cannot follow neurons of the kind {kind!r}, and a stage has no other kind "
                "left. Allow another kind there, or use another strategy."
            )

    @torch.no_grad()
    def keep_to(self, allowed: Allowed) -> None:
        """Let no network have options that are not allowed, as far as a choice is left."""
        for node, (logits, mask) in enumerate(zip(self.edges, allowed.edges, strict=True)):
            pairs = mask[:NONE] if mask[:NONE].any() else torch.ones_like(mask[:NONE])
            sources = {source for (source, _), is_left in zip(pairs_of(node), pairs.tolist(), strict=True) if is_left}
            is_none = mask[NONE:] | (len(sources) == 1)  # the second edge comes from another source, or there is none
            logits.masked_fill_(~torch.cat([pairs, is_none]), -torch.inf)
        others = [*allowed.moves, allowed.kinds, allowed.resets]
        for logits, mask in zip([*self.moves, self.kinds, self.resets], others, strict=True):
            logits.masked_fill_(~(mask | ~mask.any(-1, keepdim=True)), -torch.inf)

    @torch.no_grad()
    def keep_bounds(self) -> None:
        """Bring constants that a step has taken too far back to their bounds."""
        for column, (low, high) in enumerate(self.bounds.constants):
            self.constants[:, column].clamp_(low, high)
        self.readout_tau_mem_ms.clamp_(*self.bounds.readout_tau_mem_ms)

    def mixture(self, *, temperature: float = 1.0) -> NetworkMixture:
        """Return the probabilities of everything: those of the logits divided by `temperature`."""
        return self._mixture([logits / temperature for logits in self.choices])

    def network(self, *, temperature: float = 1.0, generator: torch.Generator) -> NetworkMixture:
        """Return one network, drawn from the mixture; no gradient reaches logits or constants."""
        scaled = [logits / temperature for logits in self.choices]
        return self._mixture(self._kept(scaled, contested=NOTHING, generator=generator)).detached()

    def two_paths(self, *, temperature: float = 1.0, generator: torch.Generator) -> NetworkMixture:
        """Return the mixture of a drawn network and a rival for some of its choices (two-path sampling).

        By the toss of a coin these are the choices of structure (a third edge for each node, another move at one layer)
        or those of the neurons (another kind, the other reset, another number of time steps). The options that are
        kept share all of the probability. So the gradient compares two options of a choice at a time, where the other
        choices are made, and leaves the rest alone: it is not that of the whole mixture, not even in the mean of many.

        Source: after ProxylessNAS (Cai et al., ICLR 2019, 3.2), where two paths are drawn for a step of the logits;
        there the forward pass takes one of them, here both.
        """
        scaled = [logits / temperature for logits in self.choices]
        contested = STRUCTURE if torch.rand((), generator=generator) < 0.5 else NEURONS
        return self._mixture(self._kept(scaled, contested=contested, generator=generator))

    def entropy(self) -> float:
        """Return the mean entropy of the choices in nats, relative to that of equal logits: from 1 down to 0."""
        shares = []
        for logits in self.choices:
            if logits.shape[-1] == 1:
                continue  # no choice
            chances = torch.softmax(logits.detach(), dim=-1)
            nats = -torch.special.xlogy(chances, chances).sum(-1).mean()
            shares.append(float(nats.item()) / math.log(logits.shape[-1]))
        return math.fsum(shares) / len(shares)

    def _mixture(self, logits: list[Tensor]) -> NetworkMixture:
        nodes, layers = len(self.edges), len(self.moves)
        kinds, resets, time_steps = logits[nodes + layers :]
        return NetworkMixture(
            edges=tuple(inclusion(values) for values in logits[:nodes]),
            moves=tuple(torch.softmax(values, dim=1) for values in logits[nodes : nodes + layers]),
            kinds=torch.softmax(kinds, dim=1),
            resets=torch.softmax(resets, dim=1),
            time_steps=torch.softmax(time_steps, dim=0),
            constants=self.constants,
            readout_tau_mem_ms=self.readout_tau_mem_ms,
        )

    def _kept(self, logits: list[Tensor], *, contested: str, generator: torch.Generator) -> list[Tensor]:
        """Return the logits of the options that are drawn, the others at minus infinity.

        Gumbel noise on the logits and the highest of them: draws from their softmax, without putting back.
        """
        nodes, layers = len(self.edges), len(self.moves)
        rivals = int(contested == STRUCTURE)
        masks = [_edges(values.detach(), rivals=rivals, generator=generator) for values in logits[:nodes]]
        noisy = [values.detach() + _gumbel(values.shape, generator) for values in logits]
        masks += [_top(values, 1) for values in noisy[nodes : nodes + layers]]
        if contested == STRUCTURE:
            masks[nodes + int(torch.randint(layers, (), generator=generator))] |= True
        masks += [_top(values, 1 + int(contested == NEURONS)) for values in noisy[nodes + layers :]]
        return [values.masked_fill(~mask, -torch.inf) for values, mask in zip(logits, masks, strict=True)]


def _gumbel(shape: torch.Size, generator: torch.Generator) -> Tensor:
    return -torch.empty(shape, dtype=torch.float64).exponential_(generator=generator).log()


def _top(scores: Tensor, count: int) -> Tensor:
    """Return which are the highest of the last dimension, all where it has no more."""
    count = min(count, scores.shape[-1])
    return torch.zeros_like(scores, dtype=torch.bool).scatter_(-1, scores.topk(count, dim=-1).indices, True)


def _edges(logits: Tensor, *, rivals: int, generator: torch.Generator) -> Tensor:
    """Return which options of a node are drawn as its edges, and `rivals` further ones among the others."""
    first, second = draw_two(logits, generator=generator)
    mask = torch.zeros_like(logits, dtype=torch.bool)
    mask[first] = mask[second] = True
    if rivals:
        rest = (logits + _gumbel(logits.shape, generator)).masked_fill(mask, -torch.inf)
        mask[rest.topk(rivals).indices] = True
    return mask
