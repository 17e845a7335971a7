"""Search a problem of one's own: classifiers of the digits by nearest neighbours, errors against multiply-accumulates.

    python examples/nearest_neighbours.py [ARCHIVE]

No torch and no run file. Takes a few seconds; a second call reads what is there, and a larger budget goes on from it.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from functools import cache
from typing import Any

import numpy as np
from sklearn.datasets import load_digits
from sklearn.neighbors import KNeighborsClassifier

from evonas import Archive, Budget, Choice, Evolution, InlineWorkers, Integer, Job, Objective, Rule, Space, search

SPACE = Space(
    {
        "neighbours": Integer(1, 9),
        "side": Choice((2, 4, 8)),
        "stored": Integer(1, 20),
        "weights": Choice(("uniform", "distance")),
    },
    rules=[Rule(("weights",), lambda values: int(values["neighbours"]) > 2)],  # one vote or two: no weight decides
)
OBJECTIVES = (
    Objective("errors", lambda found: found["errors"], direction="min", unit="fraction", at_most=0.5),
    Objective("work", lambda found: found["macs"], direction="min", unit="multiply-accumulates", log=True),
)


@cache
def images(side: int) -> tuple[np.ndarray, np.ndarray]:
    """Return `(1797, side * side)` pixels, averaged over blocks, and `(1797,)` classes."""
    digits = load_digits()
    block = 8 // side
    return digits.images.reshape(-1, side, block, side, block).mean((2, 4)).reshape(-1, side**2), digits.target


def evaluate(job: Job) -> Mapping[str, Any]:
    """Return what one classifier makes of the last third of the digits: a JSON object, stored as it is."""
    values: Mapping[str, Any] = job.genotype
    inputs, classes = images(values["side"])
    stored = 50 * values["stored"]
    weights = values.get("weights", "uniform")
    classifier = KNeighborsClassifier(values["neighbours"], weights=weights, algorithm="kd_tree")
    classifier.fit(inputs[:stored], classes[:stored])
    errors = float(np.mean(classifier.predict(inputs[1200:]) != classes[1200:]))
    return {"errors": errors, "macs": stored * values["side"] ** 2}


def main(path: str = "nearest_neighbours.h5") -> None:
    """Search, or go on with a search, and print the front."""
    with Archive(path, SPACE, OBJECTIVES, seed=0) as archive:
        ending = search(
            SPACE,
            archive,
            strategy=Evolution(pop_size=12),
            workers=InlineWorkers(evaluate),
            budget=Budget(evaluations=60),
        )
        front = archive.front()
    print(f"{ending.value} {len(front.rows)} of {front.evaluations} classifiers are on the front:")
    for row in sorted(front.rows, key=lambda row: row.costs or ()):
        errors, work = (objective.score(row.evaluation.measurement) for objective in OBJECTIVES)
        print(f"{errors:6.1%} errors  {work:8,.0f} multiply-accumulates  {dict(row.job.genotype)}")


if __name__ == "__main__":
    main(*sys.argv[1:])
