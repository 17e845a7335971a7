"""Train: picked networks for real, from several seeds, tested once. `python -m evonas.train DIR`, again to resume."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from evonas.cli.door import command_line, console, exit_codes, resumable
from evonas.runfile.modules import forget_working_directory


def train(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder of a run's results.")],
    wanted: Annotated[
        list[str] | None,
        typer.Option("--pick", metavar="cheapest|knee|budget|KEY|best:NAME", help="Networks; may be repeated."),
    ] = None,
    epochs: Annotated[int, typer.Option(help="Epochs of each training.")] = 100,
    seeds: Annotated[int, typer.Option(help="Trainings of each network, with the seeds from 0 on.")] = 3,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="training.KEY=VALUE", help="A setting that is not as in the run; repeatable."),
    ] = None,
    augment: Annotated[
        list[str] | None,
        typer.Option(metavar="KEY[=VALUE]", help="flip, crop, cutout, shift or jitter_ms, as in [data]; repeatable."),
    ] = None,
    average: Annotated[
        float, typer.Option(help="What the exponential average of the weights keeps of itself at each step; 0: none.")
    ] = 0.0,
    quantize: Annotated[
        str | None,
        typer.Option(metavar="BITS|chip", help="Train for weights of so many bits, or of those of the run's chip."),
    ] = None,
    mixed_precision: Annotated[
        bool, typer.Option("--mixed-precision", help="Products of weights in bfloat16, on a GPU.")
    ] = False,
    keep_validation: Annotated[
        bool,
        typer.Option("--keep-validation", help="Hold the validation samples out; the best epoch on them is kept."),
    ] = False,
    robustness: Annotated[
        bool, typer.Option("--robustness", help="Also under weight noise, few bits, dead neurons and lost input.")
    ] = False,
    workers: Annotated[
        int | None, typer.Option(min=0, help="Trainings at once; 0: in this process. Default: what there is room for.")
    ] = None,
    num_cpus: Annotated[float | None, typer.Option(help="CPUs of each training; by default as in the run.")] = None,
    num_gpus: Annotated[
        float | None, typer.Option(help="GPUs of each training, fractions allowed; by default as in the run.")
    ] = None,
    budget: Annotated[
        list[str] | None, typer.Option(metavar="NAME=VALUE", help="Hard bound of an objective for the pick.")
    ] = None,
    profile: Annotated[str | None, typer.Option(help="Another chip, for the pick and for the energy.")] = None,
    path: Annotated[str | None, typer.Option(help="Where the data of the run lie now.")] = None,
    trust: Annotated[
        bool, typer.Option("--trust", help="Run code of its own that DIR names; without, nothing of it is executed.")
    ] = False,
) -> None:
    """Train networks of a run on its training and validation samples into DIR/trained, and test them once.

    The same command goes on where it was stopped, by whatever, and comes to the same weights. What is trained there
    belongs to one recipe; more networks and seeds may be added.
    """
    command = command_line("train", sys.argv)
    with exit_codes(folder, cannot="be trained"), resumable(command, kept="every finished epoch is kept"):
        from evonas.final.session import Order, trained_and_tested  # torch

        options = {"average": average, "mixed_precision": mixed_precision, "keep_validation": keep_validation}
        order = Order(
            folder,
            tuple(wanted or ()),
            epochs,
            seeds,
            settings=tuple(set_ or ()),
            augment=tuple(augment or ()),
            quantize=quantize,
            options=tuple(options.items()),
            workers=workers,
            num_cpus=num_cpus,
            num_gpus=num_gpus,
            robustness=robustness,
            budgets=tuple(budget or ()),
            profile=profile,
            path=path,
            trust=trust,
        )
        if not trained_and_tested(order, console=console(piped_width=200)):
            raise typer.Exit(1)


if __name__ == "__main__":
    forget_working_directory()
    typer.run(train)
