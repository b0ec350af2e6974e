"""What comparisons came to, in one sentence that a person can quote."""

from collections.abc import Mapping, Sequence

from sdsiqa.report.comparisons import mark
from sdsiqa.report.power import reach, visible
from sdsiqa.report.statistics import Difference
from sdsiqa.report.table import signed, span


def finding(against: Mapping[str, tuple[Difference, float]], base: str) -> list[str]:
    """Say after the results which differences were found, and how to read those that were not.

    Args:
        against: What `verdicts` found, by the name that the sentence calls each method.
        base: What it calls the one that they are compared with.

    Returns:
        One sentence; none where no comparison has a probability.
    """
    seen, missed = visible(against), list[float]()
    told = dict[str, list[str]](better=[], worse=[], level=[])
    for name, (difference, p) in against.items():
        one = difference.verdict
        sign = mark(one.difference, p)
        if sign == "≈":
            told["level"].append(f"{name} ({signed(one.difference)})")
            missed.append(seen[name])
        elif sign:
            ends = f"{signed(one.difference)} {span(one.low, one.high)}".removesuffix(" –")
            told["better" if sign == "▲" else "worse"].append(f"{name} ({ends})")
    said = [f"{_joined(told[verdict])} {verdict} than {base}" for verdict in ("better", "worse") if told[verdict]]
    if told["level"]:
        limit = f", below {known}" if (known := reach(missed)) else ""
        null = f"either there is no difference, or one that this design is likely to miss{limit}"
        said.append(f"{_joined(told['level'])} not told from {base}: {null}")
    return [f"Found, by SRCC: {'; '.join(said)}."] if said else []


def _joined(names: Sequence[str]) -> str:
    *others, last = names
    return f"{', '.join(others)} and {last} are" if others else f"{last} is"
