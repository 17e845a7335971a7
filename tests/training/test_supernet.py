"""The supernet: which weights networks have in common, what a step moves, and what networks inherit."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from evonas.data.dataset import SearchData
from evonas.data.samples import Samples
from evonas.engine.job import Job
from evonas.engine.rejection import Rejection
from evonas.errors import EvonasError, SpaceError
from evonas.genotype import Genotype
from evonas.space import Space
from evonas.tasks.classification import Classification
from evonas.training.batches import Batches
from evonas.training.inheritance import Inheritance
from evonas.training.measuring import measured
from evonas.training.path_draws import PathDraws
from evonas.training.supernet import Supernet
from evonas.training.supernet_fit import SupernetFit
from evonas.training.training_settings import Training
from evonas.variables import Choice
from spaces.autosnn import space as autosnn
from spaces.snasnet import space as snasnet

SHAPE = (1, 8, 8)
CPU = torch.device("cpu")
SMALL = autosnn.narrowed({"channels": [4], "time_steps": [2, 2]})


def network_of(*blocks: str, space: Space = SMALL) -> Genotype:
    named = {f"block{index}": block for index, block in enumerate(blocks, start=1)}
    return space.canonical({**named, "channels": 4, "time_steps": 2})


ONE = network_of("SRB_k3", "SCB_k3", "skip", "SRB_k5", "SCB_k3")
OTHER = network_of("SRB_k3", "SCB_k5", "skip", "SCB_k5", "SCB_k3")


@pytest.fixture(scope="module")
def data() -> SearchData:
    """Return images of one bright half each, upper or lower."""
    rng = np.random.default_rng(0)
    labels = rng.integers(2, size=96)
    images = 0.3 * rng.random((96, 1, *SHAPE), np.float32)
    for image, label in zip(images, labels, strict=True):
        image[..., 4 * label : 4 * label + 4, :] += 0.7
    return SearchData(Samples(images[:64], labels[:64]), Samples(images[64:], labels[64:]), Classification(2))


def supernet(space: Space = SMALL, *, train_neurons: bool = True) -> Supernet:
    torch.manual_seed(0)
    return Supernet(space, SHAPE, 2, train_neurons=train_neurons, device=CPU)


def tensors(network: nn.Module) -> dict[str, Tensor]:
    return dict(network.state_dict(keep_vars=True))


def test_networks_share_what_has_one_name_and_nothing_else() -> None:
    whole = supernet()
    one, other = (tensors(whole.network(genotype)) for genotype in (ONE, OTHER))
    shared = {name for name in one.keys() & other.keys() if one[name] is other[name]}
    assert {"stem/conv3", "block1/SRB_k3/second/conv3", "voters/dense"} <= {name.split(".")[1] for name in shared}
    own = {name.split(".")[1].split("/")[0] for name in one.keys() ^ other.keys()}
    assert own == {"block2", "block4"}
    trained = {name for name, tensor in one.items() if tensor.requires_grad}
    assert trained & other.keys() <= shared
    statistics = {name for name in shared if name.endswith(("running_mean", "running_var", "num_batches_tracked"))}
    assert any("stem/conv3" in name for name in statistics)
    again = tensors(whole.network(ONE))
    assert all(again[name] is one[name] for name in trained)
    assert len({id(parameter) for parameter in whole.parameters}) == len(whole.parameters)


def test_a_network_of_the_supernet_is_the_one_that_the_space_builds_with_these_weights() -> None:
    whole = supernet()
    whole.network(OTHER)
    network = whole.network(ONE).eval()
    assert SMALL.build is not None
    alone = SMALL.build(ONE, SHAPE, 2).eval()
    inputs = torch.rand(1, 3, *SHAPE)
    assert not torch.equal(alone.state_dict()["operations.stem/conv3.conv.weight"],
                           network.state_dict()["operations.stem/conv3.conv.weight"])  # fmt: skip
    alone.load_state_dict(network.state_dict())
    assert torch.equal(alone(inputs), network(inputs))


def test_weights_of_one_name_and_other_shapes_stand_beside_each_other() -> None:
    whole = supernet(autosnn)
    narrow, wide = (
        whole.network(autosnn.canonical({**ONE, "channels": channels, "time_steps": 2})) for channels in (4, 8)
    )
    of_stem = [tensors(network)["operations.stem/conv3.conv.weight"] for network in (narrow, wide)]
    assert [tensor.shape[0] for tensor in of_stem] == [4, 8]
    longer = whole.network(autosnn.canonical({**ONE, "channels": 4, "time_steps": 5}))
    assert tensors(longer)["operations.stem/conv3.conv.weight"] is of_stem[0]


def test_constants_of_neurons_are_shared_where_they_are_trained_and_the_genotypes_elsewhere() -> None:
    for train_neurons in (True, False):
        whole = supernet(train_neurons=train_neurons)
        one, other = (whole.network(genotype).neurons["stem"].get_parameter("v_th") for genotype in (ONE, OTHER))
        assert (one is other) == train_neurons == one.requires_grad


def fit_of(data: SearchData, whole: Supernet, *networks: Genotype, **options: Any) -> SupernetFit:
    given = iter(lambda: None, 0)  # never ends
    order = iter(networks[index % len(networks)] for index, _ in enumerate(given))
    training = Training(batch_size=16, **{"epochs": 1, **options})
    samples = Batches(data.train, CPU)
    return SupernetFit(whole, samples, data.task, training=training, draw=lambda progress: next(order), seed=1)


def test_a_step_moves_the_weights_of_its_network_alone(data: SearchData) -> None:
    whole = supernet()
    fit = fit_of(data, whole, OTHER, ONE, ONE, ONE, ONE)  # the first is there before the first step
    before = {name: tensor.detach().clone() for name, tensor in tensors(whole.network(OTHER)).items()}
    fit.run_epoch()
    after = tensors(whole.network(OTHER))
    moved = {name for name, tensor in before.items() if not torch.equal(tensor, after[name])}
    assert {name.split(".")[1].split("/")[0] for name in moved} >= {"stem", "block1", "block5", "voters"}
    assert not any("block2/SCB_k5" in name or "block4/SCB_k5" in name for name in moved)
    assert all(parameter.grad is None for parameter in whole.parameters)


@pytest.mark.parametrize("train_neurons", [True, False])
def test_every_weight_that_comes_into_being_later_is_trained(data: SearchData, train_neurons: bool) -> None:
    whole = supernet(train_neurons=train_neurons)
    fit = fit_of(data, whole, OTHER, ONE)
    first = whole.network(ONE).operations["block2/SCB_k3/first/conv3"].conv.weight  # type: ignore[union-attr]
    before = first.detach().clone()
    fit.run_epoch()
    assert not torch.equal(first, before)  # type: ignore[arg-type]
    assert len(fit._optimizer.state) == len(whole.parameters)


def test_one_network_alone_learns_what_a_training_of_it_learns(data: SearchData) -> None:
    whole = supernet()
    fit = fit_of(data, whole, ONE, epochs=6)
    losses = [fit.run_epoch() for _ in range(6)]
    assert losses[-1] < losses[0]
    assert fit.sample_steps == 6 * 64 * 2
    inherited = Inheritance(whole, data, calibration=64, seed=0, device=CPU)
    measurement = inherited(Job(0, "evaluate", ONE, "test"))
    assert measurement.accuracy > 0.9
    assert inherited.sample_steps == (64 + 32) * 2 / 3


def test_networks_inherit_weights_with_statistics_of_their_own_and_leave_the_supernet_as_it_is(
    data: SearchData,
) -> None:
    whole = supernet()
    fit_of(data, whole, ONE, OTHER).run_epoch()
    before = {name: tensor.detach().clone() for name, tensor in tensors(whole.network(ONE)).items()}
    with_own = Inheritance(whole, data, calibration=64, seed=0, device=CPU)(Job(0, "evaluate", ONE, "test"))
    as_it_is = Inheritance(whole, data, calibration=0, seed=0, device=CPU)(Job(0, "evaluate", ONE, "test"))
    assert with_own.activity != as_it_is.activity
    expected = measured(whole.network(ONE), Batches(data.validation, CPU), data.task, seconds=None)
    assert as_it_is == expected
    after = tensors(whole.network(ONE))
    assert all(torch.equal(tensor, after[name]) for name, tensor in before.items())


def test_a_space_that_shares_nothing_has_no_supernet() -> None:
    bare = Space({"kind": Choice(("a", "b"))}, build=lambda genotype, shape, outputs: None)
    with pytest.raises(EvonasError, match="no `share` that says which weights networks have in common"):
        supernet(bare)


def drawn(*, warm_up: float, progress: float, count: int = 40, **options: Any) -> list[Genotype]:
    draws = PathDraws(SMALL, **{"warm_up": warm_up, "reject": None, "operations": None, **options},
                      rng=np.random.default_rng(0))  # fmt: skip
    return [draws(progress) for _ in range(count)]


def test_networks_are_drawn_near_one_of_them_first_and_evenly_after_the_warm_up() -> None:
    assert SMALL.operations is not None
    cost = partial(lambda genotype, of: of(genotype, SHAPE, 2), of=SMALL.operations)
    anchored = set(drawn(warm_up=0.5, progress=0.0, operations=cost))
    assert len(anchored) == 1
    rng = np.random.default_rng(0)
    assert cost(anchored.pop()) == max(cost(SMALL.sample(rng)) for _ in range(16))
    (anchor,) = set(drawn(warm_up=0.5, progress=0.0))
    shares = [
        np.mean([genotype[f"block{i}"] == anchor[f"block{i}"] for genotype in found for i in range(1, 6)])
        for found in (drawn(warm_up=0.5, progress=progress, count=400) for progress in (0.25, 0.5, 0.9))
    ]
    assert shares == pytest.approx([0.5 + 0.5 / 5, 1 / 5, 1 / 5], abs=0.04)
    assert len(set(drawn(warm_up=0.0, progress=0.0))) > 30


def test_what_cannot_take_the_data_is_never_drawn() -> None:
    def reject(genotype: Genotype) -> Rejection | None:
        return Rejection(("a fifth block",), 1.0) if genotype["block5"] != "skip" else None

    for progress in (0.0, 0.3, 1.0):
        assert {genotype["block5"] for genotype in drawn(warm_up=0.5, progress=progress, reject=reject)} == {"skip"}
    with pytest.raises(SpaceError, match="none can take the data"):
        drawn(warm_up=0.0, progress=0.0, reject=lambda genotype: Rejection(("all",), 1.0))


def test_the_networks_of_snasnet_share_the_weights_of_an_edge_with_one_operation(data: SearchData) -> None:
    narrowed = snasnet.narrowed({"channels": [8], "hidden": [128], "time_steps": [4, 4]})
    whole = supernet(narrowed)
    rng = np.random.default_rng(0)
    networks = [narrowed.sample(rng) for _ in range(4)]
    fit = fit_of(data, whole, *networks)
    assert np.isfinite(fit.run_epoch())
    for one in networks:
        measurement = Inheritance(whole, data, calibration=32, seed=0, device=CPU)(Job(0, "evaluate", one, "test"))
        assert measurement.activity.samples == 32
    built = [tensors(whole.network(one)) for one in networks]
    held = {id(parameter) for parameter in whole.parameters}
    assert all(id(tensor) in held for network in built for tensor in network.values() if tensor.requires_grad)
    assert sum(len({n for n, t in network.items() if t.requires_grad}) for network in built) > len(held)
