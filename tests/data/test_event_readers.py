from __future__ import annotations

import os
import struct
import time
import zlib
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from types import ModuleType
from typing import Any

import event_files
import h5py
import numpy as np
import pytest
from event_files import Recording, class_folders, recording

from evonas.data import aedat4, cifar10_dvs, dvs_gesture, events, nmnist, prophesee, shd, stmnist
from evonas.data.dataset import DataSet, Samples
from evonas.data.event_frames import EventFrames
from evonas.data.formats import aedat
from evonas.errors import DataError, OptionError

Written = Callable[[Recording], bytes]

PARSED: dict[str, tuple[Callable[[bytes, Path], Any], Written, dict[str, int]]] = {
    "nmnist": (nmnist.parse, event_files.nmnist, {}),
    "dvs128": (aedat.parse_dvs128, event_files.aedat2, {"width": 128, "height": 128}),
    "aedat 3.1": (aedat.parse_packets, event_files.aedat3, {"width": 128, "height": 128}),
    "prophesee": (prophesee.parse, event_files.dat, {"width": 304, "height": 240, "length": 2**32 - 1}),
    "stmnist": (stmnist.parse, event_files.mat, {"width": 10, "height": 10}),
    "aedat4": (aedat4.parse, event_files.aedat4, {"width": 320, "height": 240, "length": 2**40}),
}

FOLDERS: dict[str, tuple[ModuleType, Written, str, tuple[int, int]]] = {
    "nmnist": (nmnist, event_files.nmnist, ".bin", (34, 34)),
    "cifar10_dvs": (cifar10_dvs, event_files.aedat2, ".aedat", (128, 128)),
    "prophesee": (prophesee, event_files.dat, ".dat", (100, 120)),
    "stmnist": (stmnist, event_files.mat, ".mat", (10, 10)),
    "aedat4": (aedat4, event_files.aedat4, ".aedat4", (48, 64)),
}


def frames_of(samples: Samples, *, time_steps: int = 3) -> np.ndarray:
    return samples.inputs.batch(np.arange(len(samples)), time_steps=time_steps, rng=np.random.default_rng(0))


def slow_frames(events: Recording, *, frames: int, shape: tuple[int, ...]) -> np.ndarray:
    t, x, y, p = events
    found = np.zeros((frames, *shape))
    for k in range(len(t)):
        found[int(t[k] - t[0]) * frames // int(t[-1] - t[0] + 1), p[k], y[k], x[k]] += 1
    return found


def recordings_of(data: DataSet) -> Any:
    assert isinstance(data.samples.inputs, EventFrames)
    return data.samples.inputs.recordings


@pytest.mark.parametrize("name", PARSED)
def test_a_file_is_read_as_it_was_written(name: str) -> None:
    parse, written, sizes = PARSED[name]
    expected = recording(np.random.default_rng(3), events=120, **sizes)
    found = parse(written(expected), Path("x"))
    for came, column in zip((found.t, found.x, found.y, found.p), expected, strict=True):
        assert np.array_equal(came.astype(np.int64), column)


@pytest.mark.parametrize("name", PARSED)
def test_a_file_that_is_cut_short_is_refused_and_named(name: str) -> None:
    parse, written, sizes = PARSED[name]
    data = written(recording(np.random.default_rng(3), events=120, **sizes))
    for cut in range(1, 8) if name != "nmnist" else range(1, 5):
        with pytest.raises(DataError, match=r"^/a/b"):
            parse(data[:-cut], Path("/a/b"))


@pytest.mark.parametrize("name", [name for name in PARSED if name != "nmnist"])
@pytest.mark.parametrize(
    "data", [b"", b"#", b"%", b"P5 32 32", b"\0" * 400, b"MATLAB 5.0 MAT-file", b"#!AER-DAT9.0\r\n"]
)
def test_another_file_is_refused_and_named(name: str, data: bytes) -> None:
    with pytest.raises(DataError, match=r"^/a/b"):
        PARSED[name][0](data, Path("/a/b"))


@pytest.mark.parametrize("name", FOLDERS)
def test_a_folder_with_its_test_part_is_read(name: str, tmp_path: Path) -> None:
    module, written, ending, (height, width) = FOLDERS[name]
    sizes = {"height": height, "width": width, "events": 200}
    train = class_folders(tmp_path / "Train", written, ending=ending, names=["7", "10"], **sizes)
    test = class_folders(tmp_path / "Test", written, ending=ending, names=["7", "10"], each=2, **sizes)
    data = module.read(path=str(tmp_path))
    assert data.class_labels == (7, 10)
    shape = (2, height, width)
    for samples, files in ((data.samples, train), (data.test(), test)):
        frames = frames_of(samples)
        assert frames.shape[2:] == shape
        in_turn = sorted(files, key=lambda file: (file.name, ["7", "10"].index(file.parent.name)))
        for index, file in enumerate(in_turn):
            assert np.array_equal(frames[:, index], slow_frames(files[file], frames=3, shape=shape))
    assert data.samples.labels.tolist() == [7, 10] * 10
    assert data.test().labels.tolist() == [0, 1] * 2


@pytest.mark.parametrize("name", FOLDERS)
def test_a_folder_of_classes_alone_is_split(name: str, tmp_path: Path) -> None:
    module, written, ending, (height, width) = FOLDERS[name]
    class_folders(tmp_path / "x", written, ending=ending, names=["cat", "dog"], height=height, width=width)
    data = module.read(path=str(tmp_path / "x"), test_part=0.3)
    assert (data.class_labels, len(data.test()), len(data.for_search().validation)) == (("cat", "dog"), 6, 4)


@pytest.mark.parametrize("name", FOLDERS)
def test_a_bad_file_of_a_folder_is_named(name: str, tmp_path: Path) -> None:
    module, written, ending, (height, width) = FOLDERS[name]
    class_folders(tmp_path / "x", written, ending=ending, names=["cat", "dog"], height=height, width=width)
    bad = tmp_path / f"x/dog/00003{ending}"
    content = bad.read_bytes()
    for data in (
        b"",
        content[: len(content) // 2 - 1],
        written(tuple(column[:0] for column in recording(np.random.default_rng(0)))) if name != "stmnist" else b"",
    ):
        bad.write_bytes(data)
        with pytest.raises(DataError, match=str(bad)):
            module.read(path=str(tmp_path / "x"))


@pytest.mark.parametrize(
    ("module", "written", "ending"), [(prophesee, event_files.dat, ".dat"), (aedat4, event_files.aedat4, ".aedat4")]
)
def test_a_sensor_is_as_large_as_the_files_say_or_as_their_coordinates(
    module: ModuleType, written: Any, ending: str, tmp_path: Path
) -> None:
    def folder(name: str, of: Callable[[Recording], bytes]) -> str:
        class_folders(tmp_path / name, of, ending=ending, names=["a", "b"], width=20, height=10, events=300)
        return str(tmp_path / name)

    told = module.read(path=folder("told", lambda one: written(one, sensor=(30, 40))))
    assert told.samples.inputs.shape == (None, 2, 30, 40)
    assert told.notes == ()
    seen = module.read(path=folder("seen", written))
    assert seen.samples.inputs.shape == (None, 2, 10, 20)
    assert "20 x 10 pixels is what the largest coordinates of training leave" in " ".join(seen.notes)
    with pytest.raises(DataError, match="event .* has x = .*, expected 0 to 7"):
        module.read(path=folder("small", lambda one: written(one, sensor=(30, 8))))
    with pytest.raises(DataError, match="is of a sensor of 4[01] x 30 pixels, .* of one of 4[01]"):
        module.read(path=folder("mixed", lambda one: written(one, sensor=(30, 40 + int(one[0][0]) % 2))))
    with pytest.raises(DataError, match="of a sensor of 99,999 x 30 pixels, expected 1 to 2,097,152"):
        module.read(path=folder("huge", lambda one: written(one, sensor=(30, 99_999))))


def nmnist_folder(tmp_path: Path, *, each: int = 10, **sizes: int) -> Path:
    class_folders(tmp_path / "x", event_files.nmnist, ending=".bin", names=["0", "1", "2"], each=each, **sizes)
    return tmp_path / "x"


def test_a_limit_takes_the_first_of_each_class_and_knows_all(tmp_path: Path) -> None:
    data = nmnist.read(path=str(nmnist_folder(tmp_path)), limit=8, test_part=0.0)
    assert data.samples.labels.tolist() == [0, 1, 2, 0, 1, 2, 0, 1]
    assert data.classes == 3


def test_a_limit_does_not_read_the_others(tmp_path: Path) -> None:
    folder = nmnist_folder(tmp_path)
    (folder / "0/00009.bin").write_bytes(b"xxx")
    nmnist.read(path=str(folder), limit=12)
    with pytest.raises(DataError, match="00009"):
        nmnist.read(path=str(folder))


def test_files_that_are_left_out_are_told(tmp_path: Path) -> None:
    folder = nmnist_folder(tmp_path)
    for name in ("README.txt", "0/.DS_Store", "1/notes.txt", "2/00000.bin.bak"):
        (folder / name).write_text("x")
    notes = " ".join(nmnist.read(path=str(folder)).notes)
    assert "4 files in " in notes
    assert "are left out" in notes
    assert "0/.DS_Store" in notes


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ([], "has no folders; expected one for each class, with an N-MNIST file for each recording"),
        (["a"], "holds no file whose name ends in .bin"),
        (["train"], "train has no folders; expected one for each class"),
        (["test"], "has folders for test and none for train"),
        (["train", "old_train"], "two folders for train, old_train and train; expected one for train"),
        (["train/a", "test/a", "extra"], "has the folder 'extra' beside those of parts; expected one for train"),
        (["train/a", "val/a", "validation/a"], "two folders for val, val and validation"),
    ],
)
def test_a_folder_of_other_contents_is_refused(names: list[str], message: str, tmp_path: Path) -> None:
    for name in names:
        (tmp_path / name).mkdir(parents=True)
    with pytest.raises(DataError, match=message):
        nmnist.read(path=str(tmp_path))


def test_what_a_matlab_file_unpacks_to_is_bounded_for_all_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    data = event_files.mat(recording(np.random.default_rng(0), width=10, height=10))
    element = zlib.compress(bytes(40_000))
    padded = data + (struct.pack("<II", 15, len(element)) + element) * 5
    monkeypatch.setattr(stmnist, "_LARGEST", 150_000)  # more than each element, fewer than all
    stmnist.parse(data, Path("x"))
    with pytest.raises(DataError, match="unpacks to more than 150,000 bytes, with the element at byte"):
        stmnist.parse(padded, Path("x"))


@pytest.mark.parametrize("name", ["val", "valid", "Validation", "n-mnist_val"])
def test_a_validation_part_of_the_publisher_is_used(name: str, tmp_path: Path) -> None:
    for part, each in (("train", 5), (name, 3), ("test", 2)):
        class_folders(tmp_path / part, event_files.nmnist, ending=".bin", names=["0", "1"], each=each)
    data = nmnist.read(path=str(tmp_path))
    search = data.for_search()
    assert (len(search.train), len(search.validation), len(data.test())) == (10, 6, 4)


def test_a_class_may_be_called_after_a_part(tmp_path: Path) -> None:
    class_folders(tmp_path, event_files.nmnist, ending=".bin", names=["bullet_train", "car"])
    assert nmnist.read(path=str(tmp_path)).class_labels == ("bullet_train", "car")


@pytest.mark.parametrize(
    ("module", "written", "ending"), [(prophesee, event_files.dat, ".dat"), (aedat4, event_files.aedat4, ".aedat4")]
)
def test_test_recordings_do_not_shape_what_the_search_sees(
    module: ModuleType, written: Any, ending: str, tmp_path: Path
) -> None:
    for part, width in (("train", 20), ("test", 30)):
        class_folders(tmp_path / part, written, ending=ending, names=["a", "b"], width=width, height=10, events=300)
    with pytest.raises(DataError, match=r"/test/a/.* x = 2\d, expected 0 to 19.* data.sensor = "):
        module.read(path=str(tmp_path))
    assert module.read(path=str(tmp_path), sensor=[10, 30]).samples.inputs.shape == (None, 2, 10, 30)
    for wrong in ([10], "10", [0, 30], [10, 30.0], [True, 30], [2**20, 2**20], 10):
        with pytest.raises(DataError, match="data.sensor = .*, expected .height, width."):
            module.read(path=str(tmp_path), sensor=wrong)


def test_further_streams_of_events_are_told(tmp_path: Path) -> None:
    class_folders(tmp_path, event_files.aedat4, ending=".aedat4", names=["a", "b"])
    file = tmp_path / "b/00003.aedat4"
    file.write_bytes(file.read_bytes().replace(b">IMUS<", b">EVTS<").replace(b'name="0"', b'name="1"'))
    notes = " ".join(aedat4.read(path=str(tmp_path)).notes)
    assert f"1 files have more than one stream of events, of which the first is read: {file} has 2." in notes


def test_heads_of_aedat_4_that_are_made_to_take_long_are_refused() -> None:
    events = recording(np.random.default_rng(0))
    is_events = b'path="outInfo/1/"><attr key="typeIdentifier" type="string">EVTS</attr>'
    begin = time.process_time()
    for text in (
        b'<node name="%b" ' % (b"1" * 5000) + is_events,
        b'<node name="1" path="outInfo/1/">' + b'key="typeIdentifier"' * 50_000,
        b'<node name="1" path="outInfo/1/">' + b'<attr key="typeIdentifier"' * 40_000,
        b'<node name="1" path="' * 45_000,
        b'<node name="1" path="outInfo/' + b"1" * 10**6,
    ):
        with pytest.raises(DataError, match="has no stream of events"):
            aedat4.parse(event_files.aedat4_of(text, events), Path("x"))
    assert time.process_time() - begin < 10
    with pytest.raises(DataError, match="has a head of 1,100,.* bytes, expected 1,048,576 at most"):
        aedat4.parse(event_files.aedat4_of(b" " * 1_100_000, events), Path("x"))


def test_a_test_label_that_training_does_not_know_is_refused(tmp_path: Path) -> None:
    for part, names in (("Train", ["0", "1"]), ("Test", ["0", "5"])):
        class_folders(tmp_path / part, event_files.nmnist, ending=".bin", names=names, each=4)
    with pytest.raises(DataError, match="have the labels 5, which are none of the 2 classes"):
        nmnist.read(path=str(tmp_path))


def test_rows_of_240_move_what_follows_in_time() -> None:
    plain, overflow = bytes([1, 2, 0x80, 0, 5]), bytes([0, 240, 0, 0, 0])
    found = nmnist.parse(plain + overflow + plain + overflow + plain, Path("x"))
    assert found.t.tolist() == [5, 5 + 2**13, 5 + 2**14]
    assert (found.x.tolist(), found.y.tolist(), found.p.tolist()) == ([1] * 3, [2] * 3, [1] * 3)


def test_special_events_of_a_dvs128_are_left_out_and_other_cameras_refused() -> None:
    data = event_files.aedat2(recording(np.random.default_rng(0), events=3, width=128, height=128))
    assert len(aedat.parse_dvs128(data + struct.pack(">II", 1 << 15, 7), Path("x")).t) == 3
    with pytest.raises(DataError, match="of another camera"):
        aedat.parse_dvs128(data + struct.pack(">II", 1 << 22, 7), Path("x"))


def test_overflowing_times_of_packets_go_on() -> None:
    t = np.array([5, 2**31 + 3, 3 * 2**31 + 1])
    zero = np.zeros(3, np.int64)
    assert aedat.parse_packets(event_files.aedat3((t, zero, zero, zero), packet=1), Path("x")).t.tolist() == t.tolist()


def test_gestures_are_cut_from_their_files(tmp_path: Path) -> None:
    expected = event_files.gestures(tmp_path)
    data = dvs_gesture.read(path=str(tmp_path), frames=4)
    assert data.class_labels == tuple(range(1, 12))
    by_turn = sorted(
        range(66),
        key=lambda index: (
            [one[0] for one in expected["train"]][:index].count(expected["train"][index][0]),
            expected["train"][index][0],
        ),
    )
    for samples, gestures in (
        (data.samples, [expected["train"][index] for index in by_turn]),
        (data.test(), expected["test"]),
    ):
        frames = frames_of(samples)
        assert frames.shape == (4, len(gestures), 2, 128, 128)
        for index, (label, one) in enumerate(gestures):
            assert np.array_equal(frames[:, index], slow_frames(one, frames=4, shape=(2, 128, 128)))
            assert label == (samples.labels[index] if samples is data.samples else samples.labels[index] + 1)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("trials_to_train.txt", "", "names no files"),
        ("trials_to_train.txt", "../x.aedat\n", r"line 1: '../x.aedat' is no name of an .aedat file"),
        ("trials_to_test.txt", "none.aedat\n", "none_labels.csv"),
        ("user00_train_labels.csv", "a,b,c\n1,2,3\n", "line 1: 'a,b,c', expected the heading class,startTime_usec"),
        ("user00_train_labels.csv", "class,startTime_usec,endTime_usec\n1,5,5\n", "line 2: '1,5,5', expected a class"),
        ("user00_train_labels.csv", "class,startTime_usec,endTime_usec\n1,99999999,99999999999\n", "no events, though"),
        ("user00_train.aedat", "#!AER-DAT2.0\n", "is an AEDAT 2.0 file, expected AEDAT 3.1"),
    ],
)
def test_gestures_that_are_not_as_their_tables_say_are_refused(
    name: str, content: str, message: str, tmp_path: Path
) -> None:
    event_files.gestures(tmp_path, each=1)
    (tmp_path / name).write_text(content)
    with pytest.raises(DataError, match=message):
        dvs_gesture.read(path=str(tmp_path))


@pytest.mark.parametrize("downscale", [1, 10, 30])
def test_spoken_digits_are_channels_of_one_pixel(tmp_path: Path, downscale: int) -> None:
    expected = event_files.shd(tmp_path / "shd_train.h5")
    event_files.shd(tmp_path / "shd_test.h5", recordings=20, seed=1)
    data = shd.read(path=str(tmp_path), downscale=downscale)
    frames = frames_of(data.samples, time_steps=5)
    assert frames.shape == (5, 60, -(-700 // downscale), 1, 1)
    for index, (times, units) in enumerate(expected):
        t = np.rint(times.astype(np.float64) * 1e6).astype(int)
        found = np.zeros(frames.shape[2])
        window = t[-1] - t[0] + 1
        for k in range(len(t)):
            if (t[k] - t[0]) * 5 // window == 2:
                found[units[k] // downscale] += 1
        assert np.array_equal(frames[2, index, :, 0, 0], found)
    assert (data.classes, len(data.test())) == (20, 20)


def test_spoken_commands_have_a_validation_part_of_their_own(tmp_path: Path) -> None:
    for seed, (name, count) in enumerate((("train", 70), ("valid", 35), ("test", 38))):
        event_files.shd(tmp_path / f"ssc_{name}.h5", recordings=count, classes=35, seed=seed)
    data = shd.read(path=str(tmp_path), downscale=10, limit=40)
    search = data.for_search()
    assert (len(search.train), len(search.validation), len(data.test())) == (40, 35, 38)
    (tmp_path / "ssc_valid.h5").unlink()
    with pytest.raises(DataError, match="ssc_valid.h5"):
        shd.read(path=str(tmp_path))


def test_spikes_that_are_none_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="neither shd_train.h5 nor ssc_train.h5"):
        shd.read(path=str(tmp_path))
    (tmp_path / "shd_train.h5.gz").touch()
    with pytest.raises(DataError, match="but shd_train.h5.gz, which gunzip unpacks"):
        shd.read(path=str(tmp_path))
    for name in ("shd_train.h5", "shd_test.h5"):
        event_files.shd(tmp_path / name)
    with h5py.File(tmp_path / "shd_train.h5", "r+") as file:
        file["spikes/units"][7] = np.full(40, 700, np.uint16)
    with pytest.raises(DataError, match="recording 7: event 0 of 40 has polarity = 700, expected 0 to 699"):
        shd.read(path=str(tmp_path))
    with h5py.File(tmp_path / "shd_train.h5", "r+") as file:
        file["spikes/units"][7] = np.zeros(3, np.uint16)
    with pytest.raises(DataError, match="recording 7: 40 times and 3 units; expected as many"):
        shd.read(path=str(tmp_path))
    with h5py.File(tmp_path / "shd_train.h5", "r+") as file:
        file["spikes/units"][7] = np.zeros(40, np.uint16)
        file["spikes/times"][7] = np.full(40, np.nan, np.float32)
    with pytest.raises(DataError, match="recording 7: spike 0 is at nan seconds"):
        shd.read(path=str(tmp_path))
    with h5py.File(tmp_path / "shd_train.h5", "r+") as file:
        del file["spikes/units"]
        file["spikes/units"] = np.zeros(60)
    with pytest.raises(DataError, match="holds 'spikes/units' as float64, expected lists of numbers"):
        shd.read(path=str(tmp_path))


def own_file(tmp_path: Path, **options: Any) -> tuple[Path, list[Recording]]:
    rng = np.random.default_rng(0)
    found = [recording(rng, events=30 + index, width=6, height=4) for index in range(20)]
    event_files.own(tmp_path / "own.h5", found, options.pop("labels", ["b", "a"] * 10), width=6, height=4, **options)
    return tmp_path / "own.h5", found


def test_events_of_ones_own_are_read(tmp_path: Path) -> None:
    file, expected = own_file(tmp_path, split=["train"] * 15 + ["test"] * 5)
    data = events.read(path=str(file))
    assert (data.class_labels, len(data.samples), len(data.test())) == (("a", "b"), 15, 5)
    for samples, those in ((data.samples, expected[:15]), (data.test(), expected[15:])):
        index = np.argsort([len(one[0]) for one in those])
        found = frames_of(samples)
        came = {int(found[:, k].sum()): found[:, k] for k in range(len(those))}
        for k in index:
            assert np.array_equal(came[len(those[k][0])], slow_frames(those[k], frames=3, shape=(2, 4, 6)))


def test_a_validation_part_of_ones_own_is_used(tmp_path: Path) -> None:
    file, _ = own_file(tmp_path, split=["train"] * 10 + ["validation"] * 3 + ["val"] * 3 + ["test"] * 4)
    data = events.read(path=str(file))
    assert (len(data.for_search().train), len(data.for_search().validation), len(data.test())) == (10, 6, 4)


def test_texts_of_one_length_are_texts(tmp_path: Path) -> None:
    file, _ = own_file(tmp_path)
    damage(file, replaced("labels", np.array([b"left", b"right"] * 10)))
    assert events.read(path=str(file)).class_labels == ("left", "right")
    damage(file, replaced("labels", np.array([b"left", b"\xff\xfe"] * 10)))
    with pytest.raises(DataError, match="holds labels of texts that are .* cannot be read as UTF-8"):
        events.read(path=str(file))


def test_recordings_without_events_are_told(tmp_path: Path) -> None:
    none: Recording = tuple(np.zeros(0, np.int64) for _ in range(4))  # type: ignore[assignment]
    some = [recording(np.random.default_rng(index)) for index in range(9)]
    event_files.own(tmp_path / "x.h5", [*some, none], [0, 1] * 5)
    data = events.read(path=str(tmp_path / "x.h5"))
    assert "1 recordings have no events" in " ".join(data.notes)
    assert frames_of(data.samples)[:, data.samples.labels.tolist().index(1) :].shape[0] == 3


def damage(file: Path, how: Callable[[h5py.File], Any]) -> None:
    with h5py.File(file, "r+") as opened:
        how(opened)


def replaced(name: str, values: Any, **options: Any) -> Callable[[h5py.File], None]:
    def change(file: h5py.File) -> None:
        del file[name]
        file.create_dataset(name, data=values, **options)

    return change


def linked(file: h5py.File) -> None:
    del file["x"]
    file["x"] = h5py.ExternalLink("/etc/passwd", "x")


def bomb(file: h5py.File) -> None:
    del file["t"]
    file.create_dataset("t", (2**50,), np.int64, chunks=(2**20,), compression="gzip")


DAMAGES: dict[str, tuple[Callable[[h5py.File], Any], str]] = {
    "no labels": (lambda file: file.__delitem__("labels"), "has no 'labels'; it has height, offsets, p, split, t, width, x, y"),
    "a link": (linked, "holds 'x' as a link to elsewhere"),
    "a bomb": (bomb, "announces 9,007,199,254,740,992 bytes for 't'"),
    "nothing stored": (replaced("t", None, shape=(790,), dtype=np.int64, chunks=(790,)), "the 0 that are stored cannot hold so many"),
    "floats": (replaced("t", np.zeros(790)), "'t' holds float64 of shape .790,., expected whole numbers"),
    "fewer": (replaced("x", np.zeros(3, int)), "'x' holds int64 of shape .3,., expected 790 whole numbers"),
    "two dimensions": (replaced("y", np.zeros((790, 1), int)), "'y' holds int64 of shape .790, 1., expected 790 whole numbers"),
    "offsets": (replaced("offsets", np.arange(21)), "'offsets' has 21 values from 0 to 20, expected ascending ones from 0"),
    "no offsets": (replaced("offsets", np.zeros(0, int)), "'offsets' has 0 values, expected ascending ones"),
    "labels": (replaced("labels", np.zeros(3, int)), "'labels' holds int64 of shape .3,., expected 20 whole numbers or texts"),
    "one class": (replaced("labels", np.zeros(20, int)), "so that there is nothing to tell apart"),
    "real labels": (replaced("labels", np.zeros(20)), "'labels' holds float64 of shape .20,., expected 20 whole numbers or texts"),
    "split": (replaced("split", ["x"] * 20), "holds split with 'x' at index 0; expected 20 texts, each train, val or test"),
    "all test": (replaced("split", ["test"] * 20), "none of its 20 recordings is for training"),
    "width": (lambda file: file.__delitem__("width"), "'width' is missing, expected one whole number"),
    "height": (replaced("height", 0), "'height' is 0, expected one whole number"),
    "pixels": (lambda file: [replaced(name, 2**14)(file) for name in ("width", "height")], "are too many"),
    "outside": (replaced("width", 2), "recording 1: event 0 of 31 has x = 2, expected 0 to 1"),
}  # fmt: skip


@pytest.mark.parametrize("name", DAMAGES)
def test_events_of_ones_own_that_are_wrong_are_refused(name: str, tmp_path: Path) -> None:
    how, message = DAMAGES[name]
    file, _ = own_file(tmp_path, split=["train"] * 20)
    damage(file, how)
    with pytest.raises(DataError, match=message):
        events.read(path=str(file), test_part=0.2)


def test_all_wrong_options_are_told_at_once() -> None:
    with pytest.raises(OptionError) as error:
        nmnist.read(path="/nowhere", frames=0, bin_by="x", elements=1, downscale=-1, milliseconds=float("nan"))  # type: ignore[arg-type]
    assert len(error.value.faults) == 5


def test_what_was_done_to_events_is_told(tmp_path: Path) -> None:
    folder = nmnist_folder(tmp_path, events=400, width=3, height=3)
    notes = " ".join(nmnist.read(path=str(folder), hot_pixel_hz=150, milliseconds=100).notes)
    assert "are those of pixels with more than 150 events a second" in notes
    assert "come after the first 100 ms of their recordings and are not seen" in notes


@pytest.fixture
def real() -> Path:
    if "EVONAS_DATA" not in os.environ:
        pytest.skip("EVONAS_DATA, the folder of real data, is not set")
    return Path(os.environ["EVONAS_DATA"])


@pytest.mark.parametrize(
    ("name", "parse", "expected"),
    [
        ("sample_nmnist.bin", nmnist.parse, (4325, 654, 311175, 33, 33)),
        ("sample_ncars.dat", prophesee.parse, (2009, 0, 99952, 77, 41)),
        ("sample_stmnist.mat", stmnist.parse, (2346, 196626, 895745, 9, 8)),
        ("sample.aedat4", aedat4.parse, (111954, 1605537493718345, 1605537494308262, 319, 239)),
    ],
)
def test_real_files_are_read(
    real: Path, name: str, parse: Callable[[bytes, Path], Any], expected: tuple[int, ...]
) -> None:
    if name.endswith("aedat4"):
        pytest.importorskip("lz4")
    file = real / "event-format-samples" / name
    found = parse(file.read_bytes(), file)
    assert (len(found.t), found.t[0], found.t[-1], found.x.max(), found.y.max()) == expected
    assert (np.diff(found.t.astype(np.int64)) >= 0).all()


def test_the_header_of_a_real_aedat_2_file_is_read_to_its_end(real: Path) -> None:
    file = real / "event-format-samples/sample_aedat_header.aedat"
    assert aedat.version_of(file.read_bytes(), file) == ("2.0", file.stat().st_size)


def test_n_mnist_is_the_same_in_both_layouts(real: Path, tmp_path: Path) -> None:
    with h5py.File(real / "nmnist-small.h5") as file:
        offsets = file["train_off"][:61]
        columns = [file[f"train_{name}"][: offsets[-1]].astype(np.int64) for name in "txyp"]
        labels = file["train_label"][:60].tolist()
    recordings: list[Any] = [tuple(column[a:b] for column in columns) for a, b in pairwise(offsets)]
    event_files.own(tmp_path / "own.h5", recordings, labels)
    for index, (one, label) in enumerate(zip(recordings, labels, strict=True)):
        (tmp_path / f"folder/{label}").mkdir(parents=True, exist_ok=True)
        (tmp_path / f"folder/{label}/{index:05}.bin").write_bytes(event_files.nmnist(one))
    own, folder = events.read(path=str(tmp_path / "own.h5")), nmnist.read(path=str(tmp_path / "folder"))
    assert own.for_search().fingerprint == folder.for_search().fingerprint
    assert recordings_of(own).durations.min() > 250_000


def test_compressed_aedat_4_is_read_and_bombs_are_not(monkeypatch: pytest.MonkeyPatch) -> None:
    frame = pytest.importorskip("lz4.frame")
    expected = recording(np.random.default_rng(3), events=120, width=320, height=240)
    data = event_files.aedat4(expected, compress=frame.compress)
    assert np.array_equal(aedat4.parse(data, Path("x")).t, expected[0])
    bomb = event_files.aedat4(expected, compress=lambda content: frame.compress(bytes(2**28)))
    monkeypatch.setattr(aedat4, "_LARGEST", 2**27)
    with pytest.raises(DataError, match="unpacks to more than 134,217,728 bytes"):
        aedat4.parse(bomb, Path("x"))
    monkeypatch.setattr(aedat4, "_LARGEST", 1500)  # more than each packet, fewer than all
    with pytest.raises(DataError, match="unpacks to more than 1,500 bytes"):
        aedat4.parse(data, Path("x"))
    with pytest.raises(DataError, match="is compressed by Zstandard, which is not read here"):
        aedat4.parse(data.replace(struct.pack("<iq", 1, -1), struct.pack("<iq", 3, -1)), Path("x"))
