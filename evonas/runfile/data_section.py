"""The data of a run: what `[data]` names, read and split, and what there is to say of it beside the objectives."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from evonas.data.dataset import DataSet, SearchData
from evonas.objective import Objective
from evonas.options import shown
from evonas.runfile.lookup import make_named
from evonas.runfile.schema import DataSection, ObjectiveSection


def search_data_of(section: DataSection) -> tuple[SearchData | None, list[str]]:
    """Return the training and validation samples that a run file names, and a sentence for each fault."""
    dataset: DataSet | None
    dataset, faults = make_named(section.name, section.options, folder="evonas.data", attribute="read", key="data")
    return (None, faults) if dataset is None else (dataset.for_search(seed=section.seed), [])


def baseline_notes(
    data: SearchData, objectives: Sequence[Objective], sections: Sequence[ObjectiveSection]
) -> list[str]:
    """Return a sentence for each bound of accuracy that a network keeps which always gives the same answer."""
    by_class = np.bincount(data.validation.labels, minlength=data.classes)
    commonest = int(by_class.argmax())
    label = shown(data.class_labels[commonest] if data.class_labels else commonest)
    always = {
        "accuracy": float(by_class.max() / by_class.sum()),
        "balanced_accuracy": 1 / int(np.count_nonzero(by_class)),
    }
    remedy = {"accuracy": ", or trade balanced_accuracy, in which every class counts the same"}
    return [
        f"{one.name} at_least = {one.at_least:g} does not keep out a network that answers {label} whatever it sees: "
        f"that is worth {always[section.name]:.3g} here. Ask for more{remedy.get(section.name, '')}."
        for one, section in zip(objectives, sections, strict=True)
        if section.name in always and one.at_least is not None and one.at_least <= always[section.name]
    ]
