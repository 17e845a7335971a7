"""Which networks the page shows in full, and the plans that tell what the counts of an archive do not."""

from __future__ import annotations

from collections.abc import Sequence

from evonas.architecture.plan import Plan
from evonas.archive.pareto_front import Front
from evonas.engine.pareto import order
from evonas.engine.view import Row
from evonas.errors import EvonasError
from evonas.measurement import Measurement
from evonas.report.networks import FoundNetwork
from evonas.report.page.drawing import fits_to
from evonas.report.rescoring import Rescoring
from evonas.report.run_folder import RunFolder

DRAWN = 200
"""Most networks that a page draws and prices: those of the front first, then by rank. Several chips share it."""


def drawn(rows: Sequence[Row], front: Front, *, picks: Sequence[Row] = (), most: int = DRAWN) -> tuple[Row, ...]:
    """Return the networks to show in full: picks, the front, and the best others.

    Args:
        rows: Networks with counts.
        front: The front under the objectives of the rows.
        picks: What a command picks.
        most: Most networks; larger fronts are shown up to here, in slot order.
    """
    best_first = [*picks, *front.rows, *(order(rows) if len(rows) > most else rows)]
    slots = dict.fromkeys(row.job.slot for row in best_first if isinstance(row.evaluation.measurement, Measurement))
    by_slot = {row.job.slot: row for row in best_first}
    return tuple(by_slot[slot] for slot in list(slots)[:most])


class Plans:
    """Plans of networks, as the space of their run tells them.

    Attributes:
        why_not: Why the plan of a network is not known, of the last that has none; empty while all are known.
    """

    def __init__(self, folder: RunFolder, rescoring: Rescoring) -> None:
        self._folder = folder
        self._rescoring = rescoring
        self.why_not = ""

    def of(self, row: Row) -> Plan | None:
        """Return the plan of a measured network, None where it is not known or not that of what was measured."""
        network = FoundNetwork(row, self._rescoring, self._folder)
        try:
            plan = network.plan
        except EvonasError as error:
            self.why_not = str(error)
            return None
        except Exception as error:  # a genotype that the space did not make, in a folder put together by hand
            self.why_not = f"the space cannot plan network {network.key}: {type(error).__name__}: {error}"
            return None
        if not isinstance(plan, Plan) or not fits_to(plan, network.measurement.activity):
            self.why_not = f"the space plans network {network.key} otherwise than it was measured"
            return None
        return plan
