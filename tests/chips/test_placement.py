"""Placement: the search for strips against all of them tried one after the other, and chips visited one by one."""

from __future__ import annotations

import math
from dataclasses import replace

from counted import edge, layer
from hypothesis import example, given, settings
from hypothesis import strategies as st

from evonas.chips.deployment import Deployment
from evonas.chips.placement import Place, Placement, place
from evonas.chips.profile import load
from evonas.chips.topology import topology
from evonas.measurement import Activity, Connection

CHANNELS = 4
NEURONS = 64


Window = tuple[str, int, int, int]
"""Of an edge: its source, its kernel, its stride and its groups."""


def reader(height: int, windows: list[Window]) -> Activity:
    """Return a layer of that height that reads others, each as high as the first stride from it asks for."""
    sides: dict[str, int] = {}
    edges = []
    for source, kernel, stride, groups in windows:
        side = sides.setdefault(source, stride * height)
        shapes = {"in_shape": (CHANNELS, side, 1), "out_shape": (CHANNELS, height, 1), "dense": 0}
        window = {"operation": "conv", "kernel": kernel, "stride": stride, "groups": groups}
        edges.append(edge(f"edge {len(edges)}", "reader", sources=(source,), **shapes, **window))
    sources = [layer(name, shape=(CHANNELS, side, 1)) for name, side in sides.items()]
    return Activity(1, 2, (*sources, layer("reader", shape=(CHANNELS, height, 1))), tuple(edges))


WINDOWS = st.tuples(
    st.sampled_from(["left", "right"]), st.sampled_from([1, 3, 5]), st.integers(1, 3), st.sampled_from([1, CHANNELS])
)


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


@settings(max_examples=200, deadline=None)
@given(st.sampled_from([2, 3, 4, 13]), st.lists(WINDOWS, min_size=1, max_size=3), st.integers(4, 48))
@example(2, [("left", 5, 1, 1), ("right", 1, 3, 1)], 12)  # a window that is larger than all of its small source
def test_the_fewest_strips_are_found_whose_cores_have_axons_for_their_inputs(
    height: int, windows: list[Window], limit: int
) -> None:
    activity = reader(height, windows)
    chip = replace(load("loihi1_davies"), fit={"neurons_per_core": NEURONS, "in_axons_per_core": limit})
    spot = place(topology(activity), chip, assumed=Deployment()).places["reader"]
    assert (spot.cores, spot.strips) == written_out(activity, limit=limit)


@given(
    cores=st.lists(st.integers(1, 9), min_size=1, max_size=6),
    per_chip=st.integers(1, 5),
    reads=st.lists(st.sets(st.integers(-1, 5)), min_size=6, max_size=6),
)
@settings(max_examples=100, deadline=None)
def test_chips_visited_are_those_of_every_core_that_sends_one_by_one(
    cores: list[int], per_chip: int, reads: list[set[int]]
) -> None:
    first = [sum(cores[:i]) for i in range(len(cores))]
    chips = [{core // per_chip for core in range(begin, begin + size)} for begin, size in zip(first, cores)]
    sources = [[one for one in sorted(reads[i]) if one < len(cores)] for i in range(len(cores))]
    places = {
        str(i): Place(size, 1, 0, 0, {str(one): size for one in sources[i]}) for i, size in enumerate(cores)
    }  # fmt: skip
    placement = Placement(places, sum(cores), 1, math.ceil(sum(cores) / per_chip), per_chip)
    found = placement.visits(dict.fromkeys(map(str, range(-1, 6)), 1))
    for i in range(len(cores)):
        expected = 0.0
        for one in sources[i]:
            before = [chips[other] for other in range(i) if one in sources[other]]
            reached = set().union(*before)
            senders = [core // per_chip for core in range(first[one], first[one] + cores[one])] if one >= 0 else [None]
            for sender in senders:  # the first reader pays for the chip of the sender as well
                seen = reached | ({sender} if before and sender is not None else set())
                all_chips = chips[i] | reached | ({sender} if sender is not None else set())
                expected += len(all_chips - seen) / len(senders)
        assert math.isclose(found[str(i)], expected, abs_tol=1e-9)
