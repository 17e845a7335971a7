"""The workers of a run: what `[workers]` asks for, and the evaluator that each of them makes for itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from evonas.data.dataset import SearchData
from evonas.engine.attempt import Evaluate
from evonas.engine.search import Workers
from evonas.engine.workers import InlineWorkers, LazyEvaluate
from evonas.errors import RunFileError
from evonas.robustness import Robustness
from evonas.runfile.held_data import HeldData
from evonas.runfile.schema import RunFile, SearchSection, SpaceSection, WorkersSection
from evonas.runfile.searchers import SearchesOf, SearchTools
from evonas.runfile.space_section import space_of
from evonas.space import Space
from evonas.training.process import keep_freed_memory, sees_gpu
from evonas.training.training_settings import Training


def workers_faults(section: WorkersSection) -> list[str]:
    """Return a sentence where evaluations in this process would all fail, because it has no GPU."""
    if section.count != 0 or not section.num_gpus or sees_gpu():
        return []
    return [
        f"workers.num_gpus: got {section.num_gpus:g} with workers.count = 0, which evaluates in this process, where "
        "torch sees no GPU; set workers.num_gpus to 0, or run on a machine with a GPU and a torch that supports it"
    ]


def workers_notes(file: RunFile) -> list[str]:
    """Return a sentence for each key that has no effect, or not the usual one."""
    section, notes = file.workers, []
    if section.count == 0:
        unkept = [key for key in ("seconds", "search_seconds") if getattr(section, key) is not None]
        if unkept:
            keys = " and ".join(f"workers.{key} = {getattr(section, key):g}" for key in unkept)
            notes.append(
                f"{keys} is not kept with workers.count = 0: an evaluation in this process cannot be stopped. "
                "Set workers.count to 1 or more for a time limit."
            )
    if section.count is not None and section.count > file.search.parallel:
        notes.append(
            f"workers.count = {section.count} is more than search.parallel = {file.search.parallel}: the rest "
            "will idle. Raise search.parallel (which changes the result) or lower workers.count."
        )
    return notes


def workers_of(
    section: WorkersSection,
    *,
    inline: Callable[[], Evaluate],
    remote: Callable[[], Evaluate],
    sent: Callable[[], None],
    at_most: int,
) -> Workers:
    """Return the workers that a run file asks for.

    Args:
        section: What it asks for.
        inline: Makes the evaluator of this process.
        remote: Makes that of another process, picklable.
        sent: Called once `remote` lies in the memory that workers share.
        at_most: Never more workers than this, where the run file leaves their number open.
    """
    if section.count == 0:
        return InlineWorkers(LazyEvaluate(inline))
    from evonas.engine.ray_workers import RayWorkers  # importing Ray takes seconds

    return RayWorkers(
        remote,
        count=section.count,
        num_cpus=section.num_cpus,
        num_gpus=section.num_gpus,
        seconds=section.seconds,
        search_seconds=section.search_seconds,
        retries=section.retries,
        at_most=at_most,
        sent=sent,
    )


def evaluator_of(
    space: Space,
    data: SearchData,
    *,
    training: Training,
    workers: WorkersSection,
    searches: Mapping[str, SearchesOf],
    measures: Sequence[Robustness],
    unfinished: Path | None,
) -> Evaluate:
    """Return what trains and measures the networks of a run in this process, and does the search jobs of strategies.

    Args:
        space: Builds the networks.
        data: Training and validation samples.
        training: How networks are trained.
        workers: Says on how many threads, and on which kind of device.
        searches: The search jobs of strategies, by their names.
        measures: What objectives ask of a network beside the metrics of the task.
        unfinished: Folder in which lower rungs of the ladder leave their trainings, None for none.
    """
    from evonas.training.evaluator import JobEvaluator  # torch, which a command that evaluates nothing does without
    from evonas.training.trainer import TrainingEvaluator

    device = "cuda" if workers.num_gpus else "cpu"
    threads = max(1, int(workers.num_cpus))
    evaluator = TrainingEvaluator(
        space, data, training=training, threads=threads, device=device, measures=measures, unfinished=unfinished
    )
    tools = SearchTools(space, data, training, threads=threads, device=device)
    searchers = {name: tools.searcher(told) for name, told in searches.items()}
    keep_freed_memory()  # this process does nothing else
    return JobEvaluator(evaluator, searchers=searchers)


@dataclass(frozen=True)
class MakeEvaluator:
    """Makes the evaluator of a run in a worker, which has the data with it and looks up the space by its name.

    Attributes:
        search: Names the space.
        narrowing: What is left of the space.
        data: Training and validation samples.
        training: How networks are trained.
        workers: What the worker has.
        searches: The search jobs of strategies, by their names.
        measures: What objectives ask of a network beside the metrics of the task.
        unfinished: Folder in which lower rungs of the ladder leave their trainings, None for none; used where the
            machine of the worker sees it.
    """

    search: SearchSection
    narrowing: SpaceSection | None
    data: HeldData
    training: Training
    workers: WorkersSection
    searches: Mapping[str, SearchesOf]
    measures: tuple[Robustness, ...]
    unfinished: Path | None

    def __call__(self) -> Evaluate:
        """Return the evaluator.

        Raises:
            RunFileError: If what the run file names is missing on this machine.
        """
        space, faults = space_of(self.search, self.narrowing)
        if space is None:
            raise RunFileError(faults)
        data = self.data.get()
        return evaluator_of(
            space.on(data.input_shape),
            data,
            training=self.training,
            workers=self.workers,
            searches=self.searches,
            measures=self.measures,
            unfinished=self.unfinished,
        )
