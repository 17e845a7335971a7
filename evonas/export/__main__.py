"""Export: a network of a run as a file for the tools of chips. `python -m evonas.export DIR --to nir`."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from evonas.archive.atomic_file import write_whole
from evonas.cli.door import exit_codes
from evonas.errors import ArchiveError, DataError, RunFileError
from evonas.measurement import Measurement
from evonas.report.answer import Command, answered
from evonas.report.escaping import visible
from evonas.report.networks import FoundNetwork
from evonas.report.run_folder import RunFolder
from evonas.report.weights_file import make_folder
from evonas.runfile.modules import forget_working_directory

if TYPE_CHECKING:
    from evonas.export.check import Export


class To(StrEnum):
    """What to write."""

    nir = "nir"
    onnx = "onnx"
    json = "json"


class Tool(StrEnum):
    """A tool that reads NIR."""

    snntorch = "snntorch"
    spikingjelly = "spikingjelly"
    norse = "norse"
    snn_mlir = "snn-mlir"


def export(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder of a run's results.")],
    to: Annotated[To, typer.Option(help="A file for tools of chips, one for runtimes, or what is known as text.")],
    wanted: Annotated[
        list[str] | None,
        typer.Option("--pick", metavar="cheapest|knee|budget|KEY|best:NAME", help="Networks; may be repeated."),
    ] = None,
    target: Annotated[
        list[Tool] | None, typer.Option(help="A tool that has to take the NIR file; may be repeated. Default: all.")
    ] = None,
    budget: Annotated[
        list[str] | None, typer.Option(metavar="NAME=VALUE", help="Hard bound of an objective for the pick.")
    ] = None,
    profile: Annotated[str | None, typer.Option(help="Another chip for the pick.")] = None,
    samples: Annotated[int, typer.Option(min=1, help="Validation samples that the file is compared on.")] = 64,
    path: Annotated[str | None, typer.Option(help="Where the data of the run lie now.")] = None,
    trained: Annotated[
        int | None, typer.Option(metavar="SEED", help="The weights that `evonas train` has made from this seed.")
    ] = None,
    inexact: Annotated[
        bool, typer.Option("--inexact", help="Take a network whose training comes out otherwise than in the run.")
    ] = False,
    trust: Annotated[
        bool, typer.Option("--trust", help="Run code of its own that DIR names; without, nothing of it is executed.")
    ] = False,
) -> None:
    """Write networks of a run into DIR/export, each as one file that was read back and compared.

    A network whose weights are not kept is trained again as in the run. Where a file does not do what the network
    does, the first difference is told, the file is not written, and the exit code is 1.
    """
    with exit_codes(folder, cannot="be exported"):
        try:
            command = Command(profile, tuple(budget or ()), tuple(wanted or ()), trust, usual=True)
            answer = answered(folder, command)
            place = RunFolder(folder, trust, answer.results.settings)
            picks = [FoundNetwork(row, answer.rescoring, place) for row in answer.picks]
            for note in answer.notes(is_for_people=True):
                typer.echo(visible(note), err=True)
            if to is To.nir:
                _check(picks, [FoundNetwork(row, answer.rescoring, place) for row in answer.results.front().rows])
            make_folder(place.path / "export")
            tools = [one.value for one in target or ()]
            if trained is not None:
                _check_trained(picks, trained)
            equal = [
                _written(one, to, tools=tools, samples=samples, path=path, exact=not inexact, trained=trained)
                for one in picks
            ]
        except (ArchiveError, DataError) as error:  # what was given is wrong, and nothing has begun
            raise RunFileError([str(error)]) from error
        except RunFileError as error:
            raise RunFileError([fault.replace("trust=True", "--trust") for fault in error.faults]) from error
        if not all(equal):
            raise typer.Exit(1)


def _check(picks: Sequence[FoundNetwork], front: Sequence[FoundNetwork]) -> None:
    """Check that NIR can say all picks, before any is trained.

    Raises:
        RunFileError: With what it cannot say of each, and which networks of the front it can.
    """
    from evonas.export.nir_graph import refusals

    faults = [f"--to nir: {one.key} has {fault}" for one in picks for fault in refusals(one.plan)]
    if faults:
        able = [one.key for one in front if not refusals(one.plan)]
        raise RunFileError([*faults, f"--pick: of the front, NIR can say {', '.join(able) or 'no network'}"])


def _check_trained(picks: Sequence[FoundNetwork], seed: int) -> None:
    """Check that all picks were trained for real from a seed.

    Raises:
        RunFileError: If one was not.
    """
    faults = [
        f"--trained: {one.key} was not trained from seed {seed}, but from "
        f"{', '.join(map(str, one.trained_seeds)) or 'none'}; train it with evonas train"
        for one in picks
        if seed not in one.trained_seeds
    ]
    if faults:
        raise RunFileError(faults)


def _written(
    network: FoundNetwork,
    to: To,
    *,
    tools: list[str],
    samples: int,
    path: str | None,
    exact: bool,
    trained: int | None = None,
) -> bool:
    """Write one file, unless it does not do what the network does; return whether it was written."""
    name = network.key if trained is None else f"{network.key}-{trained}"
    file = network.folder.path / "export" / f"{name}.{to.value}"
    if to is To.json:
        write_whole(file, json.dumps(known(network), indent=1).encode())
        typer.echo(visible(f"Written: {file}"))
        return True
    data = network.samples(most=samples, path=path)
    if trained is None and not network.is_trained:
        typer.echo(visible(f"Training {network.key} again for {network.epochs} epochs, as in the run."), err=True)
    module = network.train(exact=exact, path=path) if trained is None else network.network(trained=trained)
    said = about(network)
    if trained is not None:  # epochs and figures of the search are not those of these weights
        said = {"trained": name, **{key: text for key, text in said.items() if key not in ("epochs", "validation")}}
    done = _exported(module, to, data, about=said, tools=tools)
    for line in done.lines:
        typer.echo(visible(line))
    if not done.is_equal:
        typer.echo(visible(f"Not written: {file}, because it does not do what the network does."), err=True)
        return False
    write_whole(file, done.content)
    typer.echo(visible(f"Written: {file}"))
    return True


def _exported(network: Any, to: To, data: Any, *, about: Mapping[str, str], tools: list[str]) -> Export:
    from evonas.export.check import nir_export, onnx_export  # torch

    if to is To.onnx:
        return onnx_export(network, data, about=about)
    return nir_export(network, data, about=about, targets=tools)


def about(network: FoundNetwork) -> dict[str, str]:
    """Return what a file says of the network that it holds, as texts."""
    values = {name: value for name, value in network.objectives.items() if value is not None}
    measurement = network.measurement
    step = (
        {"time_step_ms": repr(1e3 * measurement.activity.step_seconds)} if isinstance(measurement, Measurement) else {}
    )
    return {
        **step,
        "key": network.key,
        "genotype": json.dumps(dict(network.genotype)),
        "epochs": str(network.epochs),
        "validation": json.dumps(values),
    }


def known(network: FoundNetwork) -> dict[str, Any]:
    """Return all that is known of a network as one JSON object: genotype, objectives, plan, measured counts."""
    measurement = network.measurement
    return {
        "key": network.key,
        "slot": network.slot,
        "epochs": network.epochs,
        "genotype": dict(network.genotype),
        "objectives": network.objectives,
        "plan": asdict(network.plan),
        "measurement": measurement.to_json() if isinstance(measurement, Measurement) else measurement,
    }


if __name__ == "__main__":
    forget_working_directory()
    typer.run(export)
