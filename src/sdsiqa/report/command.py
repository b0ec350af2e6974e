"""`sdsiqa report`: score tables of finished runs become tables, figures and a page."""

import argparse
import re
from pathlib import Path

from sdsiqa.errors import RunMismatchError
from sdsiqa.images import write_bytes
from sdsiqa.report import layout
from sdsiqa.report.evidence import Evidence
from sdsiqa.report.images import ImageFinder
from sdsiqa.report.results import read_results
from sdsiqa.report.runs_table import runs_tables
from sdsiqa.report.writing import latex_report, markdown_report, progress, tables_of, write


def main(args: list[str] | None = None) -> int:
    """Print tables, put some into a file where its marks are, or write a whole report into a folder.

    Args:
        args: Words after `sdsiqa report`; none takes the process's own.
    """
    options = _parser().parse_args(args)
    if options.out is not None:
        files = write(options.runs, options.out, options.baseline, options.published, not options.no_images,
                      remarks=dict(options.remark))  # fmt: skip
        print("\n".join(map(str, files)))
        if options.readme is None:
            return 0
    with progress() as tick:
        tick("reading score tables")
        results = read_results(options.runs, dict(options.remark))
        evidence = Evidence(tick=tick)
        if options.readme is not None:
            text = "\n\n".join(layout.markdown(table, "**{}**") for table in runs_tables(results, evidence))
            insert(options.readme, options.runs[0].name, text)
        if options.out is not None:
            return 0
        tables = tables_of(results, evidence, options.baseline, options.published)
        if options.format == "html":
            from sdsiqa.report.page import page

            text = page(results, evidence, tables, ImageFinder([] if options.no_images else results), [], tick)
        elif options.format == "csv":
            text = "\n".join(f"# {table.name}\n{layout.csv(table)}" for table in tables)
        else:
            text = latex_report(tables) if options.format == "latex" else markdown_report(tables)
    print(text.rstrip("\n"))
    return 0


def insert(file: Path, name: str, text: str) -> None:
    """Put a table between its marks in a file.

    Args:
        file: The file.
        name: Which marks.
        text: The table.

    Raises:
        RunMismatchError: The file has no such marks.
    """
    content = file.read_text()
    pattern = re.compile(rf"(<!-- results {re.escape(name)} -->\n).*?(<!-- end -->)", re.DOTALL)
    if not pattern.search(content):
        raise RunMismatchError(f"{file} has no marks `<!-- results {name} -->` and `<!-- end -->` to put the table between")
    write_bytes(file, pattern.sub(lambda found: f"{found[1]}\n{text}\n\n{found[2]}", content).encode())


def _remark(word: str) -> tuple[str, str]:
    name, _, text = word.partition("=")
    if not name or not text:
        raise argparse.ArgumentTypeError(f"{word!r} is no remark; expected METHOD=TEXT")
    return name, text


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="sdsiqa report",
        description="Make tables, figures and a page from the score tables of finished runs.",
        epilog="A method from elsewhere joins as RUN/METHOD/scores.csv: a score table of one of the runs with its own scores.",
        allow_abbrev=False,
    )
    parser.add_argument(
        "runs", nargs="+", type=Path, metavar="RUN", help="run folder, folder of them, or score table of a method from elsewhere"
    )
    parser.add_argument("--published", type=Path, metavar="CSV", help="show published numbers beside ours: results/quoted.csv")
    parser.add_argument(
        "--format",
        choices=("md", "latex", "html", "csv"),
        default="md",
        help="what is printed: Markdown (default), LaTeX, one self-contained page, or CSV in full precision",
    )
    parser.add_argument(
        "--out", type=Path, metavar="FOLDER", help="write report.md, report.tex, report.html, tables/ and figures/ there instead"
    )
    parser.add_argument("--no-images", action="store_true", help="leave images of the benchmarks out, for a report to publish")
    parser.add_argument("--baseline", metavar="NAME", help="method that the others are compared with")
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
        type=Path,
        metavar="FILE",
        help="put the runs between `<!-- results NAME -->` and `<!-- end -->`, NAME being the name of the first RUN",
    )
    return parser
