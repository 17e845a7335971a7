"""Placement: the search for strips against all of them tried one after the other."""

from __future__ import annotations

import math
from dataclasses import replace

from counted import edge, layer
from hypothesis import given, settings
from hypothesis import strategies as st

from evonas.measurement import Activity, Connection
from objectives.deployment import Deployment
from objectives.placement import place
from objectives.profile import load
from objectives.topology import topology

CHANNELS = 4
NEURONS = 64


@st.composite
def two_edges(draw: st.DrawFn) -> Activity:
    """Return a layer that reads two others, or one twice, with windows of its own for each."""
    height = draw(st.sampled_from([2, 3, 4, 6, 13, 24]))
    sides, edges = {}, []
    for letter in "ab":
        kernel, stride = draw(st.integers(1, 5)), draw(st.integers(1, 3))
        source = draw(st.sampled_from(["left", "right"]))
        side = sides.setdefault(source, stride * height)
        edges.append(
            edge(
                letter, "reader", sources=(source,), operation="conv", in_shape=(CHANNELS, side, 1), kernel=kernel,
                stride=stride, groups=draw(st.sampled_from([1, CHANNELS])), out_shape=(CHANNELS, height, 1), dense=0,
            )
        )  # fmt: skip
    sources = [layer(name, shape=(CHANNELS, side, 1)) for name, side in sides.items()]
    return Activity(1, 2, (*sources, layer("reader", shape=(CHANNELS, height, 1))), tuple(edges))


def axons(edges: tuple[Connection, ...], *, cores: int, rows: int, height: int) -> int:
    """Return the inputs of a core, each source by the largest of its windows."""
    needed: dict[str, float] = {}
    for part in edges:
        high = part.in_shape[1]
        reach = high if rows == height else min(high, (rows - 1) * part.stride + part.kernel)
        inputs = CHANNELS * high * reach / high * math.ceil(part.groups / cores) / part.groups
        needed[part.sources[0]] = max(needed.get(part.sources[0], 0.0), inputs)
    return math.ceil(sum(needed.values()) - 1e-9)


def written_out(activity: Activity, *, limit: int) -> tuple[int, int]:
    """Return the cores and strips of the reader: the fewest strips whose cores have axons for their inputs."""
    height = activity.populations[-1].shape[1]
    neurons = CHANNELS * height
    whole = math.ceil(neurons / NEURONS)
    if axons(activity.connections, cores=whole, rows=height, height=height) <= limit:
        return whole, 1
    for strips in range(2, height + 1):
        rows = math.ceil(height / strips)
        cores = math.ceil(CHANNELS * rows / NEURONS)
        if axons(activity.connections, cores=cores, rows=rows, height=height) <= limit:
            return math.ceil(height / rows) * cores, math.ceil(height / rows)
    return whole, 1


@settings(max_examples=500, deadline=None)
@given(two_edges(), st.integers(1, 200))
def test_the_fewest_strips_are_found_whose_cores_have_axons_for_their_inputs(activity: Activity, limit: int) -> None:
    chip = replace(load("loihi1_davies"), fit={"neurons_per_core": NEURONS, "in_axons_per_core": limit})
    spot = place(topology(activity), chip, assumed=Deployment()).places["reader"]
    assert (spot.cores, spot.strips) == written_out(activity, limit=limit)
