"""Finds finished runs in folders, and explains why others are left out.

A pattern such as `runs/demo-*` also gives runs that were stopped, first stages and folders of other programs: each is left out
with one line on standard error, and a verb fails only if nothing is left for it.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

from sdsiqa.errors import RunMismatchError
from sdsiqa.runs.lock import RUN
from sdsiqa.runs.records import read_record

MARKS = ("run.json", RUN)
"""Files of which a run's folder has one: the record, and its lock, which is there before the record is."""


class LeftOut:
    """Paths that a verb does not use, with the reason of each.

    Args:
        verb: Who leaves them out.
    """

    def __init__(self, verb: str) -> None:
        self.verb, self.reasons = verb, dict[Path, str]()

    def add(self, path: Path, reason: str) -> None:
        """Leave a path out.

        Args:
            path: The path.
            reason: Why: what follows its name in a sentence.
        """
        self.reasons.setdefault(path, reason)

    def tell(self, is_anything_left: bool, expected: str) -> None:
        """Say on standard error what is left out, a line each.

        Args:
            is_anything_left: Whether the verb has anything to work on.
            expected: What to name instead, where it has not.

        Raises:
            RunMismatchError: Nothing is left.
        """
        lines = [f"{path} {reason}" for path, reason in self.reasons.items()]
        if is_anything_left:
            for line in lines:
                print(f"sdsiqa {self.verb}: left out: {line}", file=sys.stderr)
        elif len(lines) == 1:
            raise RunMismatchError(f"{lines[0]}; {expected}")
        else:
            raise RunMismatchError("\n  ".join([f"none of these can be used; {expected}:", *lines]))


def check_paths(paths: Sequence[Path]) -> None:
    """Refuse paths that do not exist: they are typing errors, or a pattern that nothing fits.

    Args:
        paths: As given on a command line.

    Raises:
        RunMismatchError: One does not exist.
    """
    for path in paths:
        if not path.exists():
            raise RunMismatchError(f"{path} does not exist; name a folder that `sdsiqa fit` made, or a folder of them")


def run_folders(path: Path) -> list[Path]:
    """Give the run folders at a path: itself, or those one or two levels below it.

    Args:
        path: A folder.
    """
    if any((path / mark).is_file() for mark in MARKS):
        return [path]
    return sorted({file.parent for mark in MARKS for level in ("*", "*/*") for file in path.glob(f"{level}/{mark}")})


def why_unfinished(folder: Path) -> str:
    """Say why a run folder has no result to show yet; empty for a finished run.

    Args:
        folder: A run folder.
    """
    file = folder / "run.json"
    if not file.is_file():
        return "is not finished: the run was stopped before its first step; start it again with the same command"
    try:
        state = read_record(file).get("state", "finished")
    except RunMismatchError as error:
        return f"is no run of sdsiqa: its run.json cannot be read ({type(error.__cause__).__name__})"
    if state == "finished":
        return ""
    return f"is not finished: its state is {state!r}; `sdsiqa fit -c {folder / 'config.yaml'}` resumes it"
