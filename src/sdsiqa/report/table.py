"""A table of a report, and how it is written as Markdown, LaTeX, HTML and CSV."""

import html
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import pandas as pd

from sdsiqa.metrics.bootstrap import FEWEST_UNITS

MARKDOWN: Final = {"|": r"\|", "*": r"\*", "`": r"\`", "<": "&lt;", "&": "&amp;"}
"""Signs that Markdown, or the HTML in it, reads as markup inside a word."""

LONGEST: Final = 40
"""Rows of a LaTeX table."""

LATEX: Final = {
    "\\": r"\textbackslash{}",
    **{sign: f"\\{sign}" for sign in "&%$#_{}"},
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": "$<$",
    ">": "$>$",
    "±": r"$\pm$",
    "−": "$-$",
    "×": r"$\times$",
    "Δ": r"$\Delta$",
    "▲": r"$\blacktriangle$",
    "▼": r"$\blacktriangledown$",
    "≈": r"$\approx$",
    "→": r"$\rightarrow$",
    "†": r"$\dagger$",
    "β": r"$\beta$",
    "√": r"$\surd$",
    "…": r"\dots{}",
    "–": "--",
    "·": r"$\cdot$",
    "\u202f": r"\,",
}
"""Signs that LaTeX reads as commands, or that its classic fonts lack."""


NO_INTERVAL: Final = (
    f"– in place of an interval: there is none of fewer than {FEWEST_UNITS} contents or images, of values that do not vary, or "
    "where two splits leave every value possible."
)


@dataclass(frozen=True)
class Table:
    """A table as a person reads it, and its numbers in full.

    Args:
        name: Stem of its files.
        title: What it shows.
        head: Headings.
        cells: Rows of text, each as long as the head; the first column is left-aligned.
        notes: Sentences below it.
        strong: Cells in bold: row and column.
        frame: The numbers, in full precision, a row per line of the CSV file.
        texts: How many columns from the left are text, aligned left.
        last_texts: How many from the right.
        lead: Sentences above it, to be read before the numbers.
        found: Sentences right below it: what it says.
    """

    name: str
    title: str
    head: Sequence[str]
    cells: Sequence[Sequence[str]]
    notes: Sequence[str] = ()
    strong: frozenset[tuple[int, int]] = frozenset()
    frame: pd.DataFrame = field(default_factory=pd.DataFrame)
    texts: int = 1
    last_texts: int = 0
    lead: Sequence[str] = ()
    found: Sequence[str] = ()

    def is_text(self, column: int) -> bool:
        """Say whether a column is text.

        Args:
            column: Its place.
        """
        return column < self.texts or column >= len(self.head) - self.last_texts


def markdown(table: Table, heading: str = "### {}") -> str:
    """Write a table as GitHub's Markdown.

    Args:
        table: The table.
        heading: How its title is written.
    """

    def line(cells: Sequence[str]) -> str:
        return "| " + " | ".join(cells) + " |"

    def plain(text: str) -> str:
        return "".join(MARKDOWN.get(sign, sign) for sign in text)

    rules = [":---" if table.is_text(column) else "---:" for column in range(len(table.head))]
    rows = [
        line(
            [f"**{plain(cell)}**" if (row, column) in table.strong and cell else plain(cell) for column, cell in enumerate(cells)]
        )
        for row, cells in enumerate(table.cells)
    ]
    notes = [f"- {plain(note)}" for note in table.notes]
    head = line([plain(name) for name in table.head])
    lead = [piece for sentence in table.lead for piece in (plain(sentence), "")]
    found = [piece for sentence in table.found for piece in ("", plain(sentence))]
    below = [*found, *(["", *notes] if notes else [])]
    return "\n".join([heading.format(plain(table.title)), "", *lead, head, line(rules), *rows, *below])


def latex(table: Table) -> str:
    """Write a table for a document that loads `booktabs`, `amssymb` and `graphicx`.

    A wide one is scaled to the line, a long one is divided into several, for a float cannot break over pages.

    Args:
        table: The table.
    """
    pieces = [range(start, min(start + LONGEST, len(table.cells))) for start in range(0, max(1, len(table.cells)), LONGEST)]
    return "\n".join(_latex_piece(table, rows, place, len(pieces)) for place, rows in enumerate(pieces))


def _latex_piece(table: Table, rows: range, place: int, pieces: int) -> str:
    def line(cells: Sequence[str]) -> str:
        return " & ".join(cells) + r" \\"

    def cell(row: int, column: int) -> str:
        text = _escape(table.cells[row][column])
        return rf"\textbf{{{text}}}" if (row, column) in table.strong and text else text

    columns = "".join("l" if table.is_text(column) else "r" for column in range(len(table.head)))
    part = f" ({place + 1} of {pieces})" if pieces > 1 else ""
    notes = [*table.found, *table.notes] if place == pieces - 1 else ()
    return "\n".join(
        [
            r"\begin{table}[htbp]",
            r"\centering",
            rf"\caption{{{_escape('. '.join([table.title + part, *table.lead]).rstrip('.'))}}}",
            rf"\label{{tab:{table.name}{f'-{place + 1}' if place else ''}}}",
            r"\resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{%",
            rf"\begin{{tabular}}{{{columns}}}",
            r"\toprule",
            line([_escape(head) for head in table.head]),
            r"\midrule",
            *(line([cell(row, column) for column in range(len(table.head))]) for row in rows),
            r"\bottomrule",
            r"\end{tabular}}",
            *([r"\par\smallskip\footnotesize " + " ".join(_escape(note.rstrip(".") + ".") for note in notes)] if notes else []),
            r"\end{table}",
        ]
    )


def html_table(table: Table) -> str:
    """Write a table as a piece of HTML.

    Args:
        table: The table.
    """

    def row(cells: Sequence[str], tag: str, number: int = -1) -> str:
        made = []
        for column, cell in enumerate(cells):
            text = html.escape(cell)
            text = f"<b>{text}</b>" if (number, column) in table.strong else text
            made.append(f"<{tag}{' class=text' if table.is_text(column) else ''}>{text}</{tag}>")
        return f"<tr>{''.join(made)}</tr>"

    items = "".join(f"<li>{html.escape(note)}</li>" for note in table.notes)
    notes = f'<ul class="notes">{items}</ul>' if items else ""
    lead, found = ("".join(f"<p>{html.escape(sentence)}</p>" for sentence in some) for some in (table.lead, table.found))
    body = "".join(row(cells, "td", number) for number, cells in enumerate(table.cells))
    return (
        f'<section class="made" id="{html.escape(table.name)}"><h3>{html.escape(table.title)}</h3>{lead}<div class="wide"><table>'
        f"<thead>{row(table.head, 'th')}</thead><tbody>{body}</tbody></table></div>"
        f"{found}{notes}</section>"
    )


def csv(table: Table) -> str:
    """Write the numbers of a table in full precision; what is undefined is `nan`.

    Args:
        table: The table.
    """
    return table.frame.to_csv(index=False, lineterminator="\n", na_rep="nan")


def number(value: float, digits: int = 3) -> str:
    """Write a value for a table; what is undefined is `NaN`, never blank or 0.

    Args:
        value: The value.
        digits: After the point.
    """
    if value != value:
        return "NaN"
    return f"{round(value, digits) + 0.0:.{digits}f}".replace("-", "−")  # + 0.0: no minus before a zero


def signed(value: float, digits: int = 3) -> str:
    """Write a difference with its sign.

    Args:
        value: The value.
        digits: After the point.
    """
    return "NaN" if value != value else f"{round(value, digits) + 0.0:+.{digits}f}".replace("-", "−")


def span(low: float, high: float, digits: int = 3) -> str:
    """Write an interval; a dash if there is none, which `NO_INTERVAL` explains below the table.

    Args:
        low: Its lower end.
        high: Its upper end.
        digits: After the point.
    """
    return "–" if low != low or high != high else f"[{number(low, digits)}, {number(high, digits)}]"


def about_dashes(*ends: float) -> list[str]:
    """Give the note on dashes if one of some intervals is none.

    Args:
        ends: An end of each.
    """
    return [NO_INTERVAL] if any(end != end for end in ends) else []


def _escape(text: str) -> str:
    return "".join(LATEX.get(sign, sign) for sign in text)
