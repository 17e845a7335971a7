"""Neurons are Norse's own, with our surrogates and real parameters in ms."""

from __future__ import annotations

import math
import types

import pytest
import torch
from norse.torch.functional.iaf import IAFFeedForwardState, IAFParameters, iaf_feed_forward_step
from norse.torch.functional.leaky_integrator_box import LIBoxParameters, LIBoxState, li_box_feed_forward_step
from norse.torch.functional.lif import LIFFeedForwardState, LIFParameters, lif_feed_forward_step
from norse.torch.functional.lif_box import LIFBoxFeedForwardState, LIFBoxParameters, lif_box_feed_forward_step
from norse.torch.functional.reset import reset_subtract, reset_value

from evonas.architecture.neuron import SURROGATES, Dynamics, Surrogate
from evonas.errors import EvonasError, SpaceError
from evonas.snn.kernels import scan as scan_module
from evonas.snn.kernels.backend import use_backend
from evonas.snn.kernels.scan import DT_SECONDS, looped_scan
from evonas.snn.kernels.surrogates import spike, with_surrogates
from evonas.snn.neurons import Neuron

NORSE_METHODS = ("super", "triangle", "tanh", "circ", "heavi_erfc")
KINDS = ("lif", "lif_box", "integrate_and_fire", "readout")


def norse_by_hand(current: torch.Tensor, kind: str, method: str, reset: str = "value") -> torch.Tensor:
    """Norse's untouched steps with plain numbers: tau_mem 2.5 ms, tau_syn 1.5 ms, v_th 0.7."""
    rest = torch.zeros_like(current[0])
    common = {"v_th": torch.tensor(0.7), "method": method, "alpha": 1.0}
    mem, syn = torch.tensor(1000 / 2.5), torch.tensor(1000 / 1.5)
    if kind == "lif":
        step, state = lif_feed_forward_step, LIFFeedForwardState(rest, rest)
        p = LIFParameters(tau_mem_inv=mem, tau_syn_inv=syn, **common)
    elif kind == "lif_box":
        step, state = lif_box_feed_forward_step, LIFBoxFeedForwardState(rest)
        method_of_reset = reset_subtract if reset == "subtract" else reset_value
        p = LIFBoxParameters(tau_mem_inv=mem, reset_method=method_of_reset, **common)
    elif kind == "integrate_and_fire":
        step, state, p = iaf_feed_forward_step, IAFFeedForwardState(rest), IAFParameters(**common)
    else:
        step, state, p = li_box_feed_forward_step, LIBoxState(rest), LIBoxParameters(tau_mem_inv=mem)
    outputs = []
    for current_now in current:
        output, state = step(current_now, state, p, 0.001)
        outputs.append(output)
    return torch.stack(outputs)


def neuron(kind: str, method: str = "super", reset: str = "value") -> Neuron:
    return Neuron(
        Dynamics(kind, tau_mem_ms=2.5, tau_syn_ms=1.5, v_th=0.7, reset=reset, surrogate=Surrogate(method)),
        time_steps=6,
    )


@pytest.mark.parametrize("method", NORSE_METHODS)
@pytest.mark.parametrize(("kind", "reset"), [*((kind, "value") for kind in KINDS), ("lif_box", "subtract")])
def test_with_width_one_outputs_and_gradients_equal_norse_bit_for_bit(kind, reset, method):
    current = 2 * torch.randn(6, 3, 4, 2, 2, generator=torch.Generator().manual_seed(0))
    ours, norses = current.clone().requires_grad_(), current.clone().requires_grad_()
    with use_backend("looped"):
        output, expected = neuron(kind, method, reset)(ours), norse_by_hand(norses, kind, method, reset)
    assert torch.equal(output, expected)
    assert kind == "readout" or 0 < output.mean() < 1
    weights = torch.randn(output.shape, generator=torch.Generator().manual_seed(1))
    (output * weights).sum().backward()
    (expected * weights).sum().backward()
    assert torch.equal(ours.grad, norses.grad)


@pytest.mark.parametrize("method", SURROGATES)
def test_the_width_stretches_the_gradient_and_keeps_its_area(method):
    def gradient(width):
        x = torch.linspace(-40, 40, 40001, dtype=torch.float64, requires_grad=True)
        spike(x * width, Surrogate(method, width)).sum().backward()
        return x.grad / width  # of the derivative at x * width

    one = gradient(1.0)
    for width in (0.25, 3.0):
        torch.testing.assert_close(gradient(width), one / width)


def test_dspike_has_unit_area_and_ends_at_half_its_width():
    x = torch.linspace(-2, 2, 80001, dtype=torch.float64, requires_grad=True)
    spike(x, Surrogate("dspike", 2.0)).sum().backward()
    assert math.isclose(float(torch.trapezoid(x.grad, x.detach())), 1.0, rel_tol=1e-3)
    assert float(x.grad[x.abs() >= 1].abs().max()) == 0
    assert float(x.grad[x.abs() < 1].min()) > 0


def test_the_arctangent_has_its_peak_at_the_threshold_and_unit_area():
    x = torch.linspace(-4000, 4000, 800001, dtype=torch.float64, requires_grad=True)
    spike(x, Surrogate("atan", 2.0)).sum().backward()
    assert math.isclose(float(x.grad.max()), 0.5)
    torch.testing.assert_close(x.grad, 0.5 / (1 + (math.pi * x.detach() / 2) ** 2))
    assert math.isclose(float(torch.trapezoid(x.grad, x.detach())), 1.0, rel_tol=1e-3)


@pytest.mark.parametrize("method", SURROGATES)
def test_every_surrogate_fires_strictly_above_the_threshold(method):
    x = torch.tensor([-1.0, -1e-6, -0.0, 0.0, 1e-30, 1e-6, 1.0])
    expected = torch.tensor([0.0, 0, 0, 0, 1, 1, 1])
    for width in (0.25, 1.0, 4.0):
        assert torch.equal(spike(x, Surrogate(method, width)), expected)


def test_a_norse_step_without_a_global_threshold_is_refused():
    def step_that_inlined_it(current, state, p, dt):
        return (current > p.v_th).float(), state

    with pytest.raises(EvonasError, match="does not call a global function `threshold`"):
        with_surrogates(step_that_inlined_it)
    without_global = types.FunctionType(lif_box_feed_forward_step.__code__, {})
    with pytest.raises(EvonasError, match="install that version"):
        with_surrogates(without_global)


def test_norses_own_step_is_left_as_it_was():
    with_surrogates(lif_box_feed_forward_step)
    assert lif_box_feed_forward_step.__globals__["threshold"].__module__ == "norse.torch.functional.threshold"


@pytest.mark.parametrize("kind", KINDS)
def test_a_static_current_is_held_for_all_time_steps_without_a_copy(kind, monkeypatch):
    current = torch.rand(1, 2, 3, 4, 4)
    cell = neuron(kind)
    assert torch.equal(cell(current), cell(current.repeat(6, 1, 1, 1, 1)))
    seen, kind_of_parameters = [], type(cell.norse_parameters())
    step = scan_module._STEPS[kind_of_parameters]

    def seeing(now, *args):
        seen.append(now.data_ptr())
        return step(now, *args)

    monkeypatch.setitem(scan_module._STEPS, kind_of_parameters, seeing)
    with use_backend("looped"):
        cell(current)
    assert seen == [current.data_ptr()] * 6


def test_analog_neurons_keep_a_static_current_static():
    current = torch.randn(1, 2, 3, 4, 4)
    assert torch.equal(Neuron(Dynamics("analog"), time_steps=5)(current), current.relu())


def test_a_current_of_another_number_of_steps_is_refused():
    with pytest.raises(ValueError, match="1 or 6 time steps, got 4"):
        neuron("lif")(torch.zeros(4, 1, 1))


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        ("lif", {"tau_mem_ms", "tau_syn_ms", "v_th"}),
        ("lif_box", {"tau_mem_ms", "v_th"}),
        ("integrate_and_fire", {"v_th"}),
        ("alif", {"tau_mem_ms", "v_th", "tau_adapt_ms", "beta"}),
        ("readout", {"tau_mem_ms"}),
    ],
)
def test_constants_are_real_parameters_in_ms_trained_on_request(kind, names):
    cell = neuron(kind)
    assert {name for name, _ in cell.named_parameters()} == names
    assert not any(value.requires_grad for value in cell.parameters())
    cell.make_trainable(*names)
    cell(torch.full((6, 2, 3), 1.3)).mean().backward()
    assert all(value.grad is not None and bool(value.grad.abs() > 0) for value in cell.parameters())
    assert cell.double().norse_parameters()[0].dtype == torch.float64


def test_an_adaptive_neuron_without_a_strength_is_a_box():
    current = 2 * torch.randn(6, 3, 4, 2, 2, generator=torch.Generator().manual_seed(0))
    boxed, adaptive = (Dynamics(kind, tau_mem_ms=2.5, v_th=0.7, beta=0.0) for kind in ("lif_box", "alif"))
    expected = Neuron(boxed, time_steps=6)(current)
    assert torch.equal(Neuron(adaptive, time_steps=6)(current), expected)
    raised = Neuron(Dynamics("alif", tau_mem_ms=2.5, v_th=0.7, beta=0.5, tau_adapt_ms=5.0), time_steps=6)(current)
    assert 0 < raised.sum() < expected.sum()


def test_a_neuron_trains_only_what_it_depends_on():
    with pytest.raises(SpaceError, match="depends on v_th"):
        neuron("integrate_and_fire").make_trainable("tau_mem_ms")
    with pytest.raises(SpaceError, match="no state"):
        Neuron(Dynamics("analog"), time_steps=2).norse_parameters()


def test_each_channel_may_have_constants_of_its_own():
    cell = Neuron(Dynamics("lif_box", v_th=0.5), time_steps=4, channels=3)
    with torch.no_grad():
        cell.v_th[2] = 100.0
    spikes = cell(torch.full((1, 2, 3, 4, 4), 2.0))
    assert float(spikes[:, :, 2].sum()) == 0
    assert bool((spikes[:, :, :2] == 1).all())


def test_a_trained_time_constant_below_the_time_step_acts_as_the_time_step():
    cell = neuron("lif_box")
    with torch.no_grad():
        cell.tau_mem_ms.fill_(0.2)
    assert float(cell.norse_parameters().tau_mem_inv) * DT_SECONDS == pytest.approx(1.0)


@pytest.mark.parametrize(
    "wrong",
    [
        {"kind": "izhikevich"},
        {"kind": "lif", "tau_mem_ms": 0.5},
        {"kind": "lif", "tau_syn_ms": math.nan},
        {"kind": "lif", "v_th": 0.0},
        {"kind": "lif", "reset": "subtract"},
        {"kind": "lif_box", "reset": "soft"},
        {"kind": "alif", "reset": "subtract"},
        {"kind": "alif", "beta": -0.1},
        {"kind": "alif", "tau_adapt_ms": 0.5},
    ],
)
def test_impossible_dynamics_are_refused(wrong):
    with pytest.raises(SpaceError):
        Dynamics(**wrong)


@pytest.mark.parametrize("wrong", [("sigmoid", 1.0), ("super", 0.0), ("super", math.inf)])
def test_impossible_surrogates_are_refused(wrong):
    with pytest.raises(SpaceError):
        Surrogate(*wrong)


@pytest.mark.parametrize("kind", KINDS)
def test_a_threshold_current_lifts_a_neuron_at_rest_to_its_threshold(kind):
    if kind == "readout":
        assert Dynamics(kind).threshold_current == 1
        return
    cell = neuron(kind)
    needed = cell.dynamics.threshold_current
    fired = looped_scan(torch.tensor([0.999, 1.001])[None] * needed, cell.norse_parameters())
    assert fired.tolist() == [[0.0, 1.0]]
