"""How far a search has come, in a few words: hypervolume, the best of each objective, networks at the top rung."""

from __future__ import annotations

from evonas.archive.archive import Archive


def standing(archive: Archive, *, top_rung: int) -> str:
    """Return how far the search has come."""
    front = archive.front()
    said = [f"hypervolume {'not yet known' if front.hypervolume is None else f'{front.hypervolume:.4f}'}"]
    costs = [row.costs for row in front.rows if row.costs is not None]
    for index, objective in enumerate(archive.objectives):
        if costs:
            best = objective.sign * min(row[index] for row in costs)
            said.append(
                f"best {objective.name} {best:.3g} {'' if objective.unit == 'fraction' else objective.unit}".rstrip()
            )
    if top_rung:
        reached = sum(row.is_scored and row.job.rung == top_rung for row in archive.rows)
        said.append(f"{reached} at the top rung")
    return ", ".join(said)
