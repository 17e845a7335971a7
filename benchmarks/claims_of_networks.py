"""What helps a network: backward edges, searched surrogate gradients, time constants and attention."""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from choices import completed
from claims import Claim, Effect, Setting, accuracies, accuracy, over_networks, ratio_over_networks
from paired import drawn, result_of

from evonas.architecture.constant import SCOPES
from evonas.architecture.neuron import PARAMETERS
from evonas.architecture.plan import Plan, PlannedPopulation
from evonas.data.dataset import SearchData
from evonas.errors import UnpriceableError
from evonas.genotype import Genotype
from evonas.snn.planned import planned
from evonas.space import Space
from evonas.training.training_settings import Training
from objectives import energy
from spaces.spatial_temporal import space as whole
from spaces.sts import space as sts

MOST_OPERATIONS = 3e6
SEARCH_EVERY = 20
"""Training steps between two searches of surrogate gradients: two or three times an epoch."""

TRIES = 4
"""Time constants that are tried for a network."""

TAU_MS = 2.0
CHIPS = ("arith45_fp32", "sram45_int8")


def _pairs(setting: Setting, space: Space, name: str, plain: str) -> list[tuple[Genotype, Genotype]]:
    """Return networks that have something, behind themselves without it.

    Args:
        setting: Says how many.
        space: Draws them.
        name: End of the variables that say what they have.
        plain: Their value without it.
    """
    found: list[tuple[Genotype, Genotype]] = []
    for one in drawn(space, setting.for_search, count=8 * setting.networks, most=math.inf, seed=11):
        values = {variable: plain for variable in space.variables if variable.endswith(name)}
        other = completed(space, one, values, seed=0)
        if other != one:
            found.append((other, one))
    return found[: setting.networks]


def feedback(setting: Setting) -> list[Effect]:
    """Return what edges that lead back are worth: the same cells with all edges leading forward, as many operations."""
    space = setting.space("snasnet")
    pairs = _pairs(setting, space, ".direction", "forward")
    sides = [accuracies(setting, space, [pair[side] for pair in pairs], setting.training) for side in (0, 1)]
    return [over_networks("backward edges - the same edges forward", *sides)]


def surrogates(setting: Setting) -> list[Effect]:
    """Return what a search of surrogate gradients is worth against longer training for as many sample-steps."""
    space, data = setting.space("spike_dhs"), setting.for_search
    networks = drawn(space, data, count=setting.networks, most=math.inf, seed=11)
    searching = Training(epochs=setting.epochs, search_surrogates_every=SEARCH_EVERY)
    plain, searched = [], []
    for one in networks:
        after, before = [], []
        for seed in range(setting.seeds):
            result = result_of(space, data, one, searching, seed=seed)
            guess = 1 / data.task.outputs
            after.append(guess if result is None else result.measurement.accuracy)
            spent = setting.epochs if result is None else result.sample_steps / _epoch(data, one)
            before.append(accuracy(space, data, one, Training(epochs=max(1, round(spent))), seed=seed))
        plain.append(float(np.mean(before)))
        searched.append(float(np.mean(after)))
    return [over_networks("searched surrogates - longer training, equal sample-steps", plain, searched)]


def _epoch(data: SearchData, network: Genotype) -> float:
    return len(data.train) * float(network["time_steps"])


def constants(setting: Setting) -> list[Effect]:
    """Return what time constants are worth: searched by stage, and trained with the weights by layer and by channel.

    A search tries several sets of time constants and keeps the network that validates best; against it the network
    with one constant for all is trained as often from other weights, and the best is kept as well. What is kept is
    compared on test samples, which neither side has chosen by. So are sets by stage with sets by group of channels.
    """
    space = whole.without(["adaptive", "feedback", "attention"]).narrowed({"stage*.kind": ["lif_box"]})
    data, training = setting.for_search, setting.training
    names = [name for name in space.variables if name.endswith(".tau_mem") and name.startswith("stage")]
    networks = drawn(space, data, count=setting.networks, most=MOST_OPERATIONS, seed=11,
                     **{name.replace(".", "__"): TAU_MS for name in names})  # fmt: skip
    rng = np.random.default_rng(0)
    fixed, searched = [], []
    for one in networks:
        values = [{name: space.variables[name].sample(rng) for name in names} for _ in range(TRIES)]
        others = [completed(space, one, each, seed=0) for each in values]
        fixed.append(_kept(setting, space, [one] * TRIES, training))
        searched.append(_kept(setting, space, others, training))
    by_stage, by_group = _of_groups(setting)
    learning = Training(epochs=setting.epochs, train_neurons=True)
    alone = accuracies(setting, space, networks, training, data=setting.for_test)
    learned = accuracies(setting, space, networks, learning, data=setting.for_test)
    apart = accuracies(setting, _apart(space), networks, learning, data=setting.for_test)
    return [
        over_networks(f"searched by stage, best of {TRIES} - {TAU_MS:g} ms, best of {TRIES}", fixed, searched),
        over_networks(f"searched by group of channels - by stage, best of {TRIES} each", by_stage, by_group),
        over_networks(f"trained by layer, thresholds as well - {TAU_MS:g} ms", alone, learned),
        over_networks("trained by channel - trained by layer", learned, apart),
    ]


def _of_groups(setting: Setting) -> tuple[list[float], list[float]]:
    """Return what is kept of networks whose time constants are tried by stage, and by group of channels."""
    space = sts.without(["adaptive", "feedback"]).narrowed({"stage*.kind": ["lif_box"]})
    networks = drawn(space, setting.for_search, count=setting.networks, most=MOST_OPERATIONS, seed=11)
    rng = np.random.default_rng(0)
    taus = {name: one for name, one in space.variables.items() if name.endswith(".tau_mem") and name[:5] == "stage"}
    scopes = [name for name in space.variables if name.endswith(".constants")]
    kept: dict[str, list[float]] = {scope: [] for scope in SCOPES}
    for network in networks:
        for scope, each in kept.items():
            tries = [
                {name: variable.sample(rng) for name, variable in taus.items()} | dict.fromkeys(scopes, scope)
                for _ in range(TRIES)
            ]
            others = [completed(space, network, values, seed=0) for values in tries]
            each.append(_kept(setting, space, others, setting.training))
    return kept["stage"], kept["channels"]


def _apart(space: Space) -> Space:
    """Return a space of the same networks, in which each channel has constants of its own to train."""

    def plan(genotype: Mapping[str, Any], input_shape: Sequence[int], classes: int) -> Plan:
        assert space.plan is not None
        made: Plan = space.plan(genotype, input_shape, classes)
        return replace(made, populations=tuple(map(_of_channels, made.populations)))

    changed = copy.copy(space)
    changed.__dict__.update(planned(plan))
    return changed


def _of_channels(population: PlannedPopulation) -> PlannedPopulation:
    """Return a population with as many constants as it has channels, all alike; a readout as it is."""
    dynamics = population.dynamics
    if dynamics.is_spiking:
        each: dict[str, Any] = {
            name: (getattr(dynamics, name),) * population.shape[0] for name in PARAMETERS[dynamics.kind]
        }
        dynamics = replace(dynamics, **each)
    return replace(population, dynamics=dynamics)


def _kept(setting: Setting, space: Space, networks: list[Genotype], training: Training) -> float:
    """Return the test accuracy of the training that validates best; each network has a seed of its own."""
    hits = [accuracy(space, setting.for_search, one, training, seed=seed) for seed, one in enumerate(networks)]
    seed = int(np.argmax(hits))
    return accuracy(space, setting.for_test, networks[seed], training, seed=seed)


def attention(setting: Setting) -> list[Effect]:
    """Return what attention is worth, and the joules that it costs on each chip that prices it."""
    space, data = setting.space("ma_darts"), setting.for_search
    pairs = _pairs(setting, space, ".attention", "none")
    sides = [accuracies(setting, space, [pair[side] for pair in pairs], setting.training) for side in (0, 1)]
    effects = [over_networks("attention - the same networks without", *sides)]
    measured = [[result_of(space, data, one, setting.training) for one in pair] for pair in pairs]
    for chip in CHIPS:
        joules = energy.objective(profile=chip)
        priced: list[tuple[float, float]] = []
        for before, after in measured:
            if before is None or after is None:
                continue
            try:
                pair = joules.score(before.measurement), joules.score(after.measurement)
            except UnpriceableError as error:
                print(f"  {chip}: {error}")
                continue
            if pair[0] > 0:
                priced.append(pair)
        print(f"  {chip} prices {len(priced)} of {len(measured)} pairs", flush=True)
        if priced:
            effects.append(ratio_over_networks(f"joules with attention / without, {chip}", *zip(*priced, strict=True)))
    return effects


CLAIMS = (
    Claim("feedback", "SNASNet: edges that lead back help", feedback),
    Claim("surrogates", "SpikeDHS: a search of surrogate gradients while training helps (DGS)", surrogates),
    Claim(
        "constants",
        "STS: searched time constants help, those of each channel more than those of each stage",
        constants,
    ),
    Claim("attention", "MA-DARTS: attention helps", attention),
)
