"""Rows of scores, written one by one: what was computed is out, whatever comes after."""

import csv
import json
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, Self, TextIO

from sdsiqa.runs.output import printable


class Rows:
    """Writes each row of scores when it is there; a context, so that JSON is closed even after Ctrl-C.

    Args:
        form: `text`, `csv` or `json`.
        fields: Names of the columns, for CSV.
        out: Where to.
    """

    def __init__(self, form: str, fields: Sequence[str], out: TextIO) -> None:
        self.form, self.out, self.count = form, out, 0
        self._csv = csv.DictWriter(out, fields, lineterminator="\n")
        # an escape of the stream's, such as \xe9, is not one of JSON's
        self._is_ascii = (out.encoding or "utf-8").lower().replace("-", "").replace("_", "") != "utf8"

    def __enter__(self) -> Self:
        """Begin."""
        if self.form == "csv":
            self._csv.writeheader()
        elif self.form == "json":
            self.out.write("[")
        return self

    def write(self, row: Mapping[str, Any]) -> None:
        """Write a row.

        Args:
            row: `image`, a finite `score`, and the other columns.
        """
        if self.form == "csv":
            self._csv.writerow(row)
        elif self.form == "json":
            text = json.dumps(row, ensure_ascii=self._is_ascii, allow_nan=False)
            self.out.write(f"{',' if self.count else ''}\n  {text}")
        else:
            self.out.write(f"{row['score']:8.3f}  {printable(row['image'])}\n")
        self.out.flush()
        self.count += 1

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """End."""
        if self.form == "json" and not isinstance(error, BrokenPipeError):
            self.out.write("\n]\n" if self.count else "]\n")
            self.out.flush()
