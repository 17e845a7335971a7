from __future__ import annotations

import os
import pickle
import struct
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evonas.data import cifar
from evonas.data.formats.pickled import PickleFault, read_pickle
from evonas.errors import DataError

BATCHES = [f"data_batch_{number}" for number in range(1, 6)]
NAMES = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]


def batch(seed: int, *, classes: int = 10, samples: int = 20) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (samples, 3072), dtype=np.uint8), rng.permutation(np.arange(samples) % classes)


def ten_binary(folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    for seed, name in enumerate([*BATCHES, "test_batch"]):
        images, labels = batch(seed)
        (folder / f"{name}.bin").write_bytes(np.c_[labels.astype(np.uint8), images].tobytes())
    (folder / "batches.meta.txt").write_text("\n".join(NAMES) + "\n\n")
    return folder


def ten_pickled(folder: Path, *, protocol: int = 2) -> Path:
    folder.mkdir(exist_ok=True)
    for seed, name in enumerate([*BATCHES, "test_batch"]):
        images, labels = batch(seed)
        whole = {b"batch_label": b"of 5", b"labels": labels.tolist(), b"data": images, b"filenames": [b"x.png"] * 20}
        (folder / name).write_bytes(pickle.dumps(whole, protocol=protocol))
    (folder / "batches.meta").write_bytes(pickle.dumps({b"label_names": [name.encode() for name in NAMES]}, protocol))
    return folder


def hundred(folder: Path, *, is_pickled: bool) -> Path:
    folder.mkdir(exist_ok=True)
    for seed, name in enumerate(["train", "test"]):
        images, fine = batch(seed, classes=100, samples=300)
        coarse = fine // 5
        if is_pickled:
            whole = {"coarse_labels": coarse.tolist(), "fine_labels": fine.tolist(), "data": images}
            (folder / name).write_bytes(pickle.dumps(whole))
        else:
            table = np.c_[coarse.astype(np.uint8), fine.astype(np.uint8), images]
            (folder / f"{name}.bin").write_bytes(table.tobytes())
    return folder


def told(folder: Path | str, **options: Any) -> str:
    with pytest.raises(DataError) as caught:
        cifar.read(path=str(folder), **options)
    return str(caught.value)


@pytest.mark.parametrize("protocol", [0, 1, 2, 3, 4, 5, "binary"])
def test_both_versions_give_the_same_images_names_and_official_test(tmp_path: Path, protocol: Any) -> None:
    whole = ten_binary(tmp_path) if protocol == "binary" else ten_pickled(tmp_path, protocol=protocol)
    data = cifar.read(path=str(whole))
    images, labels = zip(*map(batch, range(6)), strict=True)
    seen = data.samples.inputs.batch(np.arange(len(data.samples)), time_steps=1, rng=np.random.default_rng(0)).swapaxes(
        0, 1
    )
    assert seen.shape == (100, 1, 3, 32, 32)
    assert np.array_equal(np.rint(seen.reshape(100, -1) * 255), np.concatenate(images[:5]))
    assert data.samples.labels.tolist() == [NAMES[label] for label in np.concatenate(labels[:5])]
    assert data.official_test is not None
    assert data.test().labels.tolist() == labels[5].tolist()
    assert data.class_labels == tuple(NAMES)


@pytest.mark.parametrize("is_pickled", [True, False])
def test_the_hundred_classes_have_twenty_coarse_ones(tmp_path: Path, is_pickled: bool) -> None:
    folder = hundred(tmp_path / "cifar-100", is_pickled=is_pickled)
    assert cifar.read(path=str(folder)).classes == 100
    coarse = cifar.read(path=str(folder), labels="coarse")
    assert coarse.classes == 20
    assert coarse.samples.labels.tolist() == (batch(0, classes=100, samples=300)[1] // 5).tolist()
    assert "data.labels = 'x'" in told(folder, labels="x")
    assert "data.labels = ['fine']" in told(folder, labels=["fine"])


def test_the_folder_of_the_publisher_is_found_in_the_one_that_is_given_and_two_are_not_guessed_among(
    tmp_path: Path,
) -> None:
    ten_binary(tmp_path / "cifar-10-batches-bin")
    assert cifar.read(path=str(tmp_path)).classes == 10
    ten_pickled(tmp_path / "cifar-10-batches-py")
    assert "holds CIFAR-10 (binary), CIFAR-10 (Python); give the path of the folder of one" in told(tmp_path)
    assert "data.labels = 'coarse', but CIFAR-10 (binary)" in told(tmp_path / "cifar-10-batches-bin", labels="coarse")


def test_what_is_no_such_folder_is_told(tmp_path: Path) -> None:
    assert "has no files of CIFAR-10" in told(tmp_path)
    assert "does not exist" in told(tmp_path / "none")
    assert "data.path = ' '" in told(" ")
    assert "\0" not in told("a\0b")


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda file: file.unlink(), "data_batch_3.bin cannot be read: No such file"),
        (lambda file: file.write_bytes(b""), "is empty: it has 0 bytes, expected images of 3,073 bytes"),
        (lambda file: file.write_bytes(file.read_bytes()[:-1]), "61,459 bytes.*the one at byte 58,387 is not whole"),
        (lambda file: file.write_bytes(file.read_bytes()[:6146] + b"\x0a" + file.read_bytes()[6147:]),
         "has the fine label 10 at byte 6,146; expected 0 to 9"),
        (lambda file: os.truncate(file, 3073 * 400_000), "1,229,200,000 bytes, and 1,073,741,824 are read"),
        (lambda file: (file.unlink(), os.mkfifo(file)), "no file but a pipe"),
    ],
)  # fmt: skip
def test_a_binary_file_that_is_broken_is_told_with_its_place(tmp_path: Path, change: Any, expected: str) -> None:
    folder = ten_binary(tmp_path)
    change(folder / "data_batch_3.bin")
    with pytest.raises(DataError, match=expected):
        cifar.read(path=str(folder))


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "is empty"),
        (b"\x80\x02}", "damaged or cut short after byte 2"),
        (pickle.dumps([1]), "holds a list, expected a dict"),
        (pickle.dumps({"data": np.zeros((2, 3072), np.uint8), "labels": [1]}), "2 images and 1 labels"),
        (pickle.dumps({"data": np.zeros((2, 3072), np.uint8), "labels": [1, 10]}), "label 10 for image 1"),
        (pickle.dumps({"data": np.zeros((2, 3072), np.uint8), "labels": [1, True]}), "label True for image 1"),
        (pickle.dumps({"data": np.zeros((2, 3071), np.uint8), "labels": [1, 1]}), r"uint8 of shape \(2, 3071\)"),
        (pickle.dumps({"data": np.zeros((2, 3072), np.int16), "labels": [1, 1]}), "int16"),
        (pickle.dumps({"labels": [1, 1]}), "has none as `data`"),
        (pickle.dumps({"data": np.array([{}], object)}), "array of '\\|O8', expected numbers"),
        (b"cposix\nsystem\n(S'touch hacked'\ntR.", r"would run 'posix.system'.*byte 0"),
        (b"\x80\x04\x8c\x08builtins\x8c\x04eval\x93.", "would run 'builtins.eval'"),
        (b"\x80\x02cnumpy\nload\n.", "would run 'numpy.load'"),
        (b"\x80\x02Pwhatever\n.", "instruction PERSID"),
        (b"\x80\x02}r\xff\xff\xff\xff.", "has none as `data`"),
        (b"\x80\x05\x96\0\0\0\0\0\0\0\x10x.", "damaged"),
        (b"\x80\x02]" + b"\x85" * 200_000 + b"K\1\x86.", "holds a tuple"),
        (b"\x80\x02}(]" + b"\x85" * 200_000 + b"K\1u.", "key that is neither a text nor a number"),
    ],
)  # fmt: skip
def test_a_pickle_runs_nothing_and_is_told(
    tmp_path: Path, content: bytes, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    folder = ten_pickled(tmp_path / "py")
    (folder / "test_batch").write_bytes(content)
    with pytest.raises(DataError, match=f"test_batch .*{expected}"):
        cifar.read(path=str(folder))
    assert not (tmp_path / "hacked").exists()


def test_names_that_do_not_fit_are_told(tmp_path: Path) -> None:
    folder = ten_binary(tmp_path / "bin")
    (folder / "batches.meta.txt").write_text("\n".join([*NAMES[:9], "ship"]))
    assert "has 10 class names, 9 of them different; expected 10" in told(folder)
    (folder / "batches.meta.txt").unlink()
    assert cifar.read(path=str(folder)).class_labels == tuple(range(10))
    folder = ten_pickled(tmp_path / "py")
    (folder / "batches.meta").write_bytes(pickle.dumps({"label_names": 3}))
    assert "no list of class names `label_names`" in told(folder)


@pytest.mark.parametrize("value", [True, "4", 0, -1, 101, 1.5])
def test_a_limit_that_is_none_is_told(tmp_path: Path, value: Any) -> None:
    assert told(ten_binary(tmp_path), limit=value).startswith("data.limit = ")
    assert told(tmp_path, validation_part=1.0 if value else 0).startswith("data.validation_part = ")


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.binary() | st.floats(allow_nan=False),
    lambda some: st.lists(some) | st.dictionaries(st.text() | st.binary() | st.integers(), some) | st.tuples(some, some),
    max_leaves=12,
)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(value=PLAIN, protocol=st.integers(2, 5))
def test_plain_values_are_those_that_pickle_reads(value: Any, protocol: int) -> None:
    assert read_pickle(pickle.dumps(value, protocol)) == value


@settings(max_examples=300, deadline=None)
@given(
    kind=st.sampled_from(["u1", "<i4", ">i4", "f8", "?", "<f2"]),
    shape=st.lists(st.integers(0, 4), max_size=3),
    order=st.sampled_from("CF"),
    protocol=st.integers(0, 5),
)
def test_arrays_are_those_that_pickle_reads(kind: str, shape: list[int], order: Any, protocol: int) -> None:
    array = np.array(np.random.default_rng(0).integers(0, 99, shape), kind, order=order)
    found = read_pickle(pickle.dumps({"x": array}, protocol))["x"]
    assert found.dtype == array.dtype
    assert found.shape == array.shape
    assert np.array_equal(found, array)


@settings(max_examples=500, deadline=None)
@given(data=st.data())
def test_bytes_that_change_end_in_a_value_or_a_fault(data: st.DataObject) -> None:
    whole = bytearray(pickle.dumps({"data": np.zeros((2, 3), np.uint8), "labels": [1, 2], "x": b"ab"}, protocol=2))
    for _ in range(data.draw(st.integers(1, 3))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    try:
        read_pickle(bytes(whole))
        fault = ""
    except PickleFault as caught:
        fault = str(caught)
    assert not fault or "byte" in fault


def test_an_unknown_escape_of_a_text_is_no_warning() -> None:
    assert read_pickle(rb"S'\u'" + b"\n.") == r"\u"


def grown(count: int) -> Iterator[bytes]:
    """Yield pickles of one text that becomes bytes anew `count` times, of arrays of it, and of many empty values."""
    text = b"\x80\x02X" + struct.pack("<I", 2**16) + b"a" * 2**16 + b"q\x00"
    encode = b"c_codecs\nencode\nq\x01("
    yield text + encode + b"h\x01h\x00\x85R" * count + b"l."
    state = b"(K\x01J\x00\x00\x01\x00\x85cnumpy\ndtype\n(X\x02\x00\x00\x00u1tR\x89h\x00tb"
    array = b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\ntR" + state
    yield text + b"(" + array * count + b"l."
    for value in (b"]", b"}", b"(", b")q\x00"):
        yield b"\x80\x02(" + value * (250 * count) + b"l."


@pytest.mark.parametrize("index", range(6))
def test_a_pickle_takes_no_more_memory_than_a_few_times_its_length(index: int) -> None:
    small, large = list(grown(2))[index], list(grown(3000))[index]
    read_pickle(small)
    tracemalloc.start()
    try:
        with pytest.raises(PickleFault, match="it would take more memory than 4 bytes for each of its own"):
            read_pickle(large)
        assert tracemalloc.get_traced_memory()[1] < 8 * len(large) + 1.3 * 2**26
    finally:
        tracemalloc.stop()
