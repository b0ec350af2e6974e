"""What each part of a method is worth: ablations against the full method, on the same images."""

import pandas as pd

from sdsiqa.metrics.significance import Comparison
from sdsiqa.report.comparisons import corrected, verdicts
from sdsiqa.report.context import ReportContext
from sdsiqa.report.finding import finding
from sdsiqa.report.footnotes import Marks
from sdsiqa.report.power import power_note, seeds_note, visible
from sdsiqa.report.result import FULL, Result, by_group, by_label, stem, title
from sdsiqa.report.rows import runs_of, warnings_of
from sdsiqa.report.statistics import SIGNIFICANT, Difference, Evidence
from sdsiqa.report.table import Table, about_dashes, number, signed, span

ORDER = 20
FEW_SPLITS = 3


def tables(context: ReportContext) -> list[Table]:
    """Make, per benchmark and method that has ablations, the table of differences to the full method.

    Args:
        context: Results of any methods.
    """
    made = []
    for group, some in by_group(context.results, is_cross=False).items():
        for method in sorted({result.method for result in some}):
            labels = by_label([result for result in some if result.method == method])
            ablations = {own[0].ablation for own in labels.values()}
            if FULL in ablations and len(ablations) > 1:
                made.append(_table(group, method, labels, context.evidence))
    return made


def _table(group: str, method: str, labels: dict[str, list[Result]], evidence: Evidence) -> Table:
    marks, rows, cells = Marks(), [], []
    base = next(label for label, some in labels.items() if some[0].ablation == FULL)
    against = verdicts(labels, base, evidence)
    seen = visible(against)
    averaged = {label: evidence.of_averaged_scores(some, labels[base]) for label, some in labels.items() if label != base}
    is_averaged = any(averaged.values())
    everywhere = {result.split for some in labels.values() for result in some}
    for label, some in labels.items():
        srcc, plcc = evidence.spread(some, "srcc"), evidence.spread(some, "plcc")
        note = warnings_of(some, srcc, everywhere, evidence, marks)
        mean = number(srcc.mean) + ("" if srcc.sd != srcc.sd else f" ± {number(srcc.sd)}") + note
        difference, p = against.get(label, (None, float("nan")))
        linear = evidence.difference(some, labels[base], "plcc") if label != base else None
        cells.append(
            [
                *(some[0].ablation, runs_of(some), mean),
                *_difference(difference, p, is_full=label == base),
                number(plcc.mean) + ("" if plcc.sd != plcc.sd else f" ± {number(plcc.sd)}"),
                signed(linear.verdict.difference) if linear else "",
                *([_with_span(averaged.get(label))] if is_averaged else []),
            ]
        )
        found = {"method": method, "ablation": some[0].ablation, "runs": len(some), "srcc": srcc.mean, "plcc": plcc.mean}
        rows.append({**found, **_numbers(difference, p, linear), "visible": seen.get(label, float("nan"))})
    tests = sorted({difference.verdict.test for difference, _ in against.values()})
    notes = [
        *marks.notes,
        f"Δ: minus the full method, on the same images of the common splits. Verdict: {' and '.join(tests) or 'none'}, 5 % "
        f"{corrected(sum(p == p for _, p in against.values()))}.",
        "95 % of images: paired bootstrap, how far the choice of test images alone moves the difference; 95 % of splits: by the "
        "corrected resampled t, which also counts training on other images.",
        *about_dashes(*(end for found, _ in against.values() for end in (found.verdict.low, found.images.low))),
    ]
    if any(1 < len(difference.splits) <= FEW_SPLITS for difference, _ in against.values()):
        notes.append("So few splits leave one or two degrees of freedom: hardly any difference can be told from noise.")
    heads = ["ablation", "runs", "SRCC", "Δ SRCC", "95 % of splits", "95 % of images", "p (Holm)", "verdict"]
    heads += ["PLCC (raw)", "Δ PLCC", *(["Δ SRCC of mean scores"] if is_averaged else [])]
    if is_averaged:
        notes.append(
            "Δ SRCC of mean scores: each image's scores are averaged over seeds first; else the measures of the seeds are."
        )
    first = next(iter(labels.values()))[0]
    name = f"ablation-{stem(group)}-{method}"
    heading = f"Ablations of {base}: {title(first.benchmark)}, {group}"
    lead = [*power_note(against), *seeds_note(labels, base, against, evidence)]
    said = finding({labels[label][0].ablation: difference for label, difference in against.items()}, FULL)
    return Table(name, heading, heads, cells, notes, frame=pd.DataFrame(rows), texts=2, lead=lead, found=said)


def verdict_of(difference: Difference, p: float) -> str:
    """Say in words what a comparison came to.

    Args:
        difference: Of an ablation to the full method.
        p: Its corrected probability.
    """
    if p != p:
        return "no verdict"
    if p >= SIGNIFICANT:
        return "inside the noise"
    return "better" if difference.verdict.difference > 0 else "worse"


def _difference(difference: Difference | None, p: float, is_full: bool) -> list[str]:
    if is_full:
        return ["", "", "", "", ""]
    if difference is None:
        return ["no common split", "", "", "", ""]
    splits, images = difference.verdict, difference.images
    over = span(splits.low, splits.high) if splits is not images else ""
    return [
        *(signed(splits.difference), over, span(images.low, images.high)),
        *("" if p != p else number(p), verdict_of(difference, p)),
    ]


def _with_span(found: Comparison | None) -> str:
    return "" if found is None else f"{signed(found.difference)} {span(found.low, found.high)}"


def _numbers(difference: Difference | None, p: float, linear: Difference | None) -> dict[str, object]:
    if difference is None:
        return {}
    splits, images = difference.verdict, difference.images
    return {
        "difference": splits.difference,
        "low": splits.low,
        "high": splits.high,
        "images_low": images.low,
        "images_high": images.high,
        "p": splits.p,
        "p_holm": p,
        "test": splits.test,
        "verdict": verdict_of(difference, p),
        "splits": " ".join(difference.splits),
        "plcc_difference": linear.verdict.difference if linear else float("nan"),
    }
