"""Images of CIFAR, of folders and of array files: bytes that change, headers that lie, pickles that would run code."""

from __future__ import annotations

import io
import os
import pickle
import shutil
import struct
import zipfile
import zlib
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from PIL import Image

from evonas.data import array_file, cifar, image_folder
from evonas.data.dataset import DataSet
from fuzz.damage import ODD_VALUES, damaged
from fuzz.verdict import Verdict, attempt

CIFAR_FILES = (*(f"data_batch_{number}" for number in range(1, 6)), "test_batch")
GADGETS = (
    b"cos\nsystem\n(S'touch hacked'\ntR.", b"\x80\x04\x8c\x08builtins\x8c\x04eval\x93\x8c\x011\x85R.",
    b"\x80\x02cnumpy\nload\nU\x01x\x85R.", b"\x80\x02]" + b"\x85" * 50_000 + b".", b"\x80\x05\x96\xff\xff\xff\xff\0\0\0\0x.",
    b"\x80\x02}r\xff\xff\xff\xff.", b"\x80\x04\x95\xff\xff\xff\xff\xff\xff\xff\x7f}.", b"(" * 50_000 + b".", b"\x80\x02PX\n.",
)  # fmt: skip


def option_of(rng: np.random.Generator, names: tuple[str, ...]) -> dict[str, Any]:
    """Return one option with an odd value."""
    return {names[int(rng.integers(len(names)))]: ODD_VALUES[int(rng.integers(len(ODD_VALUES)))]}


def inputs_of(data: DataSet) -> np.ndarray:
    """Return the `(samples, channels, height, width)` values that a network sees."""
    inputs = data.samples.inputs
    return inputs.batch(np.arange(len(inputs)), time_steps=1, rng=np.random.default_rng(0))[0]


def parts_fault(data: DataSet) -> str:
    """Return what is wrong with the parts of a data set."""
    search = data.for_search()
    if not len(search.train) or not len(search.validation):
        return "a part is empty"
    if not (search.train.labels < search.task.outputs).all() or len(search.task.labels) != search.task.outputs:
        return "a label stands for no class"
    return "" if np.isfinite(inputs_of(data)).all() else "values that are no finite numbers were taken"


class CifarFolders:
    """Folders of CIFAR-10, binary or Python version, one file of which is changed."""

    name = "cifar folders"

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        rng = np.random.default_rng(0)
        self._images = [rng.integers(0, 256, (20, 3072), dtype=np.uint8) for _ in CIFAR_FILES]
        self._labels = [rng.permutation(np.arange(20) % 10) for _ in CIFAR_FILES]

    def attempt(self, rng: np.random.Generator) -> Verdict:
        """Return what came of one folder."""
        is_pickled = bool(rng.random() < 0.6)
        make = self._pickled if is_pickled else self._binary
        contents = {f"{name}{'' if is_pickled else '.bin'}": make(index, rng) for index, name in enumerate(CIFAR_FILES)}
        which = list(contents)[int(rng.integers(6))]
        options: dict[str, Any] = {}
        if rng.random() < 0.1:
            options = option_of(rng, ("limit", "labels", "validation_part"))
        elif is_pickled and rng.random() < 0.15:
            contents[which] = GADGETS[int(rng.integers(len(GADGETS)))]
        elif is_pickled:
            near = contents[which][: 3072 * 20] if rng.random() < 0.3 else contents[which]
            contents[which] = self._near_the_instructions(near, rng)
        else:
            contents[which] = damaged(contents[which], rng)
        shutil.rmtree(self._folder)
        self._folder.mkdir()
        for name, content in contents.items():
            (self._folder / name).write_bytes(content)
        verdict = attempt(
            lambda: cifar.read(path=str(self._folder), **options),
            check=lambda data: self._fault(data, contents, which, is_pickled=is_pickled, options=options),
        )
        if os.path.exists("hacked"):
            return Verdict("wrong", "a pickle ran code", contents[which][:64].hex())
        return Verdict(verdict.outcome, f"{options or which}: {verdict.detail}", contents[which][:64].hex())

    def _binary(self, index: int, rng: np.random.Generator) -> bytes:
        return np.c_[self._labels[index].astype(np.uint8), self._images[index]].tobytes()

    def _pickled(self, index: int, rng: np.random.Generator) -> bytes:
        whole = {b"labels": self._labels[index].tolist(), b"data": self._images[index], b"filenames": [b"x.png"] * 20}
        return pickle.dumps(whole, protocol=int(rng.integers(1, 6)))

    def _near_the_instructions(self, content: bytes, rng: np.random.Generator) -> bytes:
        """Return the bytes with a damage, most often in the first or last few hundred, where no pixels are."""
        if rng.random() < 0.2:
            return damaged(content, rng)
        if rng.random() < 0.5:
            return damaged(content[:400], rng) + content[400:]
        return content[:-300] + damaged(content[-300:], rng)

    def _fault(
        self, data: DataSet, contents: dict[str, bytes], which: str, *, is_pickled: bool, options: dict[str, Any]
    ) -> str:
        if any(isinstance(value, bool | list | dict) or value != value for value in options.values()):
            return f"the options {options} were taken"
        if not is_pickled and not options:
            whole = b"".join(content for name, content in contents.items() if "test" not in name)
            records = np.frombuffer(whole, np.uint8).reshape(-1, 3073)
            if not np.array_equal(np.rint(inputs_of(data).reshape(-1, 3072) * 255), records[:, 1:]):
                return "the pixels are others"
            if records[:, 0].max() > 9:
                return "a label above 9 was taken"
        return parts_fault(data)


class ImageFolders:
    """Folders of a folder for each class, one image of which is changed."""

    name = "image folders"

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._count = 0
        rng = np.random.default_rng(0)
        self._whole: list[tuple[str, bytes]] = []
        for kind, options in (
            ("PNG", {}), ("JPEG", {}), ("BMP", {}), ("WEBP", {"lossless": True}), ("WEBP", {}), ("TIFF", {}),
            ("TIFF", {"compression": "tiff_lzw"}), ("TIFF", {"compression": "jpeg"}), ("TIFF", {"compression": "tiff_deflate"}),
        ):  # fmt: skip
            for mode in ("L", "RGB", "RGBA", "P", "1", "I;16", "CMYK", "LA"):
                image = Image.fromarray(rng.integers(0, 256, (9, 7, 3), dtype=np.uint8))
                stream = io.BytesIO()
                try:
                    if mode == "I;16":
                        image = Image.fromarray(rng.integers(0, 2**16, (9, 7), dtype=np.uint16))
                    else:
                        image = image.convert(mode)
                    image.save(stream, kind, **options)  # type: ignore[arg-type]
                except (OSError, ValueError, KeyError):  # a mode that the format has not
                    continue
                self._whole.append((kind, stream.getvalue()))

    def attempt(self, rng: np.random.Generator) -> Verdict:
        """Return what came of one folder."""
        shutil.rmtree(self._folder)
        self._count = 0
        for label in ("a", "b"):
            (self._folder / label).mkdir(parents=True)
            for index in range(3):
                content = self._whole[int(rng.integers(len(self._whole)))][1]
                (self._folder / label / f"{index}.png").write_bytes(content)
                self._count += 1
        options: dict[str, Any] = {"size": [4, 4]} if rng.random() < 0.3 else {}
        target = self._folder / "a" / "1.png"
        content = target.read_bytes()
        match int(rng.integers(8)):
            case 0:
                options = option_of(rng, ("size", "channels", "limit", "validation_part", "test_part"))
            case 1:
                name = (".DS_Store", "x", "a/y", "a/z/w", "Thumbs.db", "train/a", "train/a/1.png")[int(rng.integers(7))]
                (self._folder / name).mkdir(parents=True) if rng.random() < 0.5 else self._write(name, rng.bytes(9))
            case 2:
                width, height = (int(2 ** rng.uniform(0, 31)) for _ in range(2))
                content = header_of_png(
                    width, height, depth=int(rng.choice([1, 2, 4, 8, 16])), kind=int(rng.integers(7))
                )
            case 3:
                content = self._spliced(content, rng)
            case _:
                for _ in range(int(rng.integers(1, 4))):
                    content = (
                        damaged(content[:200], rng) + content[200:] if rng.random() < 0.5 else damaged(content, rng)
                    )
        target.parent.mkdir(exist_ok=True)
        target.write_bytes(content)
        verdict = attempt(
            lambda: image_folder.read(path=str(self._folder), **options), check=lambda data: self._fault(data, options)
        )
        return Verdict(verdict.outcome, f"{options}: {verdict.detail}", content[:64].hex())

    def _write(self, name: str, content: bytes) -> None:
        (self._folder / name).parent.mkdir(parents=True, exist_ok=True)
        (self._folder / name).write_bytes(content)

    def _spliced(self, content: bytes, rng: np.random.Generator) -> bytes:
        """Return the bytes with a number in them at an end of its range."""
        at = int(rng.integers(min(len(content), 160)))
        number = (b"\0\0\0\0", b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\xff\xff\xff\x7f", b"\0\1\0\0")[
            int(rng.integers(5))
        ]
        return content[:at] + number + content[at + 4 :]

    def _fault(self, data: DataSet, options: dict[str, Any]) -> str:
        if any(isinstance(value, bool | str | dict) or value != value for value in options.values()):
            return f"the options {options} were taken"
        if not options and len(data.samples) < self._count:
            return f"{len(data.samples)} of {self._count} images were taken"
        return parts_fault(data)


class ArrayFiles:
    """Files of arrays in `.npz`, changed."""

    name = "npz files"
    suffix = ".npz"

    def __init__(self, folder: Path) -> None:
        self._file = folder / f"images{self.suffix}"

    def attempt(self, rng: np.random.Generator) -> Verdict:
        """Return what came of one file."""
        options: dict[str, Any] = {}
        arrays = self._arrays(rng)
        content = self._content(arrays, rng)
        match int(rng.integers(6)):
            case 0:
                options = option_of(rng, ("layout", "limit", "validation_part", "test_part"))
            case 1:
                pass
            case _:
                for _ in range(int(rng.integers(1, 3))):
                    content = damaged(content, rng)
        self._file.write_bytes(content)
        verdict = attempt(
            lambda: array_file.read(path=str(self._file), **options),
            check=lambda data: self._fault(data, options),
        )
        if os.path.exists("hacked"):
            return Verdict("wrong", "a file ran code", content[:64].hex())
        return Verdict(verdict.outcome, f"{options}: {verdict.detail}", content[:64].hex())

    def _arrays(self, rng: np.random.Generator) -> dict[str, np.ndarray]:
        if rng.random() < 0.3:
            return {"images": rng.integers(0, 256, (20, 5, 4, 3), dtype=np.uint8), "labels": np.arange(20) % 3}
        shape = ((20, 4, 4), (20, 5, 4, 3), (20, 3, 5, 5), (20, 3, 3, 3), (20, 4), (0, 4, 4), (20, 0, 4))[
            int(rng.integers(7))
        ]
        kind = (
            ("u1", "u2", "f4", "f8", "?", "i8", ">f4", "c8", "f2")[int(rng.integers(9))] if rng.random() < 0.5 else "u1"
        )
        images = rng.integers(0, 256, shape).astype(kind)
        count = 20 if rng.random() < 0.9 else int(rng.integers(0, 22))
        labels = rng.choice([0, 1, 5], count)
        words = np.array(["cat", "dog", "", "\ud800", "é", "x" * 300, "\x1b[2J"])
        match int(rng.integers(6)):
            case 0:
                labels = words[rng.integers(0, 2 if rng.random() < 0.7 else len(words), count)]
            case 1:
                labels = rng.choice([0.0, 1.0, 1.5, np.nan], count)
            case 2:
                labels = np.array([b"cat", b"d\xff", b"a\0b"])[rng.integers(0, 3, count)]
        arrays = {"images": images, "labels": labels}
        if rng.random() < 0.4:
            arrays["split"] = rng.choice(["train", "val", "test", "dev"], 20, p=[0.7, 0.14, 0.14, 0.02])
        if rng.random() < 0.2:
            part = ("train", "val", "test")[int(rng.integers(3))]
            arrays = {f"{part}_{name}": array for name, array in arrays.items()} | (
                arrays if rng.random() < 0.5 else {}
            )
        return arrays

    def _content(self, arrays: dict[str, np.ndarray], rng: np.random.Generator) -> bytes:
        stream = io.BytesIO()
        (np.savez if rng.random() < 0.5 else np.savez_compressed)(stream, **arrays)  # type: ignore[operator]
        if rng.random() < 0.3:  # the same with a header that lies
            lying = io.BytesIO()
            with zipfile.ZipFile(stream) as source, zipfile.ZipFile(lying, "w", zipfile.ZIP_DEFLATED) as target:
                for name in source.namelist():
                    target.writestr(name, lie(source.read(name), rng))
            return lying.getvalue()
        return stream.getvalue()

    def _fault(self, data: DataSet, options: dict[str, Any]) -> str:
        if any(isinstance(value, bool | list | dict) or value != value for value in options.values()):
            return f"the options {options} were taken"
        return parts_fault(data) or (self._pixel_fault(data) if not options else "")

    def _pixel_fault(self, data: DataSet) -> str:
        """Return whether the images are others than numpy reads."""
        with np.load(self._file, allow_pickle=False) as file:
            if "split" in file or "images" not in file:
                return ""
            images, seen = file["images"], inputs_of(data)
        scale = np.iinfo(images.dtype).max if images.dtype.kind == "u" else 1
        same = np.allclose(
            np.sort(seen.reshape(len(seen), -1)), np.sort(images.reshape(len(images), -1) / scale), atol=1e-6
        )
        return "" if same else "the pixels are others"


class Hdf5Files(ArrayFiles):
    """Files of arrays in HDF5, changed."""

    name = "hdf5 files"
    suffix = ".h5"

    def _content(self, arrays: dict[str, np.ndarray], rng: np.random.Generator) -> bytes:
        with h5py.File("images", "w", driver="core", backing_store=False) as file:
            for name, array in arrays.items():
                if array.dtype.kind == "U":
                    texts = [text.encode("utf-8", "surrogatepass") for text in array.tolist()]
                    file.create_dataset(name, data=texts, dtype=h5py.string_dtype())
                elif array.ndim and array.size and rng.random() < 0.5:
                    file.create_dataset(name, data=array, compression="gzip", shuffle=bool(rng.random() < 0.5))
                else:
                    file.create_dataset(name, data=array)
            if rng.random() < 0.1 and "split" not in file:
                file["split"] = h5py.ExternalLink("/etc/passwd", "/x")
            file.flush()
            content: bytes = file.id.get_file_image()
            return content

    def _pixel_fault(self, data: DataSet) -> str:
        return ""


def header_of_png(width: int, height: int, *, depth: int, kind: int) -> bytes:
    """Return an image whose header announces what it likes."""
    chunks = (
        (b"IHDR", struct.pack(">IIBBBBB", width, height, depth, kind, 0, 0, 0)),
        (b"IDAT", zlib.compress(bytes(4096))),
        (b"IEND", b""),
    )
    parts = (
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body)) for name, body in chunks
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def lie(member: bytes, rng: np.random.Generator) -> bytes:
    """Return an array of numpy's format whose header says something else."""
    ways = (
        (b"(20,", b"(2000000000000000,"), (b"(20,", b"(19,"), (b"(20,", b"(20L,"), (b"(20,", b"(-1,"), (b"|u1", b"|O"), (b"|u1", b"|V8"),
        (b"<i8", b"<M8"), (b"'descr'", b"'x'"), (b"False", b"True "), (b"{", b"[" * 500), (b"(20,", b"(" + b"9" * 4000 + b","),
        (b"'|u1'", b"[('a','u1')]"), (b"|u1", b"<U9"),
    )  # fmt: skip
    old, new = ways[int(rng.integers(len(ways)))]
    head, body = member[10:128], member[128:]
    text = head.replace(old, new, 1)
    return member[:8] + struct.pack("<H", len(text)) + text + body
