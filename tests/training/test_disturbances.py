"""Disturbances: what they do to the weights that a chip holds, to neurons and to inputs, and that nothing of it stays."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from export_networks import drawn, held, images, loops_and_votes, settled, summing

from evonas.data.samples import Samples
from evonas.final.testing import under_disturbances
from evonas.snn.network import Network
from evonas.tasks.classification import Classification
from evonas.training.batches import Batches
from evonas.training.disturbances import USUAL, DeadNeurons, Disturbance, FewBits, LostInput, WeightNoise

SYNAPSES = ("conv", "dense", "linear", "flat_linear")


def networks() -> dict[str, Network]:
    data = images(16)
    found = {f"joint {index}": one for index, one in enumerate(drawn(3, data, seed=1, wanted=lambda plan: True))}
    found |= loops_and_votes(data)
    found |= {f"sums, {norm}": settled(summing(loop_norm=norm), data, seed=4) for norm in ("weights", "steps")}
    return found


NETWORKS = networks()


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("bits", [8, 4])
def test_few_bits_round_what_a_chip_holds_to_multiples_of_one_step_a_connection(name: str, bits: int) -> None:
    network = NETWORKS[name]
    before = held(network, operations=SYNAPSES)
    with FewBits(bits).applied(network, generator()):
        after = held(network, operations=SYNAPSES)
    assert before
    for edge, (weight, bias) in before.items():
        step = np.abs(weight).max() / (2 ** (bits - 1) - 1)
        steps = after[edge][0] / step
        np.testing.assert_allclose(steps, steps.round(), atol=1e-3)
        assert np.abs(after[edge][0] - weight).max() <= step * 0.501
        np.testing.assert_allclose(after[edge][1], bias, atol=1e-6)


@pytest.mark.parametrize("name", NETWORKS)
def test_noise_has_the_deviation_that_it_says_of_the_largest_weight_a_chip_holds(name: str) -> None:
    network = NETWORKS[name]
    before = held(network, operations=SYNAPSES)
    noise = []
    for draw in range(5):
        with WeightNoise(0.1).applied(network, generator(draw)):
            after = held(network, operations=SYNAPSES)
        noise += [(after[edge][0] - weight).ravel() / np.abs(weight).max() for edge, (weight, _) in before.items()]
    found = np.concatenate(noise)
    assert len(found) > 300
    assert found.std() == pytest.approx(0.1, rel=4 / (2 * len(found)) ** 0.5)
    assert abs(found.mean()) < 4 * 0.1 / len(found) ** 0.5


@pytest.mark.parametrize("name", NETWORKS)
def test_so_many_neurons_are_dead_whatever_reaches_them(name: str) -> None:
    network, steps = NETWORKS[name], NETWORKS[name].plan.time_steps
    mortal = [one for one in network.plan.populations if one.dynamics.is_spiking or one.dynamics.kind == "analog"]

    def silent() -> tuple[int, int]:
        """Return how many neurons stay silent under a strong current: all time steps at once, and step by step."""
        at_once, by_step = 0, 0
        for one in mortal:
            current = torch.full((steps, 1, *one.shape), 1e4)
            neuron = network.neurons[one.name]
            at_once += int((neuron(current) == 0).all(0).sum())
            state, outputs = None, []
            for now in current:
                output, state = neuron.step(now, state=state)
                outputs.append(output)
            by_step += int((torch.stack(outputs) == 0).all(0).sum())
        return at_once, by_step

    whole = sum(int(np.prod(one.shape)) for one in mortal)
    assert silent() == (0, 0)
    with torch.no_grad(), DeadNeurons(0.25).applied(network, generator()):
        assert silent() == (round(0.25 * whole),) * 2
    assert silent() == (0, 0)


@pytest.mark.parametrize("disturbance", USUAL, ids=lambda one: str(one.name))
@pytest.mark.parametrize("name", ["joint 0", "loop 0", "votes of linear", "sums, steps"])
def test_nothing_of_a_disturbance_stays_and_the_draw_decides_on_it(name: str, disturbance: Disturbance) -> None:
    network, data = NETWORKS[name], images(16)

    def answers(seed: int) -> torch.Tensor:
        draws = generator(seed)
        with torch.no_grad(), disturbance.applied(network, draws):
            return network(disturbance.seen(data, draws))

    with torch.no_grad():
        before = network(data)
    state = {part: tensor.clone() for part, tensor in network.state_dict().items()}
    first = answers(1)
    assert torch.equal(first, answers(1))
    assert torch.equal(first, answers(2)) != disturbance.is_random
    with torch.no_grad():
        assert torch.equal(network(data), before)
    assert all(torch.equal(tensor, state[part]) for part, tensor in network.state_dict().items())
    assert not torch.equal(first, before)


def test_of_frames_each_event_is_lost_on_its_own_and_of_images_whole_pixels() -> None:
    frames = torch.randint(0, 5, (4, 50, 2, 8, 8), generator=generator()).float()
    left = LostInput(0.3).seen(frames, generator(1))
    assert bool(((left <= frames) & (left >= 0) & (left == left.floor())).all())
    lost = 1 - left.sum().item() / frames.sum().item()
    assert lost == pytest.approx(0.3, abs=4 * (0.3 * 0.7 / frames.sum().item()) ** 0.5)
    assert bool(((left > 0) & (left < frames)).any())
    picture = images(50)
    seen = LostInput(0.3).seen(picture, generator(1))
    assert bool(((seen == picture) | (seen == 0)).all())
    there = int((picture != 0).sum())
    gone = int(((seen == 0) & (picture != 0)).sum()) / there
    assert gone == pytest.approx(0.3, abs=4 * (0.3 * 0.7 / there) ** 0.5)


def test_mean_and_spread_are_those_of_the_draws_and_the_seed_decides_on_them() -> None:
    data = images(64)
    samples = Batches(Samples(data.transpose(0, 1).numpy(), np.arange(64) % 10), torch.device("cpu"))

    def found(seed: int) -> list[dict[str, object]]:
        return under_disturbances(
            NETWORKS["joint 0"],
            samples,
            Classification(10),
            seed=seed,
            disturbances=(WeightNoise(0.3), FewBits(3), DeadNeurons(0.3)),
            draws=4,
        )

    first = found(1)
    assert first == found(1)
    assert first != found(2)
    assert [len(one["values"]) for one in first] == [4, 1, 4]  # type: ignore[arg-type]
    for one in first:
        values = np.array(one["values"])
        assert one["mean"] == pytest.approx(values.mean())
        assert one["std"] == (None if len(values) == 1 else pytest.approx(values.std(ddof=1)))
