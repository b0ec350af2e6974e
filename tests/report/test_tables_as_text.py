"""Tables as text: what a person wrote into a name never becomes markup."""

import dataclasses
import io
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from markdown_it import MarkdownIt

from sdsiqa.report.build import latex_report, markdown_report
from sdsiqa.report.footnotes import Marks
from sdsiqa.report.table import LATEX, LONGEST, Table, csv, html_table, latex, markdown, number, signed, span

NASTY = r"a|b_c & 50% #1 {x} \y ~z^2 $q$ <b>"
SIGNS = "".join(sign for sign in LATEX if not sign.isascii()) + "."  # the last sign is a space


def table(rows: int = 2) -> Table:
    cells = [[NASTY, "−0.100 ± 0.020", "[−0.1, 0.2] ▲"], [SIGNS, "NaN [a]", ""]] + [["x", "1", "2"]] * (rows - 2)
    frame = pd.DataFrame({"name": [NASTY, SIGNS], "value": [0.1 + 0.2, np.nan]})
    return Table("t", f"Title {NASTY}", ["method", "SRCC", "95 %"], cells, ["a note", f"of {NASTY}"], frozenset({(0, 1)}), frame)


class Cells(HTMLParser):
    """Collects the text of each row of a table, and every element's name."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self.tags: list[str] = []
        self.is_inside = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th"):
            self.rows[-1].append("")

            self.is_inside = True

    def handle_endtag(self, tag: str) -> None:
        self.is_inside = self.is_inside and tag not in ("td", "th")

    def handle_data(self, data: str) -> None:
        if self.is_inside:
            self.rows[-1][-1] += data


def test_markdown_renders_as_the_table_it_was() -> None:
    page = Cells()
    page.feed(MarkdownIt("commonmark").enable("table").render(markdown_report([table()])).split("<ul>")[0])
    assert [len(row) for row in page.rows] == [3, 3, 3]
    assert page.rows == [["method", "SRCC", "95 %"], *table().cells]
    assert page.tags.count("strong") == 1
    assert "b" not in page.tags


def test_what_is_to_be_read_first_stands_above_the_numbers() -> None:
    led = dataclasses.replace(table(), lead=["Read <this> first."])
    for text in (markdown(led), html_table(led), latex(led)):
        found = re.search(r"Read (&lt;this>|&lt;this&gt;|\$<\$this\$>\$) first", text)
        assert found is not None
        assert found.start() < text.index("method")


def test_what_was_found_stands_between_the_numbers_and_the_notes() -> None:
    told = dataclasses.replace(table(), found=["Found <this>."])
    for text in (markdown(told), html_table(told), latex(told)):
        said = re.search(r"Found (&lt;this>|&lt;this&gt;|\$<\$this\$>\$)\.", text)
        assert said is not None
        assert text.index("NaN [a]") < said.start() < text.index("a note")


def test_html_renders_as_the_table_it_was() -> None:
    page = Cells()
    page.feed(html_table(table()).split("</table>")[0])
    assert page.rows == [["method", "SRCC", "95 %"], *table().cells]
    assert page.tags.count("b") == 1  # ours; that of the name stayed text


def test_csv_keeps_every_digit_and_says_nan() -> None:
    back = pd.read_csv(io.StringIO(csv(table())), dtype={"value": str})  # an older pandas loses the last digit of a number
    assert float(back["value"][0]) == 0.1 + 0.2
    assert csv(table()).splitlines()[2].endswith(",nan")
    assert back["name"].tolist() == [NASTY, SIGNS]


def test_latex_escapes_what_it_would_read_as_commands() -> None:
    text = latex(table())
    assert r"a|b\_c \& 50\% \#1 \{x\} \textbackslash{}y \textasciitilde{}z\textasciicircum{}2 \$q\$ $<$b$>$" in text
    assert r"\textbf{$-$0.100 $\pm$ 0.020}" in text
    body = text.split(r"\midrule")[1].split(r"\bottomrule")[0]
    assert [line.count(" & ") for line in body.strip().splitlines()] == [2, 2]
    assert text.isascii()


def test_a_long_table_goes_on_in_another() -> None:
    text = latex(table(LONGEST + 1))
    assert text.count(r"\begin{table}") == 2
    assert "(1 of 2)" in text
    assert text.count("a note.") == 1  # below the last, and ended: notes follow each other on a line


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="needs pdflatex (apt-get install texlive-latex-recommended)")
def test_latex_compiles(tmp_path: Path) -> None:
    (tmp_path / "report.tex").write_text(latex_report([table(), table(90), *[table()] * 30]))
    words = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "report.tex"]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, errors="replace")
    assert done.returncode == 0, done.stdout[-2000:]
    assert (tmp_path / "report.pdf").stat().st_size > 5000


def test_numbers_are_written_alike_everywhere() -> None:
    assert [number(-0.12345), number(float("nan")), number(12.3456, 1)] == ["−0.123", "NaN", "12.3"]
    assert [number(-0.0004), signed(-0.0004), signed(0.0004)] == ["0.000", "+0.000", "+0.000"]
    assert [signed(0.0123), signed(-0.5, 1), signed(float("nan"))] == ["+0.012", "−0.5", "NaN"]
    assert [span(-0.1, 0.2, 1), span(float("nan"), 1)] == ["[−0.1, 0.2]", "–"]


def test_equal_reasons_share_a_mark() -> None:
    marks = Marks()
    assert [marks.add("x"), marks.add("y"), marks.add("x"), marks.add("")] == [" [a]", " [b]", " [a]", ""]
    assert marks.notes == ["[a] x", "[b] y"]
    many = [marks.add(f"r{place}") for place in range(40)]
    assert len(set(many)) == 40
    assert " [aa]" in many
    assert markdown(table(), "**{}**").startswith("**Title ")
