"""A resolved run: the run file with everything that it names looked up and made, checked whole before anything runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from evonas.chips.deployment import WEIGHT_BITS
from evonas.data.dataset import SearchData
from evonas.engine.attempt import Evaluate
from evonas.engine.budget import Budget, Ending
from evonas.engine.ladder import Ladder
from evonas.engine.rejection import Reject
from evonas.engine.search import RowStore, Workers, search
from evonas.engine.view import Row, Strategy
from evonas.errors import EvonasError, RunFileError, SpaceError
from evonas.genotype import Genotype
from evonas.objective import Objective, measures_of
from evonas.runfile.data_section import Frames, baseline_notes, frames_of, search_data_of
from evonas.runfile.form import Sections, parse
from evonas.runfile.held_data import HeldData
from evonas.runfile.metric_sections import with_metrics
from evonas.runfile.objective_sections import objectives_of
from evonas.runfile.rejections import ChipConstraint, chip_constraint_of, rejected_by_run
from evonas.runfile.schema import RunFile
from evonas.runfile.space_section import Plan, plan_faults, plan_of, space_of, surrogate_faults
from evonas.runfile.strategy_sections import PlannedSearches, members_of, mixed, reference_rows_of, searches_of
from evonas.runfile.toml_text import override, read_toml
from evonas.runfile.workers_section import MakeEvaluator, evaluator_of, workers_faults, workers_notes, workers_of
from evonas.space import Space
from evonas.training.cost_model import TrainingCost
from evonas.training.foresight import foresee_of
from evonas.training.training_settings import Training

MOST_EXAMPLES = 1000
"""Networks that are drawn until one can take the data."""


@dataclass(frozen=True)
class ResolvedRun:
    """Everything a search needs.

    Attributes:
        file: The run file.
        space: The space that it names.
        objectives: In the order of the run file.
        strategy: The strategy, or a mixture of several.
        searches: The search jobs that strategies may propose.
        ladder: Epochs of training by rung, and which networks climb.
        data: Training and validation samples; a run never sees the test samples.
        training: How networks are trained.
        frames: Event frames of the data, None for static images.
        plan: Plans a network, None where the space has no `plan`.
        chip_constraint: The chip that networks have to fit on, None where the run file names none.
        reject: Says which networks are not trained, None where all are.
        reference_rows: First rows from which the corners of the hypervolume are made.
        settings: What must not change when the run is resumed, as a flat mapping of dotted keys.
        notes: Sentences on what is allowed but may be a mistake.
    """

    file: RunFile
    space: Space
    objectives: tuple[Objective, ...]
    strategy: Strategy
    searches: tuple[PlannedSearches, ...]
    ladder: Ladder
    data: HeldData
    training: Training
    frames: Frames | None
    plan: Plan | None
    chip_constraint: ChipConstraint | None
    reject: Reject | None
    reference_rows: int
    settings: Mapping[str, Any]
    notes: tuple[str, ...]

    @property
    def search_data(self) -> SearchData:
        """Training and validation samples, read again where workers have taken them over."""
        return self.data.get()

    @property
    def top_rung(self) -> int:
        """The last rung of the ladder."""
        return self.ladder.top

    @property
    def budget(self) -> Budget:
        """When to stop."""
        limits = self.file.search
        return Budget(limits.evaluations, limits.seconds, limits.core_hours, num_cpus=self.file.workers.num_cpus)

    @property
    def predict(self) -> TrainingCost:
        """Predicts the cost of a job from its proposal alone."""
        return TrainingCost(self.space, self.search_data)

    def search(self, archive: RowStore, *, workers: Workers, on_row: Callable[[Row], None] | None = None) -> Ending:
        """Search, and return why the search ended; its rows are in `archive`."""
        return search(
            self.space,
            archive,
            strategy=self.strategy,
            workers=workers,
            budget=self.budget,
            parallel=self.file.search.parallel,
            ladder=self.ladder,
            predict=self.predict,
            reject=self.reject,
            foresee=foresee_of(self.plan, constants=self.space.constants),
            on_row=on_row,
        )

    def workers(self, *, unfinished: Path | None = None) -> Workers:
        """Return the workers that the run file asks for.

        Args:
            unfinished: Folder in which lower rungs of the ladder leave their trainings, so that higher ones go on from
                there; None where each training begins anew.
        """
        return workers_of(
            self.file.workers,
            inline=partial(self._evaluator, unfinished),
            remote=self.make_evaluate(unfinished=unfinished),
            sent=self.data.let_go,
            at_most=self.file.search.parallel,
        )

    def _evaluator(self, unfinished: Path | None) -> Evaluate:
        return evaluator_of(
            self.space,
            self.search_data,
            training=self.training,
            workers=self.file.workers,
            searches={search.strategy: search.told for search in self.searches},
            measures=measures_of(self.objectives),
            unfinished=unfinished,
        )

    def make_evaluate(self, *, unfinished: Path | None = None) -> MakeEvaluator:
        """Return the picklable function that makes an evaluator in another process."""
        return MakeEvaluator(
            self.file.search,
            self.file.space,
            self.data,
            training=self.training,
            workers=self.file.workers,
            searches={search.strategy: search.told for search in self.searches},
            measures=measures_of(self.objectives),
            unfinished=unfinished,
        )

    def example(self) -> Genotype:
        """Return a random network of the space that can take the data: the same for the same seed of the search."""
        rng = np.random.default_rng([self.file.search.seed, 0])
        for _ in range(MOST_EXAMPLES):
            genotype = self.space.sample(rng)
            with suppress(SpaceError):  # a network without a plan is no example
                if self.frames is None or self.frames.reject(genotype) is None:
                    break
        return genotype

    def try_one(self, genotype: Genotype) -> Any:
        """Return the network of `genotype` after it has answered two samples.

        Raises:
            RunFileError: If it cannot be built for the data, or cannot answer them.
        """
        from evonas.training.trainer import check_answers

        data, cannot = self.search_data, "cannot be built for"
        assert self.space.build is not None
        try:
            network = self.space.build(genotype, data.input_shape, data.task.outputs)
            cannot = "was built, but cannot answer"
            check_answers(network, data)
        except Exception as error:  # a user's own space may build anything
            cause = str(error) if isinstance(error, EvonasError) else f"{type(error).__name__}: {error}"
            raise RunFileError(
                [f"search.space: the network {genotype.key} {cannot} samples of shape {data.input_shape}: {cause}"]
            ) from error
        return network


def resolve(path: Path, *, overrides: Sequence[str] = ()) -> ResolvedRun:
    """Return the run that a run file describes.

    Args:
        path: The run file.
        overrides: `section.key=value` over it.

    Raises:
        RunFileError: With every fault of the file and of the overrides, of their form and of what they name.
    """
    data = read_toml(path)
    faults = [fault for text in overrides if (fault := override(data, text))]
    file, form_faults = parse(data)
    sections = Sections.of(data)
    space, space_faults = space_of(sections.search, sections.space)
    search_data, data_faults = search_data_of(sections.data)
    space = space if space is None or search_data is None else space.on(search_data.input_shape)
    plan = plan_of(space, search_data)
    frames = frames_of(space, search_data, plan=plan)
    named, metric_faults = with_metrics(sections.objectives, None if search_data is None else search_data.task)
    objectives, objective_faults = objectives_of(tuple(named.values()), numbers=tuple(named))
    objective_faults = [*metric_faults, *objective_faults]
    members, strategy_faults = members_of(sections.strategies)
    shares = "fixed" if sections.search is None else sections.search.shares
    strategy, mixture_faults = mixed(members, sections.strategies, shares=shares)
    chip, chip_faults = chip_constraint_of(sections.hardware, space=space)
    faults += [*form_faults, *space_faults, *surrogate_faults(space, sections.training), *data_faults]
    faults += [*objective_faults, *strategy_faults, *mixture_faults, *chip_faults]
    faults += [] if frames is None else frames.faults()
    faults += plan_faults(space, plan)
    faults += [] if file is None else workers_faults(file.workers)
    searches: tuple[PlannedSearches, ...] = ()
    if space is not None:
        are_known = file is not None and not objective_faults and len(named) == len(sections.objectives)
        searches, search_faults = searches_of(
            members, space, objectives=objectives if are_known else None, sections=tuple(named.values())
        )
        faults += search_faults
    if faults or file is None or space is None or strategy is None or search_data is None:
        raise RunFileError(list(dict.fromkeys(faults)))
    file = file.model_copy(update={"objectives": tuple(named.values())})
    notes = [*search_data.notes, *baseline_notes(search_data, objectives, file.objectives)]
    notes += _notes_of_chips(file, objectives)
    notes += [note for search in searches for note in search.notes]
    notes += workers_notes(file)
    notes += [] if chip is None or plan is None else chip.notes(space, plan=plan)
    notes += [] if frames is None else frames.notes()
    checks = {"": chip.check} if chip is not None and chip.section.fit else {}
    return ResolvedRun(
        file,
        space,
        objectives,
        strategy,
        searches=searches,
        ladder=Ladder(file.ladder.epochs, file.ladder.keep),
        data=HeldData(file.data, search_data),
        training=Training(epochs=file.ladder.epochs[-1], **file.training.model_dump()),
        frames=frames,
        plan=plan,
        chip_constraint=chip,
        reject=rejected_by_run(frames, plan=plan, checks=checks, targets=[objectives]),
        reference_rows=reference_rows_of(members),
        settings={
            **file.settings(),
            **{f"data.{name}": value for name, value in search_data.task.about.items()},
            "data.fingerprint": search_data.fingerprint,
        },
        notes=tuple(notes),
    )


def _notes_of_chips(file: RunFile, objectives: Sequence[Objective]) -> list[str]:
    """Return a sentence for each objective of another chip, or of other weights, than those that networks must fit."""
    if file.hardware is None:
        return []
    notes, bits = [], file.hardware.weight_bits
    chip = Path(file.hardware.profile).stem
    others = [f"{one.name} on {one.profile}" for one in objectives if one.profile not in (None, chip)]
    if others:
        notes.append(f"hardware.profile = {chip} says what fits, while objectives ask for {', '.join(others)}.")
    for objective, section in zip(objectives, file.objectives, strict=True):
        own = section.options.get("weight_bits", WEIGHT_BITS)
        if objective.profile is not None and own != bits:
            notes.append(
                f"hardware.weight_bits = {bits} says what fits, while {objective.name} is computed"
                f" for weights of {own} bits. Give the objective the same weight_bits if one network is meant."
            )
    return notes
