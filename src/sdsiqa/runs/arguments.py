"""The parser of the verbs that need no Lightning: no abbreviations, one line per error, values checked before any work."""

import argparse
import os
import sys
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, NoReturn

from sdsiqa.files import user_path


class OneLine(argparse.ArgumentParser):
    """Says what is wrong alone, without the usage before it; and adds what several verbs take."""

    def error(self, message: str, ex: Exception | None = None) -> NoReturn:
        """Exit with status 2.

        Args:
            message: What is wrong.
            ex: What raised it.
        """
        unknown = message.partition("unrecognized arguments: ")[2].split()
        if unknown:
            word = unknown[0].partition("=")[0]
            message = f"there is no {word!r}"
            near = get_close_matches(word, list(self._option_string_actions), n=1) if word.startswith("-") else []
            message += f"; did you mean {near[0]!r}?" if near else f"; `{self.prog} --help` lists what there is"
        sys.stderr.write(f"{self.prog}: {' '.join(message.removeprefix('argument ').split())}\n")
        raise SystemExit(2)

    def add_runs(self) -> None:
        """Take the folder of runs, as `--runs`."""
        self.add_argument(
            "--runs", type=folder, default=Path("runs"), metavar="FOLDER", help="folder of all runs (default: %(default)s)"
        )

    def add_finished(self) -> None:
        """Take runs to read, as words."""
        self.add_argument("runs", nargs="+", type=any_path, metavar="RUN", help="run folder, or a folder of them")

    def add_entity(self) -> None:
        """Take for whom Weights & Biases keeps runs, as `--entity`."""
        self.add_argument("--entity", metavar="NAME", help="user or team on Weights & Biases (default: the one logged in)")

    def add_jobs(self, what: str, default: int | None = 1) -> None:
        """Take how much is done at a time, as `--jobs`.

        Args:
            what: Of what, and the default where it is `None`.
            default: If not given.
        """
        told = "" if default is None else " (default: %(default)s)"
        self.add_argument("--jobs", type=at_least(1), default=default, metavar="N", help=what + told)


class Arguments(OneLine):
    """A parser that takes no abbreviations.

    Args:
        options: As of `argparse.ArgumentParser`.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"allow_abbrev": False, **options})


@dataclass(frozen=True)
class at_least:  # noqa: N801 - used as the name of a type, like `int`
    """Type of an argument: whole numbers from one on.

    Args:
        lowest: The smallest.
    """

    lowest: int

    def __call__(self, word: str | int) -> int:
        """Read a number.

        Args:
            word: As given; jsonargparse also asks of the number itself.

        Raises:
            ArgumentTypeError: It is no such number.
        """
        if not str(word).isdecimal() or int(word) < self.lowest:
            raise argparse.ArgumentTypeError(f"{word!r} is not possible; expected a whole number, at least {self.lowest}")
        return int(word)


def any_path(word: str) -> Path:
    """Read a path, with `~` and `..`.

    Args:
        word: The path.

    Raises:
        ArgumentTypeError: It is empty, or names an unknown home folder.
    """
    if not word:
        raise argparse.ArgumentTypeError("the path is empty; leave the option out, or give one")
    try:
        return user_path(word)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def folder(word: str) -> Path:
    """Read the path of a folder that is there, or can be made.

    Args:
        word: The path.

    Raises:
        ArgumentTypeError: A file lies there or on the way, or the folder above may not be written to.
    """
    path = any_path(word)
    there = next(each for each in (path, *path.absolute().parents) if each.exists())
    if not there.is_dir():
        raise argparse.ArgumentTypeError(f"{there} is a file; expected a folder")
    if there != path and not os.access(there, os.W_OK | os.X_OK):
        raise argparse.ArgumentTypeError(f"{word} cannot be made: {there} may not be written to")
    return path


def folder_to_write(word: str) -> Path:
    """Read the path of a folder that can be written to, or made.

    Args:
        word: The path.

    Raises:
        ArgumentTypeError: As `folder`, or it is there and may not be written to.
    """
    path = folder(word)
    if path.exists() and not os.access(path, os.W_OK | os.X_OK):
        raise argparse.ArgumentTypeError(f"{word} may not be written to; give another folder")
    return path


def file_to_write(word: str) -> Path:
    """Read the path of a file that is there, or can be made.

    Args:
        word: The path.

    Raises:
        ArgumentTypeError: It is a folder, or its folder is none.
    """
    path = any_path(word)
    if path.is_dir():
        raise argparse.ArgumentTypeError(f"{word} is a folder; expected a file")
    folder(str(path.parent) or ".")
    return path


def file_to_read(word: str) -> Path:
    """Read the path of a file that is there.

    Args:
        word: The path.

    Raises:
        ArgumentTypeError: It is no file.
    """
    path = any_path(word)
    if not path.is_file():
        raise argparse.ArgumentTypeError(f"{word} " + ("is a folder; expected a file" if path.is_dir() else "does not exist"))
    return path
