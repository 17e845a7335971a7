"""Sheets of a sweep: the best network of each chip and budget, and how alike the chips rank networks."""

from __future__ import annotations

from collections.abc import Mapping

from evonas.report.sheet import Sheet, sheet
from evonas.report.sweep_table import Amount, SweepTable


def best_networks(table: SweepTable) -> Sheet:
    """Return a table with the best network of each chip and budget."""
    refused = f", {table.refused} more refused" if table.refused else ""
    title = f"Best networks of {table.evaluations} evaluations, {table.failed} of them failed{refused}"
    numbers = ["feasible", "key", "accuracy", *(f"{name} [{unit}]" for name, unit in table.units.items())]
    rows = []
    for found in table.found:
        accuracy = "-" if found.accuracy is None else f"{found.accuracy:.3f} ± {found.accuracy_error:.3f}"
        amounts = [_amount((found.amounts or {}).get(name)) for name in table.units]
        cells = [found.profile, budget_text(found.budget), str(found.feasible), found.key or "none", accuracy, *amounts]
        rows.append([*cells, found.fit or "-"])
    return sheet(["chip", "at most", *numbers, "fit"], rows, title=title, right=numbers)


def rank_correlations(table: SweepTable, *, quantity: str) -> Sheet:
    """Return a table of Kendall's tau between the chips over all networks."""
    pairs = {likeness.profiles: likeness for likeness in table.likenesses if likeness.quantity == quantity}
    names = list(dict.fromkeys(name for pair in pairs for name in pair))
    rows = []
    for row in names:
        cells = [row]
        for column in names:
            likeness = pairs.get((row, column)) or pairs.get((column, row))
            cells.append("" if likeness is None else "-" if likeness.tau is None else f"{likeness.tau:.2f}")
        rows.append(cells)
    title = f"Rank correlation (Kendall's tau) of {quantity} over the networks"
    return sheet(["", *names], rows, title=title, right=["", *names])


def reasons(table: SweepTable) -> list[str]:
    """Return a sentence for each chip and reason why budgets have no network there."""
    budgets: dict[tuple[str, str], list[str]] = {}
    for found in table.found:
        if found.reason:
            budgets.setdefault((found.profile, found.reason), []).append(budget_text(found.budget))
    sentences = []
    for (profile, reason), texts in budgets.items():
        cells = sum(found.profile == profile for found in table.found)
        said = f" at most {' and '.join(texts)}" if len(texts) < cells else ""
        sentences.append(f"{profile}{said}: {reason.rstrip('.')}.")
    return sentences


def budget_text(bounds: Mapping[str, float]) -> str:
    """Return the bounds of a cell for people."""
    return ", ".join(f"{name} {bound:g}" for name, bound in bounds.items())


def _amount(amount: Amount | None) -> str:
    if amount is None:
        return "-"
    if amount.low == amount.high:
        return f"{amount.value:.3g}"
    return f"{amount.value:.3g} ({amount.low:.3g} to {amount.high:.3g})"
