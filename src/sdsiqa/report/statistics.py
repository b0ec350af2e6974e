"""Measures of each score table, intervals of their means, differences between methods."""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd

from sdsiqa import metrics
from sdsiqa.metrics.agreement import AgreementWarning
from sdsiqa.metrics.bootstrap import RESAMPLES, Interval, PartScores, bootstrap, interval, observed
from sdsiqa.metrics.correlation import is_constant
from sdsiqa.metrics.logistic import Array
from sdsiqa.metrics.resampled import Measure, rounding_of
from sdsiqa.metrics.significance import Comparison, corrected_t, paired_bootstrap
from sdsiqa.report.result import Result, by_split

NAN = float("nan")

SIGNIFICANT = 0.05
"""Probability, after Holm's correction, below which a difference is called one."""

FEW = 20
"""Units below which a bootstrap interval is known to be too narrow."""


LOWEST: Final[dict[str, float]] = dict.fromkeys(("srcc", "krcc", "plcc", "plcc_fit"), -1.0) | {"rmse": 0.0}
HIGHEST: Final[dict[str, float]] = dict.fromkeys(("srcc", "krcc", "plcc", "plcc_fit"), 1.0) | {"rmse": float("inf")}


@dataclass(frozen=True)
class Spread:
    """A mean over runs.

    Args:
        mean: Mean over splits, each the mean over its seeds; NaN if one of the runs has none.
        sd: Standard deviation over splits (n − 1), or over seeds on one split; NaN for a single run.
        median: Median over splits.
        low: Lower end of the 95 % interval of the mean.
        high: Its upper end.
        how: `corrected t` over several splits; `bootstrap` on one, and where all were tested on the same images.
        splits: How many splits.
        units: How many contents or images were drawn from; 0 over several splits.
    """

    mean: float
    sd: float
    median: float
    low: float
    high: float
    how: str
    splits: int
    units: int


@dataclass(frozen=True)
class Difference:
    """One method against another on the same images.

    Args:
        verdict: Corrected resampled t over two splits or more, paired bootstrap on one, and on a benchmark never seen in
            training, whose images are the same for all: what decides.
        images: Paired bootstrap over the images of all common splits: how far the choice of test images alone moves it.
        splits: The splits that both have.
    """

    verdict: Comparison
    images: Comparison
    splits: tuple[str, ...]


class Evidence:
    """Measures of results, computed once each.

    Args:
        resamples: Of each bootstrap.
        seed: Of its draws.
        tick: Called with a line before each longer computation, to show progress; `None` shows none.
    """

    def __init__(self, resamples: int = RESAMPLES, seed: int = 0, tick: Callable[[str], None] | None = None) -> None:
        self.resamples, self.seed, self.tick = resamples, seed, tick or (lambda _: None)
        self._figures: dict[Result, tuple[dict[str, float], str]] = {}
        self._spreads: dict[tuple[tuple[Result, ...], str], Spread] = {}
        self._differences: dict[tuple[tuple[Result, ...], tuple[Result, ...], str], Difference] = {}

    def figures(self, result: Result) -> dict[str, float]:
        """Give all measures of one table: those of `figures_of`.

        Args:
            result: The table.
        """
        return self._known(result)[0]

    def fault(self, result: Result) -> str:
        """Say why measures of a table are NaN or stand-ins; empty if they are not.

        Args:
            result: The table.
        """
        return self._known(result)[1]

    def mean(self, results: Sequence[Result], measure: str) -> float:
        """Average a measure over the seeds of each split, then over splits; NaN if one of the runs has none.

        Args:
            results: Runs of one method in one group.
            measure: Any of `figures`.
        """
        return float(np.mean(self._by_split(results, measure)))

    def quick_mean(self, results: Sequence[Result], measure: Measure) -> float:
        """Average one measure as `mean` does, without computing all the others: for many small parts.

        Args:
            results: Runs of one method in one group.
            measure: The measure.
        """
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", AgreementWarning)  # `fault` has the reason
            return float(np.mean([observed([_part(run) for run in runs], measure) for runs in by_split(results).values()]))

    def spread(self, results: Sequence[Result], measure: Measure) -> Spread:
        """Average a measure over the runs of one method in one group.

        Args:
            results: The runs.
            measure: The measure.
        """
        key = (tuple(results), measure)
        if key not in self._spreads:
            self._spreads[key] = self._spread(results, measure)
        return self._spreads[key]

    def images(self, results: Sequence[Result], measure: Measure) -> Interval:
        """Draw the test images of some runs again: the interval of the mean of a measure, were other images tested.

        Args:
            results: Runs of one method in one group.
            measure: The measure.
        """
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", AgreementWarning)  # `fault` has the reason
            parts = [_part(run) for run in results]
            return interval(*bootstrap(parts, measure, self.resamples, self.seed), observed(parts, measure))

    def difference(self, a: Sequence[Result], b: Sequence[Result], measure: Measure = "srcc") -> Difference | None:
        """Compare two methods of one group on the splits that both have; None if there is none.

        Args:
            a: Runs of the first.
            b: Runs of the second.
            measure: What is compared.
        """
        key = (tuple(a), tuple(b), measure)
        if key not in self._differences:
            found = self._difference(a, b, measure)
            if found is None:
                return None
            self._differences[key] = found
        return self._differences[key]

    def of_averaged_scores(self, a: Sequence[Result], b: Sequence[Result]) -> Comparison | None:
        """Compare the SRCC of scores that are averaged over seeds, which removes much of what training alone moves.

        Args:
            a: Runs of the first.
            b: Runs of the second.

        Returns:
            The corrected resampled t over the splits that both have; None where there are not two, or where one has another
            number of seeds than the other, or a single one: a mean of more scores agrees better by that alone.
        """
        first, second = by_split(a), by_split(b)
        common = [split for split in first if split in second]
        counts = {(len(first[split]), len(second[split])) for split in common}
        if len(common) < 2 or any(one != other or one < 2 for one, other in counts):
            return None
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", AgreementWarning)
            values = [[observed([_averaged(some[split])], "srcc") for split in common] for some in (first, second)]
            means = np.array(values)
            ratio = float(np.mean([run.test_per_train for split in common for run in first[split]]))
            return corrected_t(means[0] - means[1], ratio, 2 * _rounding([*a, *b], "srcc", means))

    def _known(self, result: Result) -> tuple[dict[str, float], str]:
        if result not in self._figures:
            self.tick(f"measures of {result.label} on {result.group}")
            self._figures[result] = figures_of(result.table)
        return self._figures[result]

    def _by_split(self, results: Sequence[Result], measure: str) -> Array:
        return np.array([np.mean([self.figures(run)[measure] for run in runs]) for runs in by_split(results).values()])

    def _spread(self, results: Sequence[Result], measure: Measure) -> Spread:
        self.tick(f"interval of {measure.upper()} of {results[0].label} on {results[0].group}")
        splits = by_split(results)
        values = self._by_split(results, measure)
        single = [self.figures(run)[measure] for run in results]
        sd = float(np.std(values if len(splits) > 1 else single, ddof=1)) if len(single) > 1 else NAN
        if len(splits) > 1 and results[0].part != "all":
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", AgreementWarning)
                ratio = float(np.mean([run.test_per_train for run in results]))
                found = corrected_t(values, ratio, _rounding(results, measure, values))
            # of so few values Student's interval may pass the ends of the scale, where no mean can lie; past both it says nothing
            is_whole = found.low <= LOWEST[measure] and found.high >= HIGHEST[measure]
            low, high = (NAN, NAN) if is_whole else (max(found.low, LOWEST[measure]), min(found.high, HIGHEST[measure]))
            ends, how = Interval(low, high, 0), "corrected t"
        else:
            ends, how = self.images(results, measure), "bootstrap"
        return Spread(float(values.mean()), sd, float(np.median(values)), ends.low, ends.high, how, len(splits), ends.units)

    def _difference(self, a: Sequence[Result], b: Sequence[Result], measure: Measure) -> Difference | None:
        self.tick(f"{a[0].label} against {b[0].label} on {a[0].group}")
        first, second = by_split(a), by_split(b)
        common = tuple(split for split in first if split in second)
        if not common:
            return None
        pairs = [(one, other) for split in common for one in first[split] for other in second[split]]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", AgreementWarning)
            # every seed of the one with every seed of the other: both means are those over seeds
            images = paired_bootstrap(
                [_part(one) for one, _ in pairs], [_part(other) for _, other in pairs], measure, self.resamples, self.seed
            )
            if len(common) == 1 or a[0].part == "all":
                return Difference(images, images, common)
            means = np.array(
                [[np.mean([self.figures(run)[measure] for run in some[split]]) for split in common] for some in (first, second)]
            )
            ratio = float(np.mean([run.test_per_train for split in common for run in first[split]]))
            noise = 2 * _rounding([*a, *b], measure, means)
            return Difference(corrected_t(means[0] - means[1], ratio, noise), images, common)


def figures_of(table: pd.DataFrame) -> tuple[dict[str, float], str]:
    """Compute all measures of a score table.

    Args:
        table: As `read_scores` gives it; scores may be NaN.

    Returns:
        Those of `metrics.agreement`, of scores against quality in [0, 1]; `plcc_fit5` after the logistic with five
        parameters; `rmse_mos`, the RMSE after the logistic with four on the authors' scale; `outliers`, the outlier ratio
        after it, NaN where no deviations of opinions are known. And the reason, if something is NaN or stands in for a
        fit; empty otherwise.
    """
    score, quality, mos = (table[name].to_numpy(np.float64) for name in ("score", "quality", "mos"))
    slope = float(np.polyfit(quality, mos, 1)[0]) if len(table) > 1 and not is_constant(quality) else NAN
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        values = metrics.agreement(score, quality)
        values["plcc_fit5"] = metrics.plcc_fit(score, quality, metrics.fit_logistic5(score, quality))
        values["rmse_mos"] = abs(slope) * values["rmse_fit"]
        values["outliers"] = NAN
        if "mos_std" in table:
            fit = metrics.fit_logistic4(score, mos)
            values["outliers"] = metrics.outlier_ratio(fit(score), mos, table["mos_std"])
    reasons = dict.fromkeys(str(warning.message) for warning in caught if issubclass(warning.category, AgreementWarning))
    return values, "; ".join(reasons)


def _rounding(results: Sequence[Result], measure: Measure, values: Array) -> float:
    """Say how far values of a measure may be off by rounding."""
    return rounding_of(measure, max(len(run.table) for run in results)) * float(np.abs(values).max())


def _part(result: Result) -> PartScores:
    table = result.table
    # letter cases differ within some releases; a content of its own per image makes this the image
    unit = [str(content).lower() or image for content, image in zip(table["content"], table["image"], strict=True)]
    return PartScores(_floats(table, "score"), _floats(table, "quality"), unit)


def _averaged(runs: Sequence[Result]) -> PartScores:
    """Average the scores of each image over runs of one split."""
    tables = [run.table.set_index("image") for run in runs]
    scores = np.mean([table.loc[tables[0].index, "score"].to_numpy(np.float64) for table in tables], axis=0)
    return PartScores(np.asarray(scores), _floats(tables[0], "quality"))


def _floats(table: pd.DataFrame, name: str) -> Array:
    return table[name].to_numpy(np.float64)
