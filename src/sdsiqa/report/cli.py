"""`sdsiqa report`: score tables of finished runs become tables, figures and a page."""

import argparse
from collections.abc import Callable, Sequence

from sdsiqa.report import table as layout
from sdsiqa.report.build import latex_report, markdown_report, tables_of, write_results
from sdsiqa.report.figures.images import ImageFinder
from sdsiqa.report.overview import overview, places_of, places_of_runs, show
from sdsiqa.report.read import read_results
from sdsiqa.report.readme import check_marks, insert
from sdsiqa.report.result import Result
from sdsiqa.report.statistics import Evidence
from sdsiqa.report.validation import read_validated, show_validation, validation_tables, write_validation
from sdsiqa.runs import signals
from sdsiqa.runs.arguments import Arguments, any_path, file_to_read, folder_to_write
from sdsiqa.runs.progress import Progress


def main(args: list[str] | None = None) -> int:
    """Print tables, put some into a file where its marks are, or write a whole report into a folder.

    Args:
        args: Words after `sdsiqa report`; `None`: use `sys.argv`.
    """
    options = _parser().parse_args(args)
    for file in options.readme:
        check_marks(file, options.runs[0].name)  # before a report is written
    full = options.full or options.baseline is not None or options.published is not None
    signals.answer(signals.Answer.RAISE)
    is_plain = not (full or options.format or options.readme or options.remark)
    if is_plain and (tables := validation_tables(read_validated(options.runs))):
        show_validation(tables)
        for file in write_validation(tables, options.out) if options.out is not None else ():
            print(file)
        return 0
    form = options.format or ("md" if full else "short")
    with Progress("report") as progress:
        tick = progress.say
        tick("reading score tables")
        results = read_results(options.runs, dict(options.remark))
        evidence, places, text, said = Evidence(tick=tick), places_of_runs(results), "", {}
        if options.out is not None:
            tables = tables_of(results, evidence, options.baseline, options.published)
            files = write_results(results, evidence, tables, options.out, not options.no_images)
            places = places_of(options.out, files)
            said = {table.title: [*table.lead, *table.found] for table in tables if table.found}
        for file in options.readme:
            insert(file, options.runs[0].name, results, evidence)
        if form == "short":
            overview(results, evidence)  # computed here, while its progress is shown
        elif options.out is None:
            text = _text(form, results, evidence, options, tick)
    if options.out is not None and options.full:
        text = "\n".join(map(str, files))
    if text:
        print(text.rstrip("\n"))
    else:
        show(results, evidence, places, said=said)
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
        action="append",
        default=[],
        metavar="FILE",
        help="put every run between `<!-- results NAME -->` and `<!-- end -->`, and a row per method between "
        "`<!-- summary NAME -->` and `<!-- end -->`, NAME being the name of the first RUN; may be given several times",
    )
    return parser
