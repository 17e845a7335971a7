"""A network as an ONNX model: its time steps unrolled, from data to logits, with any number of samples."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from evonas.architecture.plan import INPUT
from evonas.errors import EvonasError
from evonas.export.folded import Folded, Neurons, Synapses

OPSET, IR_VERSION = 17, 8

DATA, LOGITS = "data", "logits"
"""Names of input and output of the model."""


def onnx_model(network: Folded, *, about: Mapping[str, str], frames: int) -> onnx.ModelProto:
    """Return a network as a model: `(frames, samples, channels, height, width)` data to `(samples, outputs)` logits.

    Args:
        network: The network; analog neurons and resets by subtraction are taken as well.
        about: Texts for the metadata.
        frames: Frames of a sample: 1 for static images, else the time steps.
    """
    return _Model(network, frames).model(about)


class _Model:
    """A model that is being written, node by node."""

    def __init__(self, network: Folded, frames: int) -> None:
        self._network = network
        self._frames = frames
        self._nodes: list[onnx.NodeProto] = []
        self._numbers: dict[str, onnx.TensorProto] = {}
        self._currents: dict[tuple[str, str, str], str] = {}

    def model(self, about: Mapping[str, str]) -> onnx.ModelProto:
        network, readout = self._network, self._network.readout
        steps, outputs = network.plan.time_steps, math.prod(readout.planned.shape)
        potentials = self._unrolled(steps)
        mean = self._node("Mul", self._sum(potentials), self._number(1 / steps))
        self._nodes.append(helper.make_node("Flatten", [mean], [LOGITS], axis=1))
        shape: list[int | str | None] = [self._frames, "samples", *network.plan.input_shape]
        graph = helper.make_graph(
            self._nodes,
            "evonas",
            [helper.make_tensor_value_info(DATA, TensorProto.FLOAT, shape)],
            [helper.make_tensor_value_info(LOGITS, TensorProto.FLOAT, ["samples", outputs])],
            initializer=list(self._numbers.values()),
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], producer_name="evonas")
        model.ir_version = IR_VERSION
        helper.set_model_props(model, dict(about))
        onnx.checker.check_model(model)
        return model

    def _unrolled(self, steps: int) -> list[str]:
        """Add all populations at all steps, and return the potentials of the readout at each."""
        frames = [self._node("Gather", DATA, self._number(np.int64(frame)), axis=0) for frame in range(self._frames)]
        outputs: dict[str, list[str]] = {INPUT: [frames[min(t, len(frames) - 1)] for t in range(steps)]}
        outputs |= {neurons.name: [] for neurons in self._network.populations}
        states: dict[str, tuple[str, str]] = {}
        for t in range(steps):
            for neurons in self._network.populations:
                arriving = [
                    self._current(one, outputs[one.source][t - one.connection.delay])
                    for one in neurons.incoming
                    if t >= one.connection.delay
                ]
                if not arriving:
                    raise EvonasError(
                        f"{neurons.name} has nothing but delayed inputs, which --to onnx does not take; use --to nir."
                    )
                outputs[neurons.name].append(self._step(neurons, self._sum(arriving), states))
        return outputs[self._network.readout.name]

    def _current(self, synapses: Synapses, source: str) -> str:
        key = (synapses.connection.name, synapses.source, source)
        if key not in self._currents:  # that of a static source is the same at all steps
            weight, stride, padding = synapses.as_convolution()
            label = f"{synapses.connection.name}|{synapses.source}"
            given = [source, self._number(weight, f"{label}|weight"), self._number(synapses.bias, f"{label}|bias")]
            self._currents[key] = self._node("Conv", *given, strides=[stride] * 2, pads=[padding] * 4)
        return self._currents[key]

    def _step(self, neurons: Neurons, current: str, states: dict[str, tuple[str, str]]) -> str:
        """Add one step of a population, and return its output."""
        if neurons.kind == "analog":
            return self._node("Relu", current)
        if neurons.kind == "relay":
            return self._fired(current, self._number(neurons.threshold)) if neurons.fires else current
        v, other = states.get(neurons.name, ("", ""))  # the other is the synaptic current, or the adaptation
        if neurons.kind == "lif":
            current = self._sum([current, other]) if other else current
            other = self._node("Mul", current, self._number(1 - neurons.syn))
        driven = self._node("Mul", current, self._number(neurons.taken))
        kept = self._node("Mul", v, self._number(1 - neurons.mem)) if v else ""
        v = self._sum([kept, driven]) if v else driven
        if neurons.kind == "readout":
            states[neurons.name] = v, other
            return v
        threshold = self._number(neurons.threshold)
        if neurons.kind == "alif" and other:
            threshold = self._sum([threshold, self._node("Mul", other, self._number(neurons.beta))])
        spikes = self._fired(v, threshold)
        if neurons.kind == "alif":
            other = self._sum([self._node("Mul", other, self._number(1 - neurons.adapt)), spikes]) if other else spikes
        if neurons.planned.dynamics.reset == "subtract":
            after = self._node("Sub", v, self._node("Mul", spikes, self._number(neurons.threshold)))
        else:
            after = self._node("Mul", v, self._node("Sub", self._number(1.0), spikes))
        states[neurons.name] = after, other
        return spikes

    def _fired(self, potential: str, threshold: str) -> str:
        return self._node("Cast", self._node("Greater", potential, threshold), to=TensorProto.FLOAT)

    def _sum(self, parts: list[str]) -> str:
        return parts[0] if len(parts) == 1 else self._node("Sum", *parts)

    def _node(self, operation: str, *given: str, **attributes: Any) -> str:
        name = f"t{len(self._nodes)}"
        self._nodes.append(helper.make_node(operation, list(given), [name], **attributes))
        return name

    def _number(self, value: Any, name: str = "") -> str:
        """Return the name of a constant, float32 unless it is a whole number."""
        array = np.asarray(value)
        array = array if array.dtype == np.int64 else array.astype(np.float32)
        name = name or f"number|{array.tolist()!r}"
        self._numbers.setdefault(name, numpy_helper.from_array(array, name))
        return name


def logits_of(model: onnx.ModelProto, data: np.ndarray) -> np.ndarray:
    """Return what onnxruntime makes of a model and `(frames, samples, channels, height, width)` float32 data."""
    import onnxruntime

    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    found: np.ndarray = session.run(None, {DATA: data})[0]
    return found
