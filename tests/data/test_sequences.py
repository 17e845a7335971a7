"""Sequences in .npz and HDF5 files: spikes, numbers of spikes and numbers, as their type or the option says."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tomli_w
from array_files import write
from commands import evonas

from evonas.data.sequences import read
from evonas.errors import DataError

RNG = np.random.default_rng(0)
SPIKES = RNG.random((40, 12, 7)) < 0.3
LABELS = np.arange(40) % 4


@pytest.fixture(params=["npz", "h5"])
def file(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return tmp_path / f"sequences.{request.param}"


@pytest.mark.parametrize(
    ("values", "elements", "element"),
    [
        (SPIKES, None, "binary"),
        (SPIKES.astype(np.uint8), None, "graded"),
        (SPIKES.astype(np.uint8), "binary", "binary"),
        (RNG.integers(0, 300, SPIKES.shape, dtype=np.int16), None, "graded"),
        (RNG.normal(size=SPIKES.shape).astype(">f4"), None, "real"),
        (SPIKES.astype(float), "graded", "graded"),
    ],
)
def test_networks_see_the_numbers_of_the_file_frame_by_frame(file, values, elements, element):
    data = read(path=str(write(file, sequences=values, labels=LABELS)), elements=elements)
    inputs = data.samples.inputs
    assert (inputs.shape, inputs.element) == ((12, 7, 1, 1), element)
    batch = inputs.batch(np.arange(40), time_steps=12, rng=np.random.default_rng(0))
    np.testing.assert_array_equal(batch[..., 0, 0].swapaxes(0, 1), values.astype(np.float32))
    search = data.for_search()
    assert (search.frames, search.task.outputs, search.input_shape.element) == (12, 4, element)


def test_the_parts_of_the_publisher_are_kept(file):
    split = np.array(["train"] * 24 + ["val"] * 8 + ["test"] * 8)
    data = read(path=str(write(file, sequences=SPIKES, labels=LABELS, split=split, extra=np.arange(3))))
    assert (len(data.samples), len(data.official_validation), len(data.official_test)) == (24, 8, 8)
    assert any("also holds 'extra', which is not read" in note for note in data.notes)
    parts = {"train_sequences": SPIKES, "train_labels": LABELS, "test_sequences": SPIKES[:4], "test_labels": LABELS[:4]}
    assert len(read(path=str(write(file, **parts))).official_test) == 4
    by_class = write(file, sequences=SPIKES, labels=np.sort(LABELS))
    few = read(path=str(by_class), limit=9).samples
    assert few.labels.tolist() == [0, 1, 2, 3, 0, 1, 2, 3, 0]
    assert np.array_equal(few.inputs.values[..., 0, 0], SPIKES[[0, 10, 20, 30, 1, 11, 21, 31, 2]])


REFUSED = {
    "no sequences": ({"images": SPIKES}, {}, "holds none of them; expected sequences and labels"),
    "no time": ({"sequences": SPIKES[0], "labels": LABELS[:12]}, {}, r"expected \(n, time, channels\) and \(n,\)"),
    "too few labels": ({"sequences": SPIKES, "labels": LABELS[:30]}, {}, r"labels of shape \(30,\)"),
    "texts": (
        {"sequences": np.full((40, 2, 2), "a"), "labels": LABELS},
        {},
        r"expected numbers or bool|expected \(n, time",
    ),
    "not finite": ({"sequences": np.where(SPIKES, np.nan, 0), "labels": LABELS}, {}, "no finite numbers"),
    "no spikes": (
        {"sequences": 2 * SPIKES.astype(np.uint8), "labels": LABELS},
        {"elements": "binary"},
        r"holds 2 at \(0, .*expected 0 and 1, as data.elements or their type \(uint8\) says",
    ),
    "negative numbers": ({"sequences": -SPIKES.astype(int), "labels": LABELS}, {}, "whole numbers of at least 0"),
    "unknown elements": ({"sequences": SPIKES, "labels": LABELS}, {"elements": "odd"}, "expected binary, graded, real"),
    "too many": ({"sequences": SPIKES, "labels": LABELS}, {"limit": 99}, "the number of training sequences"),
    "several shapes": (
        {"train_sequences": SPIKES, "train_labels": LABELS, "test_sequences": SPIKES[:, :5], "test_labels": LABELS},
        {},
        r"holds sequences of several shapes: \(12, 7\) in train, \(5, 7\) in test",
    ),
    "labels of the test alone": (
        {"train_sequences": SPIKES, "train_labels": LABELS, "test_sequences": SPIKES, "test_labels": LABELS + 1},
        {},
        "The test samples have the labels 4, which are none of the 4 classes of training",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_file_of_sequences_is_refused_in_a_sentence(file, name):
    arrays, options, message = REFUSED[name]
    write(file, **arrays)
    with pytest.raises(DataError, match=message) as caught:
        read(path=str(file), **options)
    assert str(file) in str(caught.value) or "data." in str(caught.value)


def test_a_search_finds_recurrent_networks_for_them(tmp_path):
    write(tmp_path / "sequences.npz", sequences=SPIKES, labels=LABELS)
    content = {
        "search": {"space": "recurrent", "evaluations": 2},
        "space": {"only": {"time_steps": [12, 12]}},
        "data": {"name": "sequences", "path": str(tmp_path / "sequences.npz")},
        "objectives": [{"name": "accuracy"}, {"name": "synaptic_operations"}],
        "strategies": [{"name": "random"}],
        "ladder": {"epochs": [1]},
    }
    (tmp_path / "run.toml").write_text(tomli_w.dumps(content))
    done = evonas("run", tmp_path / "run.toml", "--dry-run")
    assert done.exit_code == 0, done.output
