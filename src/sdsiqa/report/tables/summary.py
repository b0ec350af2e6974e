"""Every method on a benchmark, over its splits: the main table."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from sdsiqa.benchmarks import BENCHMARKS
from sdsiqa.benchmarks.base import Benchmark
from sdsiqa.report.comparisons import comparable, corrected, find_baseline, is_ranked, mark, verdicts
from sdsiqa.report.context import ReportContext
from sdsiqa.report.finding import finding
from sdsiqa.report.footnotes import Marks
from sdsiqa.report.power import power_note
from sdsiqa.report.result import Blank, Result, by_group, by_label, label_of, stem, title
from sdsiqa.report.rows import mean_of, runs_of, warnings_of, why_no_interval
from sdsiqa.report.statistics import FEW, Difference, Evidence, Spread
from sdsiqa.report.table import Table, about_dashes, number, signed, span

ORDER = 10
NAN = float("nan")
OTHERS = {
    "plcc_fit": "PLCC (logistic 4)",
    "plcc_fit5": "PLCC (logistic 5)",
    "krcc": "KRCC",
    "rmse_mos": "RMSE ({} scale, logistic 4)",
    "outliers": "outliers",
}


def tables(context: ReportContext) -> list[Table]:
    """Make the table of each benchmark: mean, standard deviation, median and interval; marks against a baseline.

    Tests on benchmarks never seen in training are left to the cross-dataset matrix.

    Args:
        context: Results of any methods.
    """
    groups = by_group(context.results, is_cross=False).items()
    return [_table(group, by_label(some), context.evidence, context.baseline, context.blanks) for group, some in groups]


def _table(
    group: str, labels: Mapping[str, Sequence[Result]], evidence: Evidence, baseline: str | None, blanks: Sequence[Blank]
) -> Table:
    marks, first = Marks(), next(iter(labels.values()))[0]
    base = find_baseline(labels, baseline)
    against = verdicts(labels, base, evidence) if base else {}
    spreads = {label: {m: evidence.spread(some, m) for m in ("srcc", "plcc")} for label, some in labels.items()}
    everywhere = {result.split for some in labels.values() for result in some}
    cells, rows = [], []
    for label, some in labels.items():
        srcc, plcc = spreads[label]["srcc"], spreads[label]["plcc"]
        means = {name: evidence.mean(some, name) for name in OTHERS}
        difference, p = against.get(label, (None, NAN))
        note = warnings_of(some, srcc, everywhere, evidence, marks)
        verdict = (
            [] if base is None else [_verdict(label == base, difference, p) if comparable(some, labels[base]) else "not ranked"]
        )
        cells.append(
            [
                *(label, runs_of(some), mean_of(srcc) + note, number(srcc.median), span(srcc.low, srcc.high)),
                *(*verdict, mean_of(plcc), number(plcc.median), span(plcc.low, plcc.high)),
                *(number(means[name]) for name in OTHERS if name != "outliers"),
                *([number(means["outliers"])] if _has_outliers(labels, evidence) else []),
            ]
        )
        rows.append(
            {
                "method": some[0].method,
                "ablation": some[0].ablation,
                "group": group,
                "runs": len(some),
                **_flat("srcc", srcc),
                **_flat("plcc", plcc),
                **{f"{name}_mean": value for name, value in means.items()},
                **_compared(base, difference, p),
            }
        )
    opinion = BENCHMARKS.get(first.benchmark, Benchmark).opinion
    heads = ["method", "runs", "SRCC", "median", "95 %", *([] if base is None else [f"Δ to {base}"])]
    heads += ["PLCC (raw)", "median", "95 %", *(OTHERS[name].format(opinion) for name in OTHERS if name != "outliers")]
    heads += [OTHERS["outliers"]] if _has_outliers(labels, evidence) else []
    there = {(some[0].method, some[0].ablation) for some in labels.values()}
    absent = [blank for blank in blanks if blank.benchmark == first.benchmark and blank.variant not in there]
    cells += [[label_of(*blank.variant), "–" + marks.add(blank.reason), *["–"] * (len(heads) - 2)] for blank in absent]
    proxy = "labels are a proxy, not human opinion" if first.benchmark == "demo" else ""
    notes = [*marks.notes, *([f"{title(first.benchmark)}: {proxy}."] if proxy else []), *_legend(spreads, base, against)]
    verdicts_low = [found.low for found in (some.verdict for some, _ in against.values()) if found.difference == found.difference]
    notes += about_dashes(*(spread.low for both in spreads.values() for spread in both.values()), *verdicts_low)
    strong = _best(spreads, everywhere, labels, 2, 5 if base is None else 6)
    return Table(f"benchmark-{stem(group)}", f"{title(first.benchmark)}, {group}", heads, cells, notes,
                 strong, pd.DataFrame(rows), texts=2, lead=power_note(against), found=finding(against, base or ""))  # fmt: skip


def _flat(name: str, spread: Spread) -> dict[str, object]:
    ends = {f"{name}_low": spread.low, f"{name}_high": spread.high, f"{name}_interval": spread.how}
    return {f"{name}_mean": spread.mean, f"{name}_sd": spread.sd, f"{name}_median": spread.median, **ends}


def _compared(base: str | None, difference: Difference | None, p: float) -> dict[str, object]:
    if base is None:
        return {}
    verdict = difference.verdict if difference else None
    return {
        "baseline": base,
        "difference": verdict.difference if verdict else NAN,
        "difference_low": verdict.low if verdict else NAN,
        "difference_high": verdict.high if verdict else NAN,
        "p": verdict.p if verdict else NAN,
        "p_holm": p,
        "test": verdict.test if verdict else "",
    }


def _verdict(is_baseline: bool, difference: Difference | None, p: float) -> str:
    if is_baseline:
        return "baseline"
    if difference is None:
        return "no common split"
    found = difference.verdict
    if found.difference != found.difference:
        return "NaN"
    return f"{signed(found.difference)} {span(found.low, found.high)} {mark(found.difference, p)}".strip()


def _has_outliers(labels: Mapping[str, Sequence[Result]], evidence: Evidence) -> bool:
    return any(np.isfinite(evidence.figures(run)["outliers"]) for some in labels.values() for run in some)


def _best(
    spreads: Mapping[str, Mapping[str, Spread]], everywhere: set[str], labels: Mapping[str, Sequence[Result]], *columns: int
) -> frozenset[tuple[int, int]]:
    """Set the best mean in bold, among those over all splits that learned for long enough, if there are several."""
    whole = [place for place, some in enumerate(labels.values()) if {run.split for run in some} == everywhere and is_ranked(some)]
    strong = set()
    for measure, column in zip(("srcc", "plcc"), columns, strict=True):
        known = {place: mean for place in whole if (mean := list(spreads.values())[place][measure].mean) == mean}
        if len(known) > 1:
            strong.add((max(known, key=lambda place: known[place]), column))
    return frozenset(strong)


def _legend(
    spreads: Mapping[str, Mapping[str, Spread]], base: str | None, against: Mapping[str, tuple[Difference, float]]
) -> list[str]:
    """Say how intervals and marks were made."""
    found = [spread["srcc"] for spread in spreads.values()]
    lines = [
        "Mean ± standard deviation over splits; PLCC is raw unless it says logistic; RMSE and outliers are after the logistic 4."
    ]
    if any(spread.how == "corrected t" for spread in found):
        lines.append("95 % over several splits: of the mean, by the corrected resampled t.")
    drawn = [spread.units for spread in found if spread.how == "bootstrap" and spread.low == spread.low]
    if drawn:
        few = f"; {min(drawn)} units are few, and such intervals too narrow" if min(drawn) < FEW else ""
        lines.append(f"95 % on one split: bootstrap of contents, or of images where each is its own{few}.")
    lines += why_no_interval(found)
    if against:
        tests = sorted({difference.verdict.test for difference, _ in against.values()})
        lines.append(
            f"▲ better, ▼ worse than {base}, ≈ inside the noise: SRCC on the same images, {' and '.join(tests)}, "
            f"5 % {corrected(sum(p == p for _, p in against.values()))}."
        )
    return lines
