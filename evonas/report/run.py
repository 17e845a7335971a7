"""A run, finished or not, as an object: its front, its picks, other chips. Looking at it needs no data and no torch."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path

from evonas.archive.archive import Archive
from evonas.archive.results import Results
from evonas.engine.proxy_score import ProxyScore
from evonas.engine.view import Row
from evonas.errors import RunFileError
from evonas.objective import Objective
from evonas.report.answer import Answer, Command, answered
from evonas.report.escaping import hypertext
from evonas.report.networks import FoundNetwork, FrontOfNetworks
from evonas.report.pick import pick, usual_form
from evonas.report.rescoring import Rescoring
from evonas.report.results_folder import archive_of
from evonas.report.run_folder import RunFolder, said_in_python


class Run:
    """What a run has found so far; `evonas.load` makes one. It is read once: load it again to see what came since.

    Attributes:
        folder: Where its results are.
        rescoring: The objectives and the chip by which the networks are scored.
        results: Every row under the objectives, and what the archive knows of the run.
        objectives: What is traded.
        notes: How the folder was read, and what was lost or repaired, as sentences.
    """

    def __init__(self, folder: RunFolder, answer: Answer) -> None:
        self.folder = replace(folder, settings=answer.results.settings)
        self.rescoring: Rescoring = answer.rescoring
        self.results: Results = answer.results
        self.objectives = answer.results.objectives
        self.notes = answer.remarks

    @property
    def rows(self) -> tuple[Row, ...]:
        """Every row, in slot order: rejected and failed ones as well."""
        return self.results.rows

    @property
    def proxy_scores(self) -> tuple[ProxyScore, ...]:
        """Every score that a network got without training, of pools that were scored; empty where none was."""
        return self.results.proxy_scores

    def front(self) -> FrontOfNetworks:
        """Return the front: its networks in slot order, as a sequence, a data frame, JSON, or a table in a notebook."""
        found = self.results.front()
        known = {one.name: getattr(found, one.name) for one in fields(found)}
        return FrontOfNetworks(**known, networks=tuple(map(self._network, found.rows)))

    def pick(self, wanted: str | None = None) -> FoundNetwork:
        """Return one network.

        Args:
            wanted: `"cheapest"` (within one sampling error of the best accuracy), `"knee"`, `"best:OBJECTIVE"`,
                `"budget"` (the most accurate within all bounds), or a key or how it begins. By default the cheapest, or
                the knee where nothing says how far the task's metric may be from the truth.

        Raises:
            RunFileError: If there is no such network.
        """
        with said_in_python():
            try:
                named = usual_form(self.results.front()) if wanted is None else wanted
                return self._network(pick(self.results, named))
            except RunFileError as error:
                why = self.rescoring.kept_off(self.results)
                raise RunFileError([*error.faults, *filter(None, [why])]) from None

    def rescore(self, profile: str | None = None, budgets: Mapping[str, float] | None = None) -> Run:
        """Return the same networks scored for another chip and other budgets; nothing is trained again.

        Args:
            profile: Another chip, by its name or the path of its file; None leaves the chips of the run.
            budgets: Hard bounds by the name of the objective, each on its bad side.

        Raises:
            RunFileError: If there is no such chip or objective, or nothing but stored values is known.
        """
        bounds = tuple(f"{name}={value!r}" for name, value in (budgets or {}).items())
        with said_in_python():
            answer = answered(self.folder.given, Command(profile, bounds, (), self.folder.trust))
        return Run(self.folder, answer)

    def hypervolume(self) -> float | None:
        """Return the hypervolume of the front, in [0, 1]; None as long as its corners are not known."""
        return self.results.front().hypervolume

    def _network(self, row: Row) -> FoundNetwork:
        return FoundNetwork(row, self.rescoring, self.folder)

    def _repr_html_(self) -> str:
        """Return the front as a table for notebooks, and why it is empty where it is."""
        front = self.front()
        why = "" if front.rows else self.rescoring.kept_off(self.results)
        return front._repr_html_() + (f"<p>{hypertext(why)}</p>" if why else "")

    def __repr__(self) -> str:
        found = self.results.front()
        return f"<Run {self.folder.path}: {len(found.rows)} networks on the front of {found.evaluations} evaluations>"


def load(path: str | os.PathLike[str], objectives: Sequence[Objective] | None = None, *, trust: bool = False) -> Run:
    """Return what a run has found so far, from the folder of its results or the file of its archive.

    Nothing is locked or changed. Nothing that the folder names is executed, unless it is trusted: objectives, spaces
    and chips that evonas ships are known by name, of others the stored values are shown.

    Args:
        path: The folder of a run, which holds `archive.h5`, or the file of any archive.
        objectives: What to score the rows under; by default those of the run.
        trust: Whether code of the user's own that the folder names may be imported.

    Raises:
        ArchiveError: If there is no archive, or it is damaged.
        RunFileError: If the run file beside it is wrong, or of another run.

    Example:
        >>> import evonas
        >>> space = evonas.Space({"layers": evonas.Integer(1, 6)})
        >>> size = evonas.Objective("size", lambda found: found["size"])
        >>> workers = evonas.InlineWorkers(lambda job: {"size": job.genotype["layers"] ** 2})
        >>> with evonas.Archive("known.h5", space, [size]) as archive:
        ...     ending = evonas.search(
        ...         space, archive, strategy=evonas.RandomSearch(), workers=workers, budget=evonas.Budget(evaluations=6)
        ...     )
        >>> run = evonas.load("known.h5")
        >>> [(network.genotype["layers"], network.objectives["size"]) for network in run.front()]
        [(1, 1.0)]
    """
    path = Path(path)
    if objectives is not None:
        results = Archive.read(archive_of(path), objectives)
        answer = Answer(results, Rescoring(results.objectives, None, False, {}, None), (), results.notes)
        return Run(RunFolder(path, trust), answer)
    with said_in_python():
        return Run(RunFolder(path, trust), answered(path, Command(trust=trust)))
