"""What feedback costs: a training step of a network with feedback edges against that of its feed-forward twin.

    python benchmarks/feedback.py [--quick] [--json FILE]

Two cells of three layers behind a stem, as many operations in both networks: in one a skip and a 3x3 convolution of
each cell lead back with a delay of one time step, so that the cell is computed step after step; in the other the same
two lead on. The same for the cell that SNASNet publishes for CIFAR-10, two of whose six convolutions lead back, in its
whole network, with both norms of loops. 5 time steps, batch 64, processor seconds of forward and backward pass, all in
turns, medians.

    feedback_CHANNELS_SIDE       the step with feedback over that without
    snasnet_NORM_CHANNELS_SIDE   the same of SNASNet's network, its loops normalised by their weights or by steps
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from statistics import median

import torch
from table import Figure, publish

from evonas.architecture.draft import Draft, Incoming
from evonas.architecture.neuron import Dynamics
from evonas.architecture.plan import LOOP_NORMS
from evonas.snn.network import Network
from evonas.variables import Scalar
from spaces.snasnet import assignment_of, plan

SIZES = ((16, 16), (32, 16), (64, 8))
"""Channels, and height and width."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="the smallest size alone")
    parser.add_argument("--json", type=Path, help="write the figures there as well")
    options = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    figures = []
    for channels, side in SIZES[: 1 if options.quick else None]:
        plain, looped = (network(channels, side, has_feedback=has_feedback) for has_feedback in (False, True))
        compared = {"feedback": (plain, looped)}
        compared |= {f"snasnet_{norm}": snasnet(channels, side, loop_norm=norm) for norm in LOOP_NORMS}
        for name, (plain, looped) in compared.items():
            ratio = measured(plain, looped, side=side, repeats=5 if options.quick else 15)
            unit = "x the time of a feed-forward step"
            figures.append(Figure(f"{name}_{channels}_{side}", ratio, unit, "<= 2"))
    publish(figures, title="Feedback", file=options.json)


def measured(plain: Network, looped: Network, *, side: int, repeats: int) -> float:
    """Return how many times as long a step with feedback takes."""
    data = torch.rand(1, 64, 3, side, side)
    spent: tuple[list[float], list[float]] = ([], [])
    for _ in range(2 + repeats):
        for one, seconds in zip((plain, looped), spent, strict=True):
            begin = time.process_time()
            one(data).square().sum().backward()
            seconds.append(time.process_time() - begin)
    forward, back = (median(seconds[2:]) for seconds in spent)
    return back / forward


def snasnet(channels: int, side: int, *, loop_norm: str) -> tuple[Network, Network]:
    """Return SNASNet's network with the edges of a published cell all leading forward, and as they are."""
    sizes: dict[str, Scalar] = {
        "channels": channels,
        "hidden": 1024,
        "stem.stride": 1,
        "time_steps": 5,
        "loop_norm": loop_norm,
    }
    published = assignment_of("0303 0030 2002 0200")
    forward: dict[str, Scalar] = {
        name: "forward" if name.endswith("direction") else value for name, value in published.items()
    }
    plain, looped = (Network(plan({**sizes, **cell}, (3, side, side), 10)) for cell in (forward, published))
    return plain, looped


def network(channels: int, side: int, *, has_feedback: bool) -> Network:
    """Return one of the two networks."""
    neurons = Dynamics("lif_box", tau_mem_ms=2.0, v_th=0.5)
    draft = Draft((3, side, side), time_steps=5)

    def convolution(name: str, source: str, *, delay: int = 0) -> Incoming:
        return Incoming(name, (source,), "conv", channels=channels, kernel=3, delay=delay)

    last = draft.add("stem", neurons, incoming=[convolution("stem/conv", "input")])
    for cell in ("cell1", "cell2"):
        first, second, third = (f"{cell}/{name}" for name in ("first", "second", "third"))
        draft.add(first, neurons, incoming=[convolution(f"{first}/conv", last)])
        draft.add(
            second,
            neurons,
            incoming=[convolution(f"{second}/conv", first), Incoming(f"{second}/skip", (last,), "skip")],
        )
        pool = Incoming(f"{third}/pool", (first,), "pool", kernel=3)
        draft.add(third, neurons, incoming=[convolution(f"{third}/conv", second), pool])
        if has_feedback:
            draft.connect(first, Incoming(f"{cell}/back", (third,), "skip", delay=1))
            draft.connect(first, convolution(f"{cell}/back/conv", second, delay=1))
        else:
            draft.connect(third, Incoming(f"{cell}/on", (last,), "skip"))
            draft.connect(third, convolution(f"{cell}/on/conv", first))
        last = third
    readout = Incoming("readout/linear", (last,), "linear", channels=10)
    draft.add("readout", Dynamics("readout"), incoming=[readout])
    return Network(draft.finish())


if __name__ == "__main__":
    main()
