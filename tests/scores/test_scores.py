"""Scores of untrained networks, against what three samples give by hand."""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from evonas.architecture.attention import add_attention
from evonas.architecture.draft import Draft, Incoming
from evonas.architecture.neuron import Dynamics, Surrogate
from evonas.architecture.plan import INPUT
from evonas.errors import EvonasError
from evonas.input_shape import InputShape
from evonas.scores import hamming, lyapunov, parameters, sparsity_aware_hamming, synaptic_flow
from evonas.scores.patterns import compared, log_determinant
from evonas.snn.network import Network
from spaces.spatial_temporal import space

NEAR = Surrogate("triangle", 0.01)
"""Zero but for potentials within a hundredth of the threshold, so that derivatives are those of the membrane alone."""

BITS = torch.tensor([[1, 1, 0, 0], [1, 0, 1, 0], [0, 0, 0, 1]], dtype=torch.float32)
"""Three samples of four neurons: they differ in 2 (first and second), 3 and 3 of them."""


def copying(time_steps: int, *, hidden: Dynamics | None = None) -> Network:
    """Return a network whose four hidden neurons fire whenever their pixel is 1."""
    draft = Draft(InputShape((time_steps, 4, 1, 1), element="binary"), time_steps=time_steps)
    neurons = hidden or Dynamics("integrate_and_fire", v_th=0.5)
    draft.add("hidden", neurons, incoming=[Incoming("copy", (INPUT,), "skip")])
    readout = Dynamics("readout", tau_mem_ms=2.0)
    draft.add("readout", readout, incoming=[Incoming("out", ("hidden",), "linear", channels=3)])
    return Network(draft.finish())


def frames(*bits: Tensor) -> Tensor:
    """Return `(time, batch, 4, 1, 1)` data of `(batch, 4)` bits a time step."""
    return torch.stack(bits)[..., None, None]


def log_det(rows: list[list[float]]) -> float:
    return math.log(abs(np.linalg.det(np.array(rows))))


def test_patterns_are_compared_in_all_pairs() -> None:
    distance, expected, neurons = compared(BITS.bool())
    assert neurons == 4
    assert distance.tolist() == [[0, 2, 3], [2, 0, 3], [3, 3, 0]]
    # 4 * (1/2 * 1/2 + 1/2 * 1/2), and 4 * (1/2 * 3/4 + 1/2 * 1/4), and 4 * (1/4 * 3/4 + 3/4 * 1/4)
    assert expected.tolist() == [[2, 2, 2], [2, 2, 2], [2, 2, 1.5]]


def test_the_hamming_score_of_three_samples_by_hand() -> None:
    assert hamming.score(copying(1), frames(BITS)) == pytest.approx(log_det([[4, 2, 1], [2, 4, 1], [1, 1, 4]]))


def test_the_sparsity_aware_score_of_three_samples_by_hand_in_both_forms() -> None:
    network, data = copying(1), frames(BITS)
    by_code = [[4, 4 - 1 / 2.001, 4 - 1.5 / 2.001], [4 - 1 / 2.001, 4, 4 - 1.5 / 2.001], [4 - 1.5 / 2.001] * 2 + [4]]
    assert sparsity_aware_hamming.score(network, data) == pytest.approx(log_det(by_code))
    assert sparsity_aware_hamming.printed(network, data) == pytest.approx(
        log_det([[4, 3.5, 3.25], [3.5, 4, 3.25], [3.25, 3.25, 4]])
    )


def test_time_steps_are_averaged_in_the_code_and_summed_in_print() -> None:
    once, twice = frames(BITS), frames(BITS, BITS)
    assert sparsity_aware_hamming.score(copying(2), twice) == pytest.approx(
        sparsity_aware_hamming.score(copying(1), once)
    )
    for summed in (sparsity_aware_hamming.printed, hamming.score):
        assert summed(copying(2), twice) == pytest.approx(summed(copying(1), once) + 3 * math.log(2))


def test_samples_to_which_nobody_answers_have_no_distance_from_one_another() -> None:
    silent = torch.zeros(3, 4)
    assert sparsity_aware_hamming.printed(copying(1), frames(silent)) == -math.inf
    assert hamming.score(copying(1), frames(silent)) == -math.inf


def test_a_kernel_in_single_precision_would_not_tell_large_layers_apart_and_ours_does() -> None:
    """Of a layer with 2^18 neurons, single precision keeps steps of 1/64: two distances within one become equal."""
    neurons, expected = 2**18, torch.full((3, 3), 1000.0, dtype=torch.float64)

    def kernel(distance: float, dtype: torch.dtype) -> Tensor:
        distances = distance * (1 - torch.eye(3, dtype=torch.float64))
        return sparsity_aware_hamming._printed(distances.to(dtype), expected.to(dtype), neurons)

    assert torch.equal(kernel(970.0, torch.float32), kernel(980.0, torch.float32))
    alike, different = (log_determinant(kernel(distance, torch.float64)) for distance in (970.0, 980.0))
    assert different - alike == pytest.approx(2 * math.log(980 / 970), rel=1e-3)


@pytest.mark.parametrize("score", [sparsity_aware_hamming.score, sparsity_aware_hamming.printed, hamming.score])
def test_networks_are_in_the_same_order_in_single_and_double_precision(score: Callable[..., float]) -> None:
    single, double = [], []
    for seed in range(8):
        genotype = space.sample(np.random.default_rng(seed), given={"time_steps": 3})
        data = torch.rand(1, 12, 1, 8, 8, generator=torch.Generator().manual_seed(1))
        for found, dtype in ((single, torch.float32), (double, torch.float64)):
            torch.manual_seed(seed)
            network = space.build(genotype, (1, 8, 8), 10)
            found.append(score(network.to(dtype), data.to(dtype)))
    assert np.argsort(single).tolist() == np.argsort(double).tolist()


def test_parameters_are_those_that_are_trained() -> None:
    assert parameters.score(copying(1), frames(BITS)) == 4 * 3


def test_the_exponent_of_a_leak_alone_is_its_logarithm() -> None:
    # each step keeps half of the potentials of hidden neurons and readout, whatever the direction
    leaky = Dynamics("lif_box", tau_mem_ms=2.0, v_th=1e6, surrogate=NEAR)
    assert lyapunov.score(copying(5, hidden=leaky), frames(*[0 * BITS] * 5)) == pytest.approx(-math.log(2), rel=1e-5)


def test_delayed_outputs_carry_a_change_on() -> None:
    """A relay that hears itself hands every change on for ever, while potentials forget half of it at each step."""
    draft = Draft((1, 1, 1), time_steps=100)
    leaky = Dynamics("lif_box", tau_mem_ms=2.0, v_th=1e6, surrogate=NEAR)
    draft.add("first", leaky, incoming=[Incoming("in", (INPUT,), "skip")])
    draft.add("echo", Dynamics("relay"), incoming=[Incoming("echo/in", ("first",), "pool")])
    draft.connect("echo", Incoming("echo/back", ("echo",), "skip", delay=1))
    readout = Dynamics("readout", tau_mem_ms=2.0)
    draft.add("readout", readout, incoming=[Incoming("out", ("echo",), "linear", channels=2)])
    plan = draft.finish()
    assert next(edge.gain for edge in plan.connections if edge.name == "echo/back") == 1
    torch.manual_seed(0)
    score = lyapunov.score(Network(plan), torch.zeros(1, 2, 1, 1, 1))
    assert score == pytest.approx(0, abs=0.03)


def test_a_network_of_one_step_has_no_exponent() -> None:
    with pytest.raises(EvonasError, match="one time step"):
        lyapunov.score(copying(1), frames(BITS))


def test_the_flow_through_two_layers_by_hand() -> None:
    draft = Draft((2, 1, 1), time_steps=3)
    draft.add("hidden", Dynamics("lif"), incoming=[Incoming("in", (INPUT,), "conv", channels=2)])
    draft.add("readout", Dynamics("readout"), incoming=[Incoming("out", ("hidden",), "flat_linear", channels=1)])
    network = Network(draft.finish())
    with torch.no_grad():
        network.operations["in"].weight.copy_(torch.tensor([[1.0, -2.0], [0.5, 0.5]])[..., None, None])
        network.operations["out"].weight.copy_(torch.tensor([[-3.0, 4.0]]))
    gain = network.plan.connections[-1].gain
    # the answer is gain * (3 * (1 + 2) + 4 * (0.5 + 0.5)) = 13 gains, and each of the two layers has all of it
    assert synaptic_flow.score(network, torch.zeros(1, 1, 2, 1, 1)) == pytest.approx(math.log(2 * 13 * gain))


def test_the_flow_goes_round_a_loop_once_a_step() -> None:
    draft = Draft((1, 1, 1), time_steps=2)
    draft.add("hidden", Dynamics("lif"), incoming=[Incoming("in", (INPUT,), "conv", channels=1)])
    draft.connect("hidden", Incoming("back", ("hidden",), "conv", channels=1, delay=1))
    draft.add("readout", Dynamics("readout"), incoming=[Incoming("out", ("hidden",), "flat_linear", channels=1)])
    network = Network(draft.finish())
    with torch.no_grad():
        for name, value in (("in", 2.0), ("back", -3.0), ("out", 5.0)):
            network.operations[name].weight.fill_(value)
    gain = network.plan.connections[-1].gain
    # answers 5 * 2 and 5 * (2 + 3 * 2) gains; two weights lie on the paths of the first, three on that of the loop
    assert synaptic_flow.score(network, torch.zeros(1, 1, 1, 1, 1)) == pytest.approx(
        math.log(gain * (2 * 10 + (2 * 10 + 3 * 30)) / 2)
    )


def test_norms_are_left_out_of_the_flow() -> None:
    draft = Draft((1, 1, 1), time_steps=2)
    draft.add("sum", Dynamics("relay"), incoming=[Incoming("in", (INPUT,), "conv", channels=1)])
    draft.add("hidden", Dynamics("lif"), incoming=[Incoming("norm", ("sum",), "norm")])
    draft.add("readout", Dynamics("readout"), incoming=[Incoming("out", ("hidden",), "flat_linear", channels=1)])
    network = Network(draft.finish())
    with torch.no_grad():
        network.operations["in"].conv.weight.fill_(2.0)
        network.operations["out"].weight.fill_(-5.0)
    gain = network.plan.connections[-1].gain
    assert synaptic_flow.score(network, torch.zeros(1, 1, 1, 1, 1)) == pytest.approx(math.log(gain * 2 * 10))


def test_the_norms_of_a_new_network_take_the_statistics_of_the_samples() -> None:
    genotype = space.sample(np.random.default_rng(3), given={"time_steps": 3})
    network = space.build(genotype, (1, 8, 8), 10)
    lyapunov.score(network, torch.rand(1, 6, 1, 8, 8))
    norms = [one for one in network.modules() if isinstance(one, torch.nn.BatchNorm2d)]
    assert norms
    assert all((one.running_var != 1).all() for one in norms)


def test_what_a_network_has_seen_before_does_not_change_its_exponent() -> None:
    genotype, inputs = space.sample(np.random.default_rng(3), given={"time_steps": 3}), torch.rand(3, 6, 1, 8, 8)
    scores = []
    for seen in (0, 2):
        torch.manual_seed(5)
        network = space.build(genotype, (1, 8, 8), 10)
        for _ in range(seen):
            network.train()(9 * torch.rand(3, 4, 1, 8, 8))
        torch.manual_seed(6)
        scores.append(lyapunov.score(network, inputs))
    assert scores[0] == scores[1]


SMALL = {"snasnet": {"channels": [8], "hidden": [128]}, "autosnn": {"channels": [16]}, "recurrent": {},
         "ma_darts": {"channels": [4], "nodes": [3, 3], "time_steps": [2, 3]}}  # fmt: skip
"""What is left of each space here, to be quick."""


@pytest.mark.parametrize("score", [sparsity_aware_hamming.score, hamming.score, lyapunov.score, synaptic_flow.score])
@pytest.mark.parametrize("name", SMALL)
def test_networks_of_every_space_have_scores(name: str, score: Callable[..., float]) -> None:
    whole = importlib.import_module(f"spaces.{name}").space
    small = whole.narrowed({key: values for key, values in SMALL[name].items() if key in whole.variables})
    for seed in range(2):
        genotype = small.sample(np.random.default_rng(seed))
        torch.manual_seed(seed)
        network = small.build(genotype, (1, 8, 8), 10)
        assert math.isfinite(score(network, torch.rand(1, 8, 1, 8, 8)))


def test_gates_over_time_steps_are_open_in_synaptic_flow_and_have_no_lyapunov_exponent() -> None:
    flows = []
    for attention in ("none", "temporal"):
        draft = Draft((4, 2, 3, 3), time_steps=4)
        conv = Incoming("conv", ("input",), "conv", channels=4, kernel=3)
        sent = add_attention(draft, draft.add("spikes", Dynamics("lif"), incoming=[conv]), attention)
        draft.add("readout", Dynamics("readout"), incoming=[Incoming("out", (sent,), "linear", channels=3)])
        torch.manual_seed(0)
        network = Network(draft.finish())
        with torch.no_grad():
            network.operations["out"].linear.weight.fill_(0.5)
        flows.append(synaptic_flow.score(network, torch.rand(4, 2, 2, 3, 3)))
    assert flows[0] == flows[1]
    with pytest.raises(EvonasError, match="gate 'spikes/real_temporal/gate' weighs all time steps"):
        lyapunov.score(network.float(), torch.rand(4, 2, 2, 3, 3))


def test_adaptation_is_a_part_of_the_state() -> None:
    # potentials keep half of a change, adaptation nine tenths: a random direction turns into the slower one
    slow = Dynamics("alif", tau_mem_ms=2.0, tau_adapt_ms=10.0, v_th=1e6, beta=1.0, surrogate=NEAR)
    score = lyapunov.score(copying(200, hidden=slow), frames(*[0 * BITS] * 200))
    assert score == pytest.approx(math.log(0.9), abs=0.03)


@pytest.mark.parametrize(
    "score", [sparsity_aware_hamming.score, hamming.score, lyapunov.score, synaptic_flow.score, parameters.score]
)
def test_a_score_of_a_network_of_the_joint_space_is_a_number_and_the_same_again(score: Callable[..., float]) -> None:
    genotype = space.sample(np.random.default_rng(3))
    data = torch.rand(1, 6, 1, 8, 8, generator=torch.Generator().manual_seed(1))

    def once() -> float:
        torch.manual_seed(7)
        return score(space.build(genotype, (1, 8, 8), 10), data)

    first = once()
    assert math.isfinite(first)
    assert once() == first
