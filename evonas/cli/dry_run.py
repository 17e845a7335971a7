"""A dry run: one network of a resolved run is built, to see that it can be; nothing is evaluated, nothing written."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from rich.console import Console

from evonas.engine.ray_environment import check_environment
from evonas.report.escaping import plain
from evonas.runfile.chip_constraint import Fit
from evonas.runfile.resolve import ResolvedRun


def try_out(run: ResolvedRun, *, checks: Sequence[Callable[[Any], Fit]], console: Console) -> None:
    """Build one network, and tell what there is to say of it and of the run.

    Args:
        run: What would be searched.
        checks: Say whether a planned network fits on the chips that matter; not asked where the space has no `plan`.
        console: Where it is told.

    Raises:
        WorkersError: If the workers that the run asks for cannot be started here, as far as that is seen at once.
    """
    if run.file.workers.count != 0:
        check_environment()
    genotype = run.example()
    network = run.try_one(genotype)
    data = run.search_data
    parameters = sum(parameter.numel() for parameter in network.parameters() if parameter.requires_grad)
    for note in run.notes:
        console.print(plain(f"Note: {note}"))
    told = (
        f"The run file is right: {len(data.train)} training and {len(data.validation)} validation samples of shape "
        f"{data.input_shape}, {data.classes} classes; network {genotype.key} was built, {parameters:,} parameters."
    )
    console.print(plain(told))
    if run.space.plan is not None:
        planned = run.space.plan(genotype, data.input_shape, data.classes)
        for check in checks:
            console.print(plain(f"Network {genotype.key} {check(planned)}."))
