"""The one search for images in folders: scoring, saliency maps and folders of photographs find the same files.

Found are files whose suffix is in `SUFFIXES`, in any letter case, at any depth, sorted by path; links are followed, and one
that leads nowhere is found, so that it is reported. Passed over are

- names that begin with a dot: hidden files and folders, and what macOS leaves behind (`._photo.jpg`);
- folders of thumbnails and of file systems: `@eaDir`, `__MACOSX`, `lost+found`, `$RECYCLE.BIN`, `System Volume Information`;
- folders, pipes and devices that are named like an image (such a folder is searched);
- folders of saliency maps, and figures and maps that sdsiqa drew.

What a person names directly is taken as it is.
"""

import os
from collections.abc import Iterator
from pathlib import Path

from sdsiqa.errors import ImageError

SUFFIXES = frozenset(
    {".bmp", ".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".tif", ".tiff", ".webp", ".avif", ".gif", ".jp2", ".ppm", ".pgm", ".pbm"}
)
"""Lower-case suffixes of files that are looked for in a folder of images."""

DRAWN_BY = "sdsiqa"
"""The `Software` that PNG files name which sdsiqa drew."""

MAP_SETTINGS = "settings.json"
"""File in a folder of saliency maps that says who made them."""

_PASSED_OVER = frozenset({"@eadir", "__macosx", "lost+found", "$recycle.bin", "system volume information"})
_MARK = b"tEXtSoftware\0" + DRAWN_BY.encode()


def find_images(folder: Path, but: Path | None = None, problems: list[str] | None = None) -> Iterator[Path]:
    """Find the images below a folder.

    Args:
        folder: Where to search.
        but: Folder that is left out, such as the one that results go to.
        problems: Takes a sentence for each folder that cannot be read.

    Yields:
        Files, as paths that begin with `folder`, sorted.

    Raises:
        ImageError: A folder cannot be read, and no `problems` are taken.
    """
    left_out = None if but is None or not but.exists() else _identity(but)
    open_folders: list[tuple[tuple[int, int], Iterator[os.DirEntry[str]]]] = []

    def enter(path: Path) -> None:
        try:
            mark = _identity(path)
            if mark in (left_out, *(opened for opened, _ in open_folders)):  # a link back to a folder that this one lies in
                return
            with os.scandir(path) as entries:
                found = sorted(entries, key=lambda entry: entry.name)
        except OSError as error:
            message = f"{path}: the folder cannot be read ({error.strerror or error})"
            if problems is None:
                raise ImageError(f"{message}; make it readable, or give another") from error
            problems.append(message)
            return
        if open_folders and _holds_maps(path, found):
            return
        open_folders.append((mark, iter(found)))

    enter(folder)
    while open_folders:
        entry = next(open_folders[-1][1], None)
        if entry is None:
            open_folders.pop()
        elif not entry.name.startswith(".") and entry.name.lower() not in _PASSED_OVER:
            path = Path(entry.path)
            if _is_folder(entry):
                enter(path)
            elif _is_file(entry) and is_looked_for(path):
                yield path


def is_looked_for(file: Path) -> bool:
    """Say whether a search takes a file, by its name and by who drew it.

    Args:
        file: A file.
    """
    return file.suffix.lower() in SUFFIXES and not is_drawn(file)


def is_drawn(file: Path) -> bool:
    """Say whether sdsiqa drew a PNG file: a figure, or a map of `sdsiqa score`.

    Args:
        file: Any file.
    """
    if file.suffix.lower() != ".png":
        return False
    try:
        with file.open("rb") as opened:
            return _MARK in opened.read(128)
    except OSError:
        return False


def _identity(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_dev, found.st_ino


def _is_folder(entry: "os.DirEntry[str]") -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a circle of links
        return False


def _is_file(entry: "os.DirEntry[str]") -> bool:
    """Say whether an entry is a file, or a link that leads to none: no pipe and no device."""
    try:
        return entry.is_file() or (entry.is_symlink() and not Path(entry.path).exists())
    except OSError:
        return True  # reading it says what is wrong


def _holds_maps(path: Path, entries: list["os.DirEntry[str]"]) -> bool:
    """Say whether `sdsiqa saliency` has filled a folder."""
    if not any(entry.name == MAP_SETTINGS for entry in entries):
        return False
    try:
        text = (path / MAP_SETTINGS).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    return '"fingerprint"' in text and '"provider"' in text
