from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from evonas.architecture.draft import Draft, Incoming
from evonas.architecture.neuron import Dynamics, Surrogate
from evonas.architecture.plan import INPUT, Plan
from evonas.errors import EvonasError
from evonas.snn.kernels.surrogates import spike
from evonas.snn.network import Network
from evonas.training.surrogate_search import Range, SurrogateSearch, samples_from

WHOLE = Range(0.25, 4.0)


class TwoNeurons(nn.Module):
    """One neuron 0.3 below its threshold that should fire, and one 3 above its own that should not, and costs more.

    A step can help the first only. A triangle narrower than 0.3 does not see it; one wider than 3 sees the second as
    well, on which most of the step is lost. In between all widths are alike.
    """

    def __init__(self, *, width: float) -> None:
        super().__init__()
        self.weights = nn.Parameter(torch.tensor([-0.3, 3.0]))
        self.register_buffer("passes", torch.zeros(()))
        self.surrogate = Surrogate("triangle", width)
        self.inputs = torch.linspace(0.9, 1.1, 16)

    @property
    def surrogate_widths(self) -> dict[str, float]:
        return {"only": self.surrogate.width}

    def set_surrogate_width(self, stage: str, width: float) -> None:
        assert stage == "only"
        self.surrogate = replace(self.surrogate, width=width)

    def losses(self, samples: Tensor) -> Tensor:
        self.passes += 1
        spikes = spike(self.inputs[samples, None] * self.weights, self.surrogate)
        return (1 - spikes[:, 0]) ** 2 + 10 * spikes[:, 1] ** 2


def trace(*, start: float, widths: Range = WHOLE, moves: int = 3) -> list[float]:
    network = TwoNeurons(width=start)
    search = SurrogateSearch(network, widths=widths, every=1)
    for _ in range(moves):
        search.move(network.losses, torch.arange(16), learning_rate=0.3)
    return [widths["only"] for widths in search.trace]


def test_a_width_that_does_not_see_what_would_help_grows() -> None:
    widths = trace(start=0.25)
    assert widths == pytest.approx([0.25, 0.25 * 2**0.5, 0.25 * 2**0.5, 0.25 * 2**0.5])


def test_a_width_that_sees_what_does_not_help_shrinks() -> None:
    widths = trace(start=4.0)
    assert widths[0] == 4.0
    assert 0.3 < widths[-1] < 3.0
    assert widths == sorted(widths, reverse=True)


def test_between_equals_a_width_stays() -> None:
    assert trace(start=1.0) == [1.0] * 4


@pytest.mark.parametrize(("start", "widths", "end"), [(0.25, Range(0.25, 0.31), 0.31), (4.0, Range(2.9, 4.0), 2.9)])
def test_a_width_stops_at_the_end_of_the_range(start: float, widths: Range, end: float) -> None:
    assert trace(start=start, widths=widths) == [start, end, end, end]


def test_a_width_outside_the_range_is_brought_into_it() -> None:
    assert trace(start=9.0, moves=0) == [4.0]
    assert trace(start=0.1, moves=0) == [0.25]


def test_a_move_changes_nothing_but_widths() -> None:
    network = TwoNeurons(width=0.25)
    network.losses(torch.arange(3)).sum().backward()
    before = [tensor.clone() for tensor in (network.weights, network.weights.grad, network.passes)]  # type: ignore[union-attr]
    random = torch.get_rng_state()
    search = SurrogateSearch(network, widths=WHOLE, every=1)
    search.move(network.losses, torch.arange(16), learning_rate=0.3)
    assert search.trace[0] != search.trace[1]
    after = (network.weights, network.weights.grad, network.passes)
    assert all(torch.equal(old, new) for old, new in zip(before, after, strict=True))  # type: ignore[arg-type]
    assert torch.equal(torch.get_rng_state(), random)


def test_a_loss_that_is_no_number_moves_nothing() -> None:
    network = TwoNeurons(width=0.25)
    network.inputs[3] = torch.nan
    search = SurrogateSearch(network, widths=WHOLE, every=1)
    search.move(lambda samples: network.losses(samples) * torch.nan, torch.arange(16), learning_rate=0.3)
    assert search.trace[0] == search.trace[1]


def test_it_is_due_every_so_many_steps() -> None:
    search = SurrogateSearch(TwoNeurons(width=1.0), widths=WHOLE, every=3)
    assert [step for step in range(1, 10) if search.is_due(step)] == [3, 6, 9]


def test_what_cannot_be_searched_is_refused() -> None:
    network = TwoNeurons(width=1.0)
    with pytest.raises(EvonasError, match="1 or more, got 0"):
        SurrogateSearch(network, widths=WHOLE, every=0)
    with pytest.raises(EvonasError, match="got 3"):
        SurrogateSearch(network, widths=WHOLE, every=1).move(network.losses, torch.arange(3), learning_rate=0.1)


def test_samples_are_those_of_this_batch_and_the_next_round_the_end() -> None:
    order = torch.tensor([4, 2, 0, 1, 3])
    assert samples_from(order, first=0, batch_size=2).tolist() == [4, 2, 0, 1]
    assert samples_from(order, first=4, batch_size=2).tolist() == [3, 4, 2, 0]
    assert sorted(samples_from(order, first=3, batch_size=9).tolist()) == [0, 1, 2, 3, 4]


def plan(widths: tuple[float, float]) -> Plan:
    """Return two layers of neurons, the second of half the resolution."""
    first, second = (Dynamics("lif", surrogate=Surrogate("super", width)) for width in widths)
    draft = Draft((1, 8, 8), time_steps=3)
    draft.add("first", first, incoming=[Incoming("a", (INPUT,), "conv", channels=2, kernel=3)])
    draft.add("second", second, incoming=[Incoming("b", ("first",), "conv", channels=2, kernel=3, stride=2)])
    draft.add("readout", Dynamics("readout"), incoming=[Incoming("c", ("second",), "linear", channels=3)])
    return draft.finish()


def gradients(network: Network) -> tuple[Tensor, list[Tensor]]:
    data = torch.rand(1, 6, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    logits = network(data)
    trained = [parameter for parameter in network.parameters() if parameter.requires_grad]
    return logits, list(torch.autograd.grad(logits.square().sum(), trained))


@pytest.mark.parametrize(("stage", "widths"), [("8x8", (2.0, 1.0)), ("4x4", (1.0, 2.0))])
def test_a_stage_with_another_width_trains_like_a_network_that_was_built_with_it(
    stage: str, widths: tuple[float, float]
) -> None:
    network, other = Network(plan((1.0, 1.0))), Network(plan(widths))
    other.load_state_dict(network.state_dict())
    logits, before = gradients(network)  # what neurons remember of their numbers must not outlive the width
    network.set_surrogate_width(stage, 2.0)
    assert network.surrogate_widths == other.surrogate_widths == {"8x8": widths[0], "4x4": widths[1]}
    again, after = gradients(network)
    assert torch.equal(logits, again)
    assert not all(torch.equal(old, new) for old, new in zip(before, after, strict=True))
    assert all(torch.equal(new, built) for new, built in zip(after, gradients(other)[1], strict=True))
