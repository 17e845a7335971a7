"""A resolved run: the run file with everything that it names looked up, checked whole before anything runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from evonas.chips.deployment import WEIGHT_BITS
from evonas.data.dataset import SearchData
from evonas.engine.attempt import Evaluate
from evonas.engine.ladder import Ladder
from evonas.engine.rejection import Reject, first_of
from evonas.engine.search import Budget, Climb, Ending, Memory, Predict, Workers, search
from evonas.engine.view import Row, Strategy
from evonas.errors import DataError, EvonasError, OptionError, RunFileError
from evonas.objective import Objective
from evonas.options import shown
from evonas.runfile.basis import basis_of
from evonas.runfile.chip_constraint import Hardware, hardware_of
from evonas.runfile.data_section import baseline_notes, search_data_of
from evonas.runfile.frames import frames_of
from evonas.runfile.lookup import LookupFault, look_up, make_named
from evonas.runfile.planned_bounds import plan_faults, plan_of, rejected_by_plan
from evonas.runfile.schema import ObjectiveSection, RunFile, parse
from evonas.runfile.sections import Sections
from evonas.runfile.strategies import misfits, price_notes, prices_of, strategy_of
from evonas.runfile.toml_text import override, read_toml
from evonas.runfile.workers_section import workers_faults, workers_notes
from evonas.space import Genotype, Space
from evonas.training.cost_model import TrainingCost
from evonas.training.evaluator import JobEvaluator
from evonas.training.glibc_memory import keep_freed_memory

DEFAULT_POP_SIZE = 16
"""Stands for the population of a strategy that has none."""

EXAMPLES = 1000
"""Networks that are drawn until one can take the data."""


@dataclass(frozen=True)
class ResolvedRun:
    """Everything a search needs.

    Attributes:
        file: The run file.
        space: The space that it names.
        objectives: In the order of the run file.
        strategy: The strategy, or a mixture of several.
        search_data: Training and validation samples; the test samples are nowhere in a run.
        hardware: The chip that networks have to fit on, None where the run file names none.
        notes: What is allowed, but perhaps not meant.
    """

    file: RunFile
    space: Space
    objectives: tuple[Objective, ...]
    strategy: Strategy
    search_data: SearchData
    hardware: Hardware | None
    notes: tuple[str, ...]

    def settings(self) -> dict[str, Any]:
        """Return what must not change when the run is resumed, as a flat mapping of dotted keys."""
        data = self.search_data
        seen = {"data.class_labels": list(data.class_labels), "data.fingerprint": data.fingerprint}
        return {**self.file.settings(), **seen}

    @property
    def ladder(self) -> Ladder:
        """The ladder of epochs."""
        return Ladder(self.file.ladder.epochs, self.file.ladder.keep)

    @property
    def budget(self) -> Budget:
        """When to stop."""
        return Budget(self.file.search.evaluations, self.file.search.seconds)

    @property
    def pop_size(self) -> int:
        """Largest population of the strategies: so many first rows fix the reference points of the hypervolume."""
        members = [member for member, _ in getattr(self.strategy, "members", [(self.strategy, 1.0)])]
        sizes = [getattr(member, "pop_size", DEFAULT_POP_SIZE) for member in members]
        return max((size for size in sizes if isinstance(size, int) and size > 0), default=DEFAULT_POP_SIZE)

    @property
    def reject_frames(self) -> Reject | None:
        """Says which networks cannot take the event frames of the data, None where the data have none."""
        frames = frames_of(self.space, self.search_data)
        return None if frames is None else frames.reject

    @property
    def reject(self) -> Reject | None:
        """Says which networks are not trained: for the frames, for their chip, or for bounds that their plan breaks."""
        hardware = self.hardware
        misfit = hardware.reject if hardware is not None and hardware.section.fit else None
        return first_of(self.reject_frames, misfit, self.reject_planned(self.objectives))

    def reject_planned(self, objectives: Sequence[Objective]) -> Reject | None:
        """Return what rejects networks that cannot be feasible under some objectives, as far as their plan tells."""
        plan = plan_of(self.space, self.search_data)
        return None if plan is None else rejected_by_plan(objectives, plan)

    def predict(self) -> Predict:
        """Return what predicts the cost of a job from its proposal alone."""
        return TrainingCost(self.space, self.search_data)

    def search(self, archive: Memory, *, workers: Workers, on_row: Callable[[Row], None] | None = None) -> Ending:
        """Return why the search of this run ended; its rows lie in `archive`."""
        return self.search_by(
            self.strategy, archive, ladder=self.ladder, reject=self.reject, workers=workers, on_row=on_row
        )

    def search_by(
        self,
        strategy: Strategy,
        archive: Memory,
        *,
        ladder: Climb,
        reject: Reject | None,
        workers: Workers,
        on_row: Callable[[Row], None] | None = None,
    ) -> Ending:
        """Return why a search in the space and the budget of this run ended, whoever proposes, promotes and rejects."""
        return search(
            self.space,
            archive,
            strategy=strategy,
            workers=workers,
            budget=self.budget,
            parallel=self.file.search.parallel,
            ladder=ladder,
            predict=self.predict(),
            reject=reject,
            on_row=on_row,
        )

    def example(self) -> Genotype:
        """Return a random network of the space that can take the data: the same for the same seed of the search."""
        rng = np.random.default_rng([self.file.search.seed, 0])
        reject = self.reject_frames or (lambda genotype: None)
        drawn = [self.space.sample(rng)]
        while reject(drawn[-1]) is not None and len(drawn) < EXAMPLES:
            drawn.append(self.space.sample(rng))
        return drawn[-1]

    def build_one(self, genotype: Genotype) -> Any:
        """Return the network of `genotype`, to see that one can be built."""
        data = self.search_data
        assert self.space.build is not None
        return self.space.build(genotype, data.input_shape, data.classes)

    def try_one(self, genotype: Genotype) -> Any:
        """Return the network of `genotype` after it has answered two samples.

        Raises:
            RunFileError: If it cannot be built for the data, or cannot answer them.
        """
        from evonas.training.trainer import check_answers

        cannot = "cannot be built for"
        try:
            network = self.build_one(genotype)
            cannot = "was built, but cannot answer"
            check_answers(network, self.search_data)
        except Exception as error:  # a space of somebody's own may build anything
            said = str(error) if isinstance(error, EvonasError) else f"{type(error).__name__}: {error}"
            shape = self.search_data.input_shape
            raise RunFileError(
                [f"search.space: the network {genotype.key} {cannot} samples of shape {shape}: {said}"]
            ) from error
        return network

    def make_evaluate(self) -> Callable[[], Evaluate]:
        """Return the picklable function that makes an evaluator in a worker."""
        return MakeEvaluator(self.file, self.search_data.fingerprint)


@dataclass(frozen=True)
class MakeEvaluator:
    """Makes the evaluator of a run file; called once in each worker, which reads the data itself.

    Attributes:
        file: The run file.
        fingerprint: Of the data that the search was resolved with.
    """

    file: RunFile
    fingerprint: str

    def __call__(self) -> Evaluate:
        """Return the evaluator.

        Raises:
            RunFileError: If something that the run file names is not here.
            DataError: If the data here are others than those of the search.
        """
        from evonas.training.bilevel_searcher import BilevelSearcher
        from evonas.training.trainer import TrainingEvaluator
        from evonas.training.training_settings import Training

        file = self.file
        data, faults = search_data_of(file.data)
        if data is None:
            raise RunFileError(faults)
        if data.fingerprint != self.fingerprint:
            raise DataError(
                f"The data {file.data.name!r} that this worker reads are others than those that the search began with: "
                "their fingerprints differ. Give all machines the same files."
            )
        space, faults = space_of(file)
        if space is None:
            raise RunFileError(faults)
        training = Training(epochs=file.ladder.epochs[-1], **file.training.model_dump())
        device = "cuda" if file.workers.num_gpus else "cpu"
        threads = max(1, int(file.workers.num_cpus))
        evaluator = TrainingEvaluator(space, data, training=training, threads=threads, device=device)
        make = partial(BilevelSearcher, space, data, training=training, warm=evaluator.warm, device=device)
        prices = prices_of(file, objectives=objectives_of(file.objectives)[0])
        searchers = {member.name: make(price=price) for _, member, price in prices}
        keep_freed_memory()  # of the process of a run or of one of its workers, which does nothing else
        return JobEvaluator(evaluator, searchers=searchers, threads=threads)


def resolve(path: Path, *, overrides: tuple[str, ...] = ()) -> ResolvedRun:
    """Return the run that a run file describes.

    Raises:
        RunFileError: With every fault of the file and of the overrides, of their form and of what they name.
    """
    data = read_toml(path)
    faults = [fault for text in overrides if (fault := override(data, text))]
    file, form_faults = parse(data)
    sections = Sections.of(data)
    space, space_faults = space_of(sections)
    objectives, objective_faults = objectives_of(
        tuple(sections.objectives.values()), numbers=tuple(sections.objectives)
    )
    shares = "fixed" if sections.search is None else sections.search.shares
    strategy, strategy_faults = strategy_of(sections.strategies, shares=shares)
    search_data, data_faults = (None, []) if sections.data is None else search_data_of(sections.data)
    hardware, hardware_faults = hardware_of(sections.hardware, space=space, data=search_data)
    faults += [*form_faults, *space_faults, *_widths_faults(sections, space), *data_faults, *objective_faults]
    faults += [*strategy_faults, *hardware_faults]
    frames = frames_of(space, search_data)
    faults += [] if frames is None else frames.faults()
    faults += plan_faults(space, search_data)
    faults += [] if file is None else workers_faults(file.workers)
    are_known = file is not None and not objective_faults
    if space is not None:
        faults += misfits(sections, space, objectives=objectives if are_known else None)
    if faults or file is None or space is None or strategy is None or search_data is None:
        raise RunFileError(list(dict.fromkeys(faults)))
    notes = [*search_data.notes, *baseline_notes(search_data, objectives, file.objectives), *_notes(file, objectives)]
    notes += [] if hardware is None else hardware.notes(space)
    notes += [] if frames is None else frames.notes()
    return ResolvedRun(file, space, objectives, strategy, search_data, hardware, tuple(notes))


def space_of(sections: Sections | RunFile) -> tuple[Space | None, list[str]]:
    """Return the space that a run file names, narrowed as it says, and a sentence for each fault."""
    if sections.search is None:
        return None, []
    name = sections.search.space
    try:
        space = look_up(name, folder="spaces", attribute="space")
    except LookupFault as fault:
        return None, [f"search.space: {fault}, got {shown(name)}"]
    if not isinstance(space, Space) or space.build is None:
        return None, [f"search.space: {name!r} is no Space with a `build`, so that its networks cannot be trained"]
    if sections.space is None:
        return space, []
    try:
        return space.narrowed(sections.space.only), []
    except OptionError as error:
        return None, [f"space.only.{fault}" if fault[:1] != ":" else f"space.only{fault}" for fault in error.faults]


def _widths_faults(sections: Sections, space: Space | None) -> list[str]:
    every = sections.training.search_surrogates_every
    if every is None or space is None or space.surrogate_widths is not None:
        return []
    return [
        f"training.search_surrogates_every: got {every}, but the space of the run does not say which widths "
        "surrogate gradients may have; leave the key out, or give the Space a `surrogate_width`"
    ]


def objectives_of(
    sections: Sequence[ObjectiveSection], *, numbers: Sequence[int] | None = None, trusted: bool = True
) -> tuple[tuple[Objective, ...], list[str]]:
    """Return the objectives that sections of a run file name, and a sentence for each fault.

    Args:
        sections: What is named.
        numbers: Number of each section in the run file; by default from 0 on.
        trusted: Whether code of the user's own may be imported.
    """
    objectives: list[Objective] = []
    faults: list[str] = []
    for index, section in zip(numbers or range(len(sections)), sections, strict=True):
        key = f"objectives.{index}"
        made, wrong = make_named(
            section.name, section.options, folder="objectives", attribute="objective", key=key, trusted=trusted
        )
        faults += wrong
        if made is None:
            continue
        try:
            objective = replace(
                made,
                name=section.as_ or made.name,
                at_least=made.at_least if section.at_least is None else section.at_least,
                at_most=made.at_most if section.at_most is None else section.at_most,
                basis=basis_of(section),
            )
        except OptionError as error:  # bounds are right by their form, so that it is the name
            faults += [f"{key}.as{fault.removeprefix('name')}" for fault in error.faults]
            continue
        faults += [f"{key}.{fault}" for fault in bound_faults(objective)]
        if objective.name in [other.name for other in objectives]:
            faults.append(f'{key}.as: a second objective is called {objective.name!r}; give it a name with as = "…"')
        objectives.append(objective)
    return tuple(objectives), faults


def bound_faults(objective: Objective) -> list[str]:
    """Return a sentence for each bound of an objective that no network, or no two bounds, can keep."""
    faults = []
    least, most = objective.at_least, objective.at_most
    if least is not None and most is not None and least > most:
        faults.append(f"at_least: {least:g} is above at_most = {most:g}, so that no network can keep both")
    if most is not None and objective.direction == "min" and (most < 0 or (objective.log and most == 0)):
        faults.append(f"at_most: {most:g} {objective.unit} can never be kept; expected a bound above 0")
    if least is not None and objective.direction == "max" and objective.best is not None and least > objective.best:
        faults.append(f"at_least: {least:g} can never be reached; the best possible is {objective.best:g}")
    return faults


def _notes(file: RunFile, objectives: Sequence[Objective]) -> list[str]:
    notes = []
    chip = None if file.hardware is None else Path(file.hardware.profile).stem
    others = [f"{one.name} on {one.profile}" for one in objectives if chip and one.profile not in (None, chip)]
    if others:
        notes.append(f"hardware.profile = {chip} says what fits, while objectives ask for {', '.join(others)}.")
    for objective, section in zip(objectives, file.objectives, strict=True):
        bits = section.options.get("weight_bits", WEIGHT_BITS)
        if file.hardware is not None and objective.profile is not None and bits != file.hardware.weight_bits:
            notes.append(
                f"hardware.weight_bits = {file.hardware.weight_bits} says what fits, while {objective.name} is computed"
                f" for weights of {bits} bits. Give the objective the same weight_bits if one network is meant."
            )
    notes += price_notes(file, objectives=objectives)
    notes += workers_notes(file)
    return notes
