"""Published numbers beside reproduced ones: each in columns of its own, with what is known of its protocol."""

import csv as csv_reader
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import pandas as pd

from sdsiqa.errors import BenchmarkMismatchError, BenchmarkNotFoundError
from sdsiqa.report.result import FULL, Result, by_label
from sdsiqa.report.statistics import Evidence
from sdsiqa.report.table import Table, number
from sdsiqa.report.tables.distortions import split_by
from sdsiqa.report.tables.reproduced import MADE, PAPER, how

COLUMNS: Final = ("source", "table", "method", "train_set", "test_set", "distortion", "plcc", "srcc", "protocol_note")


def read_quoted(path: Path) -> list[dict[str, str]]:
    """Read published numbers.

    Args:
        path: A CSV file such as `results/quoted.csv`, a row per number or pair of them.

    Returns:
        Its rows by column; numbers as they were printed, blank where the source has none.

    Raises:
        BenchmarkNotFoundError: There is no such file.
        BenchmarkMismatchError: A column is missing, a number is none, or a row has no source.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except FileNotFoundError as error:
        raise BenchmarkNotFoundError(f"{path} does not exist; the project's own is results/quoted.csv") from error
    reader = csv_reader.DictReader(lines, strict=True)
    missing = [name for name in COLUMNS if name not in (reader.fieldnames or ())]
    if missing:
        raise BenchmarkMismatchError(f"{path} lacks the column {missing[0]!r}; expected {', '.join(COLUMNS)}")
    rows = []
    for place, row in enumerate(reader, start=2):
        for name in ("plcc", "srcc"):
            if row[name] and not (re.fullmatch(r"-?\d*\.?\d+", row[name]) and abs(float(row[name])) <= 1):
                raise BenchmarkMismatchError(f"{path}, line {place}: {name} is {row[name]!r}; expected a correlation, or nothing")
        if not row["source"]:
            raise BenchmarkMismatchError(f"{path}, line {place}: source is empty; a number without a source is not quoted")
        rows.append({name: row[name] or "" for name in COLUMNS})
    return rows


def quoted_table(results: Sequence[Result], evidence: Evidence, quoted: Sequence[Mapping[str, str]]) -> Table | None:
    """Set published numbers beside ours of the same method, benchmarks and distortion; `None` if nothing matches.

    The rows of the paper's own tables are all there, whatever was run; others where we have the pair of benchmarks.

    Args:
        results: Of any methods.
        evidence: Their measures.
        quoted: As `read_quoted` gives them.
    """
    ours = _ours(results, evidence)
    trained = {key[1:3] for key in ours}
    seen = {name for pair in trained for name in pair}
    lines, rows, matched = [], [], False
    for row in quoted:
        method, train, test = (plain(row[name]) for name in ("method", "train_set", "test_set"))
        is_here = (train or test, test) in trained
        if not is_here and not row["source"].startswith(PAPER):
            continue
        matched |= is_here
        made = MADE.get(method)
        key = (train or test, test, plain(row["distortion"]))
        names = [method, *([made.name, plain(made.title)] if made else [])]
        own = next((ours[name, *key] for name in names if (name, *key) in ours), None)
        by = how(method, *key, seen) if own is None else made.title if made else row["method"]
        shown = (row["method"], row["train_set"] or "–", row["test_set"], row["distortion"] or "all")
        lines.append([*shown, row["srcc"], row["plcc"], *_two(own), by, row["source"], row["protocol_note"]])
        mean = (float("nan"), float("nan")) if own is None else own
        rows.append({**row, "our_srcc": mean[0], "our_plcc": mean[1], "reproduced_by": by})
    if not matched:
        return None
    notes = [
        "Quoted numbers are the authors' or copied by others: other splits, other ways to choose the epoch, PLCC with or "
        "without a fit. They show the neighbourhood, and rank nothing.",
        "Ours: mean over our splits, PLCC raw, by the method named beside it; a reconstruction, or what stands in for a method "
        "that could not be identified, is not the authors' own. Where this report has no run of it, the command makes one.",
    ]
    heads = ["method", "trained on", "tested on", "distortion", "quoted SRCC", "quoted PLCC", "our SRCC", "our PLCC (raw)"]
    return Table(
        "quoted", "Published numbers (quoted) beside ours", [*heads, "reproduced by", "source", "protocol note"], lines, notes,
        frame=pd.DataFrame(rows), texts=4, last_texts=3,
    )  # fmt: skip


def plain(name: str) -> str:
    """Reduce a name to letters and digits in lower case, so that `DB-CNN` is `dbcnn`, and drop a size behind a benchmark.

    Args:
        name: In any spelling.
    """
    return re.sub(r"[^a-z0-9]", "", re.sub(r"\(.*\)$", "", name.strip()).lower())


def _ours(results: Sequence[Result], evidence: Evidence) -> dict[tuple[str, str, str, str], tuple[float, float]]:
    """Mean SRCC and PLCC by method, trained on, tested on, distortion; full methods alone."""
    found = {}
    full = [result for result in results if result.ablation == FULL]
    for label, some in by_label(full).items():
        for train, group in sorted({(result.trained_on, result.group) for result in some}):
            own = [result for result in some if (result.trained_on, result.group) == (train, group)]
            cut = {"": own, **split_by(own, "distortion")}
            for name, part in cut.items():
                means = (evidence.quick_mean(part, "srcc"), evidence.quick_mean(part, "plcc"))
                found[plain(label), train or own[0].benchmark, own[0].benchmark, plain(name)] = means
    return found


def _two(values: tuple[float, float] | None) -> list[str]:
    return ["", ""] if values is None else [number(value) for value in values]
