"""Recurrent networks for sequences: dense spiking layers, each with neurons, time constants, recurrence and delays.

Every layer is a dense connection with batch norm; a recurrent one reads its own spikes of some steps ago as well, and
those connections have norms of their weights (`evonas.snn.loop_norm`). Norms are folded into weights and biases, so
that a chip sees dense layers with biases. Currents begin in proportion to how far the neurons of a layer swing
(`Dynamics.deviation`), or layers with long time constants would be silent.

Source: recurrent networks of LIF neurons with heterogeneous time constants (Perez-Nieves et al., Nature Communications
2021) and delays (Hammouamri et al., ICLR 2024); here time constants are searched by layer, and delays are whole steps
of a connection.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from evonas.architecture.constant import each
from evonas.architecture.draft import Draft, Incoming
from evonas.architecture.neuron import DT_MS, PARAMETERS, RESETS, SEARCHED_SURROGATES, Dynamics, Surrogate
from evonas.architecture.plan import INPUT, Plan
from evonas.real_variables import LogReal, Real
from evonas.rule import Rule
from evonas.snn.planned import planned
from evonas.space import Space
from evonas.variables import Choice, Integer, Scalar, Variable

Values = Mapping[str, Scalar]

LAYERS = 3
"""Most layers before the readout."""

KINDS = ("lif", "lif_box", "integrate_and_fire")

READS = ("last", "all")
"""What the readout reads: the last layer, or all of them side by side."""

_TAUS_MS = (1.0, 50.0)
_DELAYS = 8


def plan(genotype: Values, input_shape: Sequence[int], classes: int) -> Plan:
    """Return what the network of a genotype consists of.

    Args:
        genotype: A genotype of `space`.
        input_shape: `(time, channels, height, width)` of sequences, such as `(time, channels, 1, 1)` of sound, or
            `(channels, height, width)` of what does not change. The first layer reads all positions.
        classes: Number of classes.
    """
    time_steps = int(genotype["time_steps"])
    draft = Draft(input_shape, time_steps=time_steps)
    names: list[str] = []
    for index in range(1, int(genotype["layers"]) + 1):
        name, width = f"layer{index}", int(genotype[f"layer{index}.width"])
        neurons = _dynamics(genotype, name)
        is_recurrent = genotype[f"{name}.recurrence"] == "dense"
        parts = math.sqrt(2 if is_recurrent else 1)
        gain = each(partial(_gain, parts), neurons.deviation(time_steps))
        dense = partial(Incoming, operation="dense", channels=width, gain=gain)
        source = names[-1] if names else INPUT
        draft.add(name, neurons, incoming=[dense(f"{name}/in", (source,), delay=int(genotype[f"{name}.delay"]))])
        if is_recurrent:
            draft.connect(name, dense(f"{name}/back", (name,), delay=int(genotype[f"{name}.recurrence_delay"])))
        names.append(name)
    readout = Dynamics("readout", tau_mem_ms=float(genotype["readout.tau_mem"]))
    sources = tuple(names) if genotype.get("readout.input") == "all" else (names[-1],)
    draft.add("readout", readout, incoming=[Incoming("readout/linear", sources, "linear", channels=classes)])
    return draft.finish()


def _gain(parts: float, deviation: float) -> float:
    return 1 / (deviation * parts)


def _dynamics(values: Values, layer: str) -> Dynamics:
    constants = {
        f"{name}_ms" if name.startswith("tau") else name: float(values[f"{layer}.{name}"])
        for name in ("tau_mem", "tau_syn", "v_th")
        if f"{layer}.{name}" in values
    }
    surrogate = Surrogate(str(values["surrogate"]), float(values["surrogate_width"]))
    kind: Any = values[f"{layer}.kind"]
    return Dynamics(kind, **constants, reset=str(values.get(f"{layer}.reset", "value")), surrogate=surrogate)


def _variables() -> dict[str, Variable]:
    variables: dict[str, Variable] = {"layers": Integer(1, LAYERS), "time_steps": Integer(10, 100)}
    for index in range(1, LAYERS + 1):
        layer = f"layer{index}"
        variables[f"{layer}.width"] = Choice((16, 32, 64, 128, 256))
        variables[f"{layer}.delay"] = Integer(0, _DELAYS)
        variables[f"{layer}.recurrence"] = Choice(("none", "dense"))
        variables[f"{layer}.recurrence_delay"] = Integer(1, _DELAYS)
        variables[f"{layer}.kind"] = Choice(KINDS)
        variables[f"{layer}.tau_mem"] = LogReal(*_TAUS_MS)
        variables[f"{layer}.tau_syn"] = LogReal(*_TAUS_MS)
        variables[f"{layer}.v_th"] = Real(0.25, 1.5, 0.05)
        variables[f"{layer}.reset"] = Choice(RESETS)
    variables["readout.input"] = Choice(READS)
    variables["readout.tau_mem"] = LogReal(*_TAUS_MS)
    variables["surrogate"] = Choice(SEARCHED_SURROGATES)
    variables["surrogate_width"] = LogReal(0.25, 4.0)
    return variables


def _rules() -> tuple[Rule, ...]:
    rules = []
    for index in range(1, LAYERS + 1):
        layer = f"layer{index}"
        every = tuple(name for name in _variables() if name.startswith(f"{layer}."))
        rules.append(Rule(every, partial(_has_layer, index=index)))
        rules.append(Rule((f"{layer}.recurrence_delay",), partial(_is_recurrent, layer=layer)))
        for constant in ("tau_mem", "tau_syn"):
            rules.append(Rule((f"{layer}.{constant}",), partial(_depends, layer=layer, constant=constant)))
        rules.append(Rule((f"{layer}.reset",), partial(_remembers, layer=layer)))
    rules.append(Rule(("readout.input",), partial(_has_layer, index=2)))
    return tuple(rules)


def _has_layer(values: Values, *, index: int) -> bool:
    return index <= int(values["layers"])


def _is_recurrent(values: Values, *, layer: str) -> bool:
    return values.get(f"{layer}.recurrence") == "dense"


def _depends(values: Values, *, layer: str, constant: str) -> bool:
    kind = values.get(f"{layer}.kind")
    return kind is not None and f"{constant}_ms" in PARAMETERS[str(kind)]


def _remembers(values: Values, *, layer: str) -> bool:
    """Return whether a reset leaves anything behind: a membrane as fast as the time step forgets in any case."""
    return values.get(f"{layer}.kind") == "lif_box" and float(values[f"{layer}.tau_mem"]) > DT_MS


space = Space(
    _variables(),
    rules=_rules(),
    **planned(plan),
    surrogate_width="surrogate_width",
)
