"""Tables inside a document, such as a README: between marks that name their runs."""

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from sdsiqa.errors import RunMismatchError
from sdsiqa.files import write_bytes
from sdsiqa.report import table as layout
from sdsiqa.report.context import ReportContext
from sdsiqa.report.overview import COLUMNS, overview
from sdsiqa.report.result import Result
from sdsiqa.report.statistics import Evidence
from sdsiqa.report.tables import runs as runs_tables

Made = Callable[[Sequence[Result], Evidence], list[layout.Table]]


def every_run(results: Sequence[Result], evidence: Evidence) -> list[layout.Table]:
    """List every run; arguments as of `insert`."""
    return runs_tables.tables(ReportContext(results, evidence))


def a_row_per_method(results: Sequence[Result], evidence: Evidence) -> list[layout.Table]:
    """Make what `sdsiqa report` prints; arguments as of `insert`."""
    tables, notes = overview(results, evidence)
    made = [layout.Table("summary", heading, COLUMNS, rows, last_texts=1) for heading, rows in tables.items()]
    *others, last = made
    return [*others, layout.Table("summary", last.title, COLUMNS, last.cells, notes, last_texts=1)]


KINDS: Final[dict[str, Made]] = {"results": every_run, "summary": a_row_per_method}
"""What goes between the marks of each kind: every run, or what `sdsiqa report` prints."""


def check_marks(file: Path, name: str) -> None:
    """Refuse a file without marks that a table goes between.

    Args:
        file: The file.
        name: Which runs the marks name.

    Raises:
        RunMismatchError: The file has no such marks, or is no text.
    """
    text = _read(file)
    if not any(_between(kind, name).search(text) for kind in KINDS):
        marks = " or ".join(f"`<!-- {kind} {name} -->`" for kind in KINDS)
        raise RunMismatchError(f"{file} has no marks {marks} and `<!-- end -->` to put the table between")


def insert(file: Path, name: str, results: Sequence[Result], evidence: Evidence) -> None:
    """Put tables between the marks of a file.

    Args:
        file: The file.
        name: Which runs the marks name.
        results: Those runs.
        evidence: Their measures.
    """
    text = _read(file)
    for kind, made in KINDS.items():
        between = _between(kind, name)
        if between.search(text):
            tables = "\n\n".join(layout.markdown(table, "**{}**") for table in made(results, evidence))
            end = "\r\n" if "\r\n" in text else "\n"
            whole = f"\n{tables}\n\n".replace("\n", end)
            text = between.sub(lambda found, whole=whole: f"{found[1]}{whole}{found[2]}", text)  # type: ignore[misc]
    place = file.resolve()  # a link stays one
    mode = place.stat().st_mode
    write_bytes(place, text.encode())
    place.chmod(mode)


def _read(file: Path) -> str:
    try:
        return file.read_bytes().decode("utf-8")  # lines keep their ends
    except UnicodeDecodeError as error:
        raise RunMismatchError(f"{file} is no text in UTF-8 ({error}); store it as UTF-8") from error


def _between(kind: str, name: str) -> re.Pattern[str]:
    opening = "|".join(KINDS)  # of another table: then the end of this one is missing
    return re.compile(rf"(<!-- {kind} {re.escape(name)} -->\r?\n)(?:(?!<!-- (?:{opening}) ).)*?(<!-- end -->)", re.DOTALL)
