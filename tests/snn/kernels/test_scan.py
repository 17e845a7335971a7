"""The scan is the loop over Norse's steps: the same spikes to the last bit, and the same gradients."""

from __future__ import annotations

import itertools
import logging
import math
from dataclasses import dataclass

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from norse.torch.functional.iaf import IAFFeedForwardState, IAFParameters
from norse.torch.functional.leaky_integrator_box import LIBoxParameters, LIBoxState
from norse.torch.functional.lif import LIFFeedForwardState, LIFParameters
from norse.torch.functional.lif_box import LIFBoxFeedForwardState, LIFBoxParameters
from norse.torch.functional.lsnn import LSNNFeedForwardState, LSNNParameters, lsnn_feed_forward_step
from norse.torch.functional.reset import reset_subtract, reset_value

from evonas.architecture.neuron import SURROGATES, Surrogate
from evonas.errors import OptionError
from evonas.snn.kernels import compiler, event_convolution
from evonas.snn.kernels import scan as scan_module
from evonas.snn.kernels.adaptive_step import AdaptiveParameters, AdaptiveState
from evonas.snn.kernels.backend import use_backend
from evonas.snn.kernels.cpp_scan import compiled_scan
from evonas.snn.kernels.scan import NeuronParameters, NeuronState, looped_scan, scan, scan_step

NEURONS = ("lif", "lif_box", "lif_box subtract", "integrate_and_fire", "alif", "readout")
WAYS = ("fastest", "torch")
LAYOUTS = ("plain", "channels last", "every second", "static", "expanded")
SHARINGS = ("shared", "by channel", "by neuron", "by sample", "by row")
CONSTANTS = ("mem", "syn", "threshold", "adapt", "beta")
TOLERANCE = {torch.float32: 1e-5, torch.float64: 1e-10}


@dataclass(frozen=True)
class Case:
    neuron: str
    surrogate: Surrogate
    layout: str = "plain"
    constants: str = "shared"
    starts: bool = False
    time: int = 5
    shape: tuple[int, ...] = (2, 3, 4, 2)
    dtype: torch.dtype = torch.float32
    seed: int = 0


class Leaves:
    """Random tensors of a case, all with gradients; made anew, they are the same."""

    def __init__(self, case: Case) -> None:
        generator = torch.Generator().manual_seed(case.seed)

        def uniform(shape: tuple[int, ...], low: float, high: float) -> torch.Tensor:
            values = torch.rand(shape, generator=generator, dtype=torch.float64) * (high - low) + low
            return values.to(case.dtype).requires_grad_()

        shape, features = case.shape, case.shape[1:]
        kinds = {
            "shared": (),
            "by channel": (features[0], *(1 for _ in features[1:])),
            "by neuron": features,
            "by sample": (shape[0], *(1 for _ in features)),
            "by row": features[:-1] + (1,),
        }
        of_constant = kinds[case.constants]
        self.mem, self.syn = uniform(of_constant, 150, 1000), uniform(of_constant, 150, 1000)
        self.threshold = uniform(of_constant, 0.2, 1.2)
        self.potential, self.synaptic = uniform(shape, -0.5, 1.5), uniform(shape, -0.5, 1.5)
        self.current = {
            "plain": lambda: uniform((case.time, *shape), -2, 4),
            "channels last": lambda: uniform((case.time, shape[0], *features[1:], features[0]), -2, 4),
            "every second": lambda: uniform((2 * case.time, *shape[:-1], 2 * shape[-1]), -2, 4),
        }.get(case.layout, lambda: uniform((1, *shape), -2, 4))()
        self.weights = uniform((case.time, *shape), -1, 1).detach()
        self.adapt, self.beta = uniform(of_constant, 150, 1000), uniform(of_constant, 0.0, 0.6)
        self.adaptation = uniform(shape, 0, 1.5)
        self.starts, self.case = case.starts, case

    @property
    def seen(self) -> torch.Tensor:
        """The current as the scan gets it."""
        if self.case.layout == "channels last":
            return self.current.movedim(-1, 2)
        if self.case.layout == "every second":
            return self.current[::2, ..., ::2]
        if self.case.layout == "expanded":
            return self.current.expand(self.case.time, *self.case.shape)
        return self.current

    @property
    def initial(self) -> NeuronState | None:
        if not self.starts:
            return None
        match self.case.neuron:
            case "lif":
                return LIFFeedForwardState(self.potential, self.synaptic)
            case "integrate_and_fire":
                return IAFFeedForwardState(self.potential)
            case "alif":
                return AdaptiveState(self.potential, self.adaptation)
            case "readout":
                return LIBoxState(self.potential)
        return LIFBoxFeedForwardState(self.potential)

    @property
    def parameters(self) -> NeuronParameters:
        zero, method = torch.zeros((), dtype=self.case.dtype), self.case.surrogate
        match self.case.neuron:
            case "lif":
                return LIFParameters(self.syn, self.mem, zero, self.threshold, zero, method, 1.0)
            case "integrate_and_fire":
                return IAFParameters(self.threshold, zero, method, 1.0)
            case "alif":
                return AdaptiveParameters(self.mem, self.adapt, zero, self.threshold, zero, self.beta, method)
            case "readout":
                return LIBoxParameters(self.mem, zero)
        reset = reset_subtract if "subtract" in self.case.neuron else reset_value
        return LIFBoxParameters(self.mem, zero, self.threshold, zero, method, 1.0, reset)

    def named(self) -> dict[str, torch.Tensor]:
        names = ("current", "potential", "synaptic", "adaptation", *CONSTANTS)
        return {name: getattr(self, name) for name in names}


def assert_same(case: Case, way: str) -> torch.Tensor:
    ours, norses, sizes = Leaves(case), Leaves(case), Leaves(case)
    with use_backend(way):
        output = scan(ours.seen, ours.parameters, time_steps=case.time, initial=ours.initial)
    expected = looped_scan(norses.seen.expand(case.time, *case.shape), norses.parameters, initial=norses.initial)
    assert torch.equal(output, expected)
    (output * ours.weights).sum().backward()
    (expected * norses.weights).sum().backward()
    for name, leaf in norses.named().items():
        got = ours.named()[name].grad
        if leaf.grad is None:  # at T = 1 the decay of the synaptic current has no effect
            assert got is None or not got.any(), name
            continue
        assert got is not None, name
        assert got.shape == leaf.grad.shape, name
        size = _contributions(case, name, sizes) if name in CONSTANTS else leaf.grad.abs().clamp(min=1)
        assert float(((got - leaf.grad).abs() / size).max()) < TOLERANCE[case.dtype], name
    return output


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("starts", [True, False])
@pytest.mark.parametrize("neuron", NEURONS)
def test_steps_one_by_one_are_the_scan_and_gradients_flow_through_their_states(neuron, starts, way):
    for constants, dtype in itertools.product(("shared", "by channel"), TOLERANCE):
        case = Case(neuron, Surrogate("super", 0.7), constants=constants, starts=starts, dtype=dtype)
        stepped, whole = Leaves(case), Leaves(case)
        counted, expected_counts = torch.zeros(2, case.time, dtype=torch.int64)
        state, outputs = stepped.initial, []
        with use_backend(way):
            for t, current in enumerate(stepped.seen.expand(case.time, *case.shape)):
                output, state = scan_step(current, stepped.parameters, state=state, updates=counted[t : t + 1])
                outputs.append(output)
        expected, end = scan_module._looped(
            whole.seen.expand(case.time, *case.shape), whole.parameters, initial=whole.initial, updates=expected_counts
        )
        assert torch.equal(torch.stack(outputs), expected)
        assert torch.equal(counted, expected_counts)
        for got, wanted in zip(state, end, strict=True):
            assert torch.equal(got, wanted)
        for leaves, seen, last in ((stepped, torch.stack(outputs), state), (whole, expected, end)):
            ((seen * leaves.weights).sum() + sum((values**2).sum() for values in last)).backward()
        for name, leaf in whole.named().items():
            if leaf.grad is not None:
                error = (stepped.named()[name].grad - leaf.grad).abs() / leaf.grad.abs().clamp(min=1)
                assert float(error.max()) < 30 * TOLERANCE[dtype], name


@pytest.mark.parametrize("way", WAYS)
def test_a_gradient_of_the_state_alone_reaches_the_current(way):
    leaves = Leaves(Case("lif", Surrogate(), dtype=torch.float64))
    with use_backend(way):
        _, state = scan_step(leaves.seen[0], leaves.parameters)
    (state.v.sum() + state.i.sum()).backward()
    assert leaves.current.grad[0].abs().sum() > 0


@pytest.mark.parametrize("way", [*WAYS, "looped"])
def test_three_steps_of_an_adaptive_neuron_are_those_computed_by_hand(way):
    """v_th 0.3, beta 0.07, half of the potential and a third of the adaptation left in a step, currents I of the paper:

    u 0.32 > 0.3, spike, a 1; u 0.36 < 0.37, a 1/3; u 0.18 + 0.15 = 0.33 > 0.3233, spike, a 1/9 + 1; u 0.37 < 0.3778.
    """
    numbers = [torch.tensor(value, dtype=torch.float64) for value in (500.0, 2000 / 3, 0.0, 0.3, 0.0, 0.07)]
    currents = torch.tensor([0.32, 0.36, 0.15, 0.37], dtype=torch.float64)[:, None] / 0.5
    with use_backend(way):
        assert scan(currents, AdaptiveParameters(*numbers, Surrogate())).flatten().tolist() == [1, 0, 1, 0]
        plain = LIFBoxParameters(numbers[0], numbers[2], numbers[3], numbers[4], Surrogate(), 1.0)
        assert scan(currents, plain).flatten().tolist() == [1, 1, 0, 1]


@pytest.mark.parametrize("way", [*WAYS, "looped"])
def test_an_adaptive_neuron_fires_as_norses_lsnn_with_its_current_a_step_late(way):
    """LSNN with a synaptic current of one time step reads it a step late; its spike decays before it counts first."""
    leaves = Leaves(Case("alif", Surrogate(), time=40, dtype=torch.float64))
    p, dt = leaves.parameters, 0.001
    norses = LSNNParameters(
        tau_syn_inv=torch.tensor(1 / dt),
        tau_mem_inv=p.tau_mem_inv,
        tau_adapt_inv=p.tau_adapt_inv,
        v_leak=p.v_leak,
        v_th=p.v_th,
        v_reset=p.v_reset,
        beta=p.beta / (1 - dt * p.tau_adapt_inv),
        method="super",
    )
    zero = torch.zeros_like(leaves.seen[0])
    state, expected = LSNNFeedForwardState(zero, zero, p.v_th.expand_as(zero)), []
    for current in (*leaves.seen, zero):
        spikes, state = lsnn_feed_forward_step(current, state, norses, dt)
        expected.append(spikes)
    with use_backend(way):
        output = scan(leaves.seen, p)
    assert torch.equal(output, torch.stack(expected[1:]))
    assert 0.05 < float(output.detach().mean()) < 0.95


@pytest.mark.parametrize("way", WAYS)
def test_gradients_of_adaptive_neurons_are_those_of_a_plain_loop_in_formulas(way):
    """The paper's formulas written out, with the surrogate as a straight-through term."""
    leaves, mine = (Leaves(Case("alif", Surrogate("triangle", 1.5), "plain", "by channel", True, 7, dtype=torch.float64))
                    for _ in range(2))  # fmt: skip
    with use_backend(way):
        (scan(leaves.seen, leaves.parameters, initial=leaves.initial) * leaves.weights).sum().backward()
    u, a, loss = mine.potential, mine.adaptation, 0.0
    for current, weight in zip(mine.seen, mine.weights, strict=True):
        decay = 1 - 0.001 * mine.mem
        u = decay * u + 0.001 * mine.mem * current
        above = u - (mine.threshold + mine.beta * a)
        slope = torch.relu(1 - above.detach().abs() / 1.5) / 1.5
        spikes = (above > 0).double() + slope * (above - above.detach())
        u, a = (1 - spikes) * u, (1 - 0.001 * mine.adapt) * a + spikes
        loss = loss + (spikes * weight).sum()
    loss.backward()
    for name in ("current", "potential", "adaptation", "mem", "threshold", "adapt", "beta"):
        torch.testing.assert_close(leaves.named()[name].grad, mine.named()[name].grad, rtol=1e-9, atol=1e-12)
        assert mine.named()[name].grad.any(), name


def _contributions(case: Case, name: str, leaves: Leaves) -> torch.Tensor:
    """The sum of the absolute gradients of a constant of each neuron at each time step, shaped like the constant."""
    constant = getattr(leaves, name)
    each = constant.detach().expand(case.time, *case.shape).clone().requires_grad_()
    state, outputs = leaves.initial, []
    for t, now in enumerate(leaves.seen.expand(case.time, *case.shape).detach()):
        setattr(leaves, name, each[t])
        step = scan_module._STEPS[type(leaves.parameters)]
        output, state = step(now, state or scan_module._at_rest(now, leaves.parameters), leaves.parameters, 0.001)
        outputs.append(output)
    (torch.stack(outputs) * leaves.weights).sum().backward()
    setattr(leaves, name, constant)
    return each.grad.abs().sum(0).sum_to_size(constant.shape).clamp(min=0.1)  # tails of 1 - tanh^2 are rounded


def cases(neurons=NEURONS, methods=SURROGATES):
    return [(n, m) for n, m in itertools.product(neurons, methods) if n != "readout" or m == "super"]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("neuron", "method"), cases())
def test_spikes_and_gradients_are_those_of_the_loop(neuron, method, way):
    for width, dtype in itertools.product((0.3, 1.0, 2.5), TOLERANCE):
        case = Case(neuron, Surrogate(method, width), constants="by channel", starts=True, dtype=dtype)
        output = assert_same(case, way)
        assert neuron == "readout" or 0.05 < float(output.detach().mean()) < 0.95


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("neuron", NEURONS)
def test_every_layout_of_the_current_and_every_sharing_of_constants_is_the_same(neuron, layout, way):
    for constants in SHARINGS:
        for time in (1, 4):
            assert_same(Case(neuron, Surrogate("super", 0.7), layout, constants, time == 4, time), way)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("neuron", NEURONS)
def test_active_updates_are_those_that_the_loop_counts(neuron, layout, way):
    for starts, gradients in itertools.product((False, True), (False, True)):
        leaves = Leaves(Case(neuron, Surrogate(), layout, starts=starts, shape=(3, 5, 24, 17)))
        with torch.no_grad():
            leaves.current *= torch.rand(leaves.current.shape) < 0.1
            leaves.potential *= leaves.potential > 1
            leaves.synaptic *= leaves.synaptic > 1
            leaves.adaptation *= leaves.adaptation > 1.3
        ours, norses = torch.full((2, 5), 7)
        with use_backend(way), torch.set_grad_enabled(gradients):
            scan(leaves.seen, leaves.parameters, time_steps=5, initial=leaves.initial, updates=ours)
        looped_scan(leaves.seen.expand(5, 3, 5, 24, 17), leaves.parameters, initial=leaves.initial, updates=norses)
        assert torch.equal(ours, norses)
        assert 7 < int(norses[0]) < leaves.current[0].numel() + 7


@settings(deadline=None, max_examples=40, derandomize=True)
@given(
    neuron=st.sampled_from(NEURONS),
    method=st.sampled_from(SURROGATES),
    width=st.floats(0.25, 4.0),
    layout=st.sampled_from(LAYOUTS),
    constants=st.sampled_from(SHARINGS),
    starts=st.booleans(),
    time=st.integers(1, 64),
    shape=st.tuples(st.integers(1, 3), st.integers(1, 5), st.integers(1, 5), st.integers(1, 4)),
    dtype=st.sampled_from(list(TOLERANCE)),
    way=st.sampled_from(WAYS),
    seed=st.integers(0, 9),
)
def test_anything_random_is_the_same(way, method, width, **given):
    assert_same(Case(surrogate=Surrogate(method, width), **given), way)


@pytest.mark.slow
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("neuron", "method"), cases())
def test_every_combination_is_the_same(neuron, method, way):
    """Widths take turns, as they only scale a derivative; many steps are tried once with each layout and sharing."""
    few, many = itertools.product((1, 2, 5), LAYOUTS, SHARINGS), zip((64,) * 5, LAYOUTS, SHARINGS, strict=True)
    widths = itertools.cycle((0.25, 1.0, 4.0))
    for (time, layout, constants), width in zip(itertools.chain(few, many), widths, strict=False):
        case = Case(neuron, Surrogate(method, width), layout, constants, True, time, dtype=torch.float64)
        assert_same(case, way)  # in single precision the reference's own 1 - tanh^2 is rounded by more than 1e-5


@pytest.mark.parametrize("neuron", NEURONS)
def test_many_blocks_of_neurons_on_any_number_of_threads_are_the_same(neuron):
    case = Case(neuron, Surrogate("tanh", 0.5), "channels last", "by channel", True, 4, (3, 24, 17, 13))
    results = []
    try:
        for threads in (1, 2, 3):
            torch.set_num_threads(threads)
            leaves = Leaves(case)
            output = scan(leaves.seen, leaves.parameters, initial=leaves.initial)
            (output * leaves.weights).sum().backward()
            results.append((output, *(leaf.grad for leaf in leaves.named().values() if leaf.grad is not None)))
    finally:
        torch.set_num_threads(1)
    for other in results[1:]:
        for ours, theirs in zip(results[0][:2], other[:2], strict=True):
            assert torch.equal(ours, theirs)
        for ours, theirs in zip(results[0][2:], other[2:], strict=True):
            torch.testing.assert_close(ours, theirs)
    assert_same(case, "fastest")


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("constants", ["shared", "by channel"])
def test_the_gradient_of_the_readout_is_the_derivative(way, constants):
    leaves = Leaves(Case("readout", Surrogate(), "plain", constants, True, 3, (2, 2, 1, 2), torch.float64))

    def potentials(current, mem, potential):
        with use_backend(way):
            return scan(current, LIBoxParameters(mem, torch.zeros(())), initial=LIBoxState(potential))

    assert torch.autograd.gradcheck(potentials, (leaves.current, leaves.mem / 500, leaves.potential))


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("neuron", NEURONS[:-1])
def test_gradients_flow_as_far_below_the_threshold_as_the_surrogate_reaches(neuron, way):
    """Triangles end one width below the threshold: potentials lie within 1e3 of 0, and the threshold is at 1e3."""
    for width, flows in ((1.0, False), (2e3, True)):
        leaves = Leaves(Case(neuron, Surrogate("triangle", width), time=3, shape=(2, 2, 1, 2), dtype=torch.float64))
        leaves.threshold = torch.tensor(1e3, dtype=torch.float64)
        with use_backend(way):
            spikes = scan(leaves.current, leaves.parameters)
        assert not spikes.any()
        spikes.sum().backward()
        assert bool((leaves.current.grad != 0).all()) == bool((leaves.current.grad != 0).any()) == flows


@pytest.mark.parametrize("way", WAYS)
def test_infinite_and_missing_currents_do_what_they_do_in_the_loop(way):
    parameters = Leaves(Case("lif_box", Surrogate())).parameters
    current = torch.tensor([math.inf, -math.inf, math.nan, 3e38, -0.0, 1e-45, 2.0])[:, None].repeat(1, 3)
    with use_backend(way), torch.no_grad():
        output = scan(current, parameters)
        assert torch.equal(output, looped_scan(current, parameters))


@pytest.mark.parametrize("way", WAYS)
def test_the_gradient_may_lie_in_any_way(way):
    leaves = Leaves(Case("lif", Surrogate(), "channels last", time=4))
    with use_backend(way):
        output = scan(leaves.seen, leaves.parameters)
    expected = looped_scan(leaves.seen, leaves.parameters)
    for weigh in (lambda z: z.mean((0, -1, -2)), lambda z: z[..., 0], lambda z: z.mean(0), lambda z: z.transpose(1, 4)):
        ours, theirs = (
            torch.autograd.grad((weigh(z) ** 2).sum(), leaves.current, retain_graph=True)[0] for z in (output, expected)
        )
        torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-6)


def test_a_static_current_is_not_copied_for_each_time_step():
    leaves = Leaves(Case("lif", Surrogate(), "static", time=50))
    kept = []
    with torch.autograd.graph.saved_tensors_hooks(lambda tensor: kept.append(tensor) or tensor, lambda tensor: tensor):
        scan(leaves.seen, leaves.parameters, time_steps=50)
    assert any(tensor.data_ptr() == leaves.current.data_ptr() and tensor.shape[0] == 1 for tensor in kept)


def test_only_the_membranes_are_kept_unless_constants_are_trained():
    leaves = Leaves(Case("lif_box", Surrogate()))
    leaves.mem, leaves.threshold = leaves.mem.detach(), leaves.threshold.detach()
    kept = []
    with torch.autograd.graph.saved_tensors_hooks(lambda tensor: kept.append(tensor) or tensor, lambda tensor: tensor):
        output = scan(leaves.seen, leaves.parameters)
    assert sum(tensor.numel() for tensor in kept if tensor.numel() > 1) == output.numel()


def test_leaks_and_resets_that_are_trained_take_norses_steps():
    leaves = Leaves(Case("lif_box", Surrogate()))
    leak = torch.tensor(0.1, requires_grad=True)
    scan(leaves.seen, leaves.parameters._replace(v_leak=leak)).sum().backward()
    assert leak.grad is not None
    assert float(leak.grad) != 0


def test_mixed_types_are_those_of_the_loop():
    leaves = Leaves(Case("lif", Surrogate(), constants="by channel", dtype=torch.float64))
    current = leaves.current.detach().float()
    ours, norses = scan(current, leaves.parameters), looped_scan(current, leaves.parameters)
    assert ours.dtype == norses.dtype == torch.float64
    assert torch.equal(ours, norses)


def test_constants_of_more_neurons_than_the_current_has_make_more_outputs():
    current, threshold = torch.full((3, 2, 1), 0.6), torch.tensor([0.5, 1.0, 2.0])
    parameters = IAFParameters(threshold, torch.zeros(()), Surrogate(), 1.0)
    assert torch.equal(scan(current, parameters), looped_scan(current, parameters))


@pytest.mark.parametrize("name", ["loop", "Fastest", "", None])
def test_an_unknown_backend_is_refused(name):
    with pytest.raises(OptionError, match="expected one of fastest, torch, looped"), use_backend(name):
        pass


def test_a_current_of_another_number_of_steps_is_refused():
    leaves = Leaves(Case("lif", Surrogate(), time=4))
    with pytest.raises(ValueError, match="1 or 6 time steps, got 4"):
        scan(leaves.seen, leaves.parameters, time_steps=6)


def test_without_a_compiler_the_spikes_are_the_same_and_one_warning_says_so_for_all_kernels(
    monkeypatch, caplog, tmp_path
):
    monkeypatch.setattr(compiler.shutil, "which", lambda name: None)
    monkeypatch.setattr(compiler, "_reasons", set())
    compiled_scan.cache_clear()
    event_convolution._library.cache_clear()
    try:
        with caplog.at_level(logging.WARNING):
            assert_same(Case("lif", Surrogate()), "fastest")
            assert event_convolution._library() is None
            assert_same(Case("lif", Surrogate()), "fastest")
    finally:
        compiled_scan.cache_clear()
        event_convolution._library.cache_clear()
    assert [record.getMessage().count("no C++ compiler") for record in caplog.records] == [1]
    assert "several times slower" in caplog.text


def test_without_a_compiler_a_cpu_loops_because_torchs_scan_is_slower(monkeypatch):
    monkeypatch.setattr(scan_module, "compiled_scan", lambda: None)
    looped, leaves = [], Leaves(Case("lif", Surrogate()))
    monkeypatch.setattr(scan_module, "looped_scan", lambda *args, **kwargs: looped.append(looped_scan(*args, **kwargs)))
    scan(leaves.seen, leaves.parameters)
    assert len(looped) == 1
    with use_backend("torch"):
        assert torch.equal(scan(leaves.seen, leaves.parameters), looped[0])
    assert len(looped) == 1
