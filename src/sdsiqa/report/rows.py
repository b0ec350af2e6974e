"""What the row of a method says in several tables: its runs, its mean, and what a reader must know of it."""

from collections.abc import Sequence

from sdsiqa.metrics.bootstrap import FEWEST_UNITS
from sdsiqa.report.footnotes import Marks
from sdsiqa.report.result import Result
from sdsiqa.report.statistics import Evidence, Spread
from sdsiqa.report.table import number


def runs_of(results: Sequence[Result]) -> str:
    """Write how many splits and seeds stand behind a row.

    Args:
        results: Of one method in one group.
    """
    splits = {result.split for result in results}
    seeds = len(results) / len(splits)
    word = "split" if len(splits) == 1 else "splits"
    return f"{len(splits)} {word}" + (f" × {seeds:g} seeds" if seeds > 1 else "")


def mean_of(spread: Spread) -> str:
    """Write a mean with its standard deviation, if there are several runs.

    Args:
        spread: The mean.
    """
    return number(spread.mean) + ("" if spread.sd != spread.sd else f" ± {number(spread.sd)}")


def warnings_of(results: Sequence[Result], srcc: Spread, everywhere: set[str], evidence: Evidence, marks: Marks) -> str:
    """Mark what a reader must know of a row: its remark, tuning, NaN, missing splits, a wrong direction, how epochs were chosen.

    Args:
        results: The row's.
        srcc: Their SRCC.
        everywhere: Splits that any method of the table has.
        evidence: Measures.
        marks: Where the reasons are collected.
    """
    text = "".join(marks.add(remark) for remark in dict.fromkeys(run.remark for run in results))
    text += "".join(marks.add(line) for line in tuned(results))
    text += "".join(marks.add(fault) for fault in dict.fromkeys(evidence.fault(run) for run in results) if fault)
    missing = sorted(everywhere - {run.split for run in results})
    if missing:
        text += marks.add(f"split {', '.join(missing)} missing: its mean does not compare with those over more splits")
    if len({len([run for run in results if run.split == split]) for split in {run.split for run in results}}) > 1:
        text += marks.add("unequal numbers of seeds per split")
    if is_turned(srcc):
        text += marks.add("scores fall while quality rises: is their direction turned over?")
    chosen = sorted({run.chosen_by for run in results if run.chosen_by})
    if len(chosen) > 1:
        text += marks.add(f"epochs were chosen in different ways: {', '.join(chosen)}")
    return text


def tuned(results: Sequence[Result]) -> list[str]:
    """Say what settings were tuned on, where runs declare it; and what that means for scores of the same benchmark.

    Args:
        results: Of one method.
    """
    found = []
    for place in dict.fromkeys(run.tuned_on for run in results if run.tuned_on):
        benchmark, _, names = place.partition("-")
        splits = names.split(",") if names else []
        own = [run for run in results if run.tuned_on == place and run.benchmark == benchmark.lower()]
        several = "s" if len(splits) > 1 else ""
        where = f"split{several} {' and '.join(splits)} of {benchmark}" if splits else benchmark
        line = f"settings tuned on {where}"
        scored = [name for name in splits if any(run.split == name for run in own)]
        if scored and scored == splits:
            line += ", whose test parts are scored here" if several else ", whose test part is scored here"
        elif scored:
            line += f"; the test part of {' and '.join(scored)} is scored here"
        elif own:
            whose = "their" if several else "its"
            line += f": images tested here lie in {whose} other parts, so the scores flatter the method"
        found.append(line)
    return found


def is_turned(srcc: Spread) -> bool:
    """Say whether scores fall while quality rises; without an interval the mean alone decides.

    Args:
        srcc: The SRCC of one method in one group.
    """
    return (srcc.mean if srcc.high != srcc.high else srcc.high) < 0


def why_no_interval(spreads: Sequence[Spread]) -> list[str]:
    """Say why there is a dash in place of an interval, if it is for want of test material.

    Args:
        spreads: Those of a table.
    """
    few = [spread.units for spread in spreads if spread.how == "bootstrap" and 0 < spread.units < FEWEST_UNITS]
    return [f"No interval: {min(few)} contents are too few for one; {FEWEST_UNITS} at least are drawn from."] if few else []
