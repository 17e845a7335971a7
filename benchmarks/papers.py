"""Published systems, asked here: does each claim hold on these data, in these sizes?

    python benchmarks/papers.py [--quick] [--data digits|fashion|events] [--slow] [--seeds N] [--only WORD]
                                [--workers N] [--folder DIR] [--json FILE]

Both sides of a comparison have the same cost of training: the same epochs, or as many sample-steps. An interval covers
95 %: by bootstrap over networks, or Student's of paired differences over seeds; each row says which. A claim holds here
where the whole interval lies above no effect, does not hold where it lies below, and is not to be told otherwise, nor
from one seed or fewer than six networks. `--only` takes the claims whose name has the word: hamming, lyapunov,
inherited, feedback, surrogates, constants, attention, search-snasnet, …, joint. Fashion-MNIST (`fashion-mnist/`) and
events (`nmnist-small.h5`: 1,000 recordings of N-MNIST as frames of 12 x 12) are read from the folder that EVONAS_DATA
names.
Archives are kept, so that the same command goes on.

    <claim>: <comparison>, …, low, …, high      the effect, or a cost that is told alone, and the ends of its interval
"""

from __future__ import annotations

import argparse
import os
import tempfile
from pathlib import Path
from typing import Any

import claims_of_networks
import claims_of_scores
import claims_of_searches
import torch
from claims import Claim, Effect, Setting
from real_files import nmnist_files
from table import Figure, columns, publish

from evonas.data import digits, images, nmnist
from evonas.data.dataset import DataSet


def recordings(source: Path, folder: Path) -> Path:
    """Return a folder of N-MNIST's own files in `folder`, written the first time: the 1,000 recordings for training.

    A fifth of them is the test part: the official one has 100 recordings in `source`, too few to compare networks by.
    """
    whole = folder / "nmnist"
    if not whole.exists():
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder) as unfinished:
            nmnist_files(source, Path(unfinished) / "nmnist").rename(whole)
    return whole / "Train"


def data_of(name: str, *, folder: Path, is_slow: bool) -> tuple[DataSet, dict[str, Any]]:
    """Return a data set, and how a run file names it.

    Raises:
        SystemExit: If there are no such data here.
    """
    if name == "digits":
        return digits.read(), {"name": "digits"}
    root = os.environ.get("EVONAS_DATA")
    if root is None:
        raise SystemExit(
            f"EVONAS_DATA names the folder that data for {name} are read from. Set it, or take --data digits."
        )
    if name == "events":
        section: dict[str, Any] = {"path": str(recordings(Path(root) / "nmnist-small.h5", folder)), "downscale": 3}
        return nmnist.read(**section), {"name": "nmnist", **section}
    sizes = {"limit": 12_000} if is_slow else {"limit": 2_000, "side": 14}
    section = {"path": str(Path(root) / "fashion-mnist"), **sizes}
    return images.read(**section), {"name": "images", **section}


def row(claim: Claim, effect: Effect) -> tuple[str, ...]:
    """Return the row of an effect."""
    value = "none" if effect.value is None else f"{effect.value:+.3g}"
    ends = "" if effect.low is None or effect.high is None else f"[{effect.low:+.3g}, {effect.high:+.3g}]"
    return claim.name, effect.what, value, ends, effect.unit, effect.interval, effect.verdict


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one seed, networks and searches as few as can be")
    parser.add_argument("--slow", action="store_true", help="Fashion-MNIST: 12,000 images of 28 x 28, not 2,000 small")
    parser.add_argument("--data", choices=["digits", "fashion", "events"], default="digits")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--networks", type=int, default=12, help="of a comparison of the same networks")
    parser.add_argument("--ranked", type=int, default=64, help="networks that are ranked")
    parser.add_argument("--epochs", type=int, default=6, help="of each training that no run file sets")
    parser.add_argument("--evaluations", type=int, default=40, help="of the mixture on the joint space")
    parser.add_argument("--only", default="", help="claims whose name has this word")
    parser.add_argument("--workers", type=int, default=0, help="0 searches in this process")
    parser.add_argument("--folder", type=Path, help="archives; results/benchmarks/papers-… by default")
    parser.add_argument("--json", type=Path, help="write the figures there as well")
    options = parser.parse_args()
    if options.quick:
        options.seeds, options.networks, options.ranked, options.epochs, options.evaluations = 1, 2, 6, 1, 3
    size = "-quick" * options.quick + "-slow" * options.slow
    folder = options.folder or Path(f"results/benchmarks/papers-{options.data}{size}")
    torch.set_num_threads(1)
    data, section = data_of(options.data, folder=folder, is_slow=options.slow)
    setting = Setting(
        data=data,
        section=section,
        seeds=options.seeds,
        networks=options.networks,
        ranked=options.ranked,
        epochs=options.epochs,
        is_quick=options.quick,
        workers=options.workers,
        folder=folder,
    )
    of_searches = claims_of_searches.claims(evaluations=options.evaluations)
    every = (*claims_of_scores.CLAIMS, *claims_of_networks.CLAIMS, *of_searches)
    chosen = [claim for claim in every if options.only in claim.name]
    if not chosen:
        parser.error(f"--only {options.only}: there are {', '.join(claim.name for claim in every)}")
    rows: list[tuple[str, ...]] = [("claim", "comparison", "effect", "95 %", "unit", "over", "verdict")]
    figures: list[Figure] = []
    for claim in chosen:
        print(f"\n{claim.name}. {claim.says}.", flush=True)
        if claim.missing:
            print(f"  Left out: {claim.missing}.")
        for effect in claim.measure(setting):
            rows.append(row(claim, effect))
            print("  " + ", ".join(part for part in rows[-1][1:] if part), flush=True)
            ends = {"": effect.value, ", low": effect.low, ", high": effect.high}
            figures += [
                Figure(f"{claim.name}: {effect.what}{end}", value, effect.unit, None) for end, value in ends.items()
            ]
    print(f"\n{columns(rows)}")
    publish(figures, title=f"Published claims, {options.data}, {setting.seeds} seed(s)", file=options.json)


if __name__ == "__main__":
    main()
