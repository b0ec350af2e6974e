"""Every run: a row per score table, then what they have in common."""

from collections.abc import Sequence

import pandas as pd

from sdsiqa.report.context import ReportContext
from sdsiqa.report.footnotes import Marks
from sdsiqa.report.result import Result, by_label, stem
from sdsiqa.report.rows import is_turned, tuned
from sdsiqa.report.statistics import Evidence
from sdsiqa.report.table import Table, about_dashes, number, span

ORDER = 70
COLUMNS = {"srcc": "SRCC", "plcc": "PLCC", "plcc_fit": "PLCC (logistic 4)", "krcc": "KRCC", "rmse": "RMSE (quality 0 to 1)"}


def tables(context: ReportContext) -> list[Table]:
    """List the runs of each method in each group; over several, mean, standard deviation and median.

    Args:
        context: Results of any methods.
    """
    made, results = [], context.results
    for group in sorted({result.group for result in results}):
        for label, some in by_label([result for result in results if result.group == group]).items():
            for trained_on in sorted({result.trained_on for result in some}):
                own = [result for result in some if result.trained_on == trained_on]
                made.append(_table(group, label, trained_on, own, context.evidence))
    return made


def _table(group: str, label: str, trained_on: str, results: list[Result], evidence: Evidence) -> Table:
    marks = Marks()
    rows: list[dict[str, object]] = []
    cells = []
    for result in results:
        figures = evidence.figures(result)
        srcc = evidence.spread([result], "srcc")
        facts = {"method": result.method, "ablation": result.ablation, "trained_on": result.trained_on}
        where = {"benchmark": result.benchmark, "part": result.part, "split": result.split, "seed": result.seed}
        interval = {"srcc_low": srcc.low, "srcc_high": srcc.high}
        rows.append({**facts, **where, "n": len(result.table), **figures, **interval, "minutes": result.minutes})
        mark = marks.add(evidence.fault(result))
        if is_turned(srcc):
            mark += marks.add("scores fall while quality rises: is their direction turned over?")
        cells.append(
            [
                *(result.split, result.seed, str(len(result.table)), number(figures["srcc"], 4) + mark),
                span(srcc.low, srcc.high),
                *(number(figures[name], 4) for name in COLUMNS if name != "srcc"),
                "" if result.minutes != result.minutes else number(result.minutes, 1),
            ]
        )
    strong: set[tuple[int, int]] = set()
    frame = pd.DataFrame(rows)
    if len(rows) > 1:
        for name, values in (("mean", frame.mean), ("sd", frame.std), ("median", frame.median)):
            # a NaN among the runs makes NaN of all three: leaving it out would flatter the method
            found = values(axis=0, skipna=False, numeric_only=True)
            cells.append([name, "", "", number(found["srcc"], 4), "", *(number(found[c], 4) for c in COLUMNS if c != "srcc"), ""])
            strong |= {(len(cells) - 1, column) for column in range(9)}
    heads = ["split", "seed", "n", "SRCC", "95 %", *(COLUMNS[c] for c in COLUMNS if c != "srcc"), "minutes"]
    trained = f", trained on {trained_on}" if trained_on and trained_on != results[0].benchmark else ""
    notes = [
        *marks.notes,
        "RMSE and PLCC are of scores against quality in [0, 1]; both are raw unless it says logistic. 95 %: bootstrap over "
        + ("contents" if _has_contents(results[0]) else "images")
        + ".",
        *_minutes(results),
        *tuned(results),
        *about_dashes(*frame["srcc_low"]),
    ]
    return Table(
        f"runs-{stem(group)}-{stem(label)}" + (f"-from-{trained_on}" if trained else ""),
        f"{label} on {group}{trained}",
        heads,
        cells,
        notes,
        frozenset(strong),
        frame,
        texts=0,
    )


def _minutes(results: Sequence[Result]) -> list[str]:
    """Say what the minutes are of."""
    kinds = {result.is_wall_time for result in results if result.minutes == result.minutes}
    told = {
        True: "wall time of sdsiqa fit from its start to its last score, a first stage left out",
        False: "training steps alone, where a run did not record its wall time",
    }
    return [f"Minutes: {'; or '.join(told[kind] for kind in sorted(kinds, reverse=True))}."] if kinds else []


def _has_contents(result: Result) -> bool:
    return bool(result.table["content"].duplicated().any())
