"""The log of a run, row by row, in a file that is exact over stops and restarts."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sdsiqa.errors import RunMismatchError


class LogRows:
    """`course.jsonl`: one row per call of a logger, in order; a row's number is its line.

    A resumed run writes the rows behind its checkpoint again, so those that a killed process had written are cut
    off first: no row is lost, none is doubled.

    Args:
        path: The file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.rows = 0

    def go_on(self, rows: int) -> None:
        """Keep the first rows and cut off the rest.

        Args:
            rows: How many a checkpoint counts.
        """
        kept = self.read()[:rows]
        self.rows = len(kept)
        size = sum(len(_line(row)) for row in kept)
        if self.path.exists():
            os.truncate(self.path, size)

    def add(self, row: Mapping[str, Any]) -> int:
        """Append a row; it is with the system when this returns, so a killed process loses none.

        Args:
            row: Plain values by name.

        Returns:
            Its number.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("ab") as file:
            file.write(_line(row))
        self.rows += 1
        return self.rows - 1

    def sync(self) -> None:
        """Bring the rows to the disk, before a checkpoint counts them."""
        if self.path.exists():
            with self.path.open("rb") as file:
                os.fsync(file.fileno())

    def read(self) -> list[dict[str, Any]]:
        """Give all whole rows."""
        if not self.path.exists():
            return []
        lines = self.path.read_bytes().splitlines(keepends=True)
        try:
            return [dict(json.loads(line)) for line in lines if line.endswith(b"\n")]
        except (ValueError, TypeError) as error:
            raise RunMismatchError(f"{self.path} cannot be read ({error}); remove it, and rows are logged anew") from error


def _line(row: Mapping[str, Any]) -> bytes:
    return (json.dumps(row, default=float) + "\n").encode()
