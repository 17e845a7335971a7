"""What tests of relaxed cells of SpikeDHS share, with attention or without: certain choices, soft logits, settled norms."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from evonas.genotype import Genotype
from evonas.snn.relaxed.space import MixtureLogits
from evonas.space import Space
from spaces.spike_dhs_choices import edges_of
from spaces.spike_dhs_form import OPERATIONS, cell_of


def certain_edges(genotype: Genotype) -> tuple[Tensor, Tensor]:
    """Return the operations and the edges of the mixture that is the network of a genotype alone."""
    edges = list(edges_of(int(genotype["nodes"])))
    operations, has = torch.zeros(len(edges), 3, dtype=torch.float64), torch.zeros(len(edges), dtype=torch.float64)
    operations[:, 0] = 1.0
    for node, both in enumerate(cell_of(genotype)):
        for edge in both:
            number = edges.index((node, edge.source))
            has[number] = 1.0
            operations[number] = torch.eye(3, dtype=torch.float64)[OPERATIONS.index(edge.operation)]
    return operations, has


def settled(space: Space, genotype: Genotype, data: Tensor, shape: Sequence[int], classes: int) -> nn.Module:
    """Return the network with statistics of its norms, as after a training."""
    torch.manual_seed(1)
    assert space.build is not None
    network: nn.Module = space.build(genotype, shape, classes)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = None
            nn.init.normal_(module.bias, 0.0, 0.2)
    with torch.no_grad():
        network(data)
    return network.eval()


def soften(logits: MixtureLogits) -> None:
    """Draw logits that are far from equal."""
    with torch.no_grad():
        for values in logits.choices:
            values.copy_(torch.randn(values.shape, generator=torch.Generator().manual_seed(3), dtype=values.dtype))
