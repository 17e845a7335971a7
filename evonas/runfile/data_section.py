"""The data of a run: what `[data]` names, read and split, and which networks can take its event frames."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

import numpy as np

from evonas.data.dataset import DataSet, SearchData
from evonas.engine.rejection import Rejection
from evonas.errors import DataError, RunFileError, SpaceError
from evonas.genotype import Genotype
from evonas.objective import Objective
from evonas.options import shown
from evonas.runfile.schema import DataSection, ObjectiveSection
from evonas.runfile.section_options import make_named
from evonas.runfile.space_section import Plan
from evonas.space import Space
from evonas.variables import Choice

TIME_STEPS = "time_steps"
"""The variable of a space that is the number of time steps, where it has one."""

TONIC = "tonic:"
"""Beginning of the names of data sets that another library has: `tonic:NMNIST`."""

DRAWN = 64
"""Random networks that are planned where the number of time steps is no variable."""


def search_data_of(section: DataSection | None, *, trusted: bool = True) -> tuple[SearchData | None, list[str]]:
    """Return the training and validation samples that a run file names, and a sentence for each fault.

    Args:
        section: Names the data.
        trusted: Whether code of the user's own may be imported.
    """
    dataset, faults = dataset_of(section, trusted=trusted)
    if dataset is None or section is None:
        return None, faults
    return dataset.for_search(seed=section.seed), []


def known_data(section: DataSection, *, fingerprint: str | None, trusted: bool = True) -> SearchData:
    """Return the training and validation samples of a run, read again.

    Args:
        section: Names the data.
        fingerprint: Of the data that the run began with; None where it is not known.
        trusted: Whether code of the user's own may be imported.

    Raises:
        RunFileError: If they are not found.
        DataError: If they are others.
    """
    data, faults = search_data_of(section, trusted=trusted)
    if data is None:
        raise RunFileError(faults)
    if fingerprint is not None and data.fingerprint != fingerprint:
        raise DataError(
            f"The data {section.name!r} are others than those that the run was made with: their fingerprints differ. "
            "Put the former ones back, or say where they are."
        )
    return data


def dataset_of(section: DataSection | None, *, trusted: bool = True) -> tuple[DataSet | None, list[str]]:
    """Return the whole data set that a run file names, its test part closed, and a sentence for each fault.

    Args:
        section: Names the data.
        trusted: Whether code of the user's own may be imported.
    """
    if section is None:
        return None, []
    dataset: DataSet | None
    name, options = section.name, section.options
    if name.startswith(TONIC):
        name, options = TONIC.removesuffix(":"), {**options, "dataset": name.removeprefix(TONIC)}
    dataset, faults = make_named(name, options, folder="evonas.data", attribute="read", key="data", trusted=trusted)
    return dataset, faults


def baseline_notes(
    data: SearchData, objectives: Sequence[Objective], sections: Sequence[ObjectiveSection]
) -> list[str]:
    """Return a sentence for each bound of a metric that even a network with one constant answer keeps."""
    constant = data.task.constant(data.validation.labels)
    if constant is None:
        return []
    notes = []
    for one, section in zip(objectives, sections, strict=True):
        metric = str(section.options.get("metric", section.name))
        value, is_max = constant.metrics.get(metric), one.direction == "max"
        bound = one.at_least if is_max else one.at_most
        if value is None or bound is None or (value < bound if is_max else value > bound):
            continue
        notes.append(
            f"{one.name} {'at_least' if is_max else 'at_most'} = {bound:g} does not keep out a network that answers "
            f"{constant.answer} whatever it sees: that is worth {value:.3g} here. Ask for "
            f"{'more' if is_max else 'less'}{constant.remedies.get(metric, '')}."
        )
    return notes


@dataclass(frozen=True)
class Frames:
    """Event frames: a network takes one a time step, so it needs as many time steps as the samples have frames.

    Attributes:
        number: Frames of each sample.
        space: What is searched.
        plan: Plans its networks, None where the space has no `plan`.
    """

    number: int
    space: Space
    plan: Plan | None

    def reject(self, genotype: Genotype) -> Rejection | None:
        """Return why the network of a genotype cannot take the data, None where it can or nothing tells its steps.

        Raises:
            SpaceError: If the network cannot be planned.
        """
        steps = genotype.get(TIME_STEPS)
        if not isinstance(steps, int) and self.plan is not None:
            steps = getattr(self.plan(genotype), TIME_STEPS, None)
        if not isinstance(steps, int) or steps == self.number:
            return None
        reason = f"time steps: {steps}, while the samples have {self.number} frames"
        return Rejection((reason,), abs(steps - self.number) / self.number)

    def faults(self) -> list[str]:
        """Return a sentence if no network of the space can take the data."""
        variable, why = self.space.variables.get(TIME_STEPS), ""
        if variable is None:
            why = self._why_none()
        else:
            try:
                variable.canonical(self.number)
            except SpaceError as error:
                why = f"{TIME_STEPS}: {error}"
        if not why:
            return []
        return [
            f"data: the samples have {self.number} frames, one for each time step, and no network of the space has as "
            f"many time steps ({why}). Make other frames of the events, or search another space"
        ]

    def notes(self) -> list[str]:
        """Return a sentence if the space has networks of other numbers of time steps, and how to leave them out."""
        variable = self.space.variables.get(TIME_STEPS)
        if variable is None or variable.size == 1:
            return []
        only = [self.number] if isinstance(variable, Choice) else [self.number, self.number]
        return [
            f"The samples have {self.number} frames, one for each time step: networks of another number of time steps "
            f"are rejected before training. With only = {{ {TIME_STEPS} = {shown(only)} }} in [space] none is proposed."
        ]

    def _why_none(self) -> str:
        """Return why random networks cannot take the data, empty if one can; those without a plan say nothing."""
        rng, why = np.random.default_rng(0), ""
        for _ in range(DRAWN):
            with suppress(SpaceError):
                rejection = self.reject(self.space.sample(rng))
                if rejection is None:
                    return ""
                why = why or rejection.reasons[0]
        return why


def frames_of(space: Space | None, data: SearchData | None, *, plan: Plan | None) -> Frames | None:
    """Return the frames of the data, None for static images and where space or data are wrong."""
    if space is None or data is None or data.frames is None:
        return None
    return Frames(data.frames, space, plan)
