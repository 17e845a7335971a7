"""A dry run: one network of a resolved run is built and tried; nothing is evaluated or written."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
from rich.console import Console

from evonas.engine.budget import Budget
from evonas.engine.pace import LONGEST_PART
from evonas.engine.ray_environment import check_environment
from evonas.report.escaping import plain
from evonas.runfile.rejections import Check
from evonas.runfile.resolve import ResolvedRun

DRAWN = 50
"""Random networks of which it is told how many would be rejected."""


def try_out(run: ResolvedRun, *, checks: Sequence[Check], console: Console) -> None:
    """Build one network, run it on two samples, and print what is known about it and the run.

    Args:
        run: The run that would be searched.
        checks: One for each chip of the command: say whether a planned network fits there. Unused if the space has no
            `plan`.
        console: Where to print.

    Raises:
        WorkersError: If the workers of the run cannot be started here, as far as can be seen without starting any.
    """
    if run.file.workers.count != 0:
        check_environment()
    genotype = run.example()
    network = run.try_one(genotype)
    data = run.search_data
    parameters = sum(parameter.numel() for parameter in network.parameters() if parameter.requires_grad)
    for note in run.notes:
        console.print(plain(f"Note: {note}"))
    console.print(
        plain(
            f"The run file is right: {len(data.train)} training and {len(data.validation)} validation samples of shape "
            f"{data.input_shape}, {data.task.summary}; network {genotype.key} was built, {parameters:,} parameters."
        )
    )
    if rejections := _rejections(run):
        console.print(plain(rejections))
    if run.budget.is_timed:
        console.print(plain(_limits(run.budget)))
    if data.seconds is not None:
        console.print(plain(_durations(data.seconds, run.plan(genotype) if run.plan is not None else None)))
    if run.plan is not None and checks:
        planned = run.plan(genotype)
        for check in checks:
            console.print(plain(f"Network {genotype.key} {check(planned)}."))


def _rejections(run: ResolvedRun) -> str:
    """Return how many of some random networks would be rejected before training, and why; empty where none would."""
    if run.reject is None:
        return ""
    rng = np.random.default_rng([run.file.search.seed, 1])
    drawn = (run.reject(run.space.sample(rng)) for _ in range(DRAWN))
    reasons = Counter(one.message.partition(", which ")[0].rstrip(".") for one in drawn if one is not None)
    if not reasons:
        return ""
    (reason, count), *_ = reasons.most_common(1)
    return (
        f"{reasons.total()} of {DRAWN} random networks would be rejected before training, {count} of them because of: "
        f"{reason}."
    )


def _limits(budget: Budget) -> str:
    """Return when a search ends whose time is limited."""
    limits = [f"{budget.evaluations:,} evaluations"]
    limits += [f"{budget.seconds:g} s"] if budget.seconds is not None else []
    limits += [f"{budget.core_hours:g} core hours"] if budget.core_hours is not None else []
    return (
        f"The search ends after {', '.join(limits[:-1])} or {limits[-1]}, whichever comes first: nothing is started "
        f"that would end later, and networks whose training would take more than {LONGEST_PART:.0%} of the "
        f"{'seconds' if budget.core_hours is None else 'time'} are rejected."
    )


def _durations(seconds: float, planned: Any) -> str:
    """Return how long a sample lasts, and a time step of a network where its plan says how many it has."""
    steps = getattr(planned, "time_steps", None)
    each = f", each of the {steps} time steps of this network {1000 * seconds / steps:.3g} ms" if steps else ""
    return f"A sample lasts {1000 * seconds:.3g} ms on average{each}."
