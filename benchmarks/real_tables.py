"""Searches that others have trained whole: every network of a space in a table, with several seeds of training.

The tables are files that do not belong to the project; `EVONAS_DATA` names the folder that has them in `tables/`. An
evaluation gives one seed of a row; what a search found is judged by the means over all seeds.

Source: NATS-Bench (Dong et al., 2021) with latencies of HW-NAS-Bench (Li et al., 2021) and HELP (Lee et al., 2021);
NAS-Bench-Macro (Su et al., 2021); FCNet (Klein and Hutter, 2019); NAS-Bench-Graph (Qin et al., 2022); EC-NAS
(Bakhtiarifard et al., 2024).
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
from tabulated import Tabulated, hypervolume_of

from evonas.space import Space
from evonas.variables import Choice, Variable

CELL = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")
LAYER = ("identity", "MB3_K3", "MB6_K5")
LINKS = ("0000", "0001", "0011", "0012", "0013", "0111", "0112", "0122", "0123")
GRAPH = ("gat", "gcn", "gin", "cheb", "sage", "arma", "graph", "fc", "skip")
GRAPHS = ("cora", "citeseer", "pubmed", "cs", "physics", "photo", "computers", "arxiv")
TIERS = ("conv3x3", "conv1x1", "maxpool3x3")


def folder() -> Path | None:
    """Return where the tables are, None where nobody says."""
    given = os.environ.get("EVONAS_DATA")
    return None if given is None else Path(given) / "tables"


@functools.cache
def _columns(name: str) -> dict[str, np.ndarray]:
    place = folder()
    if place is None:
        raise RuntimeError("EVONAS_DATA names no folder, expected one that has the tables in tables/.")
    with np.load(place / f"{name}.npz") as file:
        return {key: file[key] for key in file.files}


def _problem(
    name: str, variables: dict[str, Variable], columns: list[np.ndarray], lookup: np.ndarray | None
) -> Tabulated:
    """Return the problem of some `(rows,)` or `(rows, seeds)` columns, each to be minimised."""
    seeds = max(1 if column.ndim == 1 else column.shape[1] for column in columns)
    wide = [np.repeat(column[:, None], seeds, axis=1) if column.ndim == 1 else column for column in columns]
    samples = np.stack(wide, axis=2).astype(float)
    is_known = np.isfinite(samples).all(axis=2)
    means = np.stack([np.where(is_known, samples[:, :, i], np.nan) for i in range(samples.shape[2])], axis=2)
    costs = np.nanmean(means, axis=1)
    low, span = costs.min(axis=0), np.ptp(costs, axis=0)
    return Tabulated(
        name,
        Space(variables),
        {key: {value: i for i, value in enumerate(variable.values)} for key, variable in variables.items()
         if isinstance(variable, Choice)},
        costs=(costs - low) / span,
        volume=hypervolume_of((costs - low) / span),
        samples=(samples - low) / span,
        lookup=lookup,
    )  # fmt: skip


def cells(data: int, *prices: str) -> Tabulated:
    """Return 6 edges with 5 operations each, on one of three sets of images, against latencies or parameters."""
    table = _columns("nb201")
    variables: dict[str, Variable] = {f"edge{edge}": Choice(CELL) for edge in ("01", "02", "12", "03", "13", "23")}
    columns = [1 - table["val200"][:, data] / 100, *(_price(table[price], data) for price in prices)]
    return _problem(f"cells {('cifar10', 'cifar100', 'imagenet16')[data]} {' '.join(prices)}", variables, columns, None)


def _price(column: np.ndarray, data: int) -> np.ndarray:
    return np.log10((column[:, data] if column.ndim == 2 else column) + 1e-3)


def macro(price: str) -> Tabulated:
    """Return 8 layers of 3 kinds, against operations or parameters."""
    table = _columns("macro")
    variables: dict[str, Variable] = {f"layer{layer}": Choice(LAYER) for layer in range(8)}
    return _problem(f"macro {price}", variables, [1 - table["acc"] / 100, np.log10(table[price])], None)


def layers(name: str, *prices: str) -> Tabulated:
    """Return a network of two layers and how it is trained: 9 variables, some of them numbers on a logarithmic axis."""
    table = _columns(f"fcnet_{name}")
    variables: dict[str, Variable] = {
        "act1": Choice(("relu", "tanh")), "act2": Choice(("relu", "tanh")), "batch": Choice((8, 16, 32, 64)),
        "dropout1": Choice((0.0, 0.3, 0.6)), "dropout2": Choice((0.0, 0.3, 0.6)),
        "lr": Choice((5e-4, 1e-3, 5e-3, 0.01, 0.05, 0.1)), "schedule": Choice(("cosine", "const")),
        "units1": Choice((16, 32, 64, 128, 256, 512)), "units2": Choice((16, 32, 64, 128, 256, 512)),
    }  # fmt: skip
    columns = [np.log10(table["val_loss"]), *(np.log10(table[price]) for price in prices)]
    return _problem(f"layers {name} {' '.join(prices)}", variables, columns, None)


def graphs(name: str, price: str = "latency_s") -> Tabulated:
    """Return networks on a graph: how four nodes are linked, and their operations; a few codes are none."""
    table, data = _columns("graph"), GRAPHS.index(name)
    variables: dict[str, Variable] = {"link": Choice(LINKS), **{f"op{node}": Choice(GRAPH) for node in range(4)}}
    columns = [1 - table["valid"][:, data], np.log10(table[price][:, data])]
    return _problem(f"graphs {name} {price}", variables, columns, table["lookup"])


def energies(price: str) -> Tabulated:
    """Return small cells whose training energy was measured: noisy, and many codes are none."""
    table = _columns("ecnas5v")
    variables: dict[str, Variable] = {f"edge{i}": Choice((0, 1)) for i in range(10)}
    variables |= {f"op{i}": Choice(TIERS) for i in range(3)}
    column = table[price][:, -1] if table[price].ndim == 2 else table[price]
    return _problem(f"energies {price}", variables, [1 - table["val_acc"][:, -1], np.log10(column)], table["lookup"])


TUNING: dict[str, Callable[[], Tabulated]] = {
    "cells cifar10 raspi4": lambda: cells(0, "lat_raspi4"),
    "cells cifar10 params": lambda: cells(0, "params_m"),
    "cells cifar10 fpga params": lambda: cells(0, "lat_fpga", "params_m"),
    "layers protein params": lambda: layers("protein", "params"),
    "layers protein time": lambda: layers("protein", "train_s"),
    "layers protein params time": lambda: layers("protein", "params", "train_s"),
    "graphs cora": lambda: graphs("cora"),
    "graphs physics": lambda: graphs("physics"),
    "graphs photo": lambda: graphs("photo", "params_m"),
    "graphs arxiv": lambda: graphs("arxiv"),
}
"""What settings of the search are chosen on."""

FINAL: dict[str, Callable[[], Tabulated]] = {
    "cells cifar100 gold_6226": lambda: cells(1, "lat_gold_6226"),
    "cells imagenet16 gpu": lambda: cells(2, "gpu_ms"),
    "cells imagenet16 fpga params": lambda: cells(2, "lat_fpga", "params_m"),
    "macro flops": lambda: macro("flops"),
    "macro params": lambda: macro("params"),
    "layers naval params": lambda: layers("naval", "params"),
    "layers naval time": lambda: layers("naval", "train_s"),
    "layers naval params time": lambda: layers("naval", "params", "train_s"),
    "graphs citeseer": lambda: graphs("citeseer"),
    "graphs pubmed": lambda: graphs("pubmed"),
    "graphs cs": lambda: graphs("cs", "params_m"),
    "graphs computers": lambda: graphs("computers"),
    "energies": lambda: energies("train_energy_kwh"),
}
"""What is reported, and looked at for nothing else."""
