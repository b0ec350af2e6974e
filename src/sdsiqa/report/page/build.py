"""One self-contained HTML page: runs, scores of every image, the images behind them, tables and figures.

The scatter is drawn on a canvas by some three hundred lines of plain JavaScript that lie beside this file. A charting
library was weighed and left out: Plotly's bundle adds more than 4 MB to every page and to every committed result, Vega-Lite with
its runtime most of one, and what is needed is one kind of plot with hover, click and zoom. The page names no address, and its
content policy forbids it to.
"""

import base64
import html
import json
import warnings
from collections.abc import Callable, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from sdsiqa import metrics
from sdsiqa.benchmarks import BENCHMARKS
from sdsiqa.benchmarks.base import Benchmark
from sdsiqa.images import read_image, webp
from sdsiqa.metrics.correlation import is_constant
from sdsiqa.report.figures.images import ImageFinder
from sdsiqa.report.page.pictures import Pictures, pictures
from sdsiqa.report.result import Result
from sdsiqa.report.statistics import Evidence
from sdsiqa.report.table import Table, html_table

SCRIPTS = ("runs.js", "scatter.js", "detail.js")
MEASURES = ("srcc", "plcc", "plcc_fit", "krcc", "rmse")
FIGURES = 8 << 20
"""Bytes of all figures in the page; it grows by four thirds of it."""

LOSSLESS, PHOTOGRAPHS = 101, 90
"""Of WebP; OpenCV takes a quality above 100 for none of its losses."""

DIGITS = 5
"""Of scores and labels: a pixel of the scatter is a hundredth of that."""


def page(
    results: Sequence[Result],
    evidence: Evidence,
    tables: Sequence[Table],
    images: ImageFinder,
    figures: Sequence[tuple[Path, str]] = (),
    tick: Callable[[str], None] = lambda _: None,
) -> str:
    """Build the page.

    Args:
        results: Of any methods.
        evidence: Their measures.
        tables: Shown below the runs.
        images: Where images are; without them a point shows its numbers alone.
        figures: PNG files and their captions.
        tick: Called with a line before each longer step.
    """
    known = _images(results)
    tick("pictures")
    here = [name for name in known if images.has(name)]
    made = {
        name: pictures(name, known[name]["image"].tolist(), _errors(name, known[name], results), images, tick, len(here))
        for name in here
    }
    web = files("sdsiqa.report") / "web"
    parts = {
        "/* STYLE */": (web / "page.css").read_text(encoding="utf-8"),
        "/* SCRIPT */": "\n".join((web / name).read_text(encoding="utf-8") for name in SCRIPTS),
        "/* DATA */": _json(data_of(results, evidence, known)),
        "<!-- TABLES -->": "".join(html_table(table) for table in tables),
        "<!-- PICTURES -->": "".join(_blocks(name, found) for name, found in made.items() if found is not None),
        "<!-- FIGURES -->": _figures(figures),
    }
    text = (web / "page.html").read_text(encoding="utf-8")
    # from the last mark to the first, so that no content is searched for marks
    for mark, content in sorted(parts.items(), key=lambda part: -text.index(part[0])):
        before, _, after = text.partition(mark)
        text = before + content + after
    return text


def data_of(results: Sequence[Result], evidence: Evidence, known: dict[str, pd.DataFrame]) -> dict[str, Any]:
    """Collect what the page's scripts read: runs, the images of each benchmark once, sets of images once.

    Args:
        results: Of any methods.
        evidence: Their measures.
        known: The images of each benchmark.
    """
    places = {name: {image: place for place, image in enumerate(some["image"])} for name, some in known.items()}
    sets: dict[tuple[int, ...], int] = {}
    runs = []
    for result in results:
        own = tuple(places[result.benchmark][image] for image in result.table["image"])
        figures, score = evidence.figures(result), result.table["score"].to_numpy(np.float64)
        runs.append(
            {
                **{name: getattr(result, name) for name in ("label", "method", "ablation", "group", "benchmark", "trained_on")},
                "split": result.split,
                "seed": result.seed,
                "n": len(own),
                "fault": evidence.fault(result),
                **{name: _value(figures[name]) for name in MEASURES},
                "minutes": _value(result.minutes),
                "fit": _fit(result),
                "set": sets.setdefault(own, len(sets)),
                "score": [_value(value, DIGITS) for value in score],
            }
        )
    methods = len({result.label for result in results})
    counts = ((len(results), "score table"), (methods, "method"), (len(known), "benchmark"))
    tables, named, where = (f"{count} {word}{'' if count == 1 else 's'}" for count, word in counts)
    counted = f"{tables} of {named} on {where}"
    return {
        "overview": f"{counted}. Quality and scores are in [0, 1], higher is better; plots are on the authors' scale.",
        "runs": runs,
        "sets": [list(own) for own in sets],
        "images": {name: _columns(name, some) for name, some in known.items()},
    }


def _images(results: Sequence[Result]) -> dict[str, pd.DataFrame]:
    """Every image of each benchmark that some result scored, once."""
    columns = ["image", "content", "distortion", "level", "mos", "quality"]
    return {
        name: pd.concat([result.table[columns] for result in results if result.benchmark == name])
        .drop_duplicates("image")
        .sort_values("image", kind="stable")
        .reset_index(drop=True)
        for name in sorted({result.benchmark for result in results})
    }


def _errors(name: str, some: pd.DataFrame, results: Sequence[Result]) -> list[float]:
    """Mean absolute error of each image over all results: the worst are the ones that people look at."""
    tables = [result.table for result in results if result.benchmark == name]
    errors = pd.concat([(table["score"] - table["quality"]).abs().set_axis(table["image"]) for table in tables])
    return [float(value) for value in errors.groupby(level=0).mean().reindex(some["image"]).fillna(0)]


def _columns(name: str, some: pd.DataFrame) -> dict[str, Any]:
    kinds, kind = sorted(some["distortion"].unique()), BENCHMARKS.get(name, Benchmark)
    quality, mos = (some[name].to_numpy(np.float64) for name in ("quality", "mos"))
    slope, offset = (1.0, 0.0) if is_constant(quality) else np.polyfit(quality, mos, 1)
    has_contents = bool((some["content"] != some["image"].str.rsplit("/", n=1).str[-1]).any())
    return {
        "opinion": kind.opinion,
        "axes": kind.axes_labels(),
        "line": [float(slope), float(offset)],
        "name": some["image"].tolist(),
        "content": some["content"].tolist() if has_contents else None,
        "mos": [round(float(value), DIGITS) for value in some["mos"]],
        "quality": [round(float(value), DIGITS) for value in some["quality"]],
        "distortions": kinds,
        "distortion": [kinds.index(each) for each in some["distortion"]] if len(kinds) > 1 else None,
        "level": [int(level) for level in some["level"]] if (some["level"] >= 0).any() else None,
    }


def _fit(result: Result) -> list[float] | None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", metrics.AgreementWarning)
        fit = metrics.fit_logistic4(result.table["score"], result.table["quality"])
    return None if fit.which == "raw" else [float(value) for value in fit.parameters]


def _value(value: float, digits: int = 6) -> float | None:
    """JSON knows no NaN."""
    return round(float(value), digits) if np.isfinite(value) else None


def _json(content: Any) -> str:
    """Write JSON that cannot end the script element it stands in."""
    return json.dumps(content, separators=(",", ":"), ensure_ascii=False, allow_nan=False).replace("<", "\\u003c")


def _blocks(name: str, found: Pictures) -> str:
    """Pictures of a benchmark, each kind in an element of its own, read when the first of them is wanted."""
    return "".join(
        f'<script type="application/json" id="{which}-{name}">{_json(content)}</script>'
        for which, content in (("whole", found.whole), ("parts", found.parts))
    )


def _figures(figures: Sequence[tuple[Path, str]]) -> str:
    """Figures as WebP with their captions, until the budget is spent; the rest by name."""
    made, left, spent = [], [], 0
    for file, caption in figures:
        data = _figure(file)
        if spent + len(data) > FIGURES:
            left.append(f"<li>{html.escape(caption)} (<code>figures/{html.escape(file.name)}</code>)</li>")
            continue
        spent += len(data)
        made.append(
            f'<figure><img loading="lazy" alt="{html.escape(caption)}" src="data:image/webp;base64,'
            f'{base64.b64encode(data).decode()}"><figcaption>{html.escape(caption)}</figcaption></figure>'
        )
    if not made and not left:
        return ""
    more = f'<p class="hint">Beside this page, for its size:</p><ul class="notes">{"".join(left)}</ul>' if left else ""
    return f'<section id="figures"><h2>Figures</h2><div class="figures">{"".join(made)}</div>{more}</section>'


def _figure(file: Path) -> bytes:
    """Code a figure: without loss, or finely where photographs would make that large."""
    pixels = read_image(file)
    quality = PHOTOGRAPHS if file.name.startswith(("worst-", "panel-")) else LOSSLESS
    return webp(pixels, quality)
