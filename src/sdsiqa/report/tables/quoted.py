"""Published numbers beside reproduced ones: each in columns of its own, with what is known of its protocol."""

import re
from collections.abc import Sequence
from typing import NamedTuple

import pandas as pd

from sdsiqa.report.comparisons import is_ranked
from sdsiqa.report.context import ReportContext
from sdsiqa.report.reproduced import MADE, PAPER, how
from sdsiqa.report.result import FULL, Result, by_kind, by_label
from sdsiqa.report.statistics import Evidence
from sdsiqa.report.table import Table, number

ORDER = 60


class _Own(NamedTuple):
    """Our means of a method, and what must be said beside its name."""

    srcc: float
    plcc: float
    note: str


def tables(context: ReportContext) -> list[Table]:
    """Set published numbers beside ours of the same method, benchmarks and distortion; empty if nothing matches.

    The rows of the paper's own tables are all there, whatever was run; others where we have the pair of benchmarks.

    Args:
        context: Results of any methods, and published numbers.
    """
    ours = _ours(context.results, context.evidence)
    trained = {key[1:3] for key in ours}
    seen = {name for pair in trained for name in pair}
    lines, rows, matched = [], [], False
    for row in context.published:
        method, train, test = (plain(row[name]) for name in ("method", "train_set", "test_set"))
        is_here = (train or test, test) in trained
        if not is_here and not row["source"].startswith(PAPER):
            continue
        matched |= is_here
        made = MADE.get(method)
        key = (train or test, test, plain(row["distortion"]))
        names = [method, *([made.name, plain(made.title)] if made else [])]
        own = next((ours[name, *key] for name in names if (name, *key) in ours), None)
        by = how(method, *key, seen) if own is None else (made.title if made else row["method"]) + own.note
        shown = (row["method"], row["train_set"] or "–", row["test_set"], row["distortion"] or "all")
        both = ["", ""] if own is None else [number(own.srcc), number(own.plcc)]
        lines.append([*shown, row["srcc"], row["plcc"], *both, by, row["source"], row["protocol_note"]])
        means = (float("nan"), float("nan")) if own is None else (own.srcc, own.plcc)
        rows.append({**row, "our_srcc": means[0], "our_plcc": means[1], "reproduced_by": by})
    if not matched:
        return []
    notes = [
        "Quoted numbers are the authors' or copied by others: other splits, other ways to choose the epoch, PLCC with or "
        "without a fit. They show the neighbourhood, and rank nothing.",
        "Ours: mean over our splits, PLCC raw, by the method named beside it; a reconstruction, or what stands in for a method "
        "that could not be identified, is not the authors' own. Where this report has no run of it, the command makes one.",
    ]
    heads = ["method", "trained on", "tested on", "distortion", "quoted SRCC", "quoted PLCC", "our SRCC", "our PLCC (raw)"]
    table = Table(
        "quoted", "Published numbers (quoted) beside ours", [*heads, "reproduced by", "source", "protocol note"], lines, notes,
        frame=pd.DataFrame(rows), texts=4, last_texts=3,
    )  # fmt: skip
    return [table]


def plain(name: str) -> str:
    """Reduce a name to letters and digits in lower case, so that `DB-CNN` is `dbcnn`, and drop a size behind a benchmark.

    Args:
        name: In any spelling.
    """
    return re.sub(r"[^a-z0-9]", "", re.sub(r"\(.*\)$", "", name.strip()).lower())


def _ours(results: Sequence[Result], evidence: Evidence) -> dict[tuple[str, str, str, str], _Own]:
    """What we have by method, trained on, tested on, distortion; full methods alone."""
    found = {}
    full = [result for result in results if result.ablation == FULL]
    for label, some in by_label(full).items():
        for train, group in sorted({(result.trained_on, result.group) for result in some}):
            own = [result for result in some if (result.trained_on, result.group) == (train, group)]
            cut = {"": own, **by_kind(own, "distortion")}
            for name, part in cut.items():
                means = (evidence.quick_mean(part, "srcc"), evidence.quick_mean(part, "plcc"))
                note = "" if is_ranked(part) else ", under-trained"
                found[plain(label), train or own[0].benchmark, own[0].benchmark, plain(name)] = _Own(*means, note)
    return found
