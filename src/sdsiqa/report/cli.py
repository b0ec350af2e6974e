"""`sdsiqa report`: score tables of finished runs become tables, figures and a page."""

import argparse
import re
from collections.abc import Callable, Sequence
from pathlib import Path

from sdsiqa.errors import RunMismatchError
from sdsiqa.files import write_bytes
from sdsiqa.report import table as layout
from sdsiqa.report.build import latex_report, markdown_report, tables_of, write_results
from sdsiqa.report.context import ReportContext
from sdsiqa.report.figures.images import ImageFinder
from sdsiqa.report.overview import overview, places_of, places_of_runs, show
from sdsiqa.report.read import read_results
from sdsiqa.report.result import Result
from sdsiqa.report.statistics import Evidence
from sdsiqa.report.tables import runs as runs_tables
from sdsiqa.runs import signals
from sdsiqa.runs.arguments import Arguments, any_path, file_to_read, folder_to_write
from sdsiqa.runs.progress import Progress


def main(args: list[str] | None = None) -> int:
    """Print tables, put some into a file where its marks are, or write a whole report into a folder.

    Args:
        args: Words after `sdsiqa report`; `None`: use `sys.argv`.
    """
    options = _parser().parse_args(args)
    if options.readme is not None:
        check_marks(options.readme, options.runs[0].name)  # before a report is written
    full = options.full or options.baseline is not None or options.published is not None
    signals.answer(signals.Answer.RAISE)
    form = options.format or ("md" if full else "short")
    with Progress("report") as progress:
        tick = progress.say
        tick("reading score tables")
        results = read_results(options.runs, dict(options.remark))
        evidence, places, text = Evidence(tick=tick), places_of_runs(results), ""
        if options.out is not None:
            files = write_results(results, evidence, options.out, options.baseline, options.published, not options.no_images)
            places = places_of(options.out, files)
        if options.readme is not None:
            tables = runs_tables.tables(ReportContext(results, evidence))
            insert(options.readme, options.runs[0].name, "\n\n".join(layout.markdown(table, "**{}**") for table in tables))
        if form == "short":
            overview(results, evidence)  # computed here, while its progress is shown
        elif options.out is None:
            text = _text(form, results, evidence, options, tick)
    if options.out is not None and options.full:
        text = "\n".join(map(str, files))
    if text:
        print(text.rstrip("\n"))
    else:
        show(results, evidence, places)
    return 0


def _text(
    form: str, results: Sequence[Result], evidence: Evidence, options: argparse.Namespace, tick: Callable[[str], None]
) -> str:
    """Write every table in a format."""
    tables = tables_of(results, evidence, options.baseline, options.published)
    if form == "html":
        from sdsiqa.report.page.build import page

        return page(results, evidence, tables, ImageFinder([] if options.no_images else results), [], tick)
    if form == "csv":
        return "\n".join(f"# {table.name}\n{layout.csv(table)}" for table in tables)
    return latex_report(tables) if form == "latex" else markdown_report(tables)


def check_marks(file: Path, name: str) -> None:
    """Refuse a file without the marks that a table goes between.

    Args:
        file: The file.
        name: Which marks.

    Raises:
        RunMismatchError: The file has no such marks, or is no text.
    """
    if not _between(name).search(_readme(file)):
        raise RunMismatchError(f"{file} has no marks `<!-- results {name} -->` and `<!-- end -->` to put the table between")


def insert(file: Path, name: str, text: str) -> None:
    """Put a table between its marks in a file.

    Args:
        file: The file.
        name: Which marks.
        text: The table.
    """
    content = _between(name).sub(lambda found: f"{found[1]}\n{text}\n\n{found[2]}", _readme(file))
    write_bytes(file, content.encode())


def _readme(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise RunMismatchError(f"{file} is no text in UTF-8 ({error}); store it as UTF-8") from error


def _between(name: str) -> re.Pattern[str]:
    return re.compile(rf"(<!-- results {re.escape(name)} -->\n).*?(<!-- end -->)", re.DOTALL)


def _remark(word: str) -> tuple[str, str]:
    name, _, text = word.partition("=")
    if not name or not text:
        raise argparse.ArgumentTypeError(f"{word!r} is no remark; expected METHOD=TEXT")
    return name, text


def _parser() -> Arguments:
    parser = Arguments(
        prog="sdsiqa report",
        description="Make tables, figures and a page from the score tables of finished runs.",
        epilog="A method from elsewhere joins as RUN/METHOD/scores.csv: a score table of one of the runs with its own scores.",
    )
    parser.add_argument(
        "runs",
        nargs="+",
        type=any_path,
        metavar="RUN",
        help="run folder, folder of them, or score table of a method from elsewhere",
    )
    parser.add_argument(
        "--published",
        type=any_path,
        metavar="CSV",
        help="show published numbers beside ours, such as results/quoted.csv; implies --full",
    )
    parser.add_argument(
        "--format",
        choices=("md", "latex", "html", "csv"),
        help="print every table: as Markdown, LaTeX, one self-contained page, or CSV in full precision; else one small table",
    )
    parser.add_argument(
        "--full", action="store_true", help="print every table, as --format md; with --out, name every file that is written"
    )
    parser.add_argument(
        "--out",
        type=folder_to_write,
        metavar="FOLDER",
        help="write report.md, report.tex, report.html, tables/ and figures/ there",
    )
    parser.add_argument("--no-images", action="store_true", help="leave images of the benchmarks out, for a report to publish")
    parser.add_argument("--baseline", metavar="NAME", help="method that the others are compared with; implies --full")
    parser.add_argument(
        "--remark",
        type=_remark,
        action="append",
        default=[],
        metavar="METHOD=TEXT",
        help="what a reader must know of a method, as a note to its row; may be given several times",
    )
    parser.add_argument(
        "--readme",
        type=file_to_read,
        metavar="FILE",
        help="put the runs between `<!-- results NAME -->` and `<!-- end -->`, NAME being the name of the first RUN",
    )
    return parser
