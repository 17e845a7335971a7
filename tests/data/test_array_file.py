from __future__ import annotations

import io
import os
import struct
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from array_files import seen_by_a_network, write
from hypothesis import given, settings
from hypothesis import strategies as st

from evonas.data import array_file
from evonas.data.formats.hdf5_arrays import read_hdf5
from evonas.data.formats.npz import read_npz
from evonas.errors import DataError

RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, (60, 6, 5, 3), dtype=np.uint8)
LABELS = np.arange(60) % 3


def told(file: Path | str, **options: Any) -> str:
    with pytest.raises(DataError) as caught:
        array_file.read(path=str(file), **options)
    return str(caught.value)


@pytest.fixture(params=["npz", "h5"])
def file(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return tmp_path / f"images.{request.param}"


def test_images_and_labels_are_those_of_the_file(file: Path) -> None:
    write(file, images=IMAGES, labels=LABELS, names=np.arange(3))
    data = array_file.read(path=str(file))
    seen = seen_by_a_network(data)
    assert seen.shape == (60, 1, 3, 6, 5)
    assert np.array_equal(seen[:, 0], (IMAGES / np.float32(255)).astype(np.float32).transpose(0, 3, 1, 2))
    assert data.samples.labels.tolist() == LABELS.tolist()
    assert any("'names', which is not read" in note for note in data.notes)


def test_a_split_of_the_publisher_is_kept(file: Path) -> None:
    split = np.array(["train"] * 40 + ["valid"] * 12 + ["test"] * 8)
    labels = np.array(["cat", "dog", "elk"])[LABELS]
    write(file, images=IMAGES, labels=labels, split=split)
    data = array_file.read(path=str(file))
    search = data.for_search()
    assert (len(search.train), len(search.validation), len(data.test())) == (40, 12, 8)
    assert search.task.labels == ("cat", "dog", "elk")
    assert search.validation.labels.tolist() == LABELS[40:52].tolist()
    assert data.test().labels.tolist() == LABELS[52:].tolist()
    few = array_file.read(path=str(file), limit=7).samples
    assert few.labels.tolist() == ["cat", "dog", "elk"] * 2 + ["cat"]


def test_parts_may_be_arrays_of_their_own(file: Path) -> None:
    pairs = {f"{part}_{name}": array[cut] for part, cut in
             (("train", slice(30)), ("val", slice(30, 45)), ("test", slice(45, 60)))
             for name, array in (("images", IMAGES[..., 0]), ("labels", LABELS[:, None]))}  # fmt: skip
    data = array_file.read(path=str(write(file, **pairs)))
    search = data.for_search(seed=3)
    assert (len(search.train), len(search.validation), len(data.test())) == (30, 15, 15)
    assert tuple(search.input_shape) == (1, 6, 5)
    del pairs["val_images"]
    assert "has no val_images" in told(write(file, **pairs))


@pytest.mark.parametrize(
    ("shape", "layout", "expected"),
    [
        ((60, 6, 5), None, (1, 6, 5)),
        ((60, 6, 5, 1), None, (1, 6, 5)),
        ((60, 3, 6, 5), None, (3, 6, 5)),
        ((60, 6, 5, 4), None, (4, 6, 5)),
        ((60, 3, 5, 3), "NHWC", (3, 3, 5)),
        ((60, 3, 5, 3), "NCHW", (3, 5, 3)),
        ((60, 3, 5, 3), None, "does not tell where the channels lie"),
        ((60, 6, 5, 9), None, "does not tell where the channels lie"),
        ((60, 6, 5, 9), "NHWC", (9, 6, 5)),
        ((60, 6, 5), "HWC", "data.layout = 'HWC'"),
        ((60, 6), None, r"images of shape (60, 6) and labels of shape (60,)"),
        ((59, 6, 5), None, r"images of shape (59, 6, 5) and labels of shape (60,)"),
        ((60, 0, 5), None, "which are none"),
    ],
)
def test_where_channels_lie_is_told_by_shape_or_by_key(tmp_path: Path, shape: Any, layout: Any, expected: Any) -> None:
    file = write(tmp_path / "x.npz", images=np.ones(shape, np.uint8), labels=LABELS)
    if isinstance(expected, str):
        assert expected in told(file, layout=layout)
    else:
        assert tuple(array_file.read(path=str(file), layout=layout).for_search().input_shape) == expected


@pytest.mark.parametrize(
    ("kind", "expected"),
    [("u1", 255), ("u2", 65535), (">u2", 65535), ("?", 1), ("f2", 1), (">f4", 1), ("f8", 1), ("i8", None), ("c8", None)],
)  # fmt: skip
def test_values_keep_what_they_mean(tmp_path: Path, kind: str, expected: int | None) -> None:
    values = np.arange(60 * 4).reshape(60, 2, 2).astype(kind)
    file = write(tmp_path / "x.npz", images=values, labels=LABELS)
    if expected is None:
        assert "expected" in told(file)
        return
    seen = seen_by_a_network(array_file.read(path=str(file)))[:, 0, 0]
    assert np.array_equal(seen, values.astype(np.float32) / np.float32(expected))


def test_values_that_are_none_and_odd_ranges_are_told(file: Path) -> None:
    images = np.ones((60, 2, 2), np.float64)
    images[7] = np.nan
    assert "in 1 of images, the first at index 7" in told(write(file, images=images, labels=LABELS))
    images[7] = 1e300
    assert "no finite numbers" in told(write(file, images=images, labels=LABELS))
    images[7] = 200
    notes = array_file.read(path=str(write(file, images=images, labels=LABELS))).notes
    assert any("run from 1 to 200" in note for note in notes)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"labels": None}, "has no labels"),
        ({"images": None}, "has no images"),
        ({"images": None, "labels": None}, "holds none of them"),
        ({"train_images": IMAGES}, "holds images, labels, train_images"),
        ({"labels": np.zeros(60)}, "All 60 labels are 0"),
        ({"labels": np.full(60, np.nan)}, "labels that are none"),
        ({"labels": np.array(["\x1b[2J", "a"] * 30)}, "cannot be printed"),
        ({"labels": np.array([" ", "a"] * 30)}, "are empty"),
        ({"labels": np.array([b"\xff", b"a"] * 30)}, "UTF-8"),
        ({"labels": np.array(["a" * 900, "a"] * 30)}, "longer than 200"),
        ({"split": np.array(["train"] * 59 + ["dev"])}, "holds split with 'dev' at index 59"),
        ({"split": np.array(["test"] * 60)}, "no image for training"),
        ({"split": np.zeros(60)}, "holds split as float64"),
        ({"split": np.array(["train"] * 59)}, r"split as"),
        (
            {"labels": np.r_[LABELS[:59], 9], "split": np.array(["train"] * 59 + ["val"])},
            "The validation samples have the labels 9, which are none of the 3 classes",
        ),
    ],
)
def test_arrays_that_do_not_fit_are_told(file: Path, change: dict[str, Any], expected: str) -> None:
    arrays = {"images": IMAGES, "labels": LABELS, **change}
    assert expected in told(write(file, **{name: array for name, array in arrays.items() if array is not None}))


@pytest.mark.parametrize("option", ["limit", "validation_part", "test_part"])
@pytest.mark.parametrize("value", [True, "x", -1, 61, float("nan")])
def test_an_option_that_does_not_fit_is_told(tmp_path: Path, option: str, value: Any) -> None:
    said = told(write(tmp_path / "x.npz", images=IMAGES, labels=LABELS), **{option: value})
    assert said.startswith(f"data.{option} = ")


def npy(header: str, values: bytes = b"", *, version: bytes = b"\1\0", length: int | None = None) -> bytes:
    text = header.encode("latin-1")
    return b"\x93NUMPY" + version + struct.pack("<H", len(text) if length is None else length) + text + values


def npz_of(file: Path, member: bytes, *, name: str = "images.npy", times: int = 1) -> Path:
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for _ in range(times):
            archive.writestr(name, member)
        stream = io.BytesIO()
        np.save(stream, LABELS)
        archive.writestr("labels.npy", stream.getvalue())
    return file


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize(
    ("member", "expected"),
    [
        (npy("{'descr': '|u1', 'fortran_order': False, 'shape': (9000000, 1000, 1000), }"), "9,000,000,000,000 bytes, and"),
        (npy("{'descr': '|u1', 'fortran_order': False, 'shape': (60, 2, 2), }", b"x" * 239), "240 bytes, and 239 follow"),
        (npy("{'descr': '|u1', 'fortran_order': False, 'shape': (60, 2, 2), }", b"x" * 241), "240 bytes, and more follow"),
        (npy("{'descr': '|O', 'fortran_order': False, 'shape': (60,), }", b"x"), "Python objects"),
        (npy("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (60,), }"), "has the header"),
        (npy("__import__('os').system('touch hacked')"), "has the header"),
        (npy("{'descr': '<f3', 'fortran_order': False, 'shape': (60,), }"), "of the type '<f3'"),
        (npy("{'descr': '<M8', 'fortran_order': False, 'shape': (60,), }"), "of the type '<M8'"),
        (npy("{'descr': '<f4', 'fortran_order': False, 'shape': (" + "9" * 5000 + ",), }"), "has the header"),
        (npy("x", length=60000), "a header of 60,000 bytes"),
        (npy("x", version=b"\7\0"), "is no array"),
        (b"", "begins with nothing"),
    ],
)  # fmt: skip
def test_members_that_lie_are_told_before_memory_is_taken(tmp_path: Path, member: bytes, expected: str) -> None:
    file = npz_of(tmp_path / "x.npz", member)
    tracemalloc.start()
    assert expected in told(file)
    assert tracemalloc.get_traced_memory()[1] < 20_000_000
    tracemalloc.stop()
    assert "twice" in told(npz_of(tmp_path / "x.npz", npy("{'descr': '|u1', 'fortran_order': False, 'shape': (0,), }"), times=2))  # fmt: skip


def test_a_zip_of_zeros_is_read_no_further_than_its_header_promises(tmp_path: Path) -> None:
    head = npy("{'descr': '|u1', 'fortran_order': False, 'shape': (60, 2, 2), }")
    file = npz_of(tmp_path / "x.npz", head + bytes(200_000_000))
    tracemalloc.start()
    assert "240 bytes, and more follow" in told(file)
    assert tracemalloc.get_traced_memory()[1] < 20_000_000
    tracemalloc.stop()


def test_pickled_objects_run_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Hack:
        def __reduce__(self) -> Any:
            return os.system, ("touch hacked",)

    monkeypatch.chdir(tmp_path)
    np.savez("x.npz", images=IMAGES, labels=np.array([Hack()] * 60, object))
    assert "Python objects" in told("x.npz")
    assert not Path("hacked").exists()


def elsewhere(file: h5py.File) -> None:
    file["images"] = h5py.ExternalLink("/etc/passwd", "/x")


def outside(file: h5py.File) -> None:
    file.create_dataset("images", (60, 2, 2), "u1", external=[("/etc/passwd", 0, 240)])


def virtual(file: h5py.File) -> None:
    layout = h5py.VirtualLayout((60, 2, 2), "u1")
    layout[:] = h5py.VirtualSource("/etc/passwd", "x", (60, 2, 2))
    file.create_virtual_dataset("images", layout)


def sparse(file: h5py.File) -> None:
    file.create_dataset("images", (10**6, 10**6), "u1", chunks=(1000, 1000), compression="gzip")


def unwritten(file: h5py.File) -> None:
    file.create_dataset("images", (60, 1000, 1000), "u1", chunks=(1, 1000, 1000), compression="gzip")


def looped(file: h5py.File) -> None:
    file["images"] = h5py.SoftLink("/images")


def plugin(file: h5py.File) -> None:
    created = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    created.set_chunk((60, 2, 2))
    created.set_filter(32015, h5py.h5z.FLAG_OPTIONAL, ())
    h5py.h5d.create(file.id, b"images", h5py.h5t.NATIVE_UINT8, h5py.h5s.create_simple((60, 2, 2)), created)


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (elsewhere, "'images' as a link to elsewhere"),
        (looped, "'images' as a link to elsewhere"),
        (outside, "values lie in other files"),
        (virtual, "values lie in other files"),
        (sparse, "1,000,000,000,000 bytes for 'images'"),
        (unwritten, "the 0 that are stored cannot hold so many"),
        (plugin, "behind the filter 32015"),
        (lambda file: file.create_group("images"), "'images' as a group"),
        (lambda file: file.create_dataset("images", dtype="f4"), "'images' without values"),
        (lambda file: file.create_dataset("images", (60,), [("a", "f4")]), "expected numbers or texts"),
        (lambda file: file.create_dataset("images", (60,), h5py.vlen_dtype("f4")), "expected numbers or texts"),
    ],
)
def test_hdf5_that_reaches_out_or_announces_too_much_is_refused_unread(
    tmp_path: Path, make: Callable[[h5py.File], Any], expected: str
) -> None:
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file["labels"] = LABELS
        make(file)
    assert expected in told(tmp_path / "x.h5")


def test_a_data_set_in_a_group_is_read_by_its_path(tmp_path: Path) -> None:
    file = write(tmp_path / "x.h5", **{"spikes/times": np.arange(3.0), "z": np.zeros(2)})
    arrays, others = read_hdf5(file, ["spikes/times", "spikes/units", "no/such"])
    assert arrays["spikes/times"].tolist() == [0, 1, 2]
    assert (list(arrays), others) == (["spikes/times"], ["spikes", "z"])


def test_what_is_no_such_file_is_told(tmp_path: Path) -> None:
    assert "No such file" in told(tmp_path / "none.npz")
    assert "no file but a folder" in told(tmp_path)
    (tmp_path / "x.npz").write_bytes(b"")
    assert "is empty" in told(tmp_path / "x.npz")
    (tmp_path / "x.npz").write_bytes(b"hello, world")
    assert "neither an .npz nor an HDF5 file: it begins with 68656c6c6f2c2077" in told(tmp_path / "x.npz")
    (tmp_path / "x.h5").write_bytes(b"hello")
    assert "is no HDF5 file, or is damaged" in told(tmp_path / "x.h5")
    assert "data.path = ' '" in told(" ")


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_an_npz_file_that_changes_is_read_right_or_refused_by_a_sentence(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    file = tmp_path_factory.getbasetemp() / "any.npz"
    arrays = {"images": IMAGES[:4, :2, :2, 0], "labels": LABELS[:4]}
    stream = io.BytesIO()
    (np.savez if data.draw(st.booleans()) else np.savez_compressed)(stream, **arrays)  # type: ignore[operator]
    content = bytearray(stream.getvalue())
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    file.write_bytes(content[: len(content) - data.draw(st.integers(0, 3))])
    try:
        found, _ = read_npz(file, list(arrays))
    except DataError as error:
        said = str(error)
        found = {}
    else:
        said = "any.npz"
    assert "any.npz" in said
    for name, array in found.items():
        assert array.size == arrays[name].size or array.shape != arrays[name].shape
