"""Data sets of Tonic, a library of its own (GPL-3), which is imported here alone and only where it is named."""

from __future__ import annotations

import importlib
import inspect
from pathlib import Path
from typing import Any, Unpack

import numpy as np

from evonas.data.class_labels import first_of_each
from evonas.data.dataset import DataSet
from evonas.data.event_data import event_data
from evonas.data.event_options import CameraOptions, EventOptions
from evonas.data.files import path_of, quoted, said
from evonas.data.recordings import Events, Part, Shape
from evonas.errors import DataError
from evonas.options import shown


def read(*, dataset: str, path: str, **options: Unpack[CameraOptions]) -> DataSet:
    """Return a data set of Tonic; `name = "tonic:NMNIST"` stands for `name = "tonic"` and `dataset = "NMNIST"`.

    Tonic downloads what is not in the folder. It is installed by `pip install evonas[tonic]`.

    Args:
        dataset: Name of a class of `tonic.datasets` whose samples are events with a class.
        path: The folder in which Tonic keeps its files.

    Raises:
        DataError: If Tonic is not installed or has no such data set, or its samples are no events.
        OptionError: If an option has no such value.
    """
    given = EventOptions(**options)
    kind = _named(dataset)
    folder = path_of(path, example="data")
    if "train" in inspect.signature(kind).parameters:
        train, test = _made(kind, folder, train=True), _made(kind, folder, train=False)
    else:
        train, test = _made(kind, folder), None
    labels = _labels(train, dataset)
    classes = tuple(np.unique(labels).tolist())
    index = first_of_each(labels, given.limit)
    training = _part(train, index, labels, classes, name=dataset)
    if test is None:
        return event_data(training, None, given, path=folder)
    test_labels = _labels(test, dataset)
    tested = _part(test, np.arange(len(test_labels)), test_labels, classes, name=dataset)
    return event_data(training, tested, given, path=folder)


def _named(dataset: str) -> Any:
    """Return a class of `tonic.datasets`."""
    try:
        datasets = importlib.import_module("tonic.datasets")
    except ImportError as error:
        raise DataError(
            f'Data sets of Tonic, such as "tonic:{dataset}", need Tonic, which is not installed here: pip install '
            "evonas[tonic] (its licence is GPL-3)."
        ) from error
    known = [name for name, one in vars(datasets).items() if isinstance(one, type) and not name.startswith("_")]
    if dataset not in known:
        raise DataError(f"Tonic has no data set {shown(dataset)}; it has {', '.join(sorted(known))}.")
    return getattr(datasets, dataset)


def _made(kind: Any, folder: Path, **arguments: bool) -> Any:
    try:
        return kind(save_to=str(folder), **arguments)
    except Exception as error:  # whatever Tonic, or a download of it, comes to
        raise DataError(
            f"Tonic cannot give {kind.__name__} from {quoted(folder)}: {type(error).__name__}, {said(error)}. Expected "
            "its files there, or a way to download them."
        ) from error


def _labels(samples: Any, name: str) -> np.ndarray:
    """Return the labels of samples, without reading them where Tonic knows them."""
    targets = getattr(samples, "targets", None)
    labels = np.array(targets if targets else [samples[index][1] for index in range(len(samples))])
    if labels.shape != (len(samples),) or labels.dtype.kind not in "iuU" or not len(labels):
        raise DataError(
            f"The {len(samples):,} samples of tonic:{name} have labels of {labels.dtype} of shape {labels.shape}; "
            "expected one class each."
        )
    return labels


def _part(samples: Any, index: np.ndarray, labels: np.ndarray, classes: tuple[Any, ...], *, name: str) -> Part:
    """Return the recordings at `index`."""
    shape = _shape(samples, name)
    packed = [
        _events(samples[sample][0], where=f"tonic:{name}, sample {sample}").packed(shape) for sample in index.tolist()
    ]
    return Part.of(packed, labels[index], shape=shape, classes=classes)


def _shape(samples: Any, name: str) -> Shape:
    size = getattr(samples, "sensor_size", None)
    if not isinstance(size, tuple) or len(size) != 3 or not all(isinstance(side, int) and side > 0 for side in size):
        raise DataError(
            f"tonic:{name} says that its sensor has the size {shown(size)}; expected a width, a height and a number of "
            "polarities, the same for all samples."
        )
    width, height, polarities = size
    return (polarities, height, width) if height > 1 else (width * polarities, 1, 1)


def _events(sample: Any, *, where: str) -> Events:
    """Return the events of a sample: a record array with `t`, `x` and, where there are, `y` and `p`.

    Those of a sensor with one row, such as a cochlea, have their channel in `x`.
    """
    fields = getattr(getattr(sample, "dtype", None), "names", None) or ()
    if not {"t", "x"} <= set(fields):
        raise DataError(
            f"{where} is a {type(sample).__name__} with the fields {list(fields)}; expected events with t and x."
        )
    nothing = np.zeros(len(sample), np.int64)
    if "y" not in fields:
        return Events(sample["t"], nothing, nothing, sample["x"], where)
    p = sample["p"].astype(np.int64) if "p" in fields else nothing
    return Events(sample["t"], sample["x"], sample["y"], p, where)
