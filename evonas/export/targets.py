"""The tools that read a NIR file: what each cannot take, and what it does with the file where it is installed."""

from __future__ import annotations

import contextlib
import importlib.metadata
import importlib.util
import io
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import nir
import numpy as np
import torch
from torch import Tensor

from evonas.errors import EvonasError
from evonas.export.nir_graph import DT, is_chain

TOLERANCE = 1e-4
"""Currents that differ by less than this part of the largest one are the same: a spike more or less is far above it."""

Run = Callable[[nir.NIRGraph, Tensor, int], Tensor]
"""`run(graph, data, time_steps)` returns `(time, samples, classes, 1, 1)` currents of `(time, samples, ...)` data."""


@dataclass(frozen=True)
class Target:
    """A tool that reads NIR.

    Attributes:
        name: What `--target` takes.
        package: What is installed.
        takes_branches: Whether layers may have several inputs and outputs.
        shared: The constants of which it takes one for all neurons of a layer, in NIR's words.
        run: What it does with a graph; None where it only compiles it.
        compile: Compiles a file, or raises what the tool raises; None where it runs it.
    """

    name: str
    package: str
    takes_branches: bool
    shared: tuple[str, ...]
    run: Run | None = None
    compile: Callable[[Path], object] | None = None

    @property
    def is_installed(self) -> bool:
        """Whether it is there to be asked."""
        return importlib.util.find_spec(self.package) is not None

    @property
    def version(self) -> str:
        """Its version."""
        return importlib.metadata.version(self.package)

    def refusals(self, graph: nir.NIRGraph) -> list[str]:
        """Return a sentence for each thing in a graph that it cannot take, with what would be possible."""
        sentences = []
        others = [one.name for one in TARGETS.values() if one.takes_branches]
        if not self.takes_branches and not is_chain(graph):
            sentences.append(
                f"{self.name} takes chains of layers only, and this network has branches; expected one with one node a "
                f"cell that reads one input by one operation, or --target {' or '.join(others)}"
            )
        if any(isinstance(node, nir.Delay) for node in graph.nodes.values()):
            sentences.append(
                f"{self.name} takes no delays of more than the step of a loop, and this network has some; expected one "
                "without, or no --target: the interpreter of evonas runs it"
            )
        differing = [
            f"{name}.{constant}"
            for name, node in graph.nodes.items()
            for constant in self.shared
            if isinstance(node, nir.CubaLIF) and np.unique(getattr(node, constant)).size > 1
        ]
        if differing:
            others = [one.name for one in TARGETS.values() if not one.shared]
            sentences.append(
                f"{self.name} takes one constant for all neurons of a layer, and those of channels differ "
                f"({', '.join(differing)}); expected a network whose channels share theirs, --target "
                f"{' or '.join(others)}, or no --target: the interpreter of evonas runs it"
            )
        return sentences


@dataclass(frozen=True)
class TargetRun:
    """What became of a file in a tool.

    Attributes:
        target: The tool, with its version.
        outputs: How many currents of the readout were compared.
        differing: How many of them differ.
        first: The first of them, for people; empty where there is none.
    """

    target: str
    outputs: int
    differing: int
    first: str

    def __str__(self) -> str:
        first = f", first at {self.first}" if self.first else ""
        return f"{self.target}: {self.differing:,} of {self.outputs:,} currents of the readout differ{first}"


@torch.no_grad()
def run_in(target: Target, path: Path, data: Tensor, expected: Tensor) -> TargetRun:
    """Return what a tool makes of a file, against what is expected.

    Args:
        target: A tool that is installed.
        path: The file.
        data: `(time, samples, channels, height, width)` float32; time 1 for static images.
        expected: `(time, samples, classes, 1, 1)` currents.

    Raises:
        EvonasError: If the tool cannot run it.
    """
    assert target.run is not None
    try:
        with _quiet():
            found = target.run(nir.read(path), data, len(expected))
    except Exception as error:  # other people's code, which may raise anything
        raise EvonasError(f"{target.name} cannot run {path}: {type(error).__name__}: {error}") from error
    found = found.flatten(2).double()
    wanted = expected.flatten(2).double()
    if found.shape != wanted.shape:
        raise EvonasError(f"{target.name} returns outputs of shape {tuple(found.shape)}, not {tuple(wanted.shape)}.")
    apart = (found - wanted).abs() > TOLERANCE * wanted.abs().max()
    first = ""
    if apart.any():
        step, sample, label = torch.nonzero(apart)[0].tolist()
        first = f"time step {step}, sample {sample}, class {label}"
    return TargetRun(f"{target.name} {target.version}", apart.numel(), int(apart.sum()), first)


def compiled_by(target: Target, path: Path) -> str:
    """Return the sentence that a tool which is installed and runs nothing here has compiled a file.

    Raises:
        EvonasError: If it cannot.
    """
    assert target.compile is not None
    try:
        with _quiet():
            target.compile(path)
    except Exception as error:  # other people's code, which may raise anything
        raise EvonasError(f"{target.name} cannot compile {path}: {type(error).__name__}: {error}") from error
    return f"{target.name} {target.version} compiles it; what comes of that is not run here."


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Return a context in which tools print and warn of nothing."""
    with (
        warnings.catch_warnings(),
        contextlib.redirect_stdout(io.StringIO()),
        contextlib.redirect_stderr(io.StringIO()),
    ):
        warnings.simplefilter("ignore")
        yield


def _stepped(step: Callable[[Tensor, object], tuple[Tensor, object]], data: Tensor, time_steps: int) -> Tensor:
    state: object = None
    outputs = []
    for t in range(time_steps):
        output, state = step(data[min(t, len(data) - 1)], state)
        outputs.append(output)
    return torch.stack(outputs)


def _in_snntorch(graph: nir.NIRGraph, data: Tensor, time_steps: int) -> Tensor:
    from snntorch.import_nir import import_from_nir

    return _stepped(import_from_nir(graph).eval(), data, time_steps)


def _in_spikingjelly(graph: nir.NIRGraph, data: Tensor, time_steps: int) -> Tensor:
    from spikingjelly.activation_based.nir_exchange import import_from_nir

    return _stepped(import_from_nir(graph, dt=DT).eval(), data, time_steps)


def _in_norse(graph: nir.NIRGraph, data: Tensor, time_steps: int) -> Tensor:
    from norse.torch import from_nir

    return _stepped(from_nir(graph, dt=DT).eval(), data, time_steps)


def _by_snn_mlir(path: Path) -> object:
    import snn_mlir

    return snn_mlir.to_mlir(path)


_CONSTANTS = ("tau_mem", "tau_syn", "v_threshold")

TARGETS: Mapping[str, Target] = {
    "snntorch": Target("snntorch", "snntorch", True, ("v_threshold",), _in_snntorch),
    "spikingjelly": Target("spikingjelly", "spikingjelly", True, _CONSTANTS, _in_spikingjelly),
    "norse": Target("norse", "norse", False, (), _in_norse),
    "snn-mlir": Target("snn-mlir", "snn_mlir", False, _CONSTANTS, compile=_by_snn_mlir),
}
"""The tools by name. What they take was tried with the versions in constraints.txt."""
