"""The joint space made differentiable: to a genotype and back."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from relaxed_twin import one_hot

from evonas.errors import SpaceError
from evonas.snn.relaxed.edge_distribution import best_two, pairs_of
from evonas.snn.relaxed.mixture import KINDS
from spaces.spatial_temporal import LEVELS, NODES, space

SHAPE, CLASSES = (1, 8, 8), 10
SIZES = ("nodes", "layers", "channels", "stem.stride", "readout.input", "surrogate", "surrogate_width")

RELAXED = {
    (nodes, layers): space.relax(
        {"nodes": nodes, "layers": layers, "channels": 4, "stem.stride": 2, "readout.input": "flat"}, SHAPE, CLASSES
    )
    for nodes, layers in product((1, 2, 3), (2, 3, 4))
}


@settings(deadline=None, max_examples=200)
@given(st.integers(0, 2**32))
def test_a_genotype_made_into_choices_and_read_back_is_the_same(seed):
    rng = np.random.default_rng(seed)
    default = {"surrogate": "super", "surrogate_width": 1.0, "channels": 4, "stem.stride": 2, "readout.input": "flat"}
    relaxable = space.without(["feedback", "attention"])
    found = relaxable.canonical({**relaxable.fill({}, rng), **default})
    genotype = space.genotype({**found, "feedback": "none", "attention": "none"})
    relaxed = RELAXED[int(genotype["nodes"]), int(genotype["layers"])]
    assert relaxed.discretise(one_hot(relaxed, genotype)) == genotype


@settings(deadline=None, max_examples=100)
@given(st.integers(0, 2**32), st.sampled_from(sorted(RELAXED)))
def test_logits_of_any_kind_are_read_as_a_genotype_of_their_best_options(seed, sizes):
    relaxed = RELAXED[sizes]
    generator = torch.Generator().manual_seed(seed)
    logits = relaxed.logits(generator=generator)
    with torch.no_grad():
        for values in logits.choices:
            values.normal_(generator=generator)
        mixture = logits.mixture()
    genotype = relaxed.discretise(mixture)
    assert space.genotype(dict(genotype)) == genotype
    assert (genotype["nodes"], genotype["layers"]) == sizes  # no node dies
    assert genotype["time_steps"] == relaxed.sizes.time_steps[int(mixture.time_steps.argmax())]
    assert genotype["stage0.kind"] == KINDS[int(mixture.kinds[0].argmax())]
    if sizes[0] == 1:
        chosen = {pairs_of(0)[index] for index in best_two(mixture.edges[0]) if index is not None}
        edges = {
            (genotype[f"node0.{letter}.from"], genotype[f"node0.{letter}.op"])
            for letter in "ab"
            if genotype[f"node0.{letter}.op"] != "none"
        }
        assert edges == chosen or "s1" not in {source for source, _ in chosen}


@pytest.mark.parametrize(
    ("only", "message"),
    [
        ({"feedback": ["first", "last"]}, r"Each network has feedback \(first, last\)"),
        ({"attention": ["eca"]}, r"Each network has attention \(eca\)"),
    ],
)
def test_what_is_not_relaxed_is_refused_where_there_is_nothing_else(only, message):
    sizes = {"nodes": 1, "layers": 2, "channels": 4, "stem.stride": 2, "readout.input": "flat"}
    with pytest.raises(SpaceError, match=message):
        space.narrowed(only).relax(sizes, SHAPE, CLASSES)


def test_constants_are_rounded_to_the_resolution_of_the_space():
    relaxed = RELAXED[1, 2]
    logits = relaxed.logits(generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        logits.kinds[:, KINDS.index("lif")] = 9.0
        logits.constants[:] = torch.tensor([1.2345, 9.0, 0.5123, 3.0, 0.2])
        logits.readout_tau_mem_ms.fill_(0.1)
        logits.keep_bounds()
        genotype = relaxed.discretise(logits.mixture())
    assert (genotype["stage0.tau_mem"], genotype["stage0.tau_syn"]) == (1.2, 5.0)
    assert (genotype["stage0.v_th"], genotype["readout.tau_mem"]) == (0.5, 1.0)


@pytest.mark.parametrize(
    ("context", "message"),
    [
        ({"nodes": 1, "layers": 2}, "channels is missing; stem.stride is missing; readout.input is missing"),
        (
            {"nodes": NODES + 1, "layers": 2, "channels": 4, "stem.stride": 1, "readout.input": "mean"},
            "nodes: expected a whole number from 1 to 3, got 4",
        ),
        (
            {"nodes": 1, "layers": 2, "channels": 4, "stem.stride": 1, "readout.input": "mean", "time_steps": 3},
            "time_steps is no size",
        ),
    ],
)
def test_a_wrong_context_is_refused(context, message):
    with pytest.raises(SpaceError, match=message):
        space.relax(context, SHAPE, CLASSES)


def test_the_surrogate_of_the_context_is_used_and_kept():
    given = {
        "nodes": 1,
        "layers": 2,
        "channels": 4,
        "stem.stride": 1,
        "readout.input": "mean",
        "surrogate": "tanh",
        "surrogate_width": 0.5,
    }
    relaxed = space.relax(given, SHAPE, CLASSES)
    assert relaxed.network.surrogate(0).method == "tanh"
    logits = relaxed.logits(generator=torch.Generator().manual_seed(0))
    logits.leave_out("analog")
    genotype = relaxed.discretise(logits.mixture())
    assert (genotype["surrogate"], genotype["surrogate_width"]) == ("tanh", 0.5)
    assert all(
        genotype[f"stage{stage}.kind"] != "analog" for stage in range(LEVELS) if f"stage{stage}.kind" in genotype
    )
