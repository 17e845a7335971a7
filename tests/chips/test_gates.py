"""Gates of attention on chips: what they cost where products have a price, and who refuses them."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from evonas.architecture.draft import Draft, Incoming
from evonas.architecture.gate import GATES
from evonas.architecture.neuron import Dynamics
from evonas.architecture.plan import Plan
from evonas.chips import latency
from evonas.chips.energy import estimate, joules
from evonas.chips.fit import check
from evonas.chips.profile import SHIPPED, Profile, load
from evonas.chips.topology import silent
from evonas.errors import ProfileError, UnpriceableError
from evonas.measurement import Activity, Measurement
from evonas.objective import score
from evonas.snn.network import Network
from objectives.energy import objective

WITHOUT_PRODUCTS = [
    profile.id
    for file in sorted(SHIPPED.glob("*.toml"))
    if (profile := load(file.stem)).energy and "mac" not in profile.energy and "synop" in profile.energy
]


def planned(operation: str) -> Plan:
    """Return a network of event frames: spikes, their gate, a convolution of what passes, and the readout."""
    draft = Draft((4, 2, 4, 4), time_steps=4)
    conv = {"operation": "conv", "channels": 4, "kernel": 3}
    draft.add("sender", Dynamics("lif", v_th=0.3), incoming=[Incoming("drive", ("input",), **conv)])
    draft.add("gated", Dynamics("relay"), incoming=[Incoming("gate", ("sender",), operation, reduction=2)])
    draft.add("reader", Dynamics("lif", v_th=0.3), incoming=[Incoming("behind", ("gated",), **conv)])
    draft.add("readout", Dynamics("readout"), incoming=[Incoming("out", ("reader",), "linear", channels=3)])
    return draft.finish()


def counted(operation: str) -> Activity:
    torch.manual_seed(0)
    network = Network(planned(operation))
    recorder = network.recorder()
    with torch.no_grad():
        network(torch.rand(4, 8, 2, 4, 4).mul(2).round(), recorder)
    return recorder.activity()


@pytest.mark.parametrize("operation", GATES)
def test_a_gate_costs_its_events_and_its_multiply_accumulates(operation: str) -> None:
    activity = counted(operation)
    events = sum(sum(edge.events) + sum(edge.unrolled) for edge in activity.connections)
    macs = sum(sum(edge.macs) for edge in activity.connections)
    gate = next(edge for edge in activity.connections if edge.name == "gate")
    assert sum(gate.events) > 0
    assert sum(gate.macs) > 0
    hand = (0.9e-12 * events + 4.6e-12 * macs) / activity.samples
    assert joules(activity, load("arith45_fp32")) == pytest.approx(hand, rel=1e-12)
    behind = next(edge for edge in activity.connections if edge.name == "behind")
    assert (sum(behind.macs) > 0) == operation.startswith("real")


@pytest.mark.parametrize("operation", GATES)
def test_a_machine_without_spikes_pays_every_operation_of_a_gate_once(operation: str) -> None:
    activity = counted(operation)
    dense = sum(edge.dense for edge in activity.connections)
    neurons = sum(population.neurons for population in activity.populations)
    assert joules(activity, load("gpu_degnan")) == pytest.approx(300e-12 * (dense + neurons))


@pytest.mark.parametrize(
    ("operation", "values", "weights"), [("real_eca", 4, 3), ("binary_eca", 4, 3), ("real_spatial", 2 * 16, 2 * 49)]
)
def test_a_gate_reads_and_writes_its_summaries_and_reads_the_weights_of_its_small_layers(
    operation: str, values: int, weights: int
) -> None:
    activity = counted(operation)
    gate = next(edge for edge in activity.connections if edge.name == "gate")
    memory = load("sram45_int8").memory
    assert gate.weights == weights
    summed = (1 if operation.endswith("eca") else 2) * sum(gate.inputs)
    multiplied = sum(gate.inputs)
    scoring = sum(gate.events) + sum(gate.macs) - summed - multiplied
    assert scoring > 0
    smallest = memory["sram_pj_per_64b"]["v"][0]  # all that a gate holds is smaller
    assert max(values * memory["state_bits"], weights * memory["weight_bits"]) / 8 <= smallest[0]
    price = smallest[1] * 1e-12 / 64 / activity.samples
    layer = estimate(activity, load("sram45_int8")).layers["gated"]
    assert layer["state"].nominal == pytest.approx(2 * summed * memory["state_bits"] * price)
    reads = scoring / memory.get("ann_reuse", 1) * memory["weight_bits"]
    assert layer["weights"].nominal == pytest.approx(reads * price)
    assert "biases" not in layer


@pytest.mark.parametrize("name", WITHOUT_PRODUCTS)
@pytest.mark.parametrize("operation", GATES)
def test_a_chip_without_multipliers_refuses_gates_by_name_before_training_and_after(name: str, operation: str) -> None:
    profile = load(name)
    told = rf"{name} has no price for multiply-accumulates \(energy.mac\), which gate would need. Leave the gate"
    for activity in (silent(planned(operation)), counted(operation)):
        with pytest.raises(UnpriceableError, match=told):
            estimate(activity, profile)
    chosen = objective(profile=name)
    assert chosen.planned is not None
    with pytest.raises(UnpriceableError, match=told):
        chosen.planned(planned(operation))
    measured = Measurement({"accuracy": 1.0}, 8, parameters=1, time_steps=4, silent=False, activity=counted(operation))
    assert score(measured, [chosen]).violation > 0


def test_the_convolution_behind_a_gate_of_real_values_is_refused_as_well() -> None:
    with pytest.raises(UnpriceableError, match=r"which gate would need. Leave .*which behind would need"):
        estimate(silent(planned("real_eca")), load("loihi1_davies"))
    with pytest.raises(UnpriceableError) as refused:
        estimate(silent(planned("binary_eca")), load("loihi1_davies"))
    assert "behind" not in str(refused.value)


def with_products(profile: Profile) -> Profile:
    """Return a chip that could multiply."""
    return replace(profile, energy={**profile.energy, "mac": load("arith45_fp32").energy["mac"]})


def test_a_chip_that_is_done_with_a_time_step_before_the_next_refuses_gates_over_time_by_name() -> None:
    told = r"loihi1_davies is done with a time step before it sees the next one, and gate weighs all time steps"
    chip = with_products(load("loihi1_davies"))
    for operation in ("real_temporal", "binary_temporal"):
        with pytest.raises(UnpriceableError, match=told):
            joules(counted(operation), chip)
        with pytest.raises(UnpriceableError, match=told):
            latency.seconds(counted(operation), chip)
        assert joules(counted(operation), load("arith45_fp32")) > 0
    assert joules(counted("binary_spatial"), chip) > 0
    assert latency.seconds(counted("binary_spatial"), chip) > 0


@pytest.mark.parametrize("operation", GATES)
def test_no_chip_of_neurons_has_room_for_a_gate(operation: str) -> None:
    for name in ("loihi1_davies", "loihi2", "truenorth28", "speck2f", "xylo_a2"):
        for network in (planned(operation), counted(operation)):
            violations = check(network, load(name)).violations
            assert "gates of attention multiply, and neurons add up: gate" in violations
            late = "gates over time steps, and the chip takes one after the other: gate"
            assert (late in violations) == operation.endswith("temporal")


def test_a_gate_takes_the_time_of_its_dense_operations_on_a_machine_that_computes_all() -> None:
    chip = load("gpu_degnan")
    mine = replace(chip, time={**chip.time, "peak_ops_per_s": 1.0, "bytes_per_s": 1e15, "launch_us": 0.0})
    activity = counted("real_channel")
    assert latency.seconds(activity, mine) == pytest.approx(sum(edge.dense for edge in activity.connections))
    with pytest.raises(ProfileError, match="peak_ops_per_s"):
        latency.seconds(activity, chip)
