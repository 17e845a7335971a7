"""Problems that are known whole: every point of a mixed space in a table, so that the true front is known too.

None is separable: the best value of a variable depends on others. `instance` makes another problem of the same family,
so that settings can be chosen on other instances than those that are reported.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from pymoo.indicators.hv import HV
from pymoo.util.nds.non_dominated_sorting import NonDominatedSorting

from evonas.objective import Objective
from evonas.real_variables import LogReal, Real
from evonas.space import Space
from evonas.strategies.random import values_of
from evonas.variables import Choice, Integer, Scalar, Variable


@dataclass(frozen=True)
class Tabulated:
    """A space, and the costs of all its points.

    Attributes:
        name: Of the problem.
        space: What may vary.
        axes: Value to position, by variable.
        costs: `(points, objectives)` means to be minimised, each scaled to [0, 1] from the best of the table to
            the worst.
        volume: Hypervolume of the true front up to the worst point.
        samples: `(points, seeds, objectives)` what single trainings gave, on the scale of `costs`, NaN where there is
            none; None where a point has but one value.
        lookup: Position in the product of the axes to point, -1 where a code is no network; None where both are the
            same.
    """

    name: str
    space: Space
    axes: dict[str, dict[Scalar, int]]
    costs: np.ndarray
    volume: float
    samples: np.ndarray | None = None
    lookup: np.ndarray | None = None

    @property
    def objectives(self) -> list[Objective]:
        """One a column of `costs`."""
        return [Objective(f"f{i}", lambda m, i=i: m[f"f{i}"]) for i in range(self.costs.shape[1])]  # type: ignore[misc]

    def index(self, genotype: Mapping[str, Scalar]) -> int:
        """Return the row of the table that holds `genotype`, -1 where it is no network."""
        positions = tuple(axis[genotype[name]] for name, axis in self.axes.items())
        code = int(np.ravel_multi_index(positions, tuple(len(axis) for axis in self.axes.values())))
        return code if self.lookup is None else int(self.lookup[code])

    def draw(self, point: int, rng: np.random.Generator) -> np.ndarray:
        """Return `(objectives,)` costs of one training of a point."""
        if self.samples is None:
            return np.asarray(self.costs[point])
        known = np.flatnonzero(np.isfinite(self.samples[point]).all(axis=1))
        return np.asarray(self.samples[point, known[rng.integers(len(known))]])

    def share(self, points: np.ndarray) -> float:
        """Return the part of the true front's hypervolume that the rows `points` of the table reach."""
        return hypervolume_of(self.costs[np.unique(points)]) / self.volume


def hypervolume_of(costs: np.ndarray) -> float:
    """Return the hypervolume of `(points, objectives)` costs up to 1 in each."""
    front = costs[NonDominatedSorting().do(costs, only_non_dominated_front=True)] if len(costs) else costs
    return float(HV(ref_point=np.ones(costs.shape[1])).do(front))


def _tabulate(name: str, variables: dict[str, Variable], function: Callable[[np.ndarray], np.ndarray]) -> Tabulated:
    space = Space(variables)
    axes = {
        key: {value: i for i, value in enumerate(map(variable.canonical, values_of(variable) or ()))}
        for key, variable in variables.items()
    }
    grid = np.indices(tuple(len(axis) for axis in axes.values())).reshape(len(axes), -1).T
    costs = function(grid)
    costs = (costs - costs.min(axis=0)) / np.ptp(costs, axis=0)
    return Tabulated(name, space, axes, costs, hypervolume_of(costs))


def _epistasis(rng: np.random.Generator, *, variables: int, options: int, neighbours: int) -> Callable[..., np.ndarray]:
    """Return a landscape in which what each variable adds depends on `neighbours` others as well."""
    others = [rng.permutation([j for j in range(variables) if j != i])[:neighbours] for i in range(variables)]
    tables = rng.random((variables, options ** (neighbours + 1)))

    def landscape(grid: np.ndarray) -> np.ndarray:
        total = np.zeros(len(grid))
        for i in range(variables):
            digits = grid[:, [i, *others[i]]]
            total += tables[i][digits @ options ** np.arange(neighbours + 1)]
        return total / variables

    return landscape


def pairs(instance: int = 0) -> Tabulated:
    """Return 8 choices of 4 with epistasis, two objectives: 65,536 points."""
    rng = np.random.default_rng([1, instance])
    landscapes = [_epistasis(rng, variables=8, options=4, neighbours=2) for _ in range(2)]
    variables: dict[str, Variable] = {f"x{i}": Choice(("conv", "pool", "skip", "none")) for i in range(8)}
    return _tabulate("pairs", variables, lambda grid: np.stack([f(grid) for f in landscapes], axis=1))


def switches(instance: int = 0) -> Tabulated:
    """Return 16 switches with epistasis, three objectives (an MNK landscape): 65,536 points."""
    rng = np.random.default_rng([2, instance])
    landscapes = [_epistasis(rng, variables=16, options=2, neighbours=3) for _ in range(3)]
    variables: dict[str, Variable] = {f"x{i}": Choice((False, True)) for i in range(16)}
    return _tabulate("switches", variables, lambda grid: np.stack([f(grid) for f in landscapes], axis=1))


def cell(instance: int = 0) -> Tabulated:
    """Return a cell of 4 nodes and 6 edges with 5 operations, width and time steps: 187,500 points.

    Error, energy and latency come from the signal, the spikes and the longest path through the graph.
    """
    rng = np.random.default_rng([3, instance])
    gain = np.array([0.0, 0.45, 0.3, 0.8, 1.0]) * rng.uniform(0.85, 1.15, (6, 5))
    work = np.array([0.0, 0.05, 0.1, 1.0, 2.6]) * rng.uniform(0.8, 1.25, (6, 5))
    delay = np.array([0.0, 0.1, 0.4, 1.0, 1.7]) * rng.uniform(0.8, 1.25, (6, 5))
    edges = [(0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3)]

    def measure(grid: np.ndarray) -> np.ndarray:
        width, steps = np.array([8, 16, 24, 32])[grid[:, 6]], np.array([2.0, 4.0, 8.0])[grid[:, 7]]
        signal = [np.ones(len(grid))] + [np.zeros(len(grid)) for _ in range(3)]
        arrival = [np.zeros(len(grid)) for _ in range(4)]
        energy = np.zeros(len(grid))
        for i, (source, target) in enumerate(edges):
            rate = np.tanh(signal[source])
            signal[target] = signal[target] + gain[i, grid[:, i]] * rate
            arrival[target] = np.maximum(arrival[target], arrival[source] + delay[i, grid[:, i]])
            energy += rate * work[i, grid[:, i]] * width**2 * steps
        strength = np.tanh(signal[3] * (0.4 + 0.1 * np.log2(steps)))
        fading = 0.35 * np.maximum(0.0, signal[3] - 2.2 * width / 24) ** 2  # too much signal saturates a narrow layer
        error = 1.0 - strength * (1.0 - np.exp(-width / 9)) + 0.2 * fading
        latency = (0.3 + arrival[3]) * steps * (1 + width / 48)
        return np.stack([error, np.log10(energy + 20.0), np.log10(latency)], axis=1)

    operations = ("none", "skip", "pool", "conv3", "conv5")
    variables: dict[str, Variable] = {f"edge{i}": Choice(operations) for i in range(6)}
    return _tabulate("cell", {**variables, "width": Integer(1, 4), "time_steps": Choice((2, 4, 8))}, measure)


def rotated(instance: int = 0) -> Tabulated:
    """Return two integers, two reals and two choices, which turn and shift the others' axes: 122,880 points."""
    rng = np.random.default_rng([4, instance])
    turns = [np.linalg.qr(rng.normal(size=(4, 4)))[0] for _ in range(5)]
    shifts, penalty = rng.uniform(-0.35, 0.35, (6, 4)), rng.uniform(0, 0.25, (5, 6))

    def measure(grid: np.ndarray) -> np.ndarray:
        x = np.stack([grid[:, 0] / 7, grid[:, 1] / 7, grid[:, 2] / 7, grid[:, 3] / 7], axis=1) * 2 - 1
        y = np.einsum("nj,nij->ni", x - shifts[grid[:, 5]], np.stack(turns)[grid[:, 4]]) * np.array([1, 1, 2, 3])
        bumps = 0.12 * (1 - np.cos(6 * y)).sum(axis=1) + penalty[grid[:, 4], grid[:, 5]]
        ends = [((y - end) ** 2).sum(axis=1) for end in (0.4, -0.4)]
        return np.stack([np.sqrt(end) + bumps for end in ends], axis=1)

    variables: dict[str, Variable] = {
        "i0": Integer(0, 7), "i1": Integer(-3, 4), "r0": Real(0.0, 0.7, 0.1), "r1": Real(-1.0, 2.5, 0.5),
        "turn": Choice(tuple("abcde")), "shift": Choice((1, 2, 4, 8, 16, 32)),
    }  # fmt: skip
    return _tabulate("rotated", variables, measure)


def traps(instance: int = 0) -> Tabulated:
    """Return four blocks of an integer and a choice whose slopes lead away from their best values: 160,000 points."""
    rng = np.random.default_rng([5, instance])
    goals, keys = rng.integers(0, 5, (2, 4)), rng.integers(0, 4, (2, 4))
    price = rng.uniform(0.3, 1.0, (4, 5, 4))

    def measure(grid: np.ndarray) -> np.ndarray:
        error, cost = np.zeros(len(grid)), np.zeros(len(grid))
        for b in range(4):
            number, key = grid[:, 2 * b], grid[:, 2 * b + 1]
            before = grid[:, (2 * b - 2) % 8] % 2  # the block before says which of two goals holds
            distance = np.abs(number - goals[before, b])
            solved = (distance == 0) & (key == keys[before, b])
            error += np.where(solved, 0.0, 1.0 - 0.15 * distance)
            cost += price[b, number, key] * (1 + 0.5 * before)
        return np.stack([error, cost], axis=1)

    variables: dict[str, Variable] = {}
    for b in range(4):
        variables |= {f"n{b}": Integer(0, 4), f"key{b}": Choice(("a", "b", "c", "d"))}
    return _tabulate("traps", variables, measure)


def training(instance: int = 0) -> Tabulated:
    """Return a learning rate and a time constant on logarithmic axes, depth, time steps, surrogate: 77,922 points."""
    rng = np.random.default_rng([6, instance])
    offset, slope = rng.uniform(-0.4, 0.4, 3), rng.uniform(0.5, 1.5, 3)
    wave = rng.uniform(0, math.pi, 3)

    def measure(grid: np.ndarray) -> np.ndarray:
        rate = grid[:, 0] / 36 * 4 - 4
        tau, depth, steps, surrogate = grid[:, 1] / 20 * 1.5, grid[:, 2] + 1, grid[:, 3] + 2, grid[:, 4]
        best_rate = -1.4 - 0.22 * depth * slope[surrogate] + offset[surrogate]
        best_tau = np.log10(steps) * 0.9 + 0.08 * depth
        misfit = ((rate - best_rate) / 0.7) ** 2 + ((tau - best_tau) / 0.3) ** 2
        ripple = 0.05 * np.cos(9 * rate + 5 * tau + wave[surrogate])
        error = 0.9 - 0.85 * (1 - np.exp(-0.5 * depth - 0.15 * steps)) * np.exp(-0.5 * misfit) + ripple
        firing = 0.05 + 0.3 / (1 + np.exp(-4 * (tau - 0.5 - offset[surrogate])))
        return np.stack([error, np.log10(depth * steps * firing * 1e-7)], axis=1)

    variables: dict[str, Variable] = {
        "learning_rate": LogReal(1e-4, 1.0, digits=1), "tau_mem_ms": LogReal(1.0, 40.0, digits=1),
        "depth": Integer(1, 6), "time_steps": Integer(2, 10), "surrogate": Choice(("atan", "superspike", "triangle")),
    }  # fmt: skip
    return _tabulate("training", variables, measure)


FAMILIES = (pairs, switches, cell, rotated, traps, training)
