"""Agreement inside one distortion, and inside one level."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Final, Literal

import pandas as pd

from sdsiqa.metrics.resampled import Measure
from sdsiqa.report.footnotes import Marks
from sdsiqa.report.result import Result, by_group, by_label, stem, title
from sdsiqa.report.statistics import Evidence
from sdsiqa.report.table import Table, about_dashes, number, span

Kind = Literal["distortion", "level"]
MEASURES: Final[dict[Measure, str]] = {"srcc": "SRCC", "plcc": "PLCC (raw)"}


def distortion_tables(results: Sequence[Result], evidence: Evidence) -> list[Table]:
    """Make, per benchmark with several distortions or levels, a table of SRCC and one of PLCC inside each.

    Args:
        results: Of any methods.
        evidence: Their measures.
    """
    tables = []
    for group, some in by_group(results, is_cross=False).items():
        kinds: tuple[Kind, ...] = ("distortion", "level")
        for kind in kinds:
            parts = split_by(some, kind)
            if len(parts) > 1:
                tables += [_table(group, kind, parts, measure, evidence) for measure in MEASURES]
    return tables


def split_by(results: Sequence[Result], kind: Kind) -> dict[str, list[Result]]:
    """Cut results into those of each distortion or level; images without one are left out.

    Args:
        results: Of one group.
        kind: By what.
    """
    parts: dict[str, list[Result]] = {}
    for result in results:
        for value, table in result.table.groupby(kind, sort=True):
            if value not in ("", -1):
                own = dataclasses.replace(result, table=table.reset_index(drop=True))
                parts.setdefault(str(value), []).append(own)
    return dict(sorted(parts.items()))


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
