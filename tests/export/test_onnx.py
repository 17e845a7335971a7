"""ONNX models: the logits of networks, in onnxruntime."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from export_networks import drawn, has_no_gate, images, settled, summing, voting

pytest.importorskip("onnx", reason="onnx is not installed")
pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")

from evonas.architecture.draft import Draft, Incoming
from evonas.architecture.neuron import Dynamics
from evonas.architecture.plan import INPUT
from evonas.export.check import onnx_export
from evonas.export.folded import folded
from evonas.export.nir_graph import refusals
from evonas.export.onnx_model import logits_of, onnx_model
from evonas.snn.network import Network


def test_logits_of_random_networks_are_those_of_their_models_for_any_number_of_samples() -> None:
    data = images(24)
    kinds = set()
    for network in drawn(10, data, seed=0, wanted=lambda plan: plan.time_steps <= 5 and has_no_gate(plan)):
        kinds |= {(one.dynamics.kind, one.dynamics.reset) for one in network.plan.populations}
        done = onnx_export(network, data, about={"key": "0123"})
        assert done.is_equal, done.lines
        model = onnx_model(folded(network), about={"key": "0123"}, frames=1)
        with torch.no_grad():
            wanted = network(data[:, :7]).numpy()
        np.testing.assert_allclose(logits_of(model, data[:, :7].numpy()), wanted, rtol=1e-4, atol=1e-4)
        assert model.metadata_props[0].value == "0123"
    assert {kind for kind, _ in kinds} >= {"analog", "integrate_and_fire", "readout"}


def test_event_frames_are_one_a_time_step() -> None:
    torch.manual_seed(0)
    data = (torch.rand(4, 10, 2, 8, 8) < 0.3).float()
    for network in drawn(2, data, seed=1, wanted=has_no_gate):
        done = onnx_export(network, data, about={})
        assert done.is_equal, done.lines


@pytest.mark.parametrize("head", ["neurons", "linear", "flat_linear"])
def test_votes_are_those_of_their_models(head: str) -> None:
    data = images(24)
    done = onnx_export(settled(voting(head), data, seed=0), data, about={})
    assert done.is_equal, done.lines


def test_sums_of_currents_are_those_of_their_models() -> None:
    data = images(24)
    done = onnx_export(settled(summing(), data, seed=0), data, about={})
    assert done.is_equal, done.lines


def test_thresholds_that_adapt_are_those_of_the_network_and_nir_refuses_them_by_name() -> None:
    data = images(16)
    draft = Draft(tuple(data.shape[2:]), time_steps=6)
    neurons = Dynamics("alif", tau_mem_ms=1.5, v_th=0.4, tau_adapt_ms=4.0, beta=0.3)
    draft.add("hidden", neurons, incoming=[Incoming("conv", (INPUT,), "conv", channels=6, kernel=3)])
    draft.add("readout", Dynamics("readout"), incoming=[Incoming("out", ("hidden",), "flat_linear", channels=10)])
    torch.manual_seed(0)
    network = settled(Network(draft.finish()), data, seed=0)
    done = onnx_export(network, data, about={})
    assert done.is_equal, done.lines
    logits = network(data)
    torch.nn.init.zeros_(network.neurons["hidden"].beta)
    assert not torch.allclose(network(data), logits)
    assert refusals(network.plan) == [
        "thresholds that adapt (hidden, of kind alif): NIR has fixed ones alone; expected another kind of neuron, or "
        "--to onnx, which takes them"
    ]


def test_constants_of_channels_are_those_of_the_network() -> None:
    data, apart = images(16), (0.3, 0.5, 0.4)
    draft = Draft(tuple(data.shape[2:]), time_steps=5)
    kinds = {
        "lif": Dynamics("lif", tau_mem_ms=(1.0, 2.0, 4.0), tau_syn_ms=(3.0, 1.0, 2.0), v_th=apart),
        "box": Dynamics("lif_box", tau_mem_ms=(1.0, 2.0, 4.0), v_th=apart, reset="subtract"),
        "alif": Dynamics("alif", tau_adapt_ms=(4.0, 1.0, 2.0), beta=(0.1, 0.2, 0.4), v_th=apart),
        "fire": Dynamics("integrate_and_fire", v_th=apart),
    }
    for name, dynamics in kinds.items():
        draft.add(name, dynamics, incoming=[Incoming(f"{name}/in", (INPUT,), "conv", channels=3, kernel=3)])
    answers = [Incoming(f"readout/{name}", (name,), "flat_linear", channels=10) for name in kinds]
    draft.add("readout", Dynamics("readout"), incoming=answers)
    torch.manual_seed(0)
    network = settled(Network(draft.finish()), data, seed=0)
    done = onnx_export(network, data, about={})
    assert done.is_equal, done.lines
    logits = network(data)
    with torch.no_grad():
        for name in kinds:
            network.neurons[name].v_th[1] += 0.3  # of one channel alone: the comparison sees it
            assert not torch.allclose(network(data), logits)
            logits = network(data)
