"""Checksums of the files of a run, kept while they are written."""

import hashlib
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock

from sdsiqa.errors import RunMismatchError
from sdsiqa.files import part_beside, write_bytes
from sdsiqa.runs.arguments import Arguments
from sdsiqa.runs.found import LeftOut, check_paths, run_folders

NAME = "manifest.json"
VERSION = 1
WATCHED = (
    "config.yaml",
    "run.json",
    "split.json",
    "metrics.*",
    "tests.json",
    "checkpoints/*.ckpt",
    "scores/*.csv",
    "figures/*.*",
)
"""Files that no one but a run itself should have put into its folder."""


class Manifest:
    """`manifest.json` of a run's folder: SHA-256 and size of every file that matters.

    A new checksum is entered before its file is renamed, with the old one beside it until the rename is done. So a process
    may die at any moment, and what lies there is still one of the two.

    Args:
        folder: The run's folder.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / NAME
        # one object per file and process, so that its owner can acquire it again
        self.lock = FileLock(folder / ".manifest.lock", is_singleton=True)

    def read(self) -> dict[str, Any]:
        """Entries by path below the folder: `sha256`, `bytes`, and `replaces` while a file is being replaced.

        Raises:
            RunMismatchError: The file is no manifest, or one of another version.
        """
        if not self.path.exists():
            return {}
        try:
            content = json.loads(self.path.read_text(encoding="utf-8"))
            version, files = content["version"], dict(content["files"])
            wrong = next((name for name, entry in files.items() if version == VERSION and not _is_entry(entry)), None)
            if wrong is not None:
                raise ValueError(f"the entry of {wrong!r} is {files[wrong]!r:.60}")
        except (ValueError, KeyError, TypeError) as error:
            raise RunMismatchError(f"{self.path} is no manifest ({type(error).__name__}: {error}); remove it") from error
        if version != VERSION:
            raise RunMismatchError(f"{self.path} has version {version!r}, and this sdsiqa reads {VERSION}; use the newer sdsiqa")
        return files

    def publish(self, path: Path, write: Callable[[Path], object]) -> None:
        """Let a file be written beside its place, then enter it and move it there.

        Args:
            path: Where it ends up, in the folder.
            write: Writes to the path that it is given, which has the same suffix.
        """
        with part_beside(path) as part:
            write(part)
            self.replace(part, path, _sha256(part), part.stat().st_size)

    def write(self, path: Path, data: bytes) -> None:
        """Write a file and enter it.

        Args:
            path: Where, in the folder.
            data: Its content.
        """
        self.publish(path, lambda part: write_bytes(part, data))

    def replace(self, part: Path, path: Path, sha256: str, size: int) -> None:
        """Enter a file that is complete, then move it to its place.

        Args:
            part: The file, beside its place.
            path: Its place.
            sha256: Its checksum.
            size: Its length in bytes.
        """
        name = path.relative_to(self.folder).as_posix()
        entry: dict[str, Any] = {"sha256": sha256, "bytes": size}
        with self.changing() as files:
            old = files.get(name, {})
            files[name] = {**entry, "replaces": [value for value in (old.get("sha256"), *old.get("replaces", [])) if value][:2]}
        part.replace(path)
        with self.changing() as files:
            files[name] = entry

    def is_as_written(self, path: Path) -> bool:
        """Say whether a file is one that was entered, unchanged.

        Args:
            path: The file, in the folder.
        """
        entry = self.read().get(path.relative_to(self.folder).as_posix())
        return entry is not None and path.is_file() and _sha256(path) in (entry["sha256"], *entry.get("replaces", []))

    def problems(self) -> list[str]:
        """Compare the files with their checksums.

        Returns:
            A line for each file that is missing, changed or unknown; empty for a sound folder.
        """
        files, found = self.read(), []
        for name, entry in sorted(files.items()):
            path = self.folder / name
            if not path.is_file():
                if entry.get("replaces") != []:  # else its first writer died between entering it and moving it here
                    found.append(f"{name}: is missing")
            elif (sha256 := _sha256(path)) not in (entry["sha256"], *entry.get("replaces", [])):
                size = path.stat().st_size
                how = f"{size} bytes instead of {entry['bytes']}" if size != entry["bytes"] else "as many bytes"
                found.append(
                    f"{name}: has changed since it was written ({how}, SHA-256 {sha256[:12]}…, not {entry['sha256'][:12]}…)"
                )
        there = {path.relative_to(self.folder).as_posix() for pattern in WATCHED for path in self.folder.glob(pattern)}
        unknown = sorted(name for name in there - set(files) - {NAME} if not Path(name).name.startswith("."))
        return found + [f"{name}: is not in {NAME}; it came from elsewhere" for name in unknown]

    @contextmanager
    def changing(self) -> Iterator[dict[str, Any]]:
        """Give the entries to change; one process at a time."""
        with self.lock:
            files = self.read()
            yield files
            write_bytes(self.path, (json.dumps({"version": VERSION, "files": files}, indent=1) + "\n").encode())


def _is_entry(entry: Any) -> bool:
    if not isinstance(entry, dict):
        return False
    before = entry.get("replaces", [])
    texts = [entry.get("sha256"), *(before if isinstance(before, list) else [None])]
    return isinstance(entry.get("bytes"), int) and all(isinstance(text, str) for text in texts)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def main(args: list[str] | None = None) -> int:
    """Compare the files of runs with their checksums.

    Args:
        args: Words after `sdsiqa verify`; `None`: use `sys.argv`.

    Returns:
        0 if every file is what was written, 1 if not.
    """
    parser = Arguments(prog="sdsiqa verify", description=f"Compare the files of runs with the checksums in their {NAME}.")
    parser.add_finished()
    bad = 0
    for folder in _folders(parser.parse_args(args).runs):
        manifest = Manifest(folder)
        try:
            problems = manifest.problems()
        except RunMismatchError as error:  # of this folder alone: the others are still looked at
            bad += 1
            print(error)
            continue
        bad += bool(problems)
        if problems:
            print(f"{folder}: {len(problems)} of {len(manifest.read())} files are not what was written")
            print("\n".join(f"  {line}" for line in problems))
        else:
            print(f"{folder}: {len(manifest.read())} files, all as they were written")
    if bad:
        told = "1 folder is" if bad == 1 else f"{bad} folders are"
        print(
            f"sdsiqa verify: {told} not what was written; copy what is named again from where it is good, or remove the folder "
            "and run again",
            file=sys.stderr,
        )
    return 1 if bad else 0


def _folders(runs: Sequence[Path]) -> list[Path]:
    """Folders with a manifest, among those given or one or two levels below them; finished or not."""
    check_paths(runs)
    found: dict[Path, None] = {}
    left_out = LeftOut("verify")
    for run in runs:
        folders = [run] if (run / NAME).exists() else run_folders(run)
        for folder in folders or [run]:
            if (folder / NAME).exists():
                found[folder] = None
            else:
                left_out.add(folder, f"has no {NAME}")
    left_out.tell(bool(found), "name a folder that `sdsiqa fit` made, or a folder of them")
    return list(found)
