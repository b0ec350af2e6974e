"""A whole report: its tables, figures and page, and the folder that they are written to."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from sdsiqa.files import write_bytes
from sdsiqa.report import table as layout
from sdsiqa.report.comparisons import check_baseline
from sdsiqa.report.context import ReportContext
from sdsiqa.report.figures.build import copy_panels, drawings
from sdsiqa.report.figures.images import ImageFinder
from sdsiqa.report.published import read_quoted
from sdsiqa.report.read import read_results
from sdsiqa.report.result import Blank, Result
from sdsiqa.report.statistics import Evidence
from sdsiqa.report.table import Table
from sdsiqa.report.tables import all_tables
from sdsiqa.runs.progress import Progress

PREAMBLE: Final = r"""\documentclass[10pt]{article}
\usepackage[T1]{fontenc}
\usepackage[utf8]{inputenc}
\usepackage{booktabs,amssymb,graphicx}
\usepackage[a4paper,margin=2cm,landscape]{geometry}
\begin{document}
"""


def write(
    runs: Sequence[Path],
    out: Path,
    baseline: str | None = None,
    published: Path | None = None,
    with_images: bool = True,
    blanks: Sequence[Blank] = (),
    remarks: Mapping[str, str] | None = None,
) -> list[Path]:
    """Read some runs and write their report into a folder: `report.md`, `report.tex`, `report.html`, `tables/`, `figures/`.

    Args:
        runs: Run folders, folders that hold them, or score tables.
        out: The folder; files of an older report there are replaced, or removed.
        baseline: Method that the others are compared with in the main tables; ablations are compared with the full one.
        published: CSV file of published numbers; `None` leaves them out.
        with_images: Whether images of the benchmarks may be in it: pictures of the page, sheets of largest errors, panels.
            Most benchmarks may not be passed on, so a report that is published or committed goes without.
        blanks: Methods that have no score on a benchmark; the main tables say why.
        remarks: As for `read_results`.

    Returns:
        Every file that was written.

    Raises:
        RunMismatchError: The runs do not belong into one report, or there is no such baseline.
        BenchmarkMismatchError: A score table is damaged.
    """
    with Progress("report") as progress:
        tick = progress.say
        tick("reading score tables")
        results = read_results(runs, remarks)
        evidence = Evidence(tick=tick)
        return write_results(results, evidence, tables_of(results, evidence, baseline, published, blanks), out, with_images)


def write_results(
    results: Sequence[Result],
    evidence: Evidence,
    tables: Sequence[Table],
    out: Path,
    with_images: bool = True,
) -> list[Path]:
    """Write the report of results into a folder.

    Args:
        results: As `read_results` gives them.
        evidence: Their measures.
        tables: As `tables_of` gives them.
        out: As for `write`.
        with_images: As for `write`.

    Returns:
        Every file that was written.
    """
    from sdsiqa.plots import save  # half a second of imports that `--help` does without
    from sdsiqa.report.page.build import page

    files, shown = [], []
    for table in tables:
        files.append(out / "tables" / f"{table.name}.csv")
        write_bytes(files[-1], layout.csv(table).encode())
    images = ImageFinder(results if with_images else [])
    for drawing in drawings(results, evidence, tables, images):
        evidence.tick(f"drawing {drawing.name}")
        path = out / "figures" / f"{drawing.name}.png"
        save(drawing.draw(), path, pdf=True)
        files += [path, path.with_suffix(".pdf")]
        shown.append((drawing.name, drawing.caption))
    panels = copy_panels(results, out / "figures") if with_images else []
    copied = [out / "figures" / f"{name}{suffix}" for name, _ in panels for suffix in (".png", ".pdf")]
    files += [file for file in copied if file.exists()]
    shown += panels
    in_page = [(out / "figures" / f"{name}.png", caption) for name, caption in shown]
    texts = {
        "report.md": markdown_report(tables, shown),
        "report.tex": latex_report(tables),
        "report.html": page(results, evidence, tables, images, in_page, evidence.tick),
    }
    for name, text in texts.items():
        files.append(out / name)
        write_bytes(files[-1], text.encode())
    _remove_older(out, files)
    return files


def tables_of(
    results: Sequence[Result],
    evidence: Evidence,
    baseline: str | None = None,
    published: Path | None = None,
    blanks: Sequence[Blank] = (),
) -> list[Table]:
    """Make every table that some results have something for.

    Args:
        results: As `read_results` gives them.
        evidence: Their measures.
        baseline: As for `write`.
        published: As for `write`.
        blanks: As for `write`.

    Raises:
        RunMismatchError: There is no such baseline.
    """
    check_baseline(results, baseline)
    quoted = read_quoted(published) if published else []
    return all_tables(ReportContext(results, evidence, baseline, blanks, quoted))


def markdown_report(tables: Sequence[Table], figures: Sequence[tuple[str, str]] = ()) -> str:
    """Write tables, and links to figures, as one Markdown document.

    Args:
        tables: The tables.
        figures: Stem below `figures/` and caption of each.
    """
    parts = ["# Report", *(layout.markdown(table) for table in tables)]
    parts += ["## Figures"] if figures else []
    parts += [f"![{caption}](figures/{name}.png)\n\n{caption} ([PDF](figures/{name}.pdf))" for name, caption in figures]
    return "\n\n".join(parts) + "\n"


def latex_report(tables: Sequence[Table]) -> str:
    """Write tables as one LaTeX document; each `table` environment can be copied into another.

    Args:
        tables: The tables.
    """
    # LaTeX holds back few floats at a time
    body = "".join(layout.latex(table) + ("\n\\clearpage\n" if place % 4 == 3 else "\n\n") for place, table in enumerate(tables))
    return PREAMBLE + body + "\\end{document}\n"


def _remove_older(out: Path, files: Sequence[Path]) -> None:
    """Remove what an older report left here and this one has not, and nothing else: each report lists its files."""
    names, record = {str(file.relative_to(out)) for file in files}, out / ".report.json"
    try:
        older = {str(name) for name in json.loads(record.read_bytes())}
    except (OSError, ValueError, TypeError):  # without the list nothing is removed
        older = set()
    for name in older - names:
        file = (out / name).resolve()
        if file.is_relative_to(out.resolve()):
            file.unlink(missing_ok=True)
    write_bytes(record, json.dumps(sorted(names), indent=1).encode())
