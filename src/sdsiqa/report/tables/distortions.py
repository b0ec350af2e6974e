"""Agreement inside one distortion, and inside one level."""

from collections.abc import Mapping, Sequence
from typing import Final

import pandas as pd

from sdsiqa.metrics.resampled import Measure
from sdsiqa.report.context import ReportContext
from sdsiqa.report.footnotes import Marks
from sdsiqa.report.result import Kind, Result, by_group, by_kind, by_label, stem, title
from sdsiqa.report.statistics import Evidence
from sdsiqa.report.table import Table, about_dashes, number, span

ORDER = 50
MEASURES: Final[dict[Measure, str]] = {"srcc": "SRCC", "plcc": "PLCC (raw)"}


def tables(context: ReportContext) -> list[Table]:
    """Make, per benchmark with several distortions or levels, a table of SRCC and one of PLCC inside each.

    Args:
        context: Results of any methods.
    """
    made = []
    for group, some in by_group(context.results, is_cross=False).items():
        kinds: tuple[Kind, ...] = ("distortion", "level")
        for kind in kinds:
            parts = by_kind(some, kind)
            if len(parts) > 1:
                made += [_table(group, kind, parts, measure, context.evidence) for measure in MEASURES]
    return made


def _table(group: str, kind: Kind, parts: Mapping[str, Sequence[Result]], measure: Measure, evidence: Evidence) -> Table:
    marks, rows, cells = Marks(), [], []
    low_ends: list[float] = []
    labels = list(by_label([result for some in parts.values() for result in some]))
    for name, some in parts.items():
        images = sorted({len(result.table) for result in some})
        counted = f"{images[0]}" if len(images) == 1 else f"{images[0]}–{images[-1]}"
        line = [name, counted]
        for label, own in by_label(some).items():
            mean, ends = evidence.quick_mean(own, measure), evidence.images(own, measure)
            note = "".join(marks.add(f"{evidence.fault(run)} ({name})") for run in own[:1] if mean != mean)
            low_ends.append(ends.low)
            line.append(f"{number(mean)}{note} {span(ends.low, ends.high)}")
            facts = {"method": label, kind: name, "images": counted, "runs": len(own), "contents": ends.units}
            rows.append({**facts, "mean": mean, "low": ends.low, "high": ends.high})
        cells.append(line)
    first = next(iter(parts.values()))[0]
    notes = [
        *marks.notes,
        f"{MEASURES[measure]} inside one {kind} per split, then the mean over splits. 95 %: bootstrap of the "
        "contents (or images) of all splits together. Few images make wide intervals: look at them before ranking methods.",
        *about_dashes(*low_ends),
    ]
    name = f"{kind}-{measure}-{stem(group)}"
    heading = f"{MEASURES[measure]} per {kind}: {title(first.benchmark)}, {group}"
    return Table(name, heading, [kind, "images", *labels], cells, notes, frame=pd.DataFrame(rows))
