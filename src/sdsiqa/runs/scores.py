"""Tables of scores, one row per image: what runs leave behind and reports read."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sdsiqa.errors import BenchmarkMismatchError
from sdsiqa.files import write_bytes
from sdsiqa.runs.csv_rows import read_csv

NUMBER: Final = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)(e[+-]?\d+)?|[+-]?inf(inity)?|nan", re.IGNORECASE | re.ASCII)
"""How a number is written; Python would also take 1_000, or digits of other scripts."""

LARGEST: Final = 1e100
"""Above it squares of numbers, and so correlations, overflow; no score in float32 is."""


def _number(text: str) -> float:
    if not NUMBER.fullmatch(text.strip()):
        raise ValueError(text)
    return float(text)


def _whole(text: str) -> int:
    if not re.fullmatch(r"[+-]?\d{1,18}", text.strip(), re.ASCII):
        raise ValueError(text)
    return int(text)


COLUMNS: Final[dict[str, Callable[[str], Any]]] = {
    "index": _whole,
    "image": str,
    "content": str,
    "distortion": str,
    "level": _whole,
    "mos": _number,
    "quality": _number,
    "score": _number,
}
"""Columns of a score table, in order, and what reads a cell."""

SPREAD: Final = "mos_std"
"""A further column where the benchmark publishes it: standard deviation of each image's opinion scores, NaN if unknown."""


@dataclass(frozen=True)
class Scores:
    """Scores of some images of one benchmark, one row per image, in index order.

    Args:
        index: Rows of the benchmark's table, `(n,)` int64, each once.
        score: Predictions, `(n,)` float64, higher is better; around [0, 1], not clipped.
        quality: Labels, `(n,)` float64 in [0, 1], higher is better.
    """

    index: NDArray[np.int64]
    score: NDArray[np.float64]
    quality: NDArray[np.float64]

    def __len__(self) -> int:
        """Count the images."""
        return len(self.index)

    @property
    def unusable(self) -> NDArray[np.int64]:
        """Indices of the images whose score is NaN or infinite, `(k,)`."""
        return self.index[~np.isfinite(self.score)]


def score_table(table: pd.DataFrame, index: NDArray[np.int64], score: NDArray[np.float64]) -> pd.DataFrame:
    """Join scores to what is known of their images.

    Args:
        table: The benchmark's table; its row numbers are the indices of the scores.
        index: Rows of that table, `(n,)` int64, each once, in any order.
        score: Predictions for them, `(n,)` float64, higher is better.

    Returns:
        A row per score with `index, image, content, distortion, level, mos, quality, score`, and `mos_std` if the
        benchmark has it; quality is the table's, in float64, for the loader's went through float32.

    Raises:
        BenchmarkMismatchError: A score belongs to no row, or two belong to one.
    """
    wanted = pd.Index(index)
    twice = wanted[wanted.duplicated()]
    if len(twice):
        raise BenchmarkMismatchError(f"image {int(twice[0])!r} is scored twice; remove repeats before writing a table")
    unknown = wanted.difference(table.index)
    if len(unknown):
        raise BenchmarkMismatchError(
            f"image {int(unknown[0])!r} is scored and the benchmark's table has rows 0 to {len(table) - 1}; "
            "these scores belong to another benchmark"
        )
    rows = table.loc[wanted].reset_index(drop=True)
    return rows.assign(index=index, score=score)[_columns(rows)]


def write_scores(path: Path, table: pd.DataFrame) -> None:
    """Write a score table as CSV, atomically; floats keep all their digits.

    Args:
        path: Where to write.
        table: As `score_table` gives it. NaN scores are written, for a diverged run is a result; reading refuses them.
    """
    text = table[_columns(table)].to_csv(index=False, lineterminator="\n", na_rep="nan")
    write_bytes(path, text.encode())


def read_scores(path: Path, allow_nan: bool = False) -> pd.DataFrame:
    """Read and check a score table, of a run or of a method from elsewhere.

    Args:
        path: A CSV file with at least the columns of `score_table`; others are left out.
        allow_nan: Give NaN and infinite scores back instead of refusing them, for a report that shows a diverged run as
            one.

    Returns:
        The columns of `score_table`, in file order: text as str, `index` and `level` int64, the rest float64; `mos_std` if
        the file has it.

    Raises:
        BenchmarkNotFoundError: There is no such file.
        BenchmarkMismatchError: It is no complete score table: which line, what was found, what was expected.
    """
    lines = read_csv(path, tuple(COLUMNS), "`sdsiqa test` writes score tables", "write the table again")
    if not lines:
        raise BenchmarkMismatchError(f"{path} has no rows; score at least one image")
    names = [*COLUMNS, *([SPREAD] if SPREAD in lines[0] else [])]
    rows: list[dict[str, Any]] = [
        {name: _cell(path, number, name, line[name], allow_nan) for name in names} for number, line in enumerate(lines, start=2)
    ]
    table = pd.DataFrame(rows)
    for name in ("index", "image"):
        repeats = np.flatnonzero(table[name].duplicated())
        if len(repeats):
            value = rows[repeats[0]][name]
            raise BenchmarkMismatchError(f"{path}, line {repeats[0] + 2}: {name} {value!r} appears twice; keep one row per image")
    return table


def _columns(table: pd.DataFrame) -> list[str]:
    return [*COLUMNS, *([SPREAD] if SPREAD in table and table[SPREAD].notna().any() else [])]


def _cell(path: Path, number: int, name: str, text: str, allow_nan: bool) -> Any:
    """Convert a cell, or say what is wrong with it."""
    where = f"{path}, line {number}: {name} is {text!r}"
    if name == SPREAD:
        return float(text) if NUMBER.fullmatch(text.strip()) and float(text) >= 0 else float("nan")
    try:
        value = COLUMNS[name](text)
    except ValueError as error:
        kind = "a whole number" if COLUMNS[name] is _whole else "a number"
        raise BenchmarkMismatchError(f"{where}; expected {kind}") from error
    if isinstance(value, float) and not np.isfinite(value) and not (allow_nan and name == "score"):
        remedy = "score these images again" if name == "score" else "check the labels"
        raise BenchmarkMismatchError(f"{where}; expected a finite number; {remedy}")
    if isinstance(value, float) and LARGEST < abs(value) < float("inf"):
        raise BenchmarkMismatchError(
            f"{where}; expected a number below {LARGEST:g}, for its square overflows; check what wrote it"
        )
    if name == "quality" and not 0 <= value <= 1:
        raise BenchmarkMismatchError(f"{where}; expected a value in [0, 1], higher is better")
    if name == "index" and value < 0:
        raise BenchmarkMismatchError(f"{where}; expected a row of the benchmark's table, from 0")
    if name == "image" and not value:
        raise BenchmarkMismatchError(f"{where}; expected the image's path below the root")
    return value
