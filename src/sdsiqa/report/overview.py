"""What `sdsiqa report` prints: one small table, and where all else is."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TextIO

from rich.console import Console
from rich.table import Table as Grid
from rich.text import Text

from sdsiqa.report.footnotes import Marks
from sdsiqa.report.result import Result, by_group, by_label, title
from sdsiqa.report.rows import mean_of, runs_of, warnings_of, why_no_interval
from sdsiqa.report.statistics import Evidence, Spread
from sdsiqa.report.table import span

COLUMNS = ["method", "SRCC", "95 %", "PLCC", "runs"]

NARROWEST = 12
"""Characters of a method's name on one line, however narrow the terminal is."""

SHOWN = 6
"""Figures that are named; the rest are counted."""


def overview(results: Sequence[Result], evidence: Evidence) -> tuple[dict[str, list[list[str]]], list[str]]:
    """Make a small table per benchmark, a row per method, and the notes to all of them.

    Args:
        results: Of any methods.
        evidence: Their measures.

    Returns:
        Rows of `COLUMNS` by the title of their table, and sentences.
    """
    marks, tables, proxy = Marks(), dict[str, list[list[str]]](), list[str]()
    drawn: list[Spread] = []
    for is_cross in (False, True):
        for group, some in by_group(results, is_cross).items():
            everywhere = set() if is_cross else {result.split for result in some}
            rows = []
            for label, own in _rows(some, is_cross).items():
                srcc, plcc = evidence.spread(own, "srcc"), evidence.spread(own, "plcc")
                drawn.append(srcc)
                first = mean_of(srcc) + warnings_of(own, srcc, everywhere, evidence, marks)
                rows.append([label, first, span(srcc.low, srcc.high), mean_of(plcc), runs_of(own)])
            tables[f"{title(some[0].benchmark)}, {group}"] = rows
            if some[0].benchmark == "demo":
                proxy = ["The Demo's labels are a proxy (GMSD), not human opinion."]
    notes = [*marks.notes, *proxy, "Mean (± standard deviation) over splits; 95 %: interval of SRCC; PLCC is raw."]
    return tables, notes + why_no_interval(drawn)


def show(
    results: Sequence[Result],
    evidence: Evidence,
    places: Mapping[str, Sequence[str]],
    file: TextIO | None = None,
    said: Mapping[str, Sequence[str]] = MappingProxyType({}),
) -> None:
    """Print the table, its notes, what comparisons came to, and where all else is.

    Args:
        results: Of any methods.
        evidence: Their measures.
        places: What there is, by a word for it: lines.
        file: Where to print; None takes standard output.
        said: Sentences on comparisons, by the title of their table.
    """
    console = console_of(file)
    tables, notes = overview(results, evidence)
    print_tables(console, COLUMNS, tables, notes)
    for heading, sentences in said.items():
        console.print(Text(heading, "bold"))
        for sentence in sentences:
            console.print(Text(sentence))
        console.print()
    width = max(map(len, places), default=0) + 2
    for word, lines in places.items():
        for place, line in enumerate(lines):  # a path is never broken: it is to be copied
            console.print(Text(f"{word if place == 0 else '':<{width}}{line}"), soft_wrap=True)


def console_of(file: TextIO | None = None) -> Console:
    """Give what tables are printed on.

    Args:
        file: Where to print; None takes standard output.
    """
    console = Console(file=file, highlight=False)
    # without a terminal there is no width to fit: lines stay whole for grep
    return console if console.is_terminal else Console(file=file, highlight=False, width=160)


def print_tables(
    console: Console, columns: Sequence[str], tables: Mapping[str, Sequence[Sequence[str]]], notes: Sequence[str]
) -> None:
    """Print small tables and the notes to all of them; the first column is a method, the last one is text too.

    Args:
        console: Where.
        columns: Headings, the same for all.
        tables: Rows by title.
        notes: Sentences.
    """
    every = [columns, *(row for rows in tables.values() for row in rows)]
    widths = [max(len(row[column]) for row in every) for column in range(len(columns))]
    # numbers stay whole; where the terminal is narrow, names are folded
    widths[0] = min(widths[0], max(NARROWEST, console.width - sum(widths[1:]) - 2 * len(widths)))
    for heading, rows in tables.items():
        grid = Grid(box=None, pad_edge=False, padding=(0, 2, 0, 0))
        for column, width in zip(columns, widths, strict=True):
            is_text = column in (columns[0], columns[-1])
            grid.add_column(column, justify="left" if is_text else "right", overflow="fold", width=width)
        for row in rows:
            grid.add_row(*map(Text, row))
        console.print(Text(heading, "bold"))
        console.print(grid)
        console.print()
    for note in notes:
        console.print(Text(note, "dim"))
    console.print()


def places_of(out: Path, files: Sequence[Path]) -> dict[str, list[str]]:
    """Say where the parts of a written report are.

    Args:
        out: Its folder.
        files: As `write` gives them.
    """
    figures = [str(file) for file in files if file.parent.name == "figures" and file.suffix == ".png"]
    more = [f"and {len(figures) - SHOWN} more in {out / 'figures'}"] if len(figures) > SHOWN else []
    tables = sum(file.suffix == ".csv" for file in files)
    return {
        "page": [str(out / "report.html")],
        "tables": [f"{out / 'report.md'}, {out / 'report.tex'}; {tables} of them as CSV in {out / 'tables'}"],
        **({"figures": [*figures[:SHOWN], *more]} if figures else {}),
    }


def places_of_runs(results: Sequence[Result]) -> dict[str, list[str]]:
    """Say where the figures of the runs are, and how to get the rest.

    Args:
        results: Of any methods.
    """
    folders = dict.fromkeys(result.file.parent.parent / "figures" for result in results if not result.is_foreign)
    there = [str(folder) for folder in folders if folder.is_dir()]
    more = [f"and of {len(there) - SHOWN} more runs"] if len(there) > SHOWN else []
    return {
        **({"figures": [*there[:SHOWN], *more]} if there else {}),
        "more": ["--full prints every table; --out FOLDER writes them with figures and one page to click through"],
    }


def _rows(results: Sequence[Result], is_cross: bool) -> dict[str, list[Result]]:
    """Group the results of one benchmark by what their row is called."""
    if not is_cross:
        return by_label(results)
    rows: dict[str, list[Result]] = {}
    for label, some in by_label(results).items():
        for result in some:
            rows.setdefault(f"{label}, trained on {result.trained_on}" if result.trained_on else label, []).append(result)
    return rows
