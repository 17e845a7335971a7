"""What ranks networks: scores of untrained ones (SNASNet, LightSNN), and inherited weights (AutoSNN)."""

from __future__ import annotations

import math
from functools import cache

import numpy as np
import one_shot
from claims import Claim, Effect, Setting, over_ranks, partial_tau, tau_of
from scipy.stats import rankdata
from zero_shot import scored, trained

PLAIN, AWARE, LYAPUNOV = "hamming", "sparsity_aware_hamming", "lyapunov"

Scored = tuple[dict[str, np.ndarray], np.ndarray]


@cache
def _scored(setting: Setting) -> Scored:
    """Return the scores of SNASNet's networks that have all of them, and their accuracies once trained."""
    space, data = setting.space("snasnet"), setting.for_search
    archive = setting.folder / "snasnet-scores" / "archive.h5"
    rows = trained(space, data, archive, networks=setting.ranked, epochs=setting.epochs, count=setting.workers)
    values = {name: scored(space, data, rows, name)[0] for name in (PLAIN, AWARE, LYAPUNOV)}
    numbers = {name: np.array([math.nan if one is None else one for one in each]) for name, each in values.items()}
    hits = np.array([row.score.values[0] for row in rows if row.score is not None])
    known = np.all([np.isfinite(each) for each in numbers.values()], axis=0)
    print(f"  {known.sum()} of {len(rows)} networks have all scores", flush=True)
    return {name: each[known] for name, each in numbers.items()}, hits[known]


def _risen(what: str, before: np.ndarray, after: np.ndarray, hits: np.ndarray) -> list[Effect]:
    """Return by how much tau rises from one ranking to another, of all networks and of the better half."""
    better = np.flatnonzero(hits >= np.median(hits))
    effects = []
    for part, chosen in (("all", np.arange(len(hits))), ("better half", better)):
        first, second, told = before[chosen], after[chosen], hits[chosen]

        def rise(
            index: np.ndarray, first: np.ndarray = first, second: np.ndarray = second, told: np.ndarray = told
        ) -> float:
            return tau_of(second[index], told[index]) - tau_of(first[index], told[index])

        effects.append(over_ranks(f"{what}, {part}", rise, len(chosen)))
    return effects


def sparsity_aware(setting: Setting) -> list[Effect]:
    """Return what the awareness of sparsity adds to tau with accuracy."""
    values, hits = _scored(setting)
    return _risen("tau of the sparsity-aware score - tau of the plain one", values[PLAIN], values[AWARE], hits)


def lyapunov(setting: Setting) -> list[Effect]:
    """Return what the sum of ranks adds to tau of the sparsity-aware score, and the partial tau of Lyapunov's."""
    values, hits = _scored(setting)
    summed = rankdata(values[AWARE]) + rankdata(values[LYAPUNOV])
    effects = _risen("tau of the rank sum - tau of Hamming alone", values[AWARE], summed, hits)

    def given_hamming(index: np.ndarray) -> float:
        return partial_tau(values[LYAPUNOV][index], hits[index], values[AWARE][index])

    return [*effects, over_ranks("partial tau of Lyapunov's score, Hamming's given", given_hamming, len(hits))]


def inherited(setting: Setting) -> list[Effect]:
    """Return tau between inherited and own accuracy, and against that of one epoch alone for the same sample-steps.

    The supernet is trained for as many epochs as there are networks, so that either side has trained one epoch for
    each of them; then all are trained alone for longer.
    """
    data = setting.for_search
    rng = np.random.default_rng(1)
    count = setting.ranked
    networks = list({one.key: one for one in (one_shot.SPACE.sample(rng) for _ in range(count))}.values())
    hits = one_shot.alone(data, networks, epochs=2 * setting.epochs)
    judged, _ = one_shot.inherited(data, networks, epochs=len(networks), warm_up=one_shot.WARM_UPS["warm_up"])
    short = one_shot.alone(data, networks, epochs=1)
    return [
        over_ranks("tau with accuracy once trained", lambda i: tau_of(judged[i], hits[i]), len(networks)),
        over_ranks(
            "the same - tau of one epoch alone, equal sample-steps",
            lambda i: tau_of(judged[i], hits[i]) - tau_of(short[i], hits[i]),
            len(networks),
        ),
    ]


CLAIMS = (
    Claim("hamming", "SNASNet: the Hamming score ranks networks better where it knows of sparsity", sparsity_aware),
    Claim("lyapunov", "LightSNN and later: Lyapunov's exponent adds to the Hamming score", lyapunov),
    Claim("inherited", "AutoSNN: inherited weights rank networks as their own training does", inherited),
)
