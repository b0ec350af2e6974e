"""Every split by itself: three paired tests of each method against the baseline."""

import warnings
from collections.abc import Sequence

import numpy as np
import pandas as pd

from sdsiqa import metrics
from sdsiqa.metrics.agreement import AgreementWarning
from sdsiqa.metrics.logistic import TOLERANCE, Array
from sdsiqa.metrics.significance import holm, meng_rosenthal_rubin, pitman_morgan
from sdsiqa.report.comparisons import comparable, corrected, find_baseline, mark
from sdsiqa.report.context import ReportContext
from sdsiqa.report.result import Result, by_group, by_label, stem, title
from sdsiqa.report.statistics import Evidence
from sdsiqa.report.table import Table, number, signed

ORDER = 30
TESTS = ("bootstrap", "meng", "pitman")


def tables(context: ReportContext) -> list[Table]:
    """Test each method against a baseline on each test part by itself, on the same images.

    Args:
        context: Results of any methods; without a baseline there is no table.
    """
    made = []
    for group, some in by_group(context.results, is_cross=False).items():
        labels = by_label(some)
        base = find_baseline(labels, context.baseline)
        pairs = [
            (label, run, other)
            for label, runs in labels.items()
            if base is not None and label != base and comparable(runs, labels[base])
            for run in runs
            for other in labels[base]
            if run.split == other.split and (run.seed in (other.seed, "") or run.is_foreign)
        ]
        if base is not None and pairs:
            made.append(_table(group, base, pairs, context.evidence))
    return made


def residuals(result: Result) -> Array:
    """Errors after the logistic with four parameters, `(n,)` in quality units; raw errors if none could be fitted.

    Args:
        result: One result.
    """
    score, quality = (result.table[name].to_numpy(np.float64) for name in ("score", "quality"))
    return np.asarray(metrics.fit_logistic4(score, quality)(score) - quality)


def _table(group: str, base: str, pairs: Sequence[tuple[str, Result, Result]], evidence: Evidence) -> Table:
    rows: list[dict[str, object]] = []
    for label, run, other in pairs:
        score_a, score_b = run.table["score"], other.table["score"]
        drawn = evidence.difference([run], [other])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", AgreementWarning)  # NaN stands in the table; the main one has the reason
            closed = meng_rosenthal_rubin(score_a, score_b, run.table["quality"])
            left, right = residuals(run), residuals(other)
            # a fit ends where it gains no more than its tolerance of the squared error: residuals are known no better
            errors = pitman_morgan(left, right, float(np.sqrt(TOLERANCE) * max(left.std(), right.std())))
        facts = {"method": label, "baseline": base, "split": run.split, "seed": run.seed, "images": len(run.table)}
        found = {"srcc_difference": closed.difference, "bootstrap": drawn.verdict.p if drawn else float("nan")}
        rows.append({**facts, **found, "meng": closed.p, "error_difference": errors.difference, "pitman": errors.p})
    frame = pd.DataFrame(rows)
    for test in TESTS:
        frame[f"{test}_holm"] = holm(frame[test])
    cells = [
        [
            *(row["method"], row["split"], row["seed"], str(row["images"]), signed(row["srcc_difference"])),
            *(f"{number(row[f'{test}_holm'])} {mark(row['srcc_difference'], row[f'{test}_holm'])}" for test in TESTS[:2]),
            signed(row["error_difference"]),
            f"{number(row['pitman_holm'])} {mark(-row['error_difference'], row['pitman_holm'])}".strip(),
        ]
        for row in frame.to_dict("records")
    ]
    heads = ["method", "split", "seed", "images", "Δ SRCC", "p bootstrap", "p Meng-Rosenthal-Rubin", "Δ error", "p Pitman-Morgan"]
    notes = [
        f"Each split by itself, against {base} on the same images; p {corrected(len(frame))} a column. "
        "Δ error: standard deviation of the errors after the logistic 4, in quality units; less is better.",
        "One split says nothing of training again on another: the main table does.",
    ]
    name = title(pairs[0][1].benchmark)
    return Table(f"tests-{stem(group)}", f"Paired tests against {base}: {name}, {group}", heads, cells, notes, frame=frame)
