"""What a user waits for who looks at a long run: reading it, its front, and the page of a large one.

    python benchmarks/reading.py results/digits [--quick] [--json FILE]

The rows of a run, repeated until there are 20,000, or 5,000 for the page; processor seconds, medians of 3.

    load_20000     `evonas.load` and its front
    page_5000      reading it and writing `report.html`
    size_5000      of that file
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from table import Figure, publish

import evonas
from evonas.archive.archive import Archive
from evonas.archive.hdf5_file import write_archive
from evonas.report.page.written import write_own_page


def repeated(folder: Path, place: Path, *, rows: int) -> Path:
    """Return a results folder in `place` with the rows of another, over and over."""
    made = place / str(rows)
    made.mkdir()
    shutil.copy(folder / "run.toml", made)
    stored = Archive.read(folder / "archive.h5").stored()
    few = list(stored.evaluations)
    many = [few[slot % len(few)] for slot in range(rows)]
    known = {slot: stored.values[slot % len(few)] for slot in range(rows) if slot % len(few) in stored.values}
    evaluations = tuple(replace(one, job=replace(one.job, slot=slot)) for slot, one in enumerate(many))
    write_archive(made / "archive.h5", replace(stored, evaluations=evaluations, values=known))
    return made


def taken(act: Callable[[], object], *, repeats: int) -> float:
    """Return the median of the processor seconds that something takes."""
    seconds = []
    for _ in range(repeats):
        begin = time.process_time()
        act()
        seconds.append(time.process_time() - begin)
    return statistics.median(seconds)


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="a results folder")
    parser.add_argument("--quick", action="store_true", help="200 and 100 rows, once")
    parser.add_argument("--json", type=Path, help="write the figures there as well")
    options = parser.parse_args()
    rows, shown, repeats = (200, 100, 1) if options.quick else (20_000, 5_000, 3)
    with tempfile.TemporaryDirectory() as name:
        long, large = (repeated(options.folder, Path(name), rows=count) for count in (rows, shown))
        load = taken(lambda: evonas.load(long).front(), repeats=repeats)
        page = taken(lambda: write_own_page(large, Archive.read(large / "archive.h5")), repeats=repeats)
        size = (large / "report.html").stat().st_size
    publish(
        [
            Figure(f"load_{rows}", load, unit="s", goal="<= 3"),
            Figure(f"page_{shown}", page, unit="s", goal="<= 5"),
            Figure(f"size_{shown}", size / 1e6, unit="MB", goal="<= 12"),
        ],
        title=f"reading {options.folder.name}",
        file=options.json,
    )


if __name__ == "__main__":
    main()
