"""The title of a figure, and the room that words take."""

import textwrap
from collections.abc import Iterable
from typing import Final

PARTS: Final = {"test": "test part", "val": "validation part", "all": "all images"}

LETTERS: Final = 13.5
"""Letters of a title to an inch."""

SMALL: Final = 17.5
"""Letters of a name beside an axis to an inch."""


def heading(method: str, benchmark: str, part: str, split: int | str, seed: int | str) -> str:
    """Name the run whose scores a figure shows, in two lines.

    Args:
        method: The method with its ablation, as tables call it.
        benchmark: The benchmark as its authors write it.
        part: `test`, `val` or `all`.
        split: Number or name of the split; empty if unknown.
        seed: Seed of the training; empty if unknown.
    """
    known = [f"{name} {value}" for name, value in (("split", split), ("seed", seed)) if str(value)]
    return f"{method} on {benchmark}\n{', '.join([PARTS.get(part, part), *known])}"


def wrapped(title: str, inches: float) -> str:
    """Break the lines of a title where the figure ends.

    Args:
        title: One or several lines.
        inches: Width of the figure.
    """
    return "\n".join(textwrap.fill(line, max(20, int(LETTERS * inches))) for line in title.split("\n"))


def room_for(names: Iterable[object]) -> float:
    """Say how many inches names beside an axis take.

    Args:
        names: The names, one below the other.
    """
    return 0.1 + max((len(str(name)) for name in names), default=0) / SMALL
