"""The space of STS made differentiable: gradients reach the constants of each group of channels, and find a genotype."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from recorded import recorded
from relaxed_cells import assert_counted_alike, assert_same_gradients, found, settled, soften
from relaxed_twin import branches_of, one_hot, take_weights

from evonas.architecture.cell_form import LEVELS
from evonas.architecture.constant import GROUPS, SCOPES
from evonas.architecture.neuron import SPIKING
from evonas.genotype import Genotype
from evonas.snn.relaxed.mixture import CONSTANTS, KINDS
from evonas.snn.relaxed.neurons import constants_of
from evonas.snn.relaxed.trellis import RelaxedTrellis
from evonas.space import Space
from evonas.training.training_settings import Training
from evonas.variables import Scalar
from spaces.spatial_temporal import space as joint
from spaces.sts import space
from spaces.sts_form import variable_of

torch.set_num_threads(1)
SHAPE, CLASSES = (1, 8, 8), 10
SIZES: dict[str, Scalar] = {"nodes": 2, "layers": 3, "channels": 8, "stem.stride": 2, "readout.input": "flat"}
SURROGATE: dict[str, Scalar] = {"surrogate": "super", "surrogate_width": 1.0}
APART: dict[str, Scalar] = {f"stage{stage}.constants": "channels" for stage in range(LEVELS)}


def relaxed_of(space: Space = space) -> RelaxedTrellis:
    assert space.relax is not None
    relaxed: RelaxedTrellis = space.relax(SIZES, SHAPE, CLASSES)
    return relaxed


RELAXED = relaxed_of()


def genotypes(count: int, *, seed: int, **fixed: Scalar) -> list[Genotype]:
    """Return genotypes of two living nodes."""
    rng, made = np.random.default_rng(seed), []
    while len(made) < count:
        values = {**space.fill({}, rng), **SIZES, **SURROGATE, "feedback": "none", **fixed}
        genotype = space.canonical(values)
        if SIZES.items() <= dict(genotype).items():
            made.append(genotype)
    return made


@settings(deadline=None, max_examples=100)
@given(st.integers(0, 2**32))
def test_a_genotype_made_into_choices_and_read_back_is_the_same(seed: int) -> None:
    (genotype,) = genotypes(1, seed=seed)
    assert RELAXED.discretise(one_hot(RELAXED, genotype)) == genotype


@pytest.mark.parametrize("kind", SPIKING)
def test_with_the_choices_of_one_network_it_is_that_network_in_outputs_gradients_and_counts(kind: str) -> None:
    kinds = {f"stage{stage}.kind": kind for stage in range(LEVELS)}
    for genotype in genotypes(3, seed=1, **kinds, **APART):
        data = torch.rand(1, 4, *SHAPE, generator=torch.Generator().manual_seed(2))
        network, relaxed = settled(space, genotype, data, SHAPE, CLASSES), relaxed_of()
        take_weights(relaxed, genotype, network)
        counter = relaxed.network.counter()
        logits, activity = recorded(network, data)
        ours = relaxed.network.eval()(data, one_hot(relaxed, genotype), counter=counter)
        assert torch.equal(ours, logits)
        assert_counted_alike(counter.counts(), activity)
        ours.square().sum().backward()
        logits.square().sum().backward()
        assert_same_gradients(relaxed.network, network, branches_of(genotype))


def test_every_logit_and_the_constants_of_every_group_get_a_gradient() -> None:
    torch.manual_seed(0)
    relaxed = relaxed_of()
    logits = relaxed.logits(generator=torch.Generator().manual_seed(0))
    soften(logits)
    counter = relaxed.network.counter()
    answers = relaxed.network(torch.rand(1, 8, *SHAPE), logits.mixture(), counter=counter)
    loss = torch.nn.functional.cross_entropy(answers, torch.randint(CLASSES, (8,)))
    for value in (loss, counter.counts().spikes):
        assert logits.scopes is not None
        constants, scopes = torch.autograd.grad(value, [logits.constants, logits.scopes], retain_graph=True)
        assert constants.shape == (LEVELS, GROUPS, len(CONSTANTS))
        assert bool((constants != 0).all())
        assert len({round(one, 12) for one in constants.flatten().tolist()}) == constants.numel()
        assert bool((scopes != 0).all())


def test_two_paths_compare_constants_of_a_stage_and_of_its_groups() -> None:
    generator = torch.Generator().manual_seed(0)
    logits = RELAXED.logits(generator=generator)
    seen = {tuple((row > 0).tolist()) for _ in range(40) for row in logits.two_paths(generator=generator).scopes}
    assert seen == {(True, False), (False, True), (True, True)}
    drawn = {tuple(row.tolist()) for _ in range(40) for row in logits.network(generator=generator).scopes}
    assert drawn == {(1.0, 0.0), (0.0, 1.0)}


@pytest.mark.parametrize("scope", SCOPES)
def test_a_stage_has_the_mean_of_its_groups_or_their_constants_to_the_last_bit(scope: str) -> None:
    logits = RELAXED.logits(generator=torch.Generator().manual_seed(0))
    taus = torch.tensor([4.0, 3.0, 2.0, 1.0], dtype=torch.float64)
    with torch.no_grad():
        assert logits.scopes is not None
        logits.scopes.fill_(-torch.inf)[:, SCOPES.index(scope)] = 0.0
        logits.kinds.fill_(-torch.inf)[:, KINDS.index("lif_box")] = 0.0
        logits.constants[:, :, CONSTANTS.index("tau_mem_ms")] = taus
        mixture = logits.mixture()
    found = constants_of(mixture, 1, channels=16)["tau_mem_ms"]
    expected = taus.mean() if scope == "stage" else taus.repeat_interleave(4)[:, None, None]
    assert torch.equal(found, expected)
    genotype = RELAXED.discretise(mixture)
    assert genotype["stage0.constants"] == scope
    of_groups = [genotype.get(variable_of("tau_mem", stage=0, group=group)) for group in range(GROUPS)]
    assert of_groups == ([2.5, None, None, None] if scope == "stage" else [4.0, 3.0, 2.0, 1.0])


def test_groups_start_apart_within_the_bounds_around_the_start_of_a_stage() -> None:
    logits = RELAXED.logits(generator=torch.Generator().manual_seed(0))
    taus = logits.constants[0, :, CONSTANTS.index("tau_mem_ms")].tolist()
    assert taus == sorted(taus, reverse=True)
    assert taus[0] / taus[-1] == pytest.approx(5**0.5)  # half of the logarithmic range from 1 to 5 ms
    assert taus[0] * taus[-1] == pytest.approx(5.0)


def test_without_constants_of_channels_logits_are_those_of_the_joint_space() -> None:
    narrow = space.narrowed({"stage*.constants": ["stage"]})
    one, other = (relaxed_of(each).logits(generator=torch.Generator().manual_seed(3)) for each in (narrow, joint))
    assert one.scopes is None
    for ours, its in zip([*one.choices, *one.numbers], [*other.choices, *other.numbers], strict=True):
        assert torch.equal(ours, its)


def test_a_search_moves_the_constants_of_each_group_and_is_the_same_again() -> None:
    kinds = {"stage*.kind": ["lif_box"], "stage*.constants": ["channels"]}
    narrow = space.without(["feedback"]).narrowed(kinds)
    sizes = {**SIZES, "nodes": 1, "layers": 2}
    one, other = (found(narrow, sizes, Training(learning_rate=1e-2)) for _ in range(2))
    assert one.proposals == other.proposals
    for genotype in one.proposals:
        assert narrow.genotype(dict(genotype)) == genotype
        taus, thresholds = (
            [genotype[variable_of(name, stage=0, group=group)] for group in range(GROUPS)]
            for name in ("tau_mem", "v_th")
        )
        assert len(set(taus)) == GROUPS
        assert 0.6 not in thresholds  # where they started, rounded
