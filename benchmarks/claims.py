"""A published claim, what it is asked on, and what is found: an effect with its interval, and a plain verdict."""

from __future__ import annotations

import math
import statistics
import tomllib
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import tomli_w
from paired import difference, result_of
from scipy.stats import kendalltau
from scipy.stats import t as student
from zero_shot import RESAMPLES

from evonas.data.dataset import DataSet, SearchData
from evonas.genotype import Genotype
from evonas.runfile.resolve import ResolvedRun, resolve
from evonas.space import Space
from evonas.training.training_settings import Training

FEWEST = 6
"""Networks of an interval: even if all of fewer gained, chance alone would do that more often than in 5 %."""

RUNS = Path(__file__).parent.parent / "runs"


@dataclass(frozen=True, eq=False)
class Setting:
    """What claims are asked on.

    Attributes:
        data: Training, validation and test samples.
        section: How a run file names them.
        seeds: Seeds of each training and search.
        networks: Networks of a comparison.
        ranked: Networks whose ranks are compared.
        epochs: Of each training.
        is_quick: Whether searches are as short as they can be.
        workers: Ray workers of a search; 0 for this process.
        folder: Where archives and run files are kept, so that the same command goes on where it was stopped.
    """

    data: DataSet
    section: Mapping[str, Any]
    seeds: int
    networks: int
    ranked: int
    epochs: int
    is_quick: bool
    workers: int
    folder: Path

    @cached_property
    def for_search(self) -> SearchData:
        """Training and validation samples."""
        return self.data.for_search()

    @cached_property
    def for_test(self) -> SearchData:
        """The same training samples, and the test samples in the place of those of validation."""
        return replace(self.for_search, validation=self.data.test())

    @property
    def training(self) -> Training:
        """How networks are trained where a claim does not say."""
        return Training(epochs=self.epochs)

    def run(self, system: str, name: str, changes: Mapping[str, Any], *overrides: str) -> ResolvedRun:
        """Return the run file of a system on these data.

        Args:
            system: Name of its run file.
            name: Of the folder in which its own form is written.
            changes: Sections in the place of those of the file.
            overrides: As after `--set`.
        """
        content = tomllib.loads((RUNS / f"{system}.toml").read_text(encoding="utf-8"))
        content |= {"data": dict(self.section), **changes}
        path = self.folder / name / "run_file.toml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(tomli_w.dumps(content), encoding="utf-8")
        return resolve(path, overrides=(f"workers.count={self.workers}", *overrides))

    def space(self, system: str) -> Space:
        """Return the space of a system as narrow as its run file has it."""
        return self.run(system, f"space-{system}", {}).space


@dataclass(frozen=True)
class Effect:
    """What a comparison came to.

    Attributes:
        what: What is compared, or what it costs.
        value: The effect; above `none` is what the claim says. None where there is none.
        low: Lower end of its 95 % interval; None where there is none, as of one seed or few networks.
        high: Its upper end.
        unit: Of the three.
        interval: What the interval is over, and how it was made.
        none: The value of no effect.
        is_judged: Whether the claim is about it; a cost is told alone.
    """

    what: str
    value: float | None
    low: float | None
    high: float | None
    unit: str
    interval: str
    none: float = 0.0
    is_judged: bool = True

    @property
    def verdict(self) -> str:
        """Whether the claim holds: the whole interval lies on one side of no effect, or nothing is told."""
        if not self.is_judged:
            return "a cost"
        if self.low is None or self.high is None:
            return "not to be told"
        if self.low > self.none:
            return "holds here"
        return "does not hold here" if self.high < self.none else "not to be told"


@dataclass(frozen=True)
class Claim:
    """What a system is said to do.

    Attributes:
        name: A word for `--only`.
        says: The claim in a sentence, with who makes it.
        measure: Returns what is found.
        missing: What is asked for and cannot be measured, with the reason; empty where all can.
    """

    name: str
    says: str
    measure: Callable[[Setting], list[Effect]]
    missing: str = ""


def accuracies(
    setting: Setting, space: Space, networks: Sequence[Genotype], training: Training, *, data: SearchData | None = None
) -> list[float]:
    """Return the accuracy of each network after its training, the mean over seeds; of a guess where it diverged."""
    data = data or setting.for_search
    return [
        statistics.fmean(accuracy(space, data, one, training, seed=seed) for seed in range(setting.seeds))
        for one in networks
    ]


def accuracy(space: Space, data: SearchData, network: Genotype, training: Training, *, seed: int) -> float:
    """Return the accuracy of a network after its training, that of a guess where it diverged."""
    result = result_of(space, data, network, training, seed=seed)
    return 1 / data.task.outputs if result is None else result.measurement.accuracy


def over_networks(what: str, before: Sequence[float], after: Sequence[float]) -> Effect:
    """Return the median rise in accuracy of the same networks, with its interval by bootstrap over them."""
    rise = difference(before, after)
    ends = (rise.low, rise.high) if rise.networks >= FEWEST else (None, None)
    return Effect(what, rise.median, ends[0], ends[1], "points of accuracy", f"{rise.networks} networks, bootstrap")


def ratio_over_networks(what: str, before: Sequence[float], after: Sequence[float]) -> Effect:
    """Return the median ratio of a cost of the same networks, with its interval by bootstrap over them."""
    ratios = np.asarray(after) / np.asarray(before)
    drawn = np.median(np.random.default_rng(0).choice(ratios, size=(RESAMPLES, len(ratios))), axis=1)
    ends = [float(end) if len(ratios) >= FEWEST else None for end in np.quantile(drawn, (0.025, 0.975))]
    over = f"{len(ratios)} networks, bootstrap"
    return Effect(what, float(np.median(ratios)), ends[0], ends[1], "x", over, none=1.0, is_judged=False)


def over_seeds(what: str, before: Sequence[float], after: Sequence[float], *, unit: str) -> Effect:
    """Return the mean rise of the same seeds, with Student's interval of paired differences; none of one seed."""
    rises = [later - earlier for earlier, later in zip(before, after, strict=True)]
    mean = statistics.fmean(rises)
    over = f"{len(rises)} seed(s), paired t"
    if len(rises) < 2:
        return Effect(what, mean, None, None, unit, over)
    reach = float(student.ppf(0.975, len(rises) - 1)) * statistics.stdev(rises) / math.sqrt(len(rises))
    return Effect(what, mean, mean - reach, mean + reach, unit, over)


Statistic = Callable[[np.ndarray], float]


def over_ranks(what: str, statistic: Statistic, networks: int) -> Effect:
    """Return a statistic of ranks, with its interval by bootstrap over networks.

    Args:
        what: As of `Effect`.
        statistic: Returns it of the networks at an index.
        networks: How many there are.
    """
    rng = np.random.default_rng(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of equal values in a draw
        whole = statistic(np.arange(networks)) if networks > 1 else math.nan
        drawn = [statistic(rng.integers(networks, size=networks)) for _ in range(RESAMPLES)]
    over = f"{networks} networks, bootstrap"
    if math.isnan(whole) or networks < FEWEST:
        return Effect(what, None if math.isnan(whole) else whole, None, None, "Kendall's tau-b", over)
    low, high = (float(end) for end in np.nanquantile(drawn, (0.025, 0.975)))
    return Effect(what, whole, low, high, "Kendall's tau-b", over)


def tau_of(values: np.ndarray, others: np.ndarray) -> float:
    """Return Kendall's tau-b, NaN where one side has a single value."""
    return float(kendalltau(values, others).statistic)


def partial_tau(values: np.ndarray, worth: np.ndarray, given: np.ndarray) -> float:
    """Return Kendall's partial tau-b of values and worth, what both share with `given` taken out."""
    own, of_values, of_worth = tau_of(values, worth), tau_of(values, given), tau_of(worth, given)
    rest = (1 - of_values**2) * (1 - of_worth**2)
    return (own - of_values * of_worth) / math.sqrt(rest) if rest > 0 else math.nan
