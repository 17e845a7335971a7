"""Problems whose best operation, path and time constant are known: the search finds them from data alone."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from evonas.architecture.neuron import Surrogate
from evonas.data import digits
from evonas.data.dataset import Samples, SearchData
from evonas.genotype import Genotype
from evonas.snn.relaxed.edge_distribution import NONE, best_two, pairs_of
from evonas.snn.relaxed.logits import Bounds, Logits
from evonas.snn.relaxed.mixture import KINDS, NetworkMixture
from evonas.snn.relaxed.network import RelaxedNetwork
from evonas.snn.relaxed.path_distribution import most_likely
from evonas.snn.relaxed.plan import FixedSizes, relax_trellis
from evonas.space import Space
from evonas.tasks.classification import Classification
from evonas.training.bilevel_search import differentiable_search
from evonas.training.training_settings import Relaxation, Training
from evonas.variables import Choice
from spaces.spatial_temporal import space

torch.set_num_threads(1)
SEEDS = range(6)
BOUNDS = Bounds(((1.0, 5.0), (1.0, 5.0), (0.25, 1.5), (1.0, 5.0), (0.05, 0.5)), (1.0, 5.0))


def found(toy: Space, data: SearchData, *, seed: int, epochs: int) -> Genotype:
    result = differentiable_search(
        toy,
        data,
        context={},
        price=0.0,
        objective_price=None,
        relaxation=Relaxation(warm_up=4, epochs=epochs),
        training=Training(learning_rate=1e-2),
        seed=seed,
        device=torch.device("cpu"),
    )
    return result.proposals[0]


def one_cell(*, levels: int = 1, time_steps: tuple[int, ...] = (2, 3, 4), only_conv3: bool = False, kind: str = ""):
    """A space of one cell with one node, in which everything is free that is not given."""
    sizes = FixedSizes(nodes=1, layers=1, levels=levels, channels=8, time_steps=time_steps)

    def logits(*, generator: torch.Generator) -> Logits:
        made = Logits(sizes, BOUNDS, generator=generator)
        with torch.no_grad():
            if only_conv3:
                made.edges[0].fill_(-torch.inf)
                made.edges[0][[pairs_of(0).index(("s1", "conv3")), NONE]] = 0.0
            for other in KINDS:
                if kind and other != kind:
                    made.leave_out(other)
        return made

    def discretise(mixture: NetworkMixture) -> Genotype:
        edges = [pairs_of(0)[index][1] for index in best_two(mixture.edges[0]) if index is not None]
        path = most_likely(mixture.moves, levels=levels)
        return Genotype({"edges": "+".join(edges), "level": path[0], "tau_mem": mixture.constants[0, 0, 0].item()})

    def relax(context, input_shape, classes):
        plan = relax_trellis(sizes, input_shape=input_shape, classes=classes)
        network = RelaxedNetwork(plan, surrogate=Surrogate())
        return SimpleNamespace(network=network, logits=logits, discretise=discretise)

    return Space({"a": Choice((1,))}, relax=relax)


def two_dots(count: int, *, width: int, apart: int, seed: int) -> SearchData:
    """A dot in each of two channels, so far apart on a ring: the class is which of them is ahead.

    Each dot alone is anywhere with the same probability, so the class shows only where both are seen at once.
    """
    rng = np.random.default_rng(seed)
    labels, first = rng.integers(0, 2, count), rng.integers(0, width, count)
    second = (first + np.where(labels == 0, apart, -apart)) % width
    inputs = np.zeros((count, 1, 2, 3, width), np.float32)
    inputs[np.arange(count), 0, 0, 1, first] = inputs[np.arange(count), 0, 1, 1, second] = 1
    return SearchData(Samples(inputs, labels), Samples(inputs[:0], labels[:0]), Classification(2))


def two_pulses(count: int, *, lags: tuple[int, int], steps: int, seed: int) -> SearchData:
    """Two pulses, the class is how far apart they are in time; pulses come at each time with the same probability."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 2, count)
    inputs = np.zeros((count, steps, 1, 1, 1), np.float32)
    for sample, label in zip(inputs, labels, strict=True):
        lag = lags[label]
        start = rng.choice([step for step in range(steps - lag) if (step // lag) % 2 == 0])
        sample[[start, start + lag], 0, 0, 0] = 1 + 0.1 * rng.standard_normal(2)
    return SearchData(Samples(inputs, labels), Samples(inputs[:0], labels[:0]), Classification(2))


@pytest.mark.slow
def test_the_operation_that_alone_sees_far_enough_is_found():
    # behind the stem, a 5x5 convolution sees dots 6 apart, all other operations at most 4
    right = 0
    for seed in SEEDS:
        data = two_dots(3072, width=16, apart=6, seed=seed)
        right += "conv5" in str(found(one_cell(), data, seed=seed, epochs=6)["edges"]).split("+")
    assert right >= 5


@pytest.mark.slow
def test_the_path_that_alone_sees_far_enough_is_found():
    # on the level of the stem a 3x3 convolution sees dots 4 apart, one level down 8
    right = 0
    for seed in SEEDS:
        data = two_dots(1536, width=20, apart=7, seed=seed)
        right += found(one_cell(levels=2, only_conv3=True), data, seed=seed, epochs=6)["level"] == 1
    assert right >= 5


@pytest.mark.slow
def test_the_time_constant_grows_to_the_memory_that_is_needed():
    # with decay d a step, potentials after lags 3 and 6 differ most, relatively, where d ** 3 is 0.41: at 3.9 ms
    toy = one_cell(time_steps=(12,), only_conv3=True, kind="lif_box")
    start = BOUNDS.constants[0][0] ** 0.5 * BOUNDS.constants[0][1] ** 0.5  # 2.2 ms
    right = 0
    for seed in range(12):
        data = two_pulses(1536, lags=(3, 6), steps=12, seed=seed)
        right += float(found(toy, data, seed=seed, epochs=8)["tau_mem"]) > 1.15 * start
    assert right >= 10


@pytest.mark.slow
def test_a_higher_price_finds_networks_that_spike_less():
    data = digits.read().for_search(seed=0)
    data = SearchData(data.train.take(np.arange(512)), data.validation, Classification(10))
    expected = {}
    for price in (0.0, 1.0, 4.0):
        traces = [
            differentiable_search(
                space,
                data,
                context={"nodes": 1, "layers": 2, "channels": 4, "stem.stride": 1, "readout.input": "mean"},
                price=price,
                objective_price=None,
                relaxation=Relaxation(warm_up=1, epochs=4, batch_size=16),
                training=Training(),
                seed=seed,
                device=torch.device("cpu"),
            ).trained.epochs
            for seed in range(3)
        ]
        expected[price] = float(np.median([trace[-1]["objective"] for trace in traces]))
    assert expected[4.0] < expected[1.0] < expected[0.0]
