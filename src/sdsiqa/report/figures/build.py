"""Figures of a report, drawn from score tables and, where the images are at hand, from images."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from sdsiqa.benchmarks import BENCHMARKS
from sdsiqa.benchmarks.base import Benchmark
from sdsiqa.files import write_bytes
from sdsiqa.metrics.correlation import is_constant
from sdsiqa.report.figures.images import ImageFinder
from sdsiqa.report.result import FULL, Result, by_group, by_label, stem, title
from sdsiqa.report.statistics import Evidence
from sdsiqa.report.table import Table

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MANY = 12
"""Methods on a benchmark beyond which only full ones get scatters and sheets: the others would be hundreds of files."""

SHARP = 240
"""Pixels of the long side of an image on a sheet, about as many as are printed."""

WORST = 12
"""Images on a sheet of largest errors."""


@dataclass(frozen=True)
class Drawing:
    """A figure that is drawn when it is wanted.

    Args:
        name: Stem of its files.
        caption: What it shows.
        draw: Draws it.
    """

    name: str
    caption: str
    draw: "Callable[[], Figure]"


def drawings(results: Sequence[Result], evidence: Evidence, tables: Sequence[Table], images: ImageFinder) -> Iterator[Drawing]:
    """Name every figure that the results have something for.

    Args:
        results: Of any methods.
        evidence: Their measures.
        tables: Those of the report: bars and the heat map show their numbers.
        images: Where images are.
    """
    from sdsiqa import plots  # half a second of imports that `--help` does without

    own = by_group(results, is_cross=False)
    for table in tables:
        if table.name.startswith("ablation-"):
            yield Drawing(f"bars-{table.name}", table.title, lambda table=table: _bars(table))  # type: ignore[misc]
        elif table.name == "cross":
            yield Drawing("heat-cross", table.title, lambda table=table: _heat(table))  # type: ignore[misc]
    spread = _spread(own, evidence)
    if len(spread) > spread.groupby(["benchmark", "method"]).ngroups:
        yield Drawing("box-srcc", "SRCC over splits", lambda: plots.box_over_splits(spread, title="SRCC over splits"))
    for group, some in own.items():
        labels = by_label(some)
        for label, runs in labels.items():
            if len(labels) <= MANY or runs[0].ablation == FULL:
                yield from _of_method(f"{stem(group)}-{stem(label)}", label, runs[0], images)
            if runs[0].ablation == FULL:
                yield from _over_splits(f"{stem(group)}-{stem(label)}", label, runs)


def copy_panels(results: Sequence[Result], folder: Path) -> list[tuple[str, str]]:
    """Copy what the networks looked at, which each run drew when it was tested: one run per method and benchmark.

    Args:
        results: Of any methods.
        folder: Where to.

    Returns:
        Stem and caption of each figure.
    """
    copied = []
    for group in sorted({result.group for result in results}):
        for label, runs in by_label([result for result in results if result.group == group]).items():
            first, name = runs[0], f"panel-{stem(group)}-{stem(label)}"
            source = first.file.parent.parent / "figures" / f"panel-{first.benchmark}-{first.part}.png"
            if not source.exists():
                continue
            for suffix in (".png", ".pdf"):
                if source.with_suffix(suffix).exists():
                    write_bytes(folder / f"{name}{suffix}", source.with_suffix(suffix).read_bytes())
            copied.append(
                (name, f"What {label} looks at: {first.group}, split {first.split}; three smallest errors, three largest")
            )
    return copied


def predicted_mos(result: Result) -> "np.ndarray[tuple[int], np.dtype[np.float64]]":
    """Bring scores to the authors' scale and direction, by the line that ties quality to MOS, `(n,)`.

    Args:
        result: One result.
    """
    quality, mos, score = (result.table[name].to_numpy(np.float64) for name in ("quality", "mos", "score"))
    if is_constant(quality):
        return score
    slope, offset = np.polyfit(quality, mos, 1)
    return np.asarray(slope * score + offset)


def worst(result: Result, count: int = WORST) -> pd.DataFrame:
    """Give the rows with the largest errors, the largest first.

    Args:
        result: One result.
        count: How many.
    """
    table = result.table.assign(error=(result.table["score"] - result.table["quality"]).abs())
    known: pd.DataFrame = table[np.isfinite(table["error"])]
    return known.sort_values("error", ascending=False, kind="stable").head(count)


def _of_method(name: str, label: str, result: Result, images: ImageFinder) -> Iterator[Drawing]:
    from sdsiqa import plots

    kind = BENCHMARKS.get(result.benchmark, Benchmark)
    opinion, axes = kind.opinion, kind.axes_labels()
    mos, predicted = result.table["mos"].to_numpy(np.float64), predicted_mos(result)
    kinds = result.table["distortion"].tolist()
    above = plots.heading(label, title(result.benchmark), result.part, result.split, result.seed)
    heading = above.replace("\n", ", ")
    several = len(set(kinds)) > 1
    yield Drawing(
        f"scatter-{name}",
        f"{heading}: {opinion} against score",
        lambda: plots.scatter(
            predicted, mos, title=above, distortion=kinds if several else None, label=opinion, axes_labels=axes
        ),
    )
    if several:
        yield Drawing(
            f"scatter-distortions-{name}",
            f"{heading}: each distortion",
            lambda: plots.scatter_grid(predicted, mos, kinds, title=heading, label=opinion, axes_labels=axes),
        )
    if images.has(result.benchmark) and len(worst(result)):
        yield Drawing(f"worst-{name}", f"{heading}: largest errors", lambda: _sheet(result, heading, opinion, images))


def _over_splits(name: str, label: str, runs: Sequence[Result]) -> Iterator[Drawing]:
    """A panel for each split, never one for all: their test parts share images."""
    from sdsiqa import plots

    first = runs[0]
    panels = list({f"split {run.split}": run for run in reversed(runs) if run.seed == first.seed}.items())
    if len(panels) < 2:
        return
    kind = BENCHMARKS.get(first.benchmark, Benchmark)
    heading = plots.heading(label, title(first.benchmark), first.part, "", first.seed).replace("\n", ", ")
    yield Drawing(
        f"scatter-splits-{name}",
        f"{heading}: {kind.opinion} against score, split by split",
        lambda: plots.scatter_grid(
            np.concatenate([predicted_mos(run) for _, run in panels]),
            np.concatenate([run.table["mos"].to_numpy(np.float64) for _, run in panels]),
            [panel for panel, run in panels for _ in range(len(run.table))],
            title=heading,
            label=kind.opinion,
            axes_labels=kind.axes_labels(),
        ),
    )


def _sheet(result: Result, heading: str, opinion: str, images: ImageFinder) -> "Figure":
    from sdsiqa import plots

    prints = []
    shown = result.table.assign(predicted=predicted_mos(result)).set_index("image")
    for image in worst(result)["image"]:
        row = shown.loc[image]
        digits = 1 if max(abs(row["mos"]), abs(row["predicted"])) >= 10 else 3
        kind = " ".join(str(part) for part in (row["distortion"], row["level"]) if part not in ("", -1))
        numbers = f"predicted {row['predicted']:.{digits}f}, {opinion} {row['mos']:.{digits}f}"
        prints.append(
            plots.Print(images.thumbnail(result.benchmark, image, SHARP), f"{numbers}\n{_short(image)} {kind}".rstrip())
        )
    return plots.contact_sheet(prints, title=f"{heading}: largest errors")


def _short(image: str) -> str:
    name = image.rsplit("/", 1)[-1]
    return name if len(name) <= 24 else f"{name[:11]}…{name[-12:]}"


def _bars(table: Table) -> "Figure":
    from sdsiqa import plots

    frame = table.frame[table.frame["ablation"] != FULL]
    bars = pd.DataFrame(
        {
            "name": frame["ablation"],
            **{name: frame[name].astype(float) for name in ("difference", "low", "high")},
            "is_significant": frame["verdict"].isin(("better", "worse")),
        }
    )
    return plots.difference_bars(bars, title=table.title)


def _heat(table: Table) -> "Figure":
    from sdsiqa import plots

    frame = table.frame.assign(row=table.frame["method"] + " ← " + table.frame["trained_on"].replace("", "–"))
    matrix = frame.pivot_table(index="row", columns="tested_on", values="srcc", sort=False, dropna=False)
    places = {(row, column) for row, column, is_own in frame[["row", "tested_on", "is_own"]].to_numpy().tolist() if is_own}
    outlined = frozenset((matrix.index.get_loc(row), matrix.columns.get_loc(column)) for row, column in places)
    return plots.heat_map(matrix, title="SRCC across benchmarks (framed: own test part)", outlined=outlined)  # type: ignore[arg-type]


def _spread(own: dict[str, list[Result]], evidence: Evidence) -> pd.DataFrame:
    rows = [
        {"benchmark": group, "method": label, "srcc": evidence.figures(run)["srcc"]}
        for group, some in own.items()
        for label, runs in by_label(some).items()
        for run in runs
    ]
    return pd.DataFrame(rows, columns=["benchmark", "method", "srcc"])
