"""Counted networks for tests: written down by hand, so that what they cost can be computed by hand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from hypothesis import strategies as st

from evonas.chips.profile import Coefficient, Profile
from evonas.measurement import Activity, Connection, Population


def layer(name: str, **changes: Any) -> Population:
    """Return five LIF neurons with a synaptic current that did nothing for two steps."""
    return replace(Population(name, "lif", (5, 1, 1), 2, False, (0, 0), (0, 0)), **changes)


def edge(name: str, target: str, **changes: Any) -> Connection:
    """Return a connection behind binary spikes that delivered nothing for two steps."""
    shapes = ((5, 1, 1), (2, 1, 1), 1, 1, 0, 1, 20, 0, 4, 20)
    none = (0, 0)
    silent = Connection(
        name, ("hidden",), target, "linear", "binary", *shapes, False, none, none, none, none, none, none
    )
    return replace(silent, **changes)


def small(**changes: Any) -> Activity:
    """Return 10 samples, 2 steps: a static image, 5 LIF neurons and a readout of 2."""
    hidden = layer("hidden", spikes=(20, 30), updates=(40, 45))
    readout = layer("readout", kind="readout", shape=(2, 1, 1), state=1, updates=(15, 20))
    image = edge("image", "hidden", sources=("input",), element="real", static=True, macs=(600, 600), inputs=(4, 4))
    event = edge("event", "readout", events=(40, 60), inputs=(20, 30))
    return replace(Activity(10, 2, (hidden, readout), (image, event)), **changes)


def analog() -> Activity:
    """Return the small network with analog neurons in its hidden layer, whose outputs are real numbers."""
    activity = small()
    hidden = replace(activity.populations[0], kind="analog", state=0, static=True, updates=(0, 0))
    event = replace(activity.connections[1], element="real", events=(0, 0), macs=(80, 80), static=True)
    return replace(
        activity, populations=(hidden, activity.populations[1]), connections=(activity.connections[0], event)
    )


def graded() -> Activity:
    """Return the small network behind numbers of events: 3 elements that hold 7 events, which reach 70 neurons."""
    activity = small()
    numbers = {"element": "graded", "static": False, "macs": (0, 0), "in_shape": (4, 1, 1)}
    image = replace(activity.connections[0], **numbers, graded=(20, 10), inputs=(2, 1), units=(4, 3), unrolled=(40, 30))
    return replace(activity, connections=(image, activity.connections[1]))


def with_energy(profile: Profile, **values: float | None) -> Profile:
    """Return the profile with other coefficients; None takes one away."""
    energy = dict(profile.energy)
    for name, value in values.items():
        energy.pop(name, None)
        if value is not None:
            energy[name] = Coefficient(value, value, value, "fitted", "a test")
    return replace(profile, energy=energy)


GESTURE = {
    "conv1": ((1, 32, 32), (16, 15, 15), 2, 2224, 87_264, 2407),
    "conv2": ((16, 15, 15), (32, 13, 13), 1, 5671, 558_112, 2224),
    "conv3": ((32, 13, 13), (64, 11, 11), 1, 14_453, 2_507_520, 5671),
    "conv4": ((64, 11, 11), (11, 9, 9), 1, 4401, 971_652, 14_453),
    "dense": ((11, 9, 9), (11, 1, 1), 1, 0, 48_411, 4401),
}
"""The gesture network that ran on Loihi: input, output, stride; spikes, events, inputs of its first 100 steps."""


def gesture() -> Activity:
    """Return the mean step of the first 100 as one sample of 100, all mapped neurons updated."""
    populations, connections = [], []
    source = "input"
    for name, (before, after, stride, spikes, events, inputs) in GESTURE.items():
        neurons = after[0] * after[1] * after[2]
        kind = "linear" if name == "dense" else "conv"
        kernel = 1 if name == "dense" else 3
        pairs = neurons * before[0] * (before[1] * before[2] if name == "dense" else 9)
        weights = pairs if name == "dense" else after[0] * before[0] * 9
        populations.append(Population(name, "lif_box", after, 1, False, (spikes,), (100 * neurons,)))
        connections.append(
            Connection(
                f"to {name}", (source,), name, kind, "binary", before, after, kernel, stride, 0, 1, weights, 0,
                pairs // neurons, pairs, False, (events,), (0,), (0,), (inputs,), (0,), (0,),
            )
        )  # fmt: skip
        source = name
    return Activity(100, 1, tuple(populations), tuple(connections))


COUNTS = st.tuples(st.integers(0, 10**9), st.integers(0, 10**9))


@st.composite
def activities(draw: st.DrawFn, prefix: str = "") -> Activity:
    """Return a feed-forward network of 0 to 4 spiking layers, the first perhaps behind a static image."""
    populations: list[Population] = []
    connections = []
    for index in range(draw(st.integers(0, 4))):
        name = f"{prefix}{index}"
        shape = (draw(st.integers(1, 64)), draw(st.integers(1, 8)), 1)
        source = populations[-1].name if populations else "input"
        before = populations[-1].shape if populations else (3, 2, 1)
        populations.append(layer(name, shape=shape, spikes=draw(COUNTS), updates=draw(COUNTS)))
        shapes = {"sources": (source,), "in_shape": before, "out_shape": shape}
        if index == 0 and draw(st.booleans()):
            image = {"element": "real", "static": True, "macs": draw(COUNTS)}
            connections.append(edge(f"to {name}", name, **shapes, **image))
        else:
            inputs = populations[-2].spikes if index else (7, 5)  # all read the same data
            connections.append(edge(f"to {name}", name, **shapes, events=draw(COUNTS), inputs=inputs))
    return Activity(10, 2, tuple(populations), tuple(connections))


def totals(counts: Mapping[str, Any]) -> dict[str, float]:
    """Return the counts of a golden block by the names of their coefficients."""
    names = {"S": "synop", "Sg": "synop_graded", "M": "mac", "NT": "acc_neuron", "U": "upd_neuron", "K": "spike_out",
             "F": "msg_out", "H": "hop"}  # fmt: skip
    return {name: counts[letter] for letter, name in names.items() if letter in counts}
