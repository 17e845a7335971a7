"""What a proposal costs and what a search keeps for it, as its rows grow from 1,000 to 100,000.

    python benchmarks/proposals.py [--quick] [--json FILE]

No network is trained: a row's costs are a fixed function of its genotype, in which the best value of a variable depends
on the others, and one row in eleven has failed. The rows are random networks of the joint space, or of a table of 4^10
networks. A strategy is shown all of them and then asked 100 times, each time with one row more, as in a search; fits of
its models are counted in. The ladder is asked as often while it has something to promote, half of the rows being at
its upper rung. `--quick` leaves out 100,000 rows.

    proposal_ms_<space>_<strategy>_<rows>   CPU time of a proposal, the mean
    promotion_ms_<space>_<rows>             the same of a promotion by the ladder
    resume_s_<space>_<strategy>_<rows>      CPU time of the first proposal of a search that goes on from so many rows
    kept_mb_<space>_<strategy>_<rows>       by how much all that raises the peak of memory above that of the rows
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path

import numpy as np
from peak_memory import raised_by
from table import Figure, publish

from evonas import Choice, Evolution, Ladder, Mixture, Objective, RandomSearch, Space
from evonas.engine.evaluation import Evaluation, Outcome
from evonas.engine.job import Job
from evonas.engine.view import Proposal, Row, Strategy, View
from evonas.genotype import Genotype
from evonas.strategies.encoding import Encoding
from spaces.spatial_temporal import space as joint

SIZES = (1_000, 10_000, 100_000)
PROPOSALS = 100
MOST_MS = {1_000: 5.0, 100_000: 20.0}
LADDER = Ladder((1, 3))
OBJECTIVES = (Objective("error", lambda m: m["error"]), Objective("energy", lambda m: m["energy"], log=True))

SPACES = {
    "joint": joint.on((1, 28, 28)),
    "table": Space({f"edge{i}": Choice(("none", "skip", "conv1", "conv3")) for i in range(10)}),
}
STRATEGIES: dict[str, Strategy] = {
    "random": RandomSearch(),
    "nsga2": Evolution(screen=1),
    "evolution": Evolution(),
    "mixture": Mixture([(Evolution(), 1.0), (RandomSearch(), 1.0)], shares="success"),
}


@dataclass
class Shown:
    """A search that has seen random rows, some of them at the upper rung too.

    Attributes:
        view: What its strategies are shown.
        measure: Returns the costs of a genotype, None where its evaluation fails.
    """

    view: View
    measure: Callable[[Genotype], dict[str, float] | None]

    @classmethod
    def of(cls, space: Space, rows: int) -> Shown:
        """Return a search of so many rows at the lower rung, and of half of them at the upper."""
        shown, rng = cls(View(space, OBJECTIVES, seed=0), measured(space)), np.random.default_rng(1)
        while len(shown.view.scored(0)) < rows:
            genotype = space.sample(rng)
            if not shown.view.is_known(genotype):
                shown.run(Proposal(genotype, "random"))
        for row in shown.view.scored(0)[: rows // 2]:
            shown.run(Proposal(row.job.genotype, "random", parents=(row.job.slot,), rung=1))
        return shown

    def run(self, proposal: Proposal) -> None:
        """Let a proposal become a row."""
        found = self.measure(proposal.genotype)
        job = Job(self.view.slot, "evaluate", proposal.genotype, proposal.strategy, proposal.parents, proposal.rung)
        outcome = Outcome.CRASHED if found is None else Outcome.MEASURED
        self.view.start(job)
        self.view.see(Row.of(Evaluation(job, outcome, measurement=found), OBJECTIVES))

    def asked(self, propose: Callable[[View], Proposal | None]) -> Iterator[float]:
        """Yield the CPU seconds of each proposal, until there is none; each becomes a row before the next."""
        while True:
            began = time.process_time()
            proposal = propose(self.view)
            took = time.process_time() - began
            if proposal is None:
                return
            yield took
            self.run(proposal)


def measured(space: Space) -> Callable[[Genotype], dict[str, float] | None]:
    """Return a function from a genotype to its costs, None for one in eleven."""
    encoding = Encoding(space)
    directions = np.random.default_rng(0).standard_normal((len(encoding.owners), 2))

    def measure(genotype: Genotype) -> dict[str, float] | None:
        if int(genotype.key, 16) % 11 == 0:
            return None
        x, y = encoding.matrix([genotype])[0] @ directions
        return {"error": float(x + 0.3 * np.sin(3 * y)), "energy": float(np.exp(y + 0.2 * np.cos(2 * x)))}

    return measure


def figures(name: str, rows: int) -> Iterator[Figure]:
    """Yield what each strategy and the ladder cost after so many rows of a space."""
    shown, most = Shown.of(SPACES[name], rows), MOST_MS.get(rows)
    goal = None if most is None else f"<= {most:g}"
    for strategy_name, strategy in STRATEGIES.items():
        case, seconds = f"{name}_{strategy_name}_{rows}", list[float]()
        raised = raised_by(partial(seconds.extend, islice(shown.asked(strategy.propose), PROPOSALS + 1)))
        yield Figure(f"proposal_ms_{case}", 1e3 * float(np.mean(seconds[1:])), unit="ms", goal=goal)
        yield Figure(f"resume_s_{case}", seconds[0], unit="s", goal=None)
        yield Figure(f"kept_mb_{case}", raised, unit="MB", goal=None)
    promotions = list(islice(shown.asked(LADDER.promotion), PROPOSALS))
    yield Figure(f"promotion_ms_{name}_{rows}", 1e3 * float(np.mean(promotions)), unit="ms", goal=goal)


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="1,000 and 10,000 rows only")
    parser.add_argument("--json", type=Path, help="write the figures there as well")
    options = parser.parse_args()
    began, found = time.monotonic(), list[Figure]()
    for rows in SIZES[: 2 if options.quick else 3]:
        for name in SPACES:
            found += figures(name, rows)
    publish(found, title=f"proposals, {time.monotonic() - began:.0f} s", file=options.json)


if __name__ == "__main__":
    main()
