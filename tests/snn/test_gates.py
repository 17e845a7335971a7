"""Gates of attention are those of plain torch, their counts those of a loop over every element."""

from __future__ import annotations

import itertools

import pytest
import torch
from torch import Tensor
from torch.nn.functional import conv1d, conv2d

from evonas.architecture.attention import ATTENTION, add_attention
from evonas.architecture.draft import Draft, Incoming
from evonas.architecture.gate import GATES
from evonas.architecture.neuron import Dynamics
from evonas.architecture.plan import Plan
from evonas.errors import SpaceError
from evonas.measurement import Activity
from evonas.snn.network import Network

STEPS = 4


def drafted(*, kind: str = "lif", image: tuple[int, ...] = (2, 5, 4)) -> Draft:
    draft = Draft(image, time_steps=STEPS)
    drive = Incoming("drive", ("input",), "conv", channels=6, kernel=3)
    draft.add("sender", Dynamics(kind, v_th=0.3), incoming=[drive])
    return draft


def finished(draft: Draft, last: str) -> Plan:
    behind = Incoming("behind", (last,), "conv", channels=3, kernel=3)
    draft.add("reader", Dynamics("lif", v_th=0.3), incoming=[behind])
    draft.add("readout", Dynamics("readout"), incoming=[Incoming("out", ("reader",), "linear", channels=3)])
    return draft.finish()


def gated(operation: str, *, kind: str = "lif", image: tuple[int, ...] = (2, 5, 4), reduction: int = 2) -> Network:
    draft = drafted(kind=kind, image=image)
    draft.add("gated", Dynamics("relay"), incoming=[Incoming("gate", ("sender",), operation, reduction=reduction)])
    torch.manual_seed(4)
    return Network(finished(draft, "gated"))


@torch.no_grad()
def half_open(module: torch.nn.Module, images: Tensor) -> torch.nn.Module:
    """Set the threshold of a binary gate between the scores of images, so that some are open and some are shut."""
    if module.gate.element == "binary":
        scores = module.scorer(images).expand(images.shape)[images != 0]
        module.threshold.copy_((scores.min() + scores.max()) / 2)
    return module


def plain(operation: str, module: torch.nn.Module, images: Tensor, *, batch: int) -> Tensor:
    """The published formula, written out for `(time x batch, c, h, w)` images."""
    kind, element = GATES[operation]
    layers = dict(module.named_parameters())
    if kind == "eca":
        scores = conv1d(images.mean((2, 3))[:, None], layers["scorer.conv.weight"], padding=1)[:, 0, :, None, None]
    elif kind == "spatial":
        maps = torch.stack([images.mean(1), images.amax(1)], 1)
        scores = conv2d(maps, layers["scorer.conv.weight"], padding=3)
    else:
        first, second = layers["scorer.first.weight"], layers["scorer.second.weight"]
        if kind == "channel":
            rows = images.flatten(2)
        else:
            rows = torch.stack([images[sample::batch].flatten(1) for sample in range(batch)])
        mean, maximum = rows.mean(2), rows.amax(2)
        each = torch.relu(mean @ first.T) @ second.T + torch.relu(maximum @ first.T) @ second.T
        scores = each[..., None, None] if kind == "channel" else each.T.reshape(-1, 1, 1, 1)
    if element == "real":
        return images / (1 + torch.exp(-scores))
    return images * torch.where(scores > layers["threshold"], 1.0, 0.0)


@pytest.mark.parametrize("operation", [name for name in GATES if name.startswith("real")])
def test_outputs_and_gradients_of_real_gates_equal_plain_torch_in_float64(operation: str) -> None:
    module = gated(operation).operations["gate"].double()
    given = torch.rand(STEPS * 3, 6, 5, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    weighing = torch.rand(given.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    found = []
    for compute in (module, lambda images: plain(operation, module, images, batch=3)):
        images = given.clone().requires_grad_()
        output = compute(images)
        found.append([output, *torch.autograd.grad((output * weighing).sum(), [images, *module.parameters()])])
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("operation", [name for name in GATES if name.startswith("binary")])
def test_binary_gates_keep_spikes_spikes_and_have_the_gradient_of_the_sigmoid(operation: str) -> None:
    module = gated(operation).operations["gate"].double()
    generator = torch.Generator().manual_seed(1)
    images = (torch.rand(STEPS * 3, 6, 5, 4, generator=generator) < 0.3).double().requires_grad_()
    output = half_open(module, images)(images)
    assert torch.equal(output, plain(operation, module, images, batch=3))
    assert set(output.unique().tolist()) == {0.0, 1.0}
    assert 0 < float(module.values(images).detach().mean()) < 1
    weighing = torch.rand(images.shape, dtype=torch.float64, generator=generator)
    leaves = [images, *module.parameters()]
    found = torch.autograd.grad((output * weighing).sum(), leaves)
    # the same network with the sigmoid of the distance to the threshold, its value replaced where it multiplies
    scores = module.scorer(images) - module.threshold
    passed = images * module.values(images).detach() + images.detach() * (scores.sigmoid() - scores.sigmoid().detach())
    for one, other in zip(found, torch.autograd.grad((passed * weighing).sum(), leaves), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-12, atol=1e-14)


def outputs_of(network: Network, data: Tensor) -> tuple[dict[str, Tensor], Activity]:
    """What each population sends, `(time, batch, ...)`, and the counts."""
    seen: dict[str, Tensor] = {}
    for name, neurons in network.neurons.items():
        neurons.register_forward_hook(lambda _, __, output, name=name: seen.update({name: output}))
    recorder = network.recorder()
    with torch.no_grad():
        network(data, recorder)
    return seen, recorder.activity()


def by_hand(operation: str, module: torch.nn.Module, read: Tensor, *, element: str) -> tuple[list[int], list[int]]:
    """Events and multiply-accumulates at each time step, element by element and weight by weight."""
    kind, values = GATES[operation]
    steps, batch, channels, height, width = read.shape
    events, macs = [0] * steps, [0] * steps
    layers = {name: value.detach() for name, value in module.named_parameters()}
    for t, b in itertools.product(range(steps), range(batch)):
        image = read[t, b]
        sent = sum(1 for value in image.flatten().tolist() if value != 0)
        summed = sent if kind == "eca" else 2 * sent  # into the mean, and against the maximum
        if element == "binary":
            events[t] += summed + (sent if values == "binary" else 0)
            macs[t] += sent if values == "real" else 0
        else:
            macs[t] += summed + sent
        if kind == "eca":
            for c, tap in itertools.product(range(channels), (-1, 0, 1)):
                there = 0 <= c + tap < channels
                macs[t] += int(there and image[c + tap].sum() != 0 and layers["scorer.conv.weight"][0, 0, tap + 1] != 0)
        elif kind == "spatial":
            for summary, (y, x), (dy, dx) in itertools.product(
                range(2), itertools.product(range(height), range(width)), itertools.product(range(-3, 4), repeat=2)
            ):
                if 0 <= y + dy < height and 0 <= x + dx < width:
                    column = image[:, y + dy, x + dx]
                    value = column.sum() if summary == 0 else column.max()
                    macs[t] += int(value != 0 and layers["scorer.conv.weight"][0, summary, dy + 3, dx + 3] != 0)
        elif kind == "channel":
            for summary in (image.mean((1, 2)), image.amax((1, 2))):
                macs[t] += sum(_perceptron(layers, summary, at) for at in range(channels))
        elif t == 0:
            for summary in (read[:, b].flatten(1).mean(1), read[:, b].flatten(1).amax(1)):
                for at in range(steps):
                    macs[at] += _perceptron(layers, summary, at)
    return events, macs


def _perceptron(layers: dict[str, Tensor], given: Tensor, at: int) -> int:
    """Multiply-accumulates that read the input at an index, and those that lead to the score there."""
    first, second = layers["scorer.first.weight"], layers["scorer.second.weight"]
    hidden = torch.relu(first @ given)
    reading = sum(1 for unit in range(len(hidden)) if given[at] != 0 and first[unit, at] != 0)
    return reading + sum(1 for unit in range(len(hidden)) if hidden[unit] != 0 and second[at, unit] != 0)


@pytest.mark.parametrize("operation", GATES)
@pytest.mark.parametrize("kind", ["lif", "analog"])
def test_counts_equal_brute_force_over_every_element_and_weight(operation: str, kind: str) -> None:
    network = gated(operation, kind=kind, image=(STEPS, 2, 5, 4)).eval()
    module = network.operations["gate"]
    with torch.no_grad():
        next(iter(module.scorer.parameters())).flatten()[0] = 0.0  # a synapse without weight delivers nothing
    data = torch.rand(STEPS, 3, 2, 5, 4, generator=torch.Generator().manual_seed(7)) - 0.5
    outputs, _ = outputs_of(network, data)
    half_open(module, outputs["sender"].flatten(0, 1))
    outputs, activity = outputs_of(network, data)
    edge = next(one for one in activity.connections if one.name == "gate")
    events, macs = by_hand(operation, module, outputs["sender"], element="binary" if kind == "lif" else "real")
    assert (edge.events, edge.macs) == (tuple(events), tuple(macs))
    assert edge.inputs == tuple(int((step != 0).sum()) for step in outputs["sender"])
    assert not any(edge.graded + edge.units + edge.unrolled)
    relays = next(one for one in activity.populations if one.name == "gated")
    assert relays.spikes == tuple(int((step != 0).sum()) for step in outputs["gated"])
    assert sum(relays.spikes) > 0
    behind = next(one for one in activity.connections if one.name == "behind")
    keeps = operation.startswith("binary") and kind == "lif"
    assert behind.element == ("binary" if keeps else "real")
    assert bool(sum(behind.events)) == keeps
    assert bool(sum(behind.macs)) != keeps


@pytest.mark.parametrize("operation", GATES)
def test_the_dense_count_is_that_of_a_network_in_which_nothing_is_zero(operation: str) -> None:
    network = gated(operation, kind="analog", image=(STEPS, 2, 5, 4))
    edge = next(one for one in network.plan.connections if one.name == "gate")
    module = network.operations["gate"]
    with torch.no_grad():
        for weight in module.scorer.parameters():
            weight.abs_()
    events, macs = module.counts(torch.ones(STEPS * 3, *edge.in_shape), element="binary")
    assert int((events + macs).sum()) == 3 * STEPS * edge.dense
    assert edge.weights == sum(weight.numel() for weight in module.scorer.parameters())
    assert edge.biases == 0


@pytest.mark.parametrize("operation", GATES)
def test_fan_in_is_how_many_elements_an_output_depends_on(operation: str) -> None:
    network = gated(operation, image=(STEPS, 2, 9, 4)).double()
    edge = next(one for one in network.plan.connections if one.name == "gate")
    module = network.operations["gate"]
    images = torch.rand(STEPS, *edge.in_shape, dtype=torch.float64, requires_grad=True)
    scores = module.scorer(images).expand(images.shape)
    reached = [
        int((torch.autograd.grad(scores[(STEPS // 2, *place)], images, retain_graph=True)[0] != 0).sum())
        for place in itertools.product(*map(range, edge.in_shape))
    ]
    assert max(reached) <= edge.fan_in
    if operation.endswith(("eca", "spatial")):
        assert max(reached) == edge.fan_in


def test_gates_of_what_is_static_are_computed_and_counted_once() -> None:
    network = gated("real_channel", kind="analog").eval()
    outputs, activity = outputs_of(network, torch.rand(1, 3, 2, 5, 4, generator=torch.Generator().manual_seed(3)))
    edge = next(one for one in activity.connections if one.name == "gate")
    assert edge.static
    assert len(outputs["gated"]) == 1
    _, macs = by_hand("real_channel", network.operations["gate"], outputs["sender"], element="real")
    assert (edge.events, edge.macs) == ((0,) * STEPS, tuple(macs) * STEPS)


def test_a_gate_in_a_loop_is_that_of_each_time_step() -> None:
    draft = drafted()
    draft.add("gated", Dynamics("relay"), incoming=[Incoming("gate", ("sender",), "binary_channel", reduction=2)])
    draft.connect("sender", Incoming("back", ("gated",), "conv", channels=6, kernel=3, delay=1))
    torch.manual_seed(2)
    network = Network(finished(draft, "gated")).eval()
    assert {"back", "gate"} <= network.plan.stepped
    recorder = network.recorder()
    seen: list[tuple[Tensor, Tensor]] = []
    module = network.operations["gate"]
    with torch.no_grad():
        module.threshold.fill_(0.02)
        module.register_forward_hook(lambda _, given, output: seen.append((given[0], output)))
        network(torch.rand(1, 3, 2, 5, 4, generator=torch.Generator().manual_seed(3)), recorder)
    assert len(seen) == STEPS
    for images, output in seen:
        assert torch.equal(output, plain("binary_channel", module, images, batch=3))
    edge = next(one for one in recorder.activity().connections if one.name == "gate")
    read = torch.stack([images for images, _ in seen])
    assert (edge.events, edge.macs) == tuple(map(tuple, by_hand("binary_channel", module, read, element="binary")))


def test_a_gate_over_time_steps_is_refused_where_they_are_not_seen_at_once() -> None:
    draft = drafted()
    draft.add("gated", Dynamics("relay"), incoming=[Incoming("gate", ("sender",), "real_temporal")])
    draft.connect("sender", Incoming("back", ("gated",), "conv", channels=6, kernel=3, delay=1))
    with pytest.raises(SpaceError, match="gate 'gate' weighs the time steps .* within a loop"):
        finished(draft, "gated")
    with pytest.raises(SpaceError, match="reads what is the same at all of them"):
        gated("binary_temporal", kind="analog")


@pytest.mark.parametrize(("kind", "others"), [("lif", ()), ("relay", ("sender",))])
def test_a_gate_into_anything_but_relays_of_its_own_is_refused(kind: str, others: tuple[str, ...]) -> None:
    draft = drafted()
    incoming = [Incoming("gate", ("sender",), "real_eca"), *(Incoming(f"{one}2", (one,), "skip") for one in others)]
    with pytest.raises(SpaceError, match="real_eca 'gate' must be the one connection into a population of kind 'relay"):
        draft.add("gated", Dynamics(kind), incoming=incoming)


def test_gates_that_make_no_sense_are_refused() -> None:
    for wrong, told in [({"kernel": 4}, "must be odd"), ({"reduction": 0}, "must be 1 or more")]:
        operation = "real_channel" if "reduction" in wrong else "real_eca"
        with pytest.raises(SpaceError, match=told):
            drafted().add("g", Dynamics("relay"), incoming=[Incoming("gate", ("sender",), operation, **wrong)])
    with pytest.raises(SpaceError, match="The attention must be one of none, eca"):
        add_attention(drafted(), "sender", "cbamm")


@pytest.mark.parametrize("attention", ATTENTION)
def test_attention_adds_its_gates_one_after_the_other(attention: str) -> None:
    draft = drafted()
    last = add_attention(draft, "sender", attention)
    plan = finished(draft, last)
    gates = [edge for edge in plan.connections if edge.gate]
    assert tuple(edge.operation for edge in gates) == ATTENTION[attention]
    assert [edge.sources[0] for edge in gates] == ["sender", *(edge.target for edge in gates)][: len(gates)]
    assert plan.connections[-2].sources == (last,)
    assert all(one.state == 0 for one in plan.populations if one.dynamics.kind == "relay")


@pytest.mark.parametrize("attention", [name for name in ATTENTION if name != "none"])
def test_attention_learns(attention: str) -> None:
    """Its weights follow their gradient in training of the whole network."""
    draft = drafted(image=(STEPS, 2, 5, 4))
    torch.manual_seed(0)
    network = Network(finished(draft, add_attention(draft, "sender", attention, reduction=2)))
    loss = torch.nn.functional.cross_entropy(network(torch.rand(STEPS, 8, 2, 5, 4)), torch.arange(8) % 3)
    loss.backward()
    for edge in network.plan.connections:
        if edge.gate:
            for name, value in network.operations[edge.name].named_parameters():
                assert value.grad is not None, name
                assert bool((value.grad != 0).any()), name
