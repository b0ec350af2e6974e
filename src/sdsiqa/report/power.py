"""What a design can see: how large a true difference must be to be found, and what more seeds would change."""

from collections.abc import Mapping, Sequence

import numpy as np

from sdsiqa.metrics.significance import POWER, visible_difference
from sdsiqa.report.result import Result, by_split
from sdsiqa.report.statistics import SIGNIFICANT, Difference, Evidence
from sdsiqa.report.table import number, span


def visible(against: Mapping[str, tuple[Difference, float]]) -> dict[str, float]:
    """Say how large a true difference must be for this design to find it in four of five repetitions.

    Args:
        against: What `verdicts` found.

    Returns:
        That difference of SRCC for each method, at the level of Holm's first step; NaN where nothing can be said.
    """
    count = max(1, sum(p == p for _, p in against.values()))
    return {
        label: visible_difference(found.verdict, 1 if found.verdict is found.images else len(found.splits), SIGNIFICANT / count)
        for label, (found, _) in against.items()
    }


def reach(values: Sequence[float]) -> str:
    """Write the smallest and the largest of some differences that a design can see; empty where it can see none.

    Args:
        values: The differences; NaN where nothing can be said.
    """
    known = [value for value in values if value == value]
    return " to ".join(dict.fromkeys([number(min(known)), number(max(known))])) if known else ""


def power_note(against: Mapping[str, tuple[Difference, float]]) -> list[str]:
    """Say before the results which differences the design can see; nothing where no interval says how they scatter.

    Args:
        against: What `verdicts` found.
    """
    known = reach(list(visible(against).values()))
    if not known:
        return []
    return [
        f"What this design can see: a true difference of {known} SRCC is found in {POWER:.0%} of repetitions, by how far "
        "the differences scatter here; a smaller one may be there and not be found."
    ]


def seeds_note(
    labels: Mapping[str, Sequence[Result]], base: str, against: Mapping[str, tuple[Difference, float]], evidence: Evidence
) -> list[str]:
    """Say how far training alone moves SRCC, and what other numbers of seeds would find; nothing where no split has two seeds.

    Args:
        labels: Results of each variant of one method; all are taken to scatter alike from seed to seed.
        base: The variant that the others are compared with.
        against: What `verdicts` found.
        evidence: Their measures.
    """
    variance, freedom = seed_variance(labels, evidence)
    seen = {label: value for label, value in visible(against).items() if value == value and len(against[label][0].splits) > 1}
    if not freedom or not seen:
        return []
    twice, ever, other = [], [], by_split(labels[base])
    for label, value in seen.items():
        one = by_split(labels[label])
        common = against[label][0].splits
        apart = [evidence.mean(one[split], "srcc") - evidence.mean(other[split], "srcc") for split in common]
        now = float(np.mean([1 / len(one[split]) + 1 / len(other[split]) for split in common]))
        scatter = float(np.var(apart, ddof=1))
        twice.append(value * reach_with(scatter, variance, now, 2))
        ever.append(value * reach_with(scatter, variance, now, np.inf))
    more = f"no number of seeds less than {reach(ever)}" if min(ever) > 0 else "what more would find, so few seeds cannot say"
    return [
        f"Training a split again with another seed moves SRCC by {number(variance**0.5)} (standard deviation of {freedom} "
        f"degree{'' if freedom == 1 else 's'} of freedom, 95 % {span(*_ends(variance, freedom))}). If that holds for every "
        f"variant, two seeds a split would find {reach(twice)}, and {more}."
    ]


def seed_variance(labels: Mapping[str, Sequence[Result]], evidence: Evidence) -> tuple[float, int]:
    """Estimate the variance of SRCC between seeds of one split, pooled over variants and splits.

    Args:
        labels: Results of each variant.
        evidence: Their measures.

    Returns:
        The variance, and its degrees of freedom; NaN and 0 where no split has two seeds.
    """
    total, freedom = 0.0, 0
    for some in labels.values():
        for runs in by_split(some).values():
            values = [evidence.figures(run)["srcc"] for run in runs]
            if len(values) > 1 and np.isfinite(values).all():
                total += float(np.var(values)) * len(values)
                freedom += len(values) - 1
    return (total / freedom, freedom) if freedom else (float("nan"), 0)


def reach_with(scatter: float, variance: float, now: float, seeds: float) -> float:
    """Say by which factor the difference that a design sees changes with its number of seeds.

    Args:
        scatter: Variance over splits of the difference of two variants, as it is.
        variance: Of one variant between seeds of one split.
        now: One over the seeds of the one plus one over those of the other, which the scatter is of.
        seeds: Of either variant; infinite for what seeds cannot remove.

    Returns:
        The factor; 0 where seeds explain all of the scatter.
    """
    return float(np.sqrt(max(0.0, scatter - variance * now + 2 * variance / seeds) / scatter)) if scatter > 0 else 1.0


def _ends(variance: float, freedom: int) -> tuple[float, float]:
    """Give the 95 % interval of a standard deviation, by χ²."""
    from scipy.special import chdtri  # a light tool's `--help` does without scipy

    low, high = (float(np.sqrt(variance * freedom / chdtri(freedom, share))) for share in (0.025, 0.975))
    return low, high
