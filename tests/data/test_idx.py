from __future__ import annotations

import gzip
import math
import os
import struct
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evonas.data.formats.idx import LARGEST, read_idx
from evonas.errors import DataError

SIZES = st.sampled_from([0, 1, 2, 3, 5, 8, 255, 2**16, 2**31, 2**32 - 1])


def header(*shape: int) -> bytes:
    return bytes([0, 0, 8, len(shape)]) + struct.pack(f">{len(shape)}I", *shape)


@settings(max_examples=300, deadline=None)
@given(
    head=st.one_of(
        st.binary(max_size=24),
        st.lists(SIZES, max_size=5).map(lambda sizes: header(*sizes)),
        st.lists(st.integers(1, 4), min_size=1, max_size=3).map(lambda sizes: header(*sizes)),
    ),
    values=st.binary(max_size=70),
    packed=st.booleans(),
    cut=st.integers(0, 6),
)
def test_whatever_a_file_holds_it_is_read_right_or_refused_by_a_sentence(
    tmp_path_factory: pytest.TempPathFactory, head: bytes, values: bytes, packed: bool, cut: int
) -> None:
    content = head + values
    stored = gzip.compress(content) if packed else content
    file = tmp_path_factory.getbasetemp() / "any-idx"
    file.write_bytes(stored[: len(stored) - cut] if cut else stored)
    whole = content if packed or not cut else content[: len(content) - cut]
    dimensions = whole[3] if len(whole) > 3 else 0
    has_sizes = len(whole) >= 4 + 4 * dimensions
    sizes = struct.unpack(f">{dimensions}I", whole[4 : 4 + 4 * dimensions]) if has_sizes else ()
    begin = 4 + 4 * len(sizes)
    is_right = whole[:3] == b"\0\0\x08" and 1 <= len(sizes) <= 8 and 0 < math.prod(sizes) == len(whole) - begin
    if is_right and not (packed and cut):
        array = read_idx(file)
        assert array.shape == sizes
        assert array.tobytes() == whole[begin:]
    else:
        with pytest.raises(DataError, match="any-idx"):
            read_idx(file)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (header(2**31, 2**31, 4), "1.*values in all, and 0 values follow it"),
        (header(2**32 - 1, 2**32 - 1, 2**32 - 1, 2**32 - 1) + b"\0" * 16, "16 values follow it"),
        (header(10, 8, 0), "holds nothing: its header says 10 x 8 x 0"),
        (header(10, 2, 2) + b"\1" * 39, "40 values in all, and 39 values follow it"),
        (header(10, 2, 2) + b"\1" * 41, "40 values in all, and 41 values follow it"),
        (gzip.compress(gzip.compress(header(1) + b"\1", mtime=0), mtime=0), "a gzip file inside another"),
        (b"PK\3\4", r"begins with 504b0304 \(a zip file\)"),
        (b"<html>", "a web page"),
        (b"\0\0\x0d\3" + b"\0" * 12, r"begins with 00000d03 \(floats\)"),
        (b"", "begins with nothing"),
        (b"\0\0\x08", "begins with 000008"),
        (bytes([0, 0, 8, 0]), "announces 0 dimensions"),
        (bytes([0, 0, 8, 200]) + b"\0" * 800, "announces 200 dimensions"),
    ],
)
@pytest.mark.parametrize("packed", [False, True])
def test_a_header_that_lies_is_told_with_what_follows_it(
    tmp_path: Path, content: bytes, expected: str, packed: bool
) -> None:
    file = tmp_path / "idx"
    file.write_bytes(gzip.compress(content) if packed else content)
    if packed:
        expected = expected.replace("41 values follow", "more values follow")
        if "2 x" in expected or content[4:8] >= b"\x80\0\0\0":
            expected = "at the very most"
        if content.startswith(b"\x1f\x8b"):
            expected = "gzip"
    with pytest.raises(DataError, match=expected):
        read_idx(file)


@pytest.mark.parametrize("name", ["idx", "idx.gz"])
@pytest.mark.parametrize("packed", [False, True])
def test_compression_is_known_by_the_first_bytes_and_not_by_the_name(tmp_path: Path, name: str, packed: bool) -> None:
    content = header(2, 3) + bytes(range(6))
    (tmp_path / name).write_bytes(gzip.compress(content) if packed else content)
    assert read_idx(tmp_path / name).tolist() == [[0, 1, 2], [3, 4, 5]]


def test_a_bomb_is_read_no_further_than_its_header_promises(tmp_path: Path) -> None:
    file = tmp_path / "bomb.gz"
    file.write_bytes(gzip.compress(header(10, 2, 2) + bytes(300_000_000), compresslevel=1))
    tracemalloc.start()
    with pytest.raises(DataError, match="40 values in all, and more values follow it"):
        read_idx(file)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 5_000_000


def test_a_file_that_promises_more_than_memory_is_to_hold_is_refused_unread(tmp_path: Path) -> None:
    file = tmp_path / "sparse"
    with open(file, "wb") as stream:
        stream.write(header(LARGEST + 1))
        stream.truncate(8 + LARGEST + 1)  # takes no place on disk
    with pytest.raises(DataError, match="too large.*1,073,741,824 are read into memory at most"):
        read_idx(file)


def test_what_is_no_readable_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    for name, expected in (("folder", "folder"), ("pipe", "no file but a pipe"), ("gone", "No such file")):
        with pytest.raises(DataError, match=expected):
            read_idx(tmp_path / name)
    with pytest.raises(DataError, match="null byte"):
        read_idx(tmp_path / "a\0b")
    locked = tmp_path / "locked"
    locked.write_bytes(header(1) + b"\1")
    locked.chmod(0)
    if os.access(locked, os.R_OK):
        pytest.skip("this user may read everything")
    with pytest.raises(DataError, match="Permission denied"):
        read_idx(locked)
