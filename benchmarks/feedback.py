"""What feedback costs: a training step of a network with feedback edges against that of its feed-forward twin.

    python benchmarks/feedback.py [--quick] [--json FILE]

Two cells of three layers behind a stem, as many operations in both networks: in one a skip and a 3x3 convolution of
each cell lead back with a delay of one time step, so that the cell is computed step after step; in the other the same
two lead on. 5 time steps, batch 64, processor seconds of forward and backward pass, both in turns, medians.

    feedback_CHANNELS_SIDE   the step with feedback over that without
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
from evonas.snn.network import Network

SIZES = ((16, 16), (32, 16), (64, 8))
"""Channels, and height and width."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="the smallest size alone")
    parser.add_argument("--json", type=Path, help="write the figures there as well")
    options = parser.parse_args()
    torch.set_num_threads(1)
    figures = []
    for channels, side in SIZES[: 1 if options.quick else None]:
        ratio = measured(channels, side, repeats=5 if options.quick else 15)
        figures.append(Figure(f"feedback_{channels}_{side}", ratio, "x the time of a feed-forward step", "<= 2"))
    publish(figures, title="Feedback", file=options.json)


def measured(channels: int, side: int, *, repeats: int) -> float:
    """Return how many times as long a step with feedback takes."""
    torch.manual_seed(0)
    networks = [network(channels, side, has_feedback=has_feedback) for has_feedback in (False, True)]
    data = torch.rand(1, 64, 3, side, side)
    spent: tuple[list[float], list[float]] = ([], [])
    for _ in range(2 + repeats):
        for one, seconds in zip(networks, spent, strict=True):
            begin = time.process_time()
            one(data).square().sum().backward()
            seconds.append(time.process_time() - begin)
    forward, back = (median(seconds[2:]) for seconds in spent)
    return back / forward


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
