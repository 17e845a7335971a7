"""What tests of relaxed cells of SpikeDHS share, with attention or without: certain choices, soft logits, settled norms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from evonas.data import digits
from evonas.data.dataset import Samples, SearchData
from evonas.engine.evaluation import Result
from evonas.expected_counts import ExpectedCounts
from evonas.genotype import Genotype
from evonas.measurement import Activity
from evonas.snn.relaxed.space import MixtureLogits
from evonas.space import Space
from evonas.tasks.classification import Classification
from evonas.training.bilevel_search import differentiable_search
from evonas.training.training_settings import Relaxation, Training
from evonas.variables import Scalar
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


def assert_same_gradients(ours: nn.Module, its: nn.Module, names: Mapping[str, str]) -> None:
    """Assert that all operations of one network have the gradients of those of all networks, by their names there."""
    for own, operation in its.operations.items():  # type: ignore[operator, union-attr]
        pairs = zip(ours.operations[names[own]].parameters(), operation.parameters(), strict=True)  # type: ignore[index]
        for ours_of, its_of in pairs:
            torch.testing.assert_close(ours_of.grad, its_of.grad)


def assert_counted_alike(counts: ExpectedCounts, activity: Activity) -> None:
    """Assert that what is expected of a batch is what a single network did."""
    assert counts.spikes.item() == pytest.approx(activity.spikes, rel=1e-5)
    assert (counts.events + counts.graded).item() == pytest.approx(activity.synaptic_operations, rel=1e-5)
    assert (counts.macs + counts.input_macs).item() == pytest.approx(activity.macs, rel=1e-5)
    assert activity.spikes > 0


def found(space: Space, sizes: Mapping[str, Scalar], training: Training) -> Result:
    """Return what a short search by gradients finds on 32 digits."""
    train = digits.read().for_search(seed=0).train.take(np.arange(32))
    none = Samples(np.empty((0, 1, 1, 8, 8), np.float32), np.empty(0, np.int64))
    return differentiable_search(
        space,
        SearchData(train, none, Classification(10)),
        context=sizes,
        price=0.5,
        objective_price=None,
        relaxation=Relaxation(warm_up=0, epochs=1, batch_size=16, proposals=2),
        training=training,
        seed=0,
        device=torch.device("cpu"),
    )
