"""Tables of a sweep for people: the best network of each chip and budget, and the rank correlations of chips."""

from __future__ import annotations

from collections.abc import Mapping

from evonas.report.sheet import Sheet, sheet
from evonas.report.sweep_table import Amount, CellResult, SweepTable


def best_networks(table: SweepTable) -> Sheet:
    """Return a table with the best network of each chip and budget."""
    rejected = f", {table.rejected} more rejected" if table.rejected else ""
    title = f"Best networks of {table.evaluations} evaluations, {table.failed} of them failed{rejected}"
    estimates = [f"{name} [{unit}]" for name, unit in table.units.items()]
    estimates += [f"{name}, {part} [{table.units[name]}]" for name, part in table.part_names()]
    rows = []
    for cell in table.cells:
        cells = [cell.profile, budget_text(cell.budget), str(cell.feasible), cell.key or "none", _merit(cell)]
        cells += [_amount((cell.amounts or {}).get(name)) for name in table.units]
        parts = [cell.part(name, part) for name, part in table.part_names()]
        cells += ["-" if value is None else f"{value:.3g}" for value in parts]
        rows.append([*cells, cell.fit or "-"])
    numbers = ["feasible", "key", table.merit_titles()[0], *estimates]
    return sheet(["chip", "at most", *numbers, "fit"], rows, title=title, right=numbers)


def correlation_sheet(table: SweepTable, *, quantity: str) -> Sheet:
    """Return a table of Kendall's tau between the chips over all networks."""
    pairs = {
        correlation.profiles: correlation for correlation in table.rank_correlations if correlation.quantity == quantity
    }
    names = list(dict.fromkeys(name for pair in pairs for name in pair))
    rows = []
    for row in names:
        cells = [row]
        for column in names:
            correlation = pairs.get((row, column)) or pairs.get((column, row))
            cells.append("" if correlation is None else "-" if correlation.tau is None else f"{correlation.tau:.2f}")
        rows.append(cells)
    title = f"Rank correlation (Kendall's tau) of {quantity} over the networks"
    return sheet(["", *names], rows, title=title, right=["", *names])


def reasons(table: SweepTable) -> list[str]:
    """Return a sentence for each chip and reason why it has no network within some budgets."""
    budgets: dict[tuple[str, str], list[str]] = {}
    for cell in table.cells:
        if cell.reason:
            budgets.setdefault((cell.profile, cell.reason), []).append(budget_text(cell.budget))
    sentences = []
    for (profile, reason), texts in budgets.items():
        is_every = len(texts) == sum(cell.profile == profile for cell in table.cells)
        which = "" if is_every else f" at most {' and '.join(texts)}"
        sentences.append(f"{profile}{which}: {reason.rstrip('.')}.")
    return sentences


def budget_text(bounds: Mapping[str, float]) -> str:
    """Return the bounds of a cell for people."""
    return ", ".join(f"{name} {bound:g}" for name, bound in bounds.items())


def _merit(cell: CellResult) -> str:
    if cell.merit is None:
        return "-"
    return f"{cell.merit:.3f}" + ("" if cell.merit_error is None else f" ± {cell.merit_error:.3f}")


def _amount(amount: Amount | None) -> str:
    if amount is None:
        return "-"
    if amount.low == amount.high:
        return f"{amount.value:.3g}"
    return f"{amount.value:.3g} ({amount.low:.3g} to {amount.high:.3g})"
