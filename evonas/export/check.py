"""What an export comes to: the content of its file, and whether all who have read it do what the network does."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from evonas.errors import RunFileError
from evonas.export.comparison import compared, deployed, traced, traced_file
from evonas.export.folded import folded
from evonas.export.nir_graph import DT, nir_graph, read, refusals, to_bytes
from evonas.export.nir_interpreter import output_name, run_nir
from evonas.export.targets import TARGETS, Target, TargetRun, compiled_by, run_in
from evonas.snn.network import Network

CLOSE = 1e-4
"""Logits that differ by less than this part of the largest one are the same."""


@dataclass(frozen=True)
class Export:
    """The content of a file, and what came of reading it.

    Attributes:
        content: What is to be written.
        lines: What was compared, as sentences.
        is_equal: Whether nobody who read it found a difference.
    """

    content: bytes
    lines: tuple[str, ...]
    is_equal: bool


def nir_export(network: Network, data: Tensor, *, about: Mapping[str, str], targets: Sequence[str] = ()) -> Export:
    """Return the NIR file of a network, read back and run by the interpreter and by the tools.

    Args:
        network: The trained network.
        data: `(time, samples, channels, height, width)` samples to compare on.
        about: Texts for the metadata of the file.
        targets: Names of tools that have to take it; if none, all that are installed and can are asked.

    Raises:
        RunFileError: If NIR or one of these tools cannot take the network, or a tool is not installed.
        EvonasError: If a tool fails with the file.
    """
    network = network.eval()
    if sentences := refusals(network.plan):
        raise RunFileError([f"--to nir: {one}" for one in sentences])
    whole = folded(network)
    content = to_bytes(nir_graph(whole, about=about))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "network.nir"
        path.write_bytes(content)
        graph = read(path)
        asked = [TARGETS[name] for name in targets]
        if sentences := [fault for target in asked for fault in _faults(target, target.refusals(graph))]:
            raise RunFileError([f"--target {one}" for one in sentences])
        double = data.double()
        found = traced_file(graph, whole, double)
        exact, trained = compared(traced(deployed(network), double), found), compared(traced(network, data), found)
        outputs = run_nir(graph, double, time_steps=whole.plan.time_steps, dt=DT).outputs[output_name(graph)]
        runs = list(_runs(asked, path, data, outputs))
    lines = [
        f"The file against the network with the numbers of the file, on {exact.samples:,} validation samples: {exact}.",
        f"The file against the trained network, whose numbers round otherwise: {trained}.",
        *(f"{run}." if isinstance(run, TargetRun) else run for run in runs),
    ]
    is_equal = exact.is_equal and not any(run.differing for run in runs if isinstance(run, TargetRun))
    return Export(content, tuple(lines), is_equal)


def _faults(target: Target, refused: Sequence[str]) -> list[str]:
    if not target.is_installed:
        return [*refused, f"{target.name} is not installed; install the package {target.package}, or leave it out"]
    return list(refused)


def _runs(asked: Sequence[Target], path: Path, data: Tensor, outputs: Tensor) -> Iterator[TargetRun | str]:
    """Yield what each tool made of the file, or why it was not asked."""
    graph = read(path)
    for target in asked or TARGETS.values():
        refused = target.refusals(graph)
        if not target.is_installed:
            yield f"Not checked with {target.name}, which is not installed."
        elif refused:
            yield f"Not checked: {refused[0]}."
        elif target.run is None:
            yield compiled_by(target, path)
        else:
            yield run_in(target, path, data, outputs)


@torch.no_grad()
def onnx_export(network: Network, data: Tensor, *, about: Mapping[str, str]) -> Export:
    """Return the ONNX file of a network, its time steps unrolled, run by onnxruntime.

    Args:
        network: The trained network.
        data: `(time, samples, channels, height, width)` samples to compare on.
        about: Texts for the metadata of the file.

    Raises:
        RunFileError: If onnx or onnxruntime is not installed.
        EvonasError: If a layer cannot be said.
    """
    try:
        from evonas.export.onnx_model import logits_of, onnx_model
    except ImportError as error:
        raise RunFileError([f"--to onnx: {error.name} is not installed; install evonas[onnx]"]) from error
    network = network.eval()
    model = onnx_model(folded(network), about=about, frames=len(data))
    found, wanted = torch.from_numpy(logits_of(model, data.numpy())), network(data).flatten(1)
    apart = (found - wanted).abs().amax(1) > CLOSE * wanted.abs().max()
    where = f", first sample {int(apart.nonzero()[0])}" if apart.any() else ""
    line = f"onnxruntime against the network: the logits of {int(apart.sum())} of {len(apart)} samples differ{where}."
    return Export(model.SerializeToString(), (line,), not bool(apart.any()))
