"""What every table of a report is made from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sdsiqa.report.result import Blank, Result
from sdsiqa.report.statistics import Evidence


@dataclass(frozen=True)
class ReportContext:
    """What the tables of a report are made from.

    Args:
        results: Of any methods, as `read_results` gives them.
        evidence: Their measures.
        baseline: Name of the method that the others are compared with; None compares nothing.
        blanks: Methods that have no score on a benchmark, with the reason.
        published: Published numbers, as `read_quoted` gives them.
    """

    results: Sequence[Result]
    evidence: Evidence
    baseline: str | None = None
    blanks: Sequence[Blank] = ()
    published: Sequence[Mapping[str, str]] = ()
