"""Published numbers, as they were printed, from a CSV file."""

import re
from pathlib import Path
from typing import Final

from sdsiqa.errors import BenchmarkMismatchError
from sdsiqa.runs.csv_rows import read_csv

COLUMNS: Final = ("source", "table", "method", "train_set", "test_set", "distortion", "plcc", "srcc", "protocol_note")


def read_quoted(path: Path) -> list[dict[str, str]]:
    """Read published numbers.

    Args:
        path: A CSV file such as `results/quoted.csv`, a row per number or pair of them.

    Returns:
        Its rows by column; numbers as they were printed, blank where the source has none.

    Raises:
        BenchmarkNotFoundError: There is no such file.
        BenchmarkMismatchError: A column is missing, a number is none, or a row has no source.
    """
    rows = []
    lines = read_csv(path, COLUMNS, "the project's own is results/quoted.csv", "expected one such as results/quoted.csv")
    if not lines:
        raise BenchmarkMismatchError(f"{path} has no rows; quote at least one number")
    for place, row in enumerate(lines, start=2):
        for name in ("plcc", "srcc"):
            if row[name] and not (re.fullmatch(r"-?\d*\.?\d+", row[name]) and abs(float(row[name])) <= 1):
                raise BenchmarkMismatchError(f"{path}, line {place}: {name} is {row[name]!r}; expected a correlation, or nothing")
        for name in ("source", "method"):
            if not row[name]:
                raise BenchmarkMismatchError(f"{path}, line {place}: {name} is empty; a number without a {name} is not quoted")
        rows.append({name: row[name] for name in COLUMNS})
    return rows
