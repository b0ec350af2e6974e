"""Comparisons of methods with a baseline."""

from collections.abc import Mapping, Sequence

from sdsiqa.errors import RunMismatchError
from sdsiqa.metrics.significance import holm
from sdsiqa.report.result import Result, by_label
from sdsiqa.report.statistics import SIGNIFICANT, Difference, Evidence


def verdicts(labels: Mapping[str, Sequence[Result]], baseline: str, evidence: Evidence) -> dict[str, tuple[Difference, float]]:
    """Compare methods with one of them, by SRCC; probabilities are corrected by Holm for their number.

    Args:
        labels: Results of each method, all of one group.
        baseline: Which of them.
        evidence: Their measures.

    Returns:
        Of each other method that is `comparable` and has a split in common: the difference and its corrected probability.
    """
    found = {
        label: difference
        for label, some in labels.items()
        if label != baseline
        and comparable(some, labels[baseline])
        and (difference := evidence.difference(some, labels[baseline])) is not None
    }
    adjusted = holm([difference.verdict.p for difference in found.values()])
    return {label: (difference, float(p)) for (label, difference), p in zip(found.items(), adjusted, strict=True)}


def is_ranked(results: Sequence[Result]) -> bool:
    """Say whether a method may be called better or worse than others: no run says that it learned for too short a time.

    Args:
        results: Of one method.
    """
    return not any(result.under_trained for result in results)


def comparable(one: Sequence[Result], other: Sequence[Result]) -> bool:
    """Say whether two may be compared: both are ranked, or they are variants of one method, which learned as long.

    Args:
        one: Results of one method, or of a variant of it.
        other: Those of another.
    """
    return one[0].method == other[0].method or (is_ranked(one) and is_ranked(other))


def corrected(count: int) -> str:
    """Say how probabilities were corrected.

    Args:
        count: Comparisons that were made.
    """
    return f"after Holm's correction for {count} comparison{'' if count == 1 else 's'}"


def mark(difference: float, p: float) -> str:
    """Write a verdict: ▲ better, ▼ worse, ≈ inside the noise; empty where nothing can be said.

    Args:
        difference: SRCC of the method minus that of the baseline.
        p: Corrected probability.
    """
    if p != p:
        return ""
    return "≈" if p >= SIGNIFICANT else "▲" if difference > 0 else "▼"


def find_baseline(labels: Mapping[str, Sequence[Result]], name: str | None) -> str | None:
    """Find a baseline by what tables call it, or by its method or ablation alone.

    Args:
        labels: Results of each method.
        name: What the user said.
    """
    near = (label for label, some in labels.items() if name in (some[0].ablation, some[0].method))
    return name if name in labels else next(near, None)


def check_baseline(results: Sequence[Result], name: str | None) -> None:
    """Refuse a baseline that no result has.

    Args:
        results: Of any methods.
        name: What the user said; `None` is fine.

    Raises:
        RunMismatchError: Names what there is.
    """
    labels = by_label(results)
    if name is not None and find_baseline(labels, name) is None:
        raise RunMismatchError(f"no run is called {name!r}; there are {', '.join(labels)}")
