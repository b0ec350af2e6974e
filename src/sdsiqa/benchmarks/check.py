"""`sdsiqa check-data`: compares a benchmark on disk with the facts of its class, and decodes every image."""

import hashlib
import io
import os
import warnings
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import pandas as pd
from PIL import Image
from rich.console import Console, Group
from rich.markup import escape
from rich.panel import Panel
from rich.table import Table

from sdsiqa.benchmarks import BENCHMARKS, Benchmark
from sdsiqa.benchmarks.choice import benchmark_from_words
from sdsiqa.benchmarks.labels import falling
from sdsiqa.benchmarks.tree import Located, complaints
from sdsiqa.errors import BenchmarkNotFoundError, ClassNotFoundError, ImageError, SdsiqaError
from sdsiqa.files import read_file
from sdsiqa.images import decode_image
from sdsiqa.runs import signals
from sdsiqa.runs.arguments import Arguments, any_path, at_least
from sdsiqa.runs.progress import track
from sdsiqa.runs.workers import in_processes

SECONDS = 0.03
"""Time that a core takes to decode an image of a megapixel twice."""

ORIENTATION = 0x0112
"""The EXIF tag that turns a picture; 1 or absent means upright."""


SHOWN = 10
"""How many problems are printed; the rest are counted."""


@dataclass(frozen=True)
class Finding:
    """The result of decoding one file.

    Args:
        error: Why it cannot be used; empty if it can.
        digest: SHA-256 of its bytes.
        size: Width and height in pixels, upright.
        mode: Pillow's name of its colours: RGB, L, P, RGBA, CMYK …
        is_turned: Whether EXIF asks for a rotation.
    """

    error: str = ""
    digest: str = ""
    size: tuple[int, int] = (0, 0)
    mode: str = ""
    is_turned: bool = False


def inspect(root: Path, path: str) -> Finding:
    """Decode a file twice: as all of the project does, and with Pillow, which refuses what OpenCV patches up.

    Args:
        root: Folder of the benchmark.
        path: Path of the file below it.
    """
    try:
        data = read_file(root / path)
        pixels = decode_image(data, path)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow warns of large pictures and odd tags, which are no damage
            with Image.open(io.BytesIO(data)) as image:
                mode, is_turned = image.mode, image.getexif().get(ORIENTATION, 1) not in (0, 1)
                image.load()
    except ImageError as error:
        return Finding(error=str(error))
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        return Finding(error=f"{path}: cannot be decoded ({reason}); copy or unpack it again")
    height, width = pixels.shape[:2]
    return Finding("", hashlib.sha256(data).hexdigest(), (width, height), mode, is_turned)


def inspect_all(root: Path, paths: list[str], jobs: int) -> dict[str, Finding]:
    """Decode many files, showing progress.

    Args:
        root: Folder of the benchmark.
        paths: Files below it.
        jobs: Number of processes; with 1, this one.

    Returns:
        A finding per path, in the order given.
    """
    work = partial(inspect, root)
    title = f"decoding every image of {root}"
    if jobs == 1 or len(paths) < 100:
        return {path: work(path) for path in track(paths, title, each=SECONDS)}
    results = in_processes(work, paths, jobs, chunk=16)
    return dict(zip(paths, track(results, title, len(paths), each=SECONDS / jobs), strict=True))


@dataclass
class Report:
    """The result of a check.

    Args:
        title: The benchmark.
        root: The folder that was looked at.
        facts: What was counted, by heading, for a person to read.
        problems: One sentence per damage; empty if the benchmark may be used.
    """

    title: str
    root: Path
    facts: dict[str, str] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)


def check_benchmark(benchmark: Benchmark, jobs: int) -> Report:
    """Check labels, files, pixels, duplicates, direction and links of a benchmark.

    Args:
        benchmark: The benchmark; its root may be anything.
        jobs: Processes that decode images.
    """
    report = Report(benchmark.title, benchmark.given)
    try:
        labels = benchmark.labels()
    except SdsiqaError as error:
        report.problems.append(str(error))
        return report
    report.root = benchmark.root
    located = benchmark.located()
    report.problems += complaints(benchmark.tree, located, benchmark.url, benchmark.any_case)
    _tell_labels(report, benchmark, labels)
    findings = inspect_all(benchmark.root, sorted(set(located.paths.values())), jobs)
    _tell_files(report, labels, located, findings, {frozenset(pair) for pair in benchmark.twins})
    return report


def _tell_labels(report: Report, benchmark: Benchmark, labels: pd.DataFrame) -> None:
    mos, facts = labels["mos"], report.facts
    low, high = benchmark.scale(mos.to_numpy())
    better = "higher is better" if benchmark.higher_is_better else "lower is better"
    facts["scores"] = f"{mos.min():.4g} … {mos.max():.4g}, mean {mos.mean():.4g} ± {mos.std():.4g}"
    facts["scale"] = f"{low:g} … {high:g}, {better}"
    if labels["content"].duplicated().any():
        facts["contents"] = f"{labels['content'].nunique()}"
    types = labels.loc[labels["distortion"] != "", "distortion"].value_counts(sort=False)
    if len(types):
        listed = ", ".join(f"{name} {count}" for name, count in types.items())
        facts["distortions"] = listed if len(types) <= 6 else f"{len(types)} types"
    falls = falling(labels)
    if falls:
        right = sum(falls.values())
        facts["direction"] = f"quality falls from the lowest to the highest level in {right} of {len(falls)} types"
        if 2 * right <= len(falls):
            wrong = next(name for name, fall in falls.items() if not fall)
            report.problems.append(
                f"quality rises with the level of distortion in {len(falls) - right} of {len(falls)} types, "
                f"{wrong!r} among them: the scores are reversed; {benchmark.remedy}"
            )
    if falls:
        unordered = [name for name in falls if not falls_at_every_level(labels, name)]
        facts["levels"] = "ordered by severity" if not unordered else f"not ordered by severity in {', '.join(unordered)}"
    parts = labels.loc[labels["split"] != "", "split"].value_counts()
    if len(parts):
        facts["official split"] = ", ".join(f"{part} {parts.get(part, 0)}" for part in ("train", "val", "test"))
    facts["data version"] = benchmark.data_version()


def falls_at_every_level(labels: pd.DataFrame, distortion: str) -> bool:
    """Say whether the mean quality of a distortion is lower at each level than at the one before.

    Args:
        labels: A benchmark's labels.
        distortion: Which of its types.
    """
    means = labels[labels["distortion"] == distortion].groupby("level")["quality"].mean()
    return bool((means.diff().dropna() < 0).all())


def _tell_files(
    report: Report, labels: pd.DataFrame, located: Located, findings: dict[str, Finding], known: set[frozenset[str]]
) -> None:
    facts, images = report.facts, labels["image"].tolist()
    good = {path: finding for path, finding in findings.items() if not finding.error}
    readable = [located.paths[image] for image in images if located.paths.get(image) in good]
    broken = [finding.error for finding in findings.values() if finding.error]
    report.problems += broken
    absent = sum(image not in located.paths for image in images)
    counted = f"{len(images)} listed, {len(readable)} readable"
    facts["images"] = f"{counted}, {absent} missing, {len(images) - len(readable) - absent} broken"
    references = [name for name in labels["reference"].unique() if name]
    if references:
        found = sum(located.paths.get(name) in good for name in references)
        facts["references"] = f"{found} of {len(references)} readable, linked to {(labels['reference'] != '').sum()} images"
    copies: defaultdict[str, list[str]] = defaultdict(list)
    for path in readable:
        copies[good[path].digest].append(path)
    twins = [paths for paths in copies.values() if len(paths) > 1]
    new = [paths for paths in twins if frozenset(Path(path).name for path in paths) not in known]
    facts["duplicates"] = f"{len(new)}" + (
        f" (and {len(twins) - len(new)} of the release itself)" if len(twins) > len(new) else ""
    )
    for paths in new:
        names = ", ".join(repr(path) for path in paths[:3])
        report.problems.append(f"the same file under {len(paths)} names: {names}; unpack the archive again")
    sizes = Counter(good[path].size for path in readable)
    listed = ", ".join(f"{width}×{height} ({count})" for (width, height), count in sizes.most_common(4))
    facts["sizes"] = listed + (f" and {len(sizes) - 4} more" if len(sizes) > 4 else "")
    modes = Counter(good[path].mode for path in readable)
    facts["colour modes"] = ", ".join(
        f"{mode} {count}" + ("" if mode == "RGB" else " (converted to RGB)") for mode, count in modes.most_common()
    )
    facts["turned by EXIF"] = f"{sum(good[path].is_turned for path in readable)}"
    facts["letter case"] = f"{len(located.renamed)} names differ from the list" if located.renamed else "as listed"


def render(report: Report) -> Group:
    """Lay a report out for a terminal.

    Args:
        report: Result of `check_benchmark`.
    """
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="bold", no_wrap=True)
    grid.add_column(overflow="fold")
    grid.add_row("root", escape(str(report.root)))
    for heading, text in report.facts.items():
        grid.add_row(heading, escape(text))
    bad = len(report.problems)
    verdict = f"[bold red]{bad} problem{'s' if bad > 1 else ''}" if bad else "[bold green]0 problems"
    frame = Panel(grid, title=f"[bold]{report.title}", subtitle=verdict, title_align="left", subtitle_align="left")
    lines = Table.grid(padding=(0, 1))
    lines.add_column(style="red", justify="right", no_wrap=True)
    lines.add_column(overflow="fold")
    for number, problem in enumerate(report.problems[:SHOWN], start=1):
        lines.add_row(f"{number}.", escape(problem))
    if bad > SHOWN:
        lines.add_row("", f"… and {bad - SHOWN} more")
    return Group(frame, lines) if bad else Group(frame)


def main(args: Sequence[str] | None = None) -> int:
    """Check that a benchmark on this disk is what its authors ship.

    Args:
        args: Words after the verb; `None`: use `sys.argv`.

    Returns:
        0 if all is well, 1 with the problems named; wrong usage exits with 2.
    """
    home = Path(os.environ.get("SDSIQA_DATA", "data"))
    parser = Arguments(
        prog="sdsiqa check-data",
        description="Check that a benchmark on this disk is what its authors ship: every file, score and pixel.",
    )
    parser.add_argument(
        "benchmark",
        metavar="BENCHMARK",
        help=f"{', '.join(BENCHMARKS)}; the path of a class, such as mypics.MyPics; or a data file",
    )
    parser.add_argument(
        "--root",
        type=any_path,
        metavar="FOLDER",
        help=f"its folder (default: where configs/data looks for it in {home}, which SDSIQA_DATA names)",
    )
    parser.add_jobs("processes that decode", min(8, os.cpu_count() or 1))
    parser.add_argument(
        "--short-side", type=at_least(1), metavar="N", help="as in the run's config; matters for KonIQ-10k's 512x384 only"
    )
    words = parser.parse_args(args)
    try:
        benchmark = benchmark_from_words(words.benchmark, words.root, home, words.short_side)
    except (BenchmarkNotFoundError, ClassNotFoundError, ValueError) as error:
        parser.error(str(error))
    signals.answer(signals.Answer.RAISE)
    report = check_benchmark(benchmark, words.jobs)
    # without a terminal there is no width to fit: long lines stay whole for grep
    console = Console() if Console().is_terminal else Console(width=120)
    console.print(render(report))
    return 1 if report.problems else 0
