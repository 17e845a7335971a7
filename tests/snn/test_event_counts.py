"""A network that sees recordings of events: everything that is counted of it equals a walk over every single event."""

from __future__ import annotations

import itertools
from collections import Counter

import numpy as np
import pytest
import torch
from recorded import recorded

from evonas.architecture.cell import Edge
from evonas.architecture.neuron import Dynamics
from evonas.architecture.plan import PlannedConnection
from evonas.architecture.trellis import Trellis, plan_trellis
from evonas.data.event_frames import EventFrames
from evonas.data.framing import Framing
from evonas.data.recordings import Events, joined
from evonas.input_shape import InputShape
from evonas.snn.network import Network

SHAPE = (2, 5, 6)
SAMPLES = 3


def recordings() -> list[Events]:
    rng = np.random.default_rng(0)
    found = []
    for count in (150, 60, 90):
        t = np.sort(rng.integers(0, 10_000, count))
        found.append(Events(t, rng.integers(0, 6, count), rng.integers(0, 5, count), rng.integers(0, 2, count), "here"))
    return found


def slow_elements(one: Events, *, frames: int, is_binary: bool) -> dict[tuple[int, int, int, int], int]:
    """Return the number of events of each element by (step, polarity, y, x), event by event."""
    begin, end = int(one.t[0]), int(one.t[-1])
    counted = Counter(
        ((int(t) - begin) * frames // (end - begin + 1), int(p), int(y), int(x))
        for t, x, y, p in zip(one.t, one.x, one.y, one.p, strict=True)
    )
    return {place: 1 if is_binary else number for place, number in counted.items()}


def targets(edge: PlannedConnection, y: int, x: int) -> int:
    """Return how many neurons an input element reaches, trying every kernel position of every neuron."""
    assert (edge.operation, edge.groups) == ("conv", 1)
    reached = 0
    for _, oy, ox in itertools.product(*map(range, edge.out_shape)):
        for ky, kx in itertools.product(range(edge.kernel), range(edge.kernel)):
            reached += (oy * edge.stride + ky - edge.padding, ox * edge.stride + kx - edge.padding) == (y, x)
    return reached


def network_of(inputs: EventFrames, *, time_steps: int, stem_stride: int, analog_stem: bool) -> Network:
    cell = ((Edge("s0", "separable"), Edge("s1", "conv3")), (Edge("n0", "pool"), Edge("s1", "skip")))
    stem = Dynamics("analog") if analog_stem else Dynamics("lif", v_th=0.4)
    trellis = Trellis(
        (0, 1), channels=2, stages=(stem, Dynamics("lif_box", v_th=0.3)), readout_tau_mem_ms=1.7,
        time_steps=time_steps, stem_stride=stem_stride,
    )  # fmt: skip
    torch.manual_seed(5)
    return Network(plan_trellis(trellis, cell, input_shape=InputShape(inputs.shape, inputs.element), classes=3)).eval()


@pytest.mark.parametrize("time_steps", [2, 5])
@pytest.mark.parametrize("stem_stride", [1, 2])
@pytest.mark.parametrize("is_binary", [False, True])
@pytest.mark.parametrize("analog_stem", [False, True])
def test_all_counts_of_events_equal_a_walk_over_every_event(
    time_steps: int, stem_stride: int, is_binary: bool, analog_stem: bool
) -> None:
    events = recordings()
    inputs = EventFrames(joined([one.packed(SHAPE) for one in events], shape=SHAPE), Framing(is_binary=is_binary))
    network = network_of(inputs, time_steps=time_steps, stem_stride=stem_stride, analog_stem=analog_stem)
    batch = inputs.batch(np.arange(SAMPLES), time_steps=time_steps, rng=np.random.default_rng(0))
    with torch.no_grad():
        _, activity = recorded(network, torch.from_numpy(batch))
    planned = {edge.name: edge for edge in network.plan.connections}
    reading = [edge for edge in activity.connections if edge.sources == ("input",)]
    assert reading
    for edge in reading:
        expected = {name: [0] * time_steps for name in ("delivered", "inputs", "units", "unrolled")}
        for one in events:
            for (step, _, *place), number in slow_elements(one, frames=time_steps, is_binary=is_binary).items():
                reached = targets(planned[edge.name], *place)
                expected["delivered"][step] += reached
                expected["inputs"][step] += 1
                expected["units"][step] += number
                expected["unrolled"][step] += number * reached
        nothing = (0,) * time_steps
        delivered = tuple(expected["delivered"])
        assert (edge.element, edge.static) == ("binary" if is_binary else "graded", False)
        assert edge.macs == nothing
        assert edge.events == (delivered if is_binary else nothing)
        assert edge.graded == (nothing if is_binary else delivered)
        assert edge.inputs == tuple(expected["inputs"])
        assert edge.units == (nothing if is_binary else tuple(expected["units"]))
        assert edge.unrolled == (nothing if is_binary else tuple(expected["unrolled"]))
        assert (edge.unrolled != edge.graded) or is_binary  # some pixels have several events in a frame
