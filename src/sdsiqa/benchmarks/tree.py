"""The unpacked folder of a benchmark: finds its files in any letter case, and explains what is missing."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from sdsiqa.errors import BenchmarkMismatchError, BenchmarkNotFoundError


class Tree:
    """A folder whose directories are listed once each, so that forty thousand names cost two system calls, not as many.

    Args:
        root: The folder.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._names: dict[str, dict[str, str]] = {}

    def names(self, folder: str = "") -> dict[str, str]:
        """List a directory.

        Args:
            folder: Path below the root, in the letter case on disk; empty for the root.

        Returns:
            Each name on disk under itself, and under its lower-case form where that is free; empty without a directory.
        """
        if folder not in self._names:
            path = self.root / folder
            found = sorted(entry.name for entry in path.iterdir()) if path.is_dir() else []
            lowered = {name.lower(): name for name in found}
            self._names[folder] = lowered | {name: name for name in found}
        return self._names[folder]

    def find(self, name: str) -> str | None:
        """Return the path on disk of a listed name, in the letter case on disk, or None.

        Args:
            name: Path below the root with forward slashes.
        """
        found = ""
        for part in PurePosixPath(name).parts:
            names = self.names(found)
            actual = names.get(part) or names.get(part.lower())
            if actual is None:
                return None
            found = f"{found}/{actual}" if found else actual
        return found

    def contents(self, limit: int = 8) -> str:
        """Name what lies in the root, for an error message."""
        found = sorted(set(self.names().values()))
        rest = f" and {len(found) - limit} more" if len(found) > limit else ""
        return ", ".join(repr(name) for name in found[:limit]) + rest if found else "nothing"

    def first(self, names: tuple[str, ...], any_case: bool) -> str | None:
        """Return the path on disk of the first name that exists, or None.

        Args:
            names: Alternatives below the root.
            any_case: Whether another letter case will do.
        """
        found = [(name, self.find(name)) for name in names]
        return next((path for name, path in found if path is not None and (any_case or path == name)), None)

    def absence(self, names: tuple[str, ...]) -> str:
        """Say that none of some files is in the root, what is there instead, and whether only the letter case differs.

        Args:
            names: Alternatives below the root.
        """
        wanted = " or ".join(repr(name) for name in names)
        if not self.root.is_dir():
            what = "is not a folder" if self.root.exists() else "does not exist"
            return f"{self.root} {what}; looked there for {wanted}"
        close = self.first(names, any_case=True)
        hint = "" if close is None else f"; {close!r} differs in letter case: give it back its authors' name"
        return f"{wanted} not found in {self.root}, which holds {self.contents()}{hint}"


@dataclass(frozen=True)
class Located:
    """The paths of the listed images.

    Args:
        paths: Listed name → path on disk, for those that are there.
        missing: Listed names that are nowhere.
        renamed: Listed name → path on disk where only the letter case differs.
    """

    paths: dict[str, str]
    missing: tuple[str, ...]
    renamed: dict[str, str]


def find_root(given: Path, label_files: tuple[str, ...], title: str, remedy: str) -> Path:
    """Return the folder that holds a label file: the given one, or the only one directly inside it.

    Args:
        given: What the user named.
        label_files: Any of these marks the root, below it; none: the given folder is taken as it is.
        title: The benchmark, for errors.
        remedy: End of an error message.

    Raises:
        BenchmarkNotFoundError: No folder holds one.
        BenchmarkMismatchError: Several do.
    """

    def holds(folder: Path) -> bool:
        try:
            return any((folder / name).is_file() for name in label_files)
        except PermissionError:  # a folder of the system, such as lost+found, is none of the benchmark's
            if folder == given:
                raise
            return False

    if not label_files or holds(given):
        return given
    inner = sorted(path for path in given.iterdir() if path.is_dir() and holds(path)) if given.is_dir() else []
    if len(inner) > 1:
        names = ", ".join(repr(path.name) for path in inner)
        raise BenchmarkMismatchError(f"{title}: {given} holds {len(inner)} copies ({names}); name one of them as the root")
    if not inner:
        raise BenchmarkNotFoundError(f"{title}: {Tree(given).absence(label_files)}; {remedy}")
    return inner[0]


def locate(tree: Tree, names: list[str]) -> Located:
    """Look for every listed name.

    Args:
        tree: The benchmark's folder.
        names: Paths below its root with forward slashes.
    """
    found = {name: tree.find(name) for name in dict.fromkeys(names)}
    paths = {name: path for name, path in found.items() if path is not None}
    return Located(
        paths=paths,
        missing=tuple(name for name, path in found.items() if path is None),
        renamed={name: path for name, path in paths.items() if path != name},
    )


def complaints(tree: Tree, located: Located, url: str, any_case: bool) -> list[str]:
    """Say what is wrong with the images of a folder: absent folders, absent files, other letter case.

    Args:
        tree: The benchmark's folder.
        located: Result of `locate`.
        url: Page a person gets the benchmark from; may be empty.
        any_case: Whether this benchmark's copies are known to differ in letter case.

    Returns:
        One message per kind of damage, each with its remedy; empty if all is well.
    """
    messages, source = [], f"; the benchmark is at {url}" if url else ""
    folders = Counter(str(PurePosixPath(name).parent) for name in located.missing)
    for folder, count in folders.items():
        first = [PurePosixPath(name).name for name in located.missing if str(PurePosixPath(name).parent) == folder][:3]
        names = ", ".join(repr(name) for name in first) + (", …" if count > len(first) else "")
        if folder != "." and tree.find(folder) is None:
            messages.append(
                f"folder {folder!r} not found in {tree.root}, which holds {tree.contents()}; {count} images are listed "
                f"in it ({names}); unpack it there or give it back its name{source}"
            )
        else:
            messages.append(
                f"{count} of the listed images missing in {tree.root / folder}: {names}; unpack the archive again{source}"
            )
    if located.renamed and not any_case:
        changed = {
            (name, path) if folder == actual else (folder, actual)
            for name, path in located.renamed.items()
            for folder, actual in [(str(PurePosixPath(name).parent), str(PurePosixPath(path).parent))]
        }
        pairs = ", ".join(f"{path!r} (listed as {name!r})" for name, path in sorted(changed)[:3])
        messages.append(
            f"{len(located.renamed)} images in {tree.root} have another letter case than the list: {pairs}"
            f"{', …' if len(changed) > 3 else ''}; give them back their authors' names"
        )
    return messages
