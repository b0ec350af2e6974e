"""One search through folders for every verb that looks for images."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sdsiqa import plots
from sdsiqa.benchmarks import Distorted
from sdsiqa.errors import ImageError
from sdsiqa.inference.score import named_images
from sdsiqa.plots.style import new_figure
from sdsiqa.runs.image_search import find_images
from sdsiqa.saliency.fill import _names


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """What people have in a folder of photographs."""
    top = tmp_path / "photos"
    for name in (
        *("a.JPG", "z.png", "b.jpg/inside.Tiff", "deep/er/c.webp"),  # found
        *("notes.txt", "Thumbs.db", ".DS_Store", ".hidden.jpg", "._a.JPG", ".thumbnails/a.jpg", "deep/@eaDir/c.jpg"),
        *("__MACOSX/._a.jpg", "__MACOSX/a.jpg", "lost+found/x.jpg", "maps/settings.json", "maps/a.png"),
    ):
        (top / name).parent.mkdir(parents=True, exist_ok=True)
        (top / name).write_text('{"provider": "SDSP", "fingerprint": "0"}' if name.endswith("json") else "content")
    os.mkfifo(top / "pipe.jpg")
    (top / "deep" / "back").symlink_to(top)
    (top / "gone.jpg").symlink_to("nowhere")
    plots.save(new_figure(1, 1), top / "drawn.jpg.png")
    return top


FOUND = ["a.JPG", "b.jpg/inside.Tiff", "deep/er/c.webp", "gone.jpg", "z.png"]


def test_every_search_finds_the_same(folder: Path, tmp_path: Path) -> None:
    assert [file.relative_to(folder).as_posix() for file in find_images(folder)] == FOUND
    assert list(_names(folder, tmp_path / "out", None)) == FOUND
    assert [str(Path(file).relative_to(folder)) for file in named_images([str(folder)])] == FOUND
    photographs = Distorted(tmp_path / "made", folder).sources().values()
    assert [file.relative_to(folder).as_posix() for file in photographs] == FOUND


def test_what_is_named_is_taken_as_it_is(folder: Path) -> None:
    assert [file.name for file in find_images(folder / "maps")] == ["a.png"]
    assert [file.name for file in find_images(folder / ".thumbnails")] == ["a.jpg"]
    assert [file.name for file in find_images(folder, but=folder / "deep")] == ["a.JPG", "inside.Tiff", "gone.jpg", "z.png"]


def test_links_to_folders_are_followed_and_circles_end(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    (tmp_path / "one" / "x.jpg").touch()
    (tmp_path / "one" / "to_two").symlink_to("../two")
    (tmp_path / "two" / "to_one").symlink_to("../one")
    (tmp_path / "one" / "self.jpg").symlink_to("self.jpg")
    found = [file.relative_to(tmp_path).as_posix() for file in find_images(tmp_path)]
    assert found == ["one/self.jpg", "one/x.jpg", "two/to_one/self.jpg", "two/to_one/x.jpg"]


def test_a_folder_that_cannot_be_read_is_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rights do not stop an administrator, under whose account tests may run."""
    scan = os.scandir

    def refuse(path: Any) -> Iterator[Any]:
        if str(path).endswith("er"):
            raise PermissionError(13, "Permission denied", str(path))
        return scan(path)

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(ImageError, match=r"deep/er: the folder cannot be read \(Permission denied\)"):
        list(find_images(folder))
    problems: list[str] = []
    assert len(list(find_images(folder, problems=problems))) == len(FOUND) - 1
    assert [problem.partition(": ")[2] for problem in problems] == ["the folder cannot be read (Permission denied)"]
