from __future__ import annotations

import io
import os
import struct
import tracemalloc
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from evonas.data import image_folder
from evonas.data.dataset import DataSet
from evonas.errors import DataError

CLASSES = ("cat", "dog", "elk")


def pixels(seed: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def save(file: Path, array: np.ndarray, mode: str | None = None, **options: Any) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(array)
    (image if mode is None else image.convert(mode)).save(file, **options)


def birds(folder: Path, *, shape: tuple[int, ...] = (6, 5, 3), each: int = 10, ending: str = "png") -> Path:
    """Write a folder of images, `each` of three classes."""
    for number, label in enumerate(CLASSES):
        for index in range(each):
            save(folder / label / f"{index:03}.{ending}", pixels(100 * number + index, *shape))
    return folder


def png_chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("form", ["png", "late.png", "webp", "deep.png", "tiff"])
def test_orientations_that_a_camera_noted_are_followed(form: str, orientation: int, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    upright = Image.fromarray(
        pixels(1, 6, 5, 3) if form != "deep.png" else np.arange(30, dtype=np.uint16).reshape(6, 5)
    )
    back = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}
    lying = upright.transpose(Image.Transpose(back[orientation])) if orientation > 1 else upright
    for index in range(10):
        file = tmp_path / "ab"[index % 2] / f"{index}.{form}"
        file.parent.mkdir(exist_ok=True)
        lying.save(
            file, **({} if form == "late.png" else {"exif": exif}), **({"lossless": True} if form == "webp" else {})
        )
        if form == "late.png":
            content = file.read_bytes()
            file.write_bytes(
                content[:-12] + png_chunk(b"eXIf", exif.tobytes().removeprefix(b"Exif\0\0")) + content[-12:]
            )
    read = values(image_folder.read(path=str(tmp_path)))
    expected = np.asarray(upright) / (65535 if form == "deep.png" else 255)
    assert np.allclose(read, expected.reshape(6, 5, -1).transpose(2, 0, 1))


def test_grey_of_16_bits_may_have_a_transparent_value(tmp_path: Path) -> None:
    grey = np.arange(30, dtype=np.uint16).reshape(6, 5) * 2000
    for index in range(10):
        file = tmp_path / "ab"[index % 2] / f"{index}.png"
        file.parent.mkdir(exist_ok=True)
        Image.fromarray(grey).save(file, transparency=4000)
    data = image_folder.read(path=str(tmp_path))
    assert np.allclose(values(data), np.where(grey == 4000, 0, grey) / 65535)
    assert any("10 of the 10 images" in note and "laid on black" in note for note in data.notes)
    colours = image_folder.read(path=str(tmp_path), channels=3)
    assert np.allclose(values(colours), np.where(grey == 4000, 0, grey >> 8) / 255)


def test_test_images_do_not_shape_what_the_search_sees(tmp_path: Path) -> None:
    birds(tmp_path / "train", shape=(6, 5))
    birds(tmp_path / "test", shape=(8, 7, 3), each=2)
    assert "8 x 7 pixels, all training images have 6 x 5 pixels; expected one size" in told(tmp_path)
    assert "has colours, and all training images are grey; expected grey ones" in told(tmp_path, size=[6, 5])
    shape = image_folder.read(path=str(tmp_path), size=[6, 5], channels=3).samples.inputs.shape
    assert shape == (1, 3, 6, 5)
    deep = tmp_path / "deep"
    birds(deep / "train", shape=(6, 5))
    for label in CLASSES:
        (deep / "test" / label).mkdir(parents=True)
        Image.fromarray(np.full((6, 5), 0x8000, np.uint16)).save(deep / "test" / label / "0.png")
    assert np.allclose(image_folder.read(path=str(deep)).test().inputs.values, 0x80)


def told(folder: Path | str, **options: Any) -> str:
    with pytest.raises(DataError) as caught:
        image_folder.read(path=str(folder), **options)
    return str(caught.value)


def values(data: DataSet) -> np.ndarray:
    inputs = data.samples.inputs
    return inputs.batch(np.arange(len(inputs)), time_steps=1, rng=np.random.default_rng(0))[0]


@pytest.mark.parametrize("ending", ["png", "bmp", "tiff", "webp"])
@pytest.mark.parametrize("shape", [(6, 5), (6, 5, 3)])
def test_images_are_those_of_the_files_in_order_of_class_and_name(
    tmp_path: Path, ending: str, shape: tuple[int, ...]
) -> None:
    folder = tmp_path / "all"
    for number, label in enumerate(CLASSES):
        for index in range(10):
            options = {"lossless": True} if ending == "webp" else {}
            save(folder / label / f"{index:03}.{ending}", pixels(100 * number + index, *shape), **options)
    data = image_folder.read(path=str(folder), channels=1 if len(shape) == 2 else None)
    expected = np.stack([pixels(100 * number + index, *shape) for number in range(3) for index in range(10)])
    expected = expected[:, None] if len(shape) == 2 else expected.transpose(0, 3, 1, 2)
    assert np.array_equal(np.rint(values(data) * 255), expected)
    assert data.samples.labels.tolist() == [label for label in CLASSES for _ in range(10)]
    assert data.class_labels == CLASSES


def test_a_jpeg_is_near_what_was_written_and_turned_as_the_camera_was(tmp_path: Path) -> None:
    smooth = np.add.outer(np.arange(16) * 8, np.arange(8) * 8).astype(np.uint8)
    for label in ("a", "b"):
        for index in range(3):
            exif = Image.Exif()
            exif[0x0112] = 6 if index else 1
            turned = np.rot90(smooth, 1) if index else smooth
            save(tmp_path / label / f"{index}.jpg", np.ascontiguousarray(turned), exif=exif, quality=100)
    seen = values(image_folder.read(path=str(tmp_path))) * 255
    assert seen.shape == (6, 1, 16, 8)
    assert np.abs(seen - smooth).max() <= 4


def test_the_folders_of_the_publisher_are_kept(tmp_path: Path) -> None:
    for part, each in (("train", 8), ("valid", 3), ("test", 2)):
        birds(tmp_path / part, each=each)
    data = image_folder.read(path=str(tmp_path))
    search = data.for_search()
    assert (len(search.train), len(search.validation), len(data.test())) == (24, 9, 6)
    limited = image_folder.read(path=str(tmp_path), limit=7).for_search()
    assert np.bincount(limited.train.labels).tolist() == [3, 2, 2]
    assert len(limited.validation) == 9
    birds(tmp_path / "val", each=1)
    assert "two folders for val" in told(tmp_path)


def test_without_them_parts_are_split_off_and_a_class_may_be_called_train(tmp_path: Path) -> None:
    for label in ("train", "bus"):
        for index in range(10):
            save(tmp_path / label / f"{index}.png", pixels(index, 4, 4))
    data = image_folder.read(path=str(tmp_path))
    assert data.class_labels == ("bus", "train")
    assert (len(data.for_search().train), len(data.for_search().validation), len(data.test())) == (12, 4, 4)


def test_sixteen_bits_alpha_palettes_and_greys_are_read_for_what_they_are(tmp_path: Path) -> None:
    deep = np.arange(16, dtype=np.uint16).reshape(4, 4) * 4000
    for index in range(5):
        save(tmp_path / "a" / f"{index}.png", deep)
        save(tmp_path / "b" / f"{index}.png", (deep >> 8).astype(np.uint8))
    data = image_folder.read(path=str(tmp_path))
    assert np.array_equal(np.rint(values(data)[0, 0] * 65535), deep)
    assert np.array_equal(np.rint(values(data)[9, 0] * 255), deep >> 8)
    assert any(note.startswith("5 of the 10 images") and "beside others of 16" in note for note in data.notes)
    colours = image_folder.read(path=str(tmp_path), channels=3)
    assert values(colours).shape == (10, 3, 4, 4)
    assert np.array_equal(np.rint(values(colours)[0, 2] * 255), deep >> 8)

    other = tmp_path / "other"
    half = np.dstack([np.full((4, 4, 3), 200, np.uint8), np.full((4, 4), 51, np.uint8)])
    for index in range(5):
        save(other / "a" / f"{index}.png", half)
        save(other / "b" / f"{index}.png", np.full((4, 4, 3), (255, 0, 0), np.uint8), "P")
    data = image_folder.read(path=str(other))
    assert np.rint(values(data)[0] * 255).max() == np.rint(values(data)[0] * 255).min() == 40
    assert np.rint(values(data)[9, :, 0, 0] * 255).tolist() == [255, 0, 0]
    assert any("transparent" in note for note in data.notes)
    grey = image_folder.read(path=str(other), channels=1)
    assert np.rint(values(grey)[9, 0, 0, 0] * 255) == 76
    assert any("have colours and become grey" in note for note in grey.notes)


def test_mixed_sizes_are_told_or_resized_on_request(tmp_path: Path) -> None:
    folder = birds(tmp_path)
    save(folder / "dog" / "wide.png", np.full((3, 50, 3), 77, np.uint8))
    said = told(folder)
    assert "images of 2 sizes: 6 x 5 (30, such as" in said
    assert f"3 x 50 (1, such as {folder / 'dog' / 'wide.png'})" in said
    assert "data.size = [6, 5]" in said
    seen = values(image_folder.read(path=str(folder), size=[4, 7]))
    assert seen.shape == (31, 3, 4, 7)
    assert np.array_equal(np.rint(seen[20] * 255), np.full((3, 4, 7), 77))


def test_hidden_files_are_named_and_all_else_is_no_sample_to_skip(tmp_path: Path) -> None:
    folder = birds(tmp_path)
    for name in (".DS_Store", "cat/Thumbs.db", "dog/._000.png"):
        (folder / name).write_bytes(b"x")
    (folder / ".git").mkdir()
    data = image_folder.read(path=str(folder))
    assert len(data.samples) == 30
    assert any(
        all(name in note for name in (".DS_Store", "cat/Thumbs.db", "dog/._000.png", ".git")) for note in data.notes
    )
    (folder / "cat" / "notes.txt").write_text("all of them are cute")
    assert f"{folder / 'cat' / 'notes.txt'} is no image that can be read: it begins with 616c6c206f662074" in told(
        folder
    )
    (folder / "cat" / "notes.txt").unlink()
    (folder / "labels.csv").write_text("x")
    assert f"{folder / 'labels.csv'} is no folder" in told(folder)


def chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def png(width: int, height: int, content: bytes = b"") -> bytes:
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(content)) + chunk(b"IEND", b"")


def gif() -> bytes:
    stream = io.BytesIO()
    Image.new("L", (5, 6)).save(stream, "GIF")
    return stream.getvalue()


def frames(kind: str) -> bytes:
    stream = io.BytesIO()
    first, second = (Image.fromarray(pixels(seed, 6, 5, 3)) for seed in range(2))
    first.save(stream, kind, save_all=True, append_images=[second])
    return stream.getvalue()


def tiff_of_floats() -> bytes:
    stream = io.BytesIO()
    Image.fromarray(np.ones((6, 5), np.float32)).save(stream, "TIFF")
    return stream.getvalue()


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "is empty"),
        (b"<html>", "is no image that can be read: it begins with 3c68746d6c3e"),
        (png(5, 6)[:40], "is damaged|no image"),
        (png(100_000, 100_000), "pixels; expected 67,108,864 at most"),
        (png(9000, 9000), "announces 9,000 x 9,000 pixels"),
        (png(2**31 - 1, 2**31 - 1), "pixels; expected 67,108,864 at most"),
        (png(0, 0), "is damaged|no image"),
        (gif(), "no image that can be read: it begins with 474946"),
        (frames("TIFF"), "holds 2 images; expected one a file"),
        (frames("WEBP"), "holds 2 images; expected one a file"),
        (frames("PNG"), "holds 2 images; expected one a file"),
        (tiff_of_floats(), "values of the kind 'F'"),
    ],
)
def test_a_file_that_is_no_right_image_is_told_by_name(tmp_path: Path, content: bytes, expected: str) -> None:
    folder = birds(tmp_path)
    (folder / "dog" / "003.png").write_bytes(content)
    tracemalloc.start()
    with pytest.raises(DataError, match=f"dog/003.png .*({expected})"):
        image_folder.read(path=str(folder), size=[6, 5])
    assert tracemalloc.get_traced_memory()[1] < 20_000_000
    tracemalloc.stop()


def more(folder: Path) -> None:
    birds(folder / "test", each=1)
    save(folder / "test" / "fox" / "0.png", pixels(0, 6, 5, 3))
    for label in CLASSES:
        (folder / "train").mkdir(exist_ok=True)
        (folder / label).rename(folder / "train" / label)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda folder: (folder / "fox").mkdir(), "fox has no images"),
        (lambda folder: (folder / "cat" / "more").mkdir(), "is a folder in the folder of a class"),
        (lambda folder: os.mkfifo(folder / "cat" / "pipe"), "no file but a pipe"),
        (lambda folder: (folder / "cat" / "gone.png").symlink_to("/nowhere"), "No such file"),
        (lambda folder: birds(folder / "train", each=1), "the folder 'cat' beside those of parts"),
        (more, "has the classes 'fox' in test, which it has not in train"),
        (lambda folder: (folder / "a\x1b[2J").mkdir(), "does not print on one line"),
    ],
)
def test_folders_that_are_none_of_a_data_set_are_told(
    tmp_path: Path, change: Callable[[Path], Any], expected: str
) -> None:
    change(birds(tmp_path))
    said = told(tmp_path)
    assert expected in said
    assert said.isprintable()


def test_what_is_no_folder_is_told(tmp_path: Path) -> None:
    assert "does not exist" in told(tmp_path / "none")
    assert "has no folders" in told(tmp_path)
    (tmp_path / "file").write_text("x")
    assert "is no folder" in told(tmp_path / "file")
    assert "data.path = ' '" in told(" ")
    assert "\0" not in told("a\0b")


@pytest.mark.parametrize(
    ("option", "value"),
    [(option, value) for option in ("size", "channels", "limit", "validation_part", "test_part")
     for value in (True, "x", -1, 2.5, [3], [0, 4], [4, 10**5], [True, 4], [4, "4"])],
)  # fmt: skip
def test_an_option_that_does_not_fit_is_told(tmp_path: Path, option: str, value: Any) -> None:
    assert told(birds(tmp_path, each=1), **{option: value}).startswith(f"data.{option} = ")


def test_more_bytes_than_are_to_be_read_are_refused_before_they_are_taken(tmp_path: Path) -> None:
    assert "would take 6,039,797,760 bytes at 8192 x 8192 pixels" in told(birds(tmp_path), size=[8192, 8192])


@settings(max_examples=300, deadline=None)
@given(data=st.data(), kind=st.sampled_from(["PNG", "JPEG", "BMP", "WEBP", "TIFF"]))
def test_an_image_that_changes_is_read_or_refused_by_a_sentence(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject, kind: str
) -> None:
    folder = tmp_path_factory.getbasetemp() / "changed"
    if not folder.exists():
        birds(folder, each=3)
    stream = io.BytesIO()
    Image.fromarray(pixels(7, 6, 5, 3)).save(stream, kind)
    content = bytearray(stream.getvalue())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    (folder / "dog" / "001.png").write_bytes(content[: len(content) - data.draw(st.integers(0, 3))])
    try:
        found = image_folder.read(path=str(folder))
    except DataError as error:
        said = str(error)
    else:
        assert len(found.samples) == 9
        said = "001.png"
    assert "001.png" in said or "no finite" in said
