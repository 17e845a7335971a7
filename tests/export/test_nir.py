"""NIR files: every spike of every neuron, and what tools make of the same file."""

from __future__ import annotations

import importlib.util
import re
from dataclasses import replace
from functools import partial
from pathlib import Path

import nir
import numpy as np
import pytest
import torch
from export_networks import drawn, images, says_nir, settled, summing, voting
from torch import Tensor

from evonas.architecture.attention import add_attention
from evonas.architecture.draft import Draft, Incoming
from evonas.architecture.neuron import Dynamics
from evonas.architecture.plan import INPUT, Plan
from evonas.errors import EvonasError, RunFileError
from evonas.export.check import nir_export
from evonas.export.comparison import Comparison, compared, deployed, traced, traced_file
from evonas.export.folded import folded
from evonas.export.nir_graph import DT, is_chain, nir_graph, read, readout_weights, refusals, to_bytes
from evonas.export.nir_interpreter import output_name, run_nir
from evonas.export.targets import TARGETS, compiled_by, run_in
from evonas.snn.network import Network
from spaces.recurrent import space as recurrent
from spaces.snasnet import space as snasnet
from spaces.spatial_temporal import space as joint
from spaces.sts import space as sts

TOOLS = [name for name in ("snntorch", "spikingjelly", "norse") if importlib.util.find_spec(name)]


def written(network: Network, folder: Path) -> Path:
    path = folder / "network.nir"
    path.write_bytes(to_bytes(nir_graph(folded(network), about={"key": "0123"})))
    return path


def of_file(network: Network, path: Path, data: Tensor) -> tuple[Comparison, Comparison]:
    """Return the file against the network with its numbers, and against the network as it is."""
    found = traced_file(read(path), folded(network), data.double())
    return compared(traced(deployed(network), data.double()), found), compared(traced(network, data), found)


def rate(network: Network, data: Tensor) -> float:
    spikes = traced(network, data).spikes.values()
    return float(sum(one.sum() for one in spikes) / sum(one.numel() for one in spikes))


def in_tools(network: Network, path: Path, data: Tensor) -> dict[str, int]:
    """Return how many currents of the readout differ in each tool that takes the file."""
    graph = read(path)
    steps = network.plan.time_steps
    outputs = run_nir(graph, data.double(), time_steps=steps, dt=DT).outputs[output_name(graph)]
    return {
        name: run_in(TARGETS[name], path, data, outputs).differing
        for name in TOOLS
        if not TARGETS[name].refusals(graph)
    }


def check(network: Network, folder: Path, data: Tensor, *, shown: int) -> set[str]:
    """Check a network in the interpreter and in the tools, and return these."""
    path = written(network, folder)
    assert 0.005 < rate(network, data) < 0.9
    exact, trained = of_file(network, path, data)
    assert exact.is_equal, exact
    assert exact.decisions > 1000
    if trained.first is not None:  # rounding alone, at a potential that is as good as its threshold
        assert trained.first.margin is not None
        assert trained.first.margin < 1e-5, trained
        assert trained.apart <= 0.05 * trained.samples, trained
    nir.read(path)  # shapes fit by NIR's own rules as well
    differing = in_tools(network, path, data[:, :shown])
    assert set(differing.values()) <= {0}, differing
    return set(differing)


def test_spikes_of_random_networks_are_those_of_their_files_in_the_interpreter_and_in_tools(tmp_path: Path) -> None:
    data = images(40)
    asked = [check(network, tmp_path, data, shown=16) for network in drawn(4, data, seed=3, wanted=says_nir)]
    assert all({"snntorch", "spikingjelly"} & set(TOOLS) <= tools for tools in asked)


def test_event_frames_are_shown_one_a_time_step(tmp_path: Path) -> None:
    torch.manual_seed(0)
    data = torch.poisson(torch.full((4, 20, 2, 8, 8), 0.4))
    for network in drawn(2, data, seed=5, wanted=says_nir):
        check(network, tmp_path, data, shown=20)


@pytest.mark.slow
def test_spikes_of_twenty_random_networks_are_equal_on_the_whole_test_set(tmp_path: Path) -> None:
    data = images(359)
    asked = [check(network, tmp_path, data, shown=64) for network in drawn(20, data, seed=0, wanted=says_nir)]
    assert all({"snntorch", "spikingjelly"} & set(TOOLS) <= tools for tools in asked)
    assert any("norse" in tools for tools in asked)


def test_recurrent_networks_with_delays_are_equal_in_the_interpreter(tmp_path: Path) -> None:
    def wanted(plan: Plan) -> bool:
        return says_nir(plan) and bool(plan.stepped) and plan.time_steps < 30

    torch.manual_seed(0)
    data = (torch.rand(12, 16, 20, 1, 1) < 0.3).float()
    for network in drawn_recurrent(3, data, wanted):
        exact, _ = of_file(network, written(network, tmp_path), data)
        assert exact.is_equal, exact
        assert rate(network, data) > 0.02


def drawn_recurrent(count: int, data: Tensor, wanted: object) -> list[Network]:
    rng, found = np.random.default_rng(1), []
    narrowed = recurrent.narrowed({"time_steps": [len(data), len(data)]})
    while len(found) < count:
        shape = (len(data), *data.shape[2:])
        genotype = narrowed.sample(rng)
        assert recurrent.plan is not None
        assert recurrent.build is not None
        if wanted(recurrent.plan(genotype, shape, 5)):  # type: ignore[operator]
            torch.manual_seed(len(found))
            found.append(settled(recurrent.build(genotype, shape, 5), data, seed=len(found)))
    return found


def test_loops_with_several_entries_are_refused_and_those_of_one_node_are_said() -> None:
    rng = np.random.default_rng(3)
    for nodes, first in (
        (1, ""),
        (2, "loops with several entries (cell1/node0/back, cell1/node1/back, cell2/node0/back"),
    ):
        given = {"nodes": nodes, "layers": 2, "feedback": "all"}
        kinds = {f"stage{stage}.kind": "lif" for stage in range(3)}
        edges = {f"node{node}.{letter}.{part}": value for node in range(2) for letter in "ab"
                 for part, value in (("from", "s1" if letter == "a" else "s0"), ("op", "conv3"))}  # fmt: skip
        plan = joint.plan(joint.canonical({**joint.fill({}, rng), **given, **kinds, **edges}), (1, 8, 8), 10)  # type: ignore[misc]
        assert "; ".join(refusals(plan)).startswith(first)
        assert bool(refusals(plan)) == bool(first)


def loop() -> Network:
    """Return a network whose second layer is read by the first one a step later."""
    draft = Draft((1, 8, 8), time_steps=5)
    neurons = Dynamics("lif_box", tau_mem_ms=2.0, v_th=0.3)
    draft.add("first", neurons, incoming=[Incoming("first/in", (INPUT,), "conv", channels=4, kernel=3)])
    draft.add("second", neurons, incoming=[Incoming("second/in", ("first",), "conv", channels=4, kernel=3)])
    draft.connect("first", Incoming("first/back", ("second",), "conv", channels=4, kernel=3, delay=1))
    draft.add("readout", Dynamics("readout"), incoming=[Incoming("linear", ("second",), "linear", channels=10)])
    torch.manual_seed(0)
    return Network(draft.finish())


@pytest.mark.skipif("snntorch" not in TOOLS or "spikingjelly" not in TOOLS, reason="snntorch and spikingjelly needed")
def test_a_loop_of_one_step_is_equal_in_two_tools(tmp_path: Path) -> None:
    data = images(32)
    network = settled(loop(), data, seed=0)
    assert check(network, tmp_path, data, shown=32) == {"snntorch", "spikingjelly"}
    alone = traced(network, data).logits
    with torch.no_grad():
        network.operations["first/back"].norm.weight.zero_()  # type: ignore[union-attr, operator]
    assert not torch.equal(traced(network, data).logits, alone)  # what comes back matters


@pytest.mark.parametrize("head", ["neurons", "linear", "flat_linear"])
def test_votes_are_equal_in_the_interpreter_and_in_tools(head: str, tmp_path: Path) -> None:
    data = images(32)
    tools = check(settled(voting(head), data, seed=0), tmp_path, data, shown=32)
    assert {"snntorch", "spikingjelly"} & set(TOOLS) <= tools


CIFAR_10 = "0303 0030 2002 0200"
"""The cell that SNASNet publishes."""


@pytest.mark.parametrize("loop_norm", ["weights", "steps"])
@pytest.mark.parametrize(
    "code", ["0303 0010 2002 0400", "0104 0030 0001 0000", "0003 1000 0000 0400", CIFAR_10, "0033 2000 0003 0000"]
)
def test_sums_of_currents_and_norms_are_equal_in_the_interpreter(code: str, loop_norm: str, tmp_path: Path) -> None:
    data = images(24)
    network = settled(summing(code, loop_norm=loop_norm), data, seed=0)
    exact, _ = of_file(network, written(network, tmp_path), data)
    assert exact.is_equal, exact
    assert 0.02 < rate(network, data) < 0.9


def test_random_cells_with_feedback_are_refused_or_equal(tmp_path: Path) -> None:
    data, rng, said = images(8), np.random.default_rng(1), 0
    narrow = snasnet.narrowed({"channels": [8], "hidden": [128], "stem.stride": [1]})
    for seed in range(14):
        genotype = narrow.sample(rng)
        assert snasnet.build is not None
        torch.manual_seed(seed)
        network = settled(snasnet.build(genotype, (1, 8, 8), 10), data, seed=seed)
        if not refusals(network.plan):
            exact, _ = of_file(network, written(network, tmp_path), data)
            assert exact.is_equal, (genotype, exact)
            said += bool(network.plan.stepped)
    assert said >= 3
    assert [text.split(" (")[0] for text in refusals(summing("0003 0030 0003 0300").plan)] == [
        "connections without a delay that close a loop"
    ]
    assert [text.split(":")[0] for text in refusals(summing(CIFAR_10).plan)] == [
        "loops with several entries (cell/edge31)"
    ]


def test_a_bias_that_would_come_a_step_late_is_refused_by_name(tmp_path: Path) -> None:
    draft = Draft((1, 4, 4), time_steps=4)
    neurons = Dynamics("lif_box", v_th=0.5)
    conv = partial(Incoming, operation="conv", channels=2)
    draft.add("x", neurons, incoming=[conv("in", (INPUT,))])
    draft.add("y", neurons, incoming=[conv("xy", ("x",), delay=1)])
    draft.add("z", neurons, incoming=[conv("yz", ("y",))])
    draft.connect("x", conv("yx", ("y",), delay=1))
    draft.connect("y", conv("zy", ("z",), delay=1))
    draft.add("readout", Dynamics("readout"), incoming=[Incoming("out", ("z",), "linear", channels=3)])
    network = settled(Network(draft.finish()), torch.rand(1, 8, 1, 4, 4), seed=0)
    with pytest.raises(
        EvonasError, match="The connection zy closes a loop and alone could have the bias of its target"
    ):
        written(network, tmp_path)


def test_a_loop_that_tools_would_enter_on_the_wrong_side_is_refused_by_name(tmp_path: Path) -> None:
    data = images(8)
    network = settled(summing("0003 0030 0003 0300"), data, seed=0)
    with pytest.raises(
        EvonasError, match=r"The connection cell/edge23 has no delay and closes a loop as tools read NIR"
    ):
        written(network, tmp_path)


def test_means_of_windows_that_the_border_cuts_off_are_refused_by_name() -> None:
    draft = Draft((1, 5, 4), time_steps=2)
    draft.add("means", Dynamics("relay"), incoming=[Incoming("cut", ("input",), "pool", kernel=2, stride=2)])
    draft.add("readout", Dynamics("readout"), incoming=[Incoming("out", ("means",), "linear", channels=2)])
    plan = draft.finish()
    assert refusals(plan) == [
        "means (cut) of windows cut off at the border: NIR has no such pool; expected a height and a width that the "
        "windows divide"
    ]
    with pytest.raises(EvonasError, match="The connection cut is a pool of real elements.*no synapses can be made"):
        folded(Network(plan))


def test_constants_are_written_as_all_tools_read_them(tmp_path: Path) -> None:
    draft = Draft((1, 4, 4), time_steps=2)
    draft.add(
        "a",
        Dynamics("lif_box", tau_mem_ms=4.0, v_th=0.5),
        incoming=[Incoming("a/in", (INPUT,), "conv", channels=2, kernel=3)],
    )
    draft.add("b", Dynamics("integrate_and_fire"), incoming=[Incoming("b/in", ("a",), "pool", kernel=3)])
    draft.add("c", Dynamics("lif", tau_mem_ms=2.0, tau_syn_ms=5.0), incoming=[Incoming("c/in", ("b",), "skip")])
    draft.add(
        "readout", Dynamics("readout", tau_mem_ms=2.0), incoming=[Incoming("linear", ("c",), "linear", channels=3)]
    )
    graph = read(written(Network(draft.finish()).eval(), tmp_path))
    constants = {
        name: [np.unique(getattr(graph.nodes[name], part)).item() for part in ("tau_mem", "tau_syn", "r", "w_in")]
        for name in "abc"
    }
    above = float(np.nextafter(np.float32(1e-4), np.float32(1)))
    assert constants["a"] == pytest.approx([4e-4, above, 4.0, 1.0])
    assert constants["b"] == pytest.approx([1e3, above, 1e7, 1.0])
    assert constants["c"] == pytest.approx([2e-4, 5e-4, 2.0, 5.0])
    assert np.unique(graph.nodes["a"].v_threshold).item() == np.nextafter(np.float32(0.5), np.float32(1))
    assert graph.nodes["a"].tau_syn.min() > np.float32(1e-4)  # or SpikingJelly refuses
    assert {graph.nodes["b_in"].groups, graph.nodes["c_in"].groups} == {1}
    assert is_chain(graph)
    about = {name: text if isinstance(text, str) else text.decode() for name, text in graph.metadata.items()}
    assert about["key"] == "0123"
    assert about["time_step_ms"] == "1.0"
    assert about["readout_weights"] == str(list(readout_weights(0.5, 2)))


def of_channels(*, v_th: float | tuple[float, ...] = 0.2) -> Network:
    """Return a chain of layers whose channels have time constants of their own, the last one a synaptic current too."""
    draft = Draft((1, 8, 8), time_steps=5)
    taus = (1.0, 1.25, 1.6, 2.0)
    draft.add(
        "first",
        Dynamics("lif_box", tau_mem_ms=taus, v_th=v_th),
        incoming=[Incoming("first/in", (INPUT,), "conv", channels=4, kernel=3)],
    )
    draft.add(
        "second",
        Dynamics("lif", tau_mem_ms=taus, tau_syn_ms=taus[::-1], v_th=v_th),
        incoming=[Incoming("second/in", ("first",), "pool", kernel=3)],
    )
    draft.add("readout", Dynamics("readout"), incoming=[Incoming("readout/in", ("second",), "linear", channels=10)])
    torch.manual_seed(0)
    return settled(Network(draft.finish()), images(40), seed=0)


@pytest.mark.parametrize("v_th", [0.2, (0.15, 0.2, 0.25, 0.3)])
def test_constants_of_channels_are_written_for_each_and_are_equal_in_the_tools_that_read_them(
    v_th: float | tuple[float, ...], tmp_path: Path
) -> None:
    data, network = images(40), of_channels(v_th=v_th)
    path = written(network, tmp_path)
    graph = read(path)
    taus = np.float32([1e-4, 1.25e-4, 1.6e-4, 2e-4])
    assert graph.nodes["first"].tau_mem.shape == (4, 8, 8)
    assert graph.nodes["first"].tau_mem[:, 3, 3] == pytest.approx(taus)
    assert graph.nodes["second"].tau_syn[:, 0, 0] == pytest.approx(taus[::-1])
    rates = traced(network, data).spikes
    assert all(float(spikes[:, :, channel].mean()) > 0.02 for spikes in rates.values() for channel in range(4))
    exact, trained = of_file(network, path, data)
    assert exact.is_equal, exact
    assert trained.differing <= 1e-4 * trained.decisions, trained
    differing = in_tools(network, path, data)
    takes = {"norse"} if isinstance(v_th, tuple) else {"norse", "snntorch"}
    assert differing == dict.fromkeys(takes & set(TOOLS), 0)


def test_constants_of_groups_that_were_searched_are_written_for_each_channel(tmp_path: Path) -> None:
    only = {"stage*.kind": ["lif_box"], "stage*.constants": ["channels"], "feedback": ["none"], "channels": [8]}
    data = images(40)
    (network,) = drawn(1, data, seed=2, wanted=says_nir, space=sts.narrowed(only))
    path = written(network, tmp_path)
    stem = network.plan.populations[0]
    assert len(set(stem.dynamics.tau_mem_ms)) == 4
    assert read(path).nodes["stem"].tau_mem[:, 0, 0] == pytest.approx(np.float32(stem.dynamics.tau_mem_ms) * 1e-4)
    exact, _ = of_file(network, path, data)
    assert exact.is_equal, exact
    assert rate(network, data) > 0.02


@pytest.mark.parametrize(
    ("target", "told"),
    [
        ("spikingjelly", r"first.tau_mem, first.v_threshold, second.tau_mem, second.tau_syn, second.v_threshold"),
        ("snntorch", r"first.v_threshold, second.v_threshold"),
        ("snn-mlir", r"first.tau_mem"),
    ],
)
def test_a_tool_that_shares_the_constants_of_a_layer_refuses_those_of_channels_by_name(target: str, told: str) -> None:
    network = of_channels(v_th=(0.3, 0.4, 0.5, 0.6))
    refused = TARGETS[target].refusals(nir_graph(folded(network), about={}))
    assert len(refused) == 1
    assert re.search(
        rf"{target} takes one constant for all neurons .*differ .{told}.*--target norse, or no", refused[0]
    )
    assert TARGETS["norse"].refusals(nir_graph(folded(network), about={})) == []


def test_what_only_compiles_a_file_says_so_or_why_it_cannot(tmp_path: Path) -> None:
    pytest.importorskip("snn_mlir")
    target = TARGETS["snn-mlir"]
    neurons = Dynamics("lif_box", tau_mem_ms=2.0, v_th=0.3)
    draft = Draft((1, 8, 8), time_steps=5)
    draft.add("first", neurons, incoming=[Incoming("first/conv", (INPUT,), "conv", channels=4, kernel=3)])
    readout = Incoming("readout/out", ("first",), "flat_linear", channels=10)
    draft.add("readout", Dynamics("readout", tau_mem_ms=1.0), incoming=[readout])
    path = written(settled(Network(draft.finish()), images(8), seed=0), tmp_path)
    assert target.refusals(read(path)) == []
    assert re.fullmatch(r"snn-mlir \S+ compiles it; .* not run here\.", compiled_by(target, path))
    path.write_bytes(b"no graph")
    with pytest.raises(EvonasError, match="snn-mlir cannot compile"):
        compiled_by(target, path)


def test_a_file_that_says_something_else_is_found_out_with_its_place(tmp_path: Path) -> None:
    data = images(8)
    network = settled(loop(), data, seed=0)
    graph = nir_graph(folded(network), about={})
    graph.nodes["second_in"].weight[2] += 0.5
    found = traced_file(graph, folded(network), data.double())
    comparison = compared(traced(deployed(network), data.double()), found)
    assert comparison.differing > 0
    assert comparison.first is not None
    assert comparison.first.population == "first" or comparison.first.neuron[0] == 2
    assert "first in" in str(comparison)
    same = compared(found, found)
    assert (same.is_equal, same.first) == (True, None)


@pytest.mark.parametrize(
    ("dynamics", "told"),
    [
        (Dynamics("analog"), "analog neurons .first.: NIR has no rectified"),
        (Dynamics("lif_box", reset="subtract"), "reset by subtraction .first."),
    ],
)
def test_what_nir_cannot_say_is_refused_by_name_with_what_would_be_possible(dynamics: Dynamics, told: str) -> None:
    plan = loop().plan
    first = replace(plan.populations[0], dynamics=dynamics)
    network = Network(replace(plan, populations=(first, *plan.populations[1:]))).eval()
    with pytest.raises(RunFileError, match=f"--to nir: {told}.*--to onnx"):
        nir_export(network, images(2), about={})


def test_gates_of_attention_are_refused_by_name_by_both_formats() -> None:
    draft = Draft((1, 8, 8), time_steps=3)
    draft.add("spikes", Dynamics("lif_box"), incoming=[Incoming("conv", (INPUT,), "conv", channels=2, kernel=3)])
    gated = add_attention(draft, "spikes", "binary_eca")
    draft.add("readout", Dynamics("readout"), incoming=[Incoming("linear", (gated,), "linear", channels=3)])
    network = Network(draft.finish()).eval()
    with pytest.raises(RunFileError, match=r"--to nir: gates of attention .spikes/binary_eca/gate.: NIR has no prod"):
        nir_export(network, images(2), about={})
    with pytest.raises(EvonasError, match=r"spikes/binary_eca/gate is a gate of attention .*without attention"):
        folded(network)


def test_what_a_tool_cannot_take_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(RunFileError, match="--target norse takes chains.*--target snntorch or spikingjelly"):
        nir_export(settled(loop(), images(4), seed=0), images(4), about={}, targets=["norse"])


def test_the_weights_of_the_readout_on_the_host_are_those_of_a_leaky_integrator() -> None:
    from evonas.export.comparison import host_readout

    currents = torch.rand(6, 3, 4, dtype=torch.float64)
    weights = torch.tensor(readout_weights(0.3, 6), dtype=torch.float64)
    assert torch.allclose(host_readout(currents, decay=0.3), torch.einsum("t,tbc->bc", weights, currents))


def test_a_neuron_that_cannot_be_run_in_a_tool_is_told(tmp_path: Path) -> None:
    (tmp_path / "no.nir").write_text("nothing")
    with pytest.raises(EvonasError, match="no NIR file that can be read"):
        read(tmp_path / "no.nir")
    with pytest.raises(EvonasError, match="norse cannot run"):
        run_in(TARGETS["norse"], tmp_path / "no.nir", images(1), torch.zeros(1, 1, 10, 1, 1))
