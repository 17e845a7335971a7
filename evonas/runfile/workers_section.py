"""The section `[workers]` of a run file: what it asks for and this machine has not, and what has no effect."""

from __future__ import annotations

from evonas.runfile.schema import RunFile, WorkersSection
from evonas.training.torch_process import sees_gpu


def workers_faults(section: WorkersSection) -> list[str]:
    """Return a sentence where evaluations in this process would all fail, because it has no GPU."""
    if section.count != 0 or not section.num_gpus or sees_gpu():
        return []
    return [
        f"workers.num_gpus: got {section.num_gpus:g} with workers.count = 0, which evaluates in this process, where "
        "torch sees no GPU; set workers.num_gpus to 0, or run on a machine with a GPU and a torch that supports it"
    ]


def workers_notes(file: RunFile) -> list[str]:
    """Return a sentence for each key that has no effect, or another than one would think."""
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
