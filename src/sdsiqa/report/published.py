"""Published numbers, as they were printed, from a CSV file."""

import csv
import re
from pathlib import Path
from typing import Final

from sdsiqa.errors import BenchmarkMismatchError, BenchmarkNotFoundError

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
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except FileNotFoundError as error:
        raise BenchmarkNotFoundError(f"{path} does not exist; the project's own is results/quoted.csv") from error
    reader = csv.DictReader(lines, strict=True)
    missing = [name for name in COLUMNS if name not in (reader.fieldnames or ())]
    if missing:
        raise BenchmarkMismatchError(f"{path} lacks the column {missing[0]!r}; expected {', '.join(COLUMNS)}")
    rows = []
    for place, row in enumerate(reader, start=2):
        for name in ("plcc", "srcc"):
            if row[name] and not (re.fullmatch(r"-?\d*\.?\d+", row[name]) and abs(float(row[name])) <= 1):
                raise BenchmarkMismatchError(f"{path}, line {place}: {name} is {row[name]!r}; expected a correlation, or nothing")
        if not row["source"]:
            raise BenchmarkMismatchError(f"{path}, line {place}: source is empty; a number without a source is not quoted")
        rows.append({name: row[name] or "" for name in COLUMNS})
    return rows
