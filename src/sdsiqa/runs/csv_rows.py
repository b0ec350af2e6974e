"""CSV files that others have written, read with errors that name the file, the line and what was expected."""

import csv
from collections.abc import Sequence
from pathlib import Path

from sdsiqa.errors import BenchmarkMismatchError, BenchmarkNotFoundError
from sdsiqa.files import read_file


def read_csv(path: Path, columns: Sequence[str], source: str, remedy: str) -> list[dict[str, str]]:
    """Read a CSV file with a line of names.

    Args:
        path: The file.
        columns: Names that it must have; others are left in.
        source: Where such a file comes from, for a message: a sentence.
        remedy: What to do about a damaged one.

    Returns:
        Cells by name, a row each; the first is that of line 2.

    Raises:
        BenchmarkNotFoundError: There is no such file.
        BenchmarkMismatchError: It cannot be read, lacks a column, has one twice, or a row has another number of cells.
    """
    try:
        lines = list(csv.reader(read_file(path).decode("utf-8-sig").splitlines(keepends=True), strict=True))
    except FileNotFoundError as error:
        raise BenchmarkNotFoundError(f"{path} does not exist; {source}") from error
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise BenchmarkMismatchError(f"{path} is no CSV file: {reason}; {remedy}") from error
    head = lines[0] if lines else []
    missing = [name for name in columns if name not in head]
    if missing:
        raise BenchmarkMismatchError(f"{path} lacks the column {missing[0]!r}; expected {', '.join(columns)}")
    twice = [name for place, name in enumerate(head) if name in head[:place]]
    if twice:
        raise BenchmarkMismatchError(f"{path} has the column {twice[0]!r} twice; which one is meant, nobody knows: leave one")
    for place, cells in enumerate(lines[1:], start=2):
        if len(cells) != len(head):
            raise BenchmarkMismatchError(f"{path}, line {place}: has {len(cells)} cells, expected {len(head)}; {remedy}")
    return [dict(zip(head, cells, strict=True)) for cells in lines[1:]]
