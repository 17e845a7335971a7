"""Logits of every option and neuron constants: what the differentiable search trains besides the weights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from evonas.architecture.constant import SCOPES, spread
from evonas.architecture.neuron import RESETS
from evonas.errors import EvonasError
from evonas.snn.relaxed.edge_distribution import NONE, draw_two, inclusion, pairs_of
from evonas.snn.relaxed.entropy import mean_entropy
from evonas.snn.relaxed.gumbel import gumbel, top
from evonas.snn.relaxed.mixture import CONSTANTS, KINDS, NetworkMixture
from evonas.snn.relaxed.path_distribution import choosing
from evonas.snn.relaxed.plan import FixedSizes

NOISE = 1e-3
"""Standard deviation of the initial logits: small, so that no option is preferred; not zero, so that none are tied."""

STRUCTURE, NEURONS, NOTHING = "structure", "neurons", "nothing"
"""Which choices get a rival in two-path sampling."""


@dataclass(frozen=True)
class Bounds:
    """Smallest and largest value of each constant, in its unit.

    Attributes:
        constants: A pair for each of `evonas.snn.relaxed.mixture.CONSTANTS`.
        readout_tau_mem_ms: The pair for the membrane time constant of the readout.
    """

    constants: tuple[tuple[float, float], ...]
    readout_tau_mem_ms: tuple[float, float]


@dataclass(frozen=True)
class Allowed:
    """Masks of the options that a space allows, shaped like the logits.

    Attributes:
        edges: For each node `(pairs + 1,)`.
        moves: For each layer `(levels that choose, 2)`.
        kinds: `(stages, kinds)`.
        resets: `(stages, resets)`.
        scopes: `(stages, scopes)`.
    """

    edges: tuple[Tensor, ...]
    moves: tuple[Tensor, ...]
    kinds: Tensor
    resets: Tensor
    scopes: Tensor


class Logits(nn.Module):
    """Logits of all choices, and the values of time constants and thresholds; float64, on the CPU.

    Constants are trained as real numbers and rounded to the grid of the space at the end, not mixed of candidates. So
    each population needs one scan and has one spike train, however fine the grid, and rounding changes a constant by
    half a step of the grid at most. Where channels have groups, a stage has the mean of their constants or those of
    each group, which is a choice of its own.

    Args:
        sizes: The fixed sizes.
        bounds: Bounds of the constants, which start at the geometric mean; membrane time constants of groups start
            apart, in equal ratios around it, the slowest first.
        generator: Draws the initial logits.
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
        self.scopes = draw(sizes.levels, len(SCOPES)) if sizes.groups > 1 else None
        self.constants = nn.Parameter(_start(bounds.constants, groups=sizes.groups).repeat(sizes.levels, 1, 1))
        low, high = bounds.readout_tau_mem_ms
        self.readout_tau_mem_ms = nn.Parameter(torch.tensor((low * high) ** 0.5, dtype=torch.float64))

    @property
    def choices(self) -> list[nn.Parameter]:
        """The logits."""
        scopes = [] if self.scopes is None else [self.scopes]
        return [*self.edges, *self.moves, self.kinds, self.resets, self.time_steps, *scopes]

    @property
    def numbers(self) -> list[nn.Parameter]:
        """The constants."""
        return [self.constants, self.readout_tau_mem_ms]

    @torch.no_grad()
    def leave_out(self, kind: str) -> None:
        """Exclude this kind of neuron from all networks.

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
        """Exclude options that are not allowed; where none of a choice is allowed, that choice keeps them all."""
        for node, (logits, mask) in enumerate(zip(self.edges, allowed.edges, strict=True)):
            pairs = mask[:NONE] if mask[:NONE].any() else torch.ones_like(mask[:NONE])
            sources = {source for (source, _), is_left in zip(pairs_of(node), pairs.tolist(), strict=True) if is_left}
            is_none = mask[NONE:] | (len(sources) == 1)  # one source is left: there is no second edge
            logits.masked_fill_(~torch.cat([pairs, is_none]), -torch.inf)
        others = [*zip(self.moves, allowed.moves, strict=True), (self.kinds, allowed.kinds)]
        others.append((self.resets, allowed.resets))
        if self.scopes is not None:
            others.append((self.scopes, allowed.scopes))
        for logits, mask in others:
            logits.masked_fill_(~(mask | ~mask.any(-1, keepdim=True)), -torch.inf)

    @torch.no_grad()
    def keep_bounds(self) -> None:
        """Clamp the constants to their bounds after a step."""
        for column, (low, high) in enumerate(self.bounds.constants):
            self.constants[..., column].clamp_(low, high)
        self.readout_tau_mem_ms.clamp_(*self.bounds.readout_tau_mem_ms)

    def mixture(self, *, temperature: float = 1.0) -> NetworkMixture:
        """Return the probabilities of all options, from the logits divided by `temperature`."""
        return self._mixture([logits / temperature for logits in self.choices])

    def network(self, *, temperature: float = 1.0, generator: torch.Generator) -> NetworkMixture:
        """Return one network sampled from the mixture; no gradient reaches logits or constants."""
        scaled = [logits / temperature for logits in self.choices]
        return self._mixture(self._sampled(scaled, contested=NOTHING, generator=generator)).detached()

    def two_paths(self, *, temperature: float = 1.0, generator: torch.Generator) -> NetworkMixture:
        """Return the mixture of a sampled network and a rival for some of its choices (two-path sampling).

        With equal probability, the rivals are for the structure (a third edge for each node, another move at one layer)
        or for the neurons (another kind, the other reset, another number of time steps, the other scope of constants).
        The probability of the other options is 0, that of the sampled ones is renormalised. So a gradient compares two
        options of a choice while the other choices are fixed. It is a biased estimate of the gradient of the whole
        mixture.

        Source: after ProxylessNAS (Cai et al., ICLR 2019, 3.2), which samples two paths for a step of the logits; there
        the forward pass takes one of them, here both.
        """
        scaled = [logits / temperature for logits in self.choices]
        contested = STRUCTURE if torch.rand((), generator=generator) < 0.5 else NEURONS
        return self._mixture(self._sampled(scaled, contested=contested, generator=generator))

    def entropy(self) -> float:
        """Return the mean entropy of the choices, each relative to that of equal logits: between 0 and 1."""
        return mean_entropy(self.choices)

    def _mixture(self, logits: list[Tensor]) -> NetworkMixture:
        nodes, layers = len(self.edges), len(self.moves)
        kinds, resets, time_steps, *scopes = logits[nodes + layers :]
        return NetworkMixture(
            edges=tuple(inclusion(values) for values in logits[:nodes]),
            moves=tuple(torch.softmax(values, dim=1) for values in logits[nodes : nodes + layers]),
            kinds=torch.softmax(kinds, dim=1),
            resets=torch.softmax(resets, dim=1),
            time_steps=torch.softmax(time_steps, dim=0),
            scopes=torch.softmax(scopes[0], dim=1) if scopes else self._shared(),
            constants=self.constants,
            readout_tau_mem_ms=self.readout_tau_mem_ms,
        )

    def _shared(self) -> Tensor:
        """Return the scopes of stages whose channels share all constants."""
        return torch.tensor([scope == "stage" for scope in SCOPES], dtype=torch.float64).repeat(self.sizes.levels, 1)

    def _sampled(self, logits: list[Tensor], *, contested: str, generator: torch.Generator) -> list[Tensor]:
        """Return the logits of sampled options, the others at minus infinity.

        Gumbel top-k trick: the highest logits with Gumbel noise are a sample of their softmax without replacement.
        """
        nodes, layers = len(self.edges), len(self.moves)
        rivals = int(contested == STRUCTURE)
        masks = [_edges(values.detach(), rivals=rivals, generator=generator) for values in logits[:nodes]]
        noisy = [values.detach() + gumbel(values.shape, generator) for values in logits]
        masks += [top(values, 1) for values in noisy[nodes : nodes + layers]]
        if contested == STRUCTURE:
            masks[nodes + int(torch.randint(layers, (), generator=generator))] |= True
        masks += [top(values, 1 + int(contested == NEURONS)) for values in noisy[nodes + layers :]]
        return [values.masked_fill(~mask, -torch.inf) for values, mask in zip(logits, masks, strict=True)]


def _start(bounds: Sequence[tuple[float, float]], *, groups: int) -> Tensor:
    """Return the `(groups, constants)` that a stage starts with."""
    start = torch.tensor([(low * high) ** 0.5 for low, high in bounds], dtype=torch.float64).repeat(groups, 1)
    low, high = bounds[CONSTANTS.index("tau_mem_ms")]
    quarter = (high / low) ** 0.25
    start[:, CONSTANTS.index("tau_mem_ms")] *= torch.tensor(spread(1.0, 1 / quarter, groups), dtype=torch.float64)
    return start


def _edges(logits: Tensor, *, rivals: int, generator: torch.Generator) -> Tensor:
    """Return a `(pairs + 1,)` mask of the options sampled as edges of a node, and of `rivals` further ones."""
    first, second = draw_two(logits, generator=generator)
    mask = torch.zeros_like(logits, dtype=torch.bool)
    mask[first] = mask[second] = True
    if rivals:
        rest = (logits + gumbel(logits.shape, generator)).masked_fill(mask, -torch.inf)
        mask[rest.topk(rivals).indices] = True
    return mask
