"""The hardware of a run: the chip that its networks have to fit on, and what it rejects."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np

from evonas.chips.fit import Fit, checker
from evonas.data.dataset import SearchData
from evonas.engine.rejection import Reject, Rejection
from evonas.errors import SpaceError
from evonas.runfile.lookup import make
from evonas.runfile.planned_bounds import EXAMPLES, plan_of
from evonas.runfile.schema import HardwareSection
from evonas.space import Genotype, Space


@dataclass(frozen=True)
class Hardware:
    """The chip of a run.

    Attributes:
        section: What the run file says of it.
        check: Returns whether a planned network fits on the chip.
        plan: Returns what the network of a genotype consists of.
    """

    section: HardwareSection
    check: Callable[[Any], Fit]
    plan: Callable[[Genotype], Any]

    def fit(self, genotype: Genotype) -> Fit:
        """Return whether the network of a genotype fits."""
        return self.check(self.plan(genotype))

    def reject(self, genotype: Genotype) -> Rejection | None:
        """Return why the network of a genotype is not trained, None where it fits as far as that can be checked."""
        return rejected_by_all({"": self.check}, plan=self.plan)(genotype)

    def notes(self, space: Space) -> list[str]:
        """Return what is not checked, of a network of `space` drawn as an example."""
        rng, unchecked = np.random.default_rng(0), None
        for _ in range(EXAMPLES):
            with suppress(SpaceError):  # of some networks there may be no plan, which their rows tell
                unchecked = self.fit(space.sample(rng)).unchecked
                break
        return [f"What fits on {self.section.profile} is not checked for {'; '.join(unchecked)}."] if unchecked else []


def rejected_by_all(checks: Mapping[str, Callable[[Any], Fit]], *, plan: Callable[[Genotype], Any]) -> Reject:
    """Return what rejects the networks that fit on none of several chips, for the reasons of the one they miss least.

    What `plan` raises is not caught: it is no reason to let a network pass.

    Args:
        checks: Say whether a planned network fits, by what their reasons end with, such as `", on loihi2"`.
        plan: Returns what the network of a genotype consists of.
    """

    def reject(genotype: Genotype) -> Rejection | None:
        planned = plan(genotype)
        fits = {where: check(planned) for where, check in checks.items()}
        if not all(fit.violations for fit in fits.values()):
            return None
        where, nearest = min(fits.items(), key=lambda pair: pair[1].degree)
        return Rejection(tuple(f"{violation}{where}" for violation in nearest.violations), nearest.degree)

    return reject


def hardware_of(
    section: HardwareSection | None, *, space: Space | None, data: SearchData | None
) -> tuple[Hardware | None, list[str]]:
    """Return the chip that a run file names, None where it names none, and a sentence for each fault.

    Args:
        section: The section of the run file.
        space: The space, None where it is wrong: only the section itself is then looked at.
        data: What networks are built for, None where it is wrong.
    """
    if section is None:
        return None, []
    options = {"profile": section.profile, "weight_bits": section.weight_bits, **section.options}
    check, faults = make(checker, options, key="hardware")
    if space is not None and space.plan is None and section.fit:
        faults.append(
            "hardware.fit: true, but the space has no `plan`, so that nobody can tell what fits before training; "
            "give it one, Space(…, plan=…), or set fit = false"
        )
    plan = None if space is None or data is None else plan_of(space, data)
    return (None if check is None or plan is None else Hardware(section, check, plan)), faults
