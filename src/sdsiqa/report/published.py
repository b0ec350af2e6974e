"""Published numbers, as they were printed, from a CSV file."""

import csv
import re
from pathlib import Path
from typing import Final

from sdsiqa.errors import BenchmarkMismatchError, BenchmarkNotFoundError
from sdsiqa.files import read_file

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
    try:
        lines = list(csv.reader(read_file(path).decode("utf-8-sig").splitlines(keepends=True), strict=True))
    except FileNotFoundError as error:
        raise BenchmarkNotFoundError(f"{path} does not exist; the project's own is results/quoted.csv") from error
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise BenchmarkMismatchError(f"{path} is no CSV file: {reason}; expected one such as results/quoted.csv") from error
    head = lines[0] if lines else []
    missing = [name for name in COLUMNS if name not in head]
    if missing:
        raise BenchmarkMismatchError(f"{path} lacks the column {missing[0]!r}; expected {', '.join(COLUMNS)}")
    if len(lines) < 2:
        raise BenchmarkMismatchError(f"{path} has no rows; quote at least one number")
    rows = []
    for place, cells in enumerate(lines[1:], start=2):
        if len(cells) != len(head):
            raise BenchmarkMismatchError(f"{path}, line {place}: has {len(cells)} cells, expected {len(head)}, as its first line")
        row = dict(zip(head, cells, strict=True))
        for name in ("plcc", "srcc"):
            if row[name] and not (re.fullmatch(r"-?\d*\.?\d+", row[name]) and abs(float(row[name])) <= 1):
                raise BenchmarkMismatchError(f"{path}, line {place}: {name} is {row[name]!r}; expected a correlation, or nothing")
        for name in ("source", "method"):
            if not row[name]:
                raise BenchmarkMismatchError(f"{path}, line {place}: {name} is empty; a number without a {name} is not quoted")
        rows.append({name: row[name] for name in COLUMNS})
    return rows
