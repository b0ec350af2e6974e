"""A table of a report, and how it is written as Markdown, LaTeX, HTML and CSV."""

import html
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import pandas as pd

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
        return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"

    rules = [":---" if table.is_text(column) else "---:" for column in range(len(table.head))]
    rows = [
        line([f"**{cell}**" if (row, column) in table.strong and cell else cell for column, cell in enumerate(cells)])
        for row, cells in enumerate(table.cells)
    ]
    notes = [f"- {note}" for note in table.notes]
    return "\n".join([heading.format(table.title), "", line(table.head), line(rules), *rows, *(["", *notes] if notes else [])])


def latex(table: Table) -> str:
    """Write a table for a document that loads `booktabs`, `amssymb` and `graphicx`; a wide one is scaled to the line.

    Args:
        table: The table.
    """

    def line(cells: Sequence[str]) -> str:
        return " & ".join(cells) + r" \\"

    columns = "".join("l" if table.is_text(column) else "r" for column in range(len(table.head)))
    rows = [
        line(
            [
                rf"\textbf{{{_escape(cell)}}}" if (row, column) in table.strong and cell else _escape(cell)
                for column, cell in enumerate(cells)
            ]
        )
        for row, cells in enumerate(table.cells)
    ]
    notes = r"\par\smallskip\footnotesize " + " ".join(map(_escape, table.notes)) if table.notes else ""
    body = [rf"\begin{{tabular}}{{{columns}}}", r"\toprule", line([_escape(cell) for cell in table.head]), r"\midrule"]
    scaled = r"\resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{%"
    return "\n".join(
        [
            r"\begin{table}",
            r"\centering",
            rf"\caption{{{_escape(table.title)}}}",
            rf"\label{{tab:{table.name}}}",
            scaled,
            *body,
            *rows,
            r"\bottomrule",
            r"\end{tabular}}",
            *([notes] if notes else []),
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
    body = "".join(row(cells, "td", number) for number, cells in enumerate(table.cells))
    return (
        f'<section class="made" id="{html.escape(table.name)}"><h3>{html.escape(table.title)}</h3><div class="wide"><table>'
        f"<thead>{row(table.head, 'th')}</thead><tbody>{body}</tbody></table></div>"
        f"{notes}</section>"
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
    return f"{value:.{digits}f}".replace("-", "−")


def signed(value: float, digits: int = 3) -> str:
    """Write a difference with its sign.

    Args:
        value: The value.
        digits: After the point.
    """
    return "NaN" if value != value else f"{value:+.{digits}f}".replace("-", "−")


def span(low: float, high: float, digits: int = 3) -> str:
    """Write an interval; blank if there is none.

    Args:
        low: Its lower end.
        high: Its upper end.
        digits: After the point.
    """
    return "" if low != low or high != high else f"[{number(low, digits)}, {number(high, digits)}]"


def _escape(text: str) -> str:
    return "".join(LATEX.get(sign, sign) for sign in text)
