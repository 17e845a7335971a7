"""The training of a trial: what mixed precision computes in which type, and the events of its epochs."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest
import torch
from export_networks import images, settled, summing

from evonas.final import events
from evonas.final.events import Events
from evonas.final.training import mixed_precision


def test_mixed_precision_is_of_products_of_weights_and_neurons_see_float32() -> None:
    data = images(8)
    network = settled(summing(), data, seed=0)
    whole = network(data)
    inside: list[torch.dtype] = []
    seen: list[torch.dtype] = []
    for module in network.modules():
        if isinstance(module, torch.nn.Linear | torch.nn.Conv2d):
            module.register_forward_hook(lambda module, given, output: inside.append(output.dtype))
    for neuron in network.neurons.values():
        neuron.register_forward_pre_hook(lambda module, given: seen.append(given[0].dtype))
    with mixed_precision(network, torch.device("cpu")):
        answers = network(data)
    assert torch.bfloat16 in inside
    assert set(seen) == {torch.float32}
    assert answers.dtype == torch.float32
    assert not torch.equal(answers, whole)
    network.train()
    with mixed_precision(network, torch.device("cpu")):
        loss = network(data).square().mean()
    loss.backward()
    assert all(one.grad is None or one.grad.dtype == torch.float32 for one in network.parameters())
    assert any(one.grad is not None for one in network.parameters())


def test_events_are_written_where_tensorboard_is_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "find_spec", lambda name: object())
    with Events(tmp_path / "some") as some:
        some.add(1, {"loss": 0.5, "validation accuracy": 0.9})
    (file,) = (tmp_path / "some").iterdir()
    assert b"validation/accuracy" in file.read_bytes()
    monkeypatch.setattr(
        events, "find_spec", lambda name: None if name == "tensorboard" else importlib.util.find_spec(name)
    )
    with Events(tmp_path / "none") as none:
        none.add(1, {"loss": 0.5})
    assert not (tmp_path / "none").exists()
