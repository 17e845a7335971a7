"""The folder of unfinished trainings: what an earlier run left goes, and nothing of others."""

from __future__ import annotations

from pathlib import Path

from evonas.engine.unfinished_folder import emptied

LEFT = f"{'0a' * 16}.state", f".{'0a' * 16}.state.{'b1' * 8}.tmp"


def test_what_was_left_goes_and_so_does_the_folder(tmp_path: Path) -> None:
    folder = tmp_path / "unfinished"
    folder.mkdir()
    for name in LEFT:
        (folder / name).touch()
    with emptied(folder) as given:
        assert given == folder
        assert not list(folder.iterdir())
        (folder / LEFT[0]).touch()
    assert not folder.exists()


def test_files_of_others_stay(tmp_path: Path) -> None:
    folder, others = tmp_path / "unfinished", ["0.state", "thesis.state", f"x{LEFT[0]}", "notes"]
    folder.mkdir()
    for name in others:
        (folder / name).write_text(name)
    with emptied(folder) as given:
        assert given == folder
        (folder / LEFT[0]).touch()
    assert sorted(path.name for path in folder.iterdir()) == sorted(others)


def test_links_files_and_what_cannot_be_made_give_no_folder(tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / LEFT[0]).touch()
    link, file = tmp_path / "link", tmp_path / "file"
    link.symlink_to(mine)
    file.write_text("a file")
    for place in (link, file, file / "below"):
        with emptied(place) as given:
            assert given is None
    assert link.is_symlink()
    assert [path.name for path in mine.iterdir()] == [LEFT[0]]
    assert file.read_text() == "a file"
