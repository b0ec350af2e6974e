"""The cross-dataset matrix: trained on one benchmark, tested on others."""

import pandas as pd

from sdsiqa.report.context import ReportContext
from sdsiqa.report.footnotes import Marks
from sdsiqa.report.result import by_label
from sdsiqa.report.rows import tuned
from sdsiqa.report.table import Table, about_dashes, number, span

ORDER = 40


def tables(context: ReportContext) -> list[Table]:
    """Make the matrix, in SRCC; empty if nothing was tested on a benchmark it never saw.

    Args:
        context: Results of any methods; own test parts stand in brackets; a method tested on its own benchmark alone is
            left out.
    """
    results, evidence = context.results, context.evidence
    if not any(result.is_cross for result in results):
        return []
    marks, rows, cells = Marks(), [], []
    low_ends: list[float] = []
    pairs = {(result.label, result.trained_on) for result in results if result.is_cross}
    results = [result for result in results if (result.label, result.trained_on) in pairs]
    groups = sorted({result.group for result in results})
    for label, some in by_label(results).items():
        for trained_on in sorted({result.trained_on for result in some}):
            own = [result for result in some if result.trained_on == trained_on and result.is_cross]
            line = [label + "".join(marks.add(text) for text in tuned(own)), trained_on or "–"]
            for group in groups:
                own = [result for result in some if (result.trained_on, result.group) == (trained_on, group)]
                if not own:
                    line.append("")
                    continue
                spread = evidence.spread(own, "srcc")
                note = marks.add(next((fault for run in own if (fault := evidence.fault(run))), ""))
                text = f"{number(spread.mean)}{note} {span(spread.low, spread.high)}"
                low_ends.append(spread.low)
                line.append(text if own[0].is_cross else f"({text})")
                facts = {"method": label, "trained_on": trained_on, "tested_on": group, "runs": len(own)}
                rows.append({**facts, "is_own": not own[0].is_cross, "srcc": spread.mean, "low": spread.low, "high": spread.high})
            cells.append(line)
    notes = [
        *marks.notes,
        "Mean SRCC over the training splits; on a benchmark never seen in training, the 95 % interval is a bootstrap of its "
        "images (or contents). In brackets: the method's own test part, which is no cross-dataset test.",
        *about_dashes(*low_ends),
    ]
    heads = ["method", "trained on", *groups]
    return [Table("cross", "SRCC across benchmarks", heads, cells, notes, frame=pd.DataFrame(rows), texts=2)]
