"""Intervals from resampled units: the measures are those of scipy, the coverage is what they claim."""

import time
import warnings

import numpy as np
import pytest
from numpy.typing import NDArray

from sdsiqa import counted, metrics
from sdsiqa.bootstrap import Interval, PartScores, bootstrap, interval, observed
from sdsiqa.score_pairs import AgreementWarning

Array = NDArray[np.float64]
MEASURES = ["srcc", "krcc", "plcc", "rmse", "plcc_fit"]


def drawn(seed: int, n: int = 60, ties: bool = False) -> tuple[Array, Array]:
    rng = np.random.default_rng(seed)
    quality = rng.uniform(size=n)
    score = quality + 0.3 * rng.normal(size=n)
    return (np.round(score, 1), np.round(quality, 1)) if ties else (score, quality)


@pytest.mark.parametrize("measure", MEASURES)
@pytest.mark.parametrize("ties", [False, True])
def test_resamples_equal_the_measure_of_the_repeated_images(measure: str, ties: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counted, "COLUMNS", 17)  # the matrix of pairs comes in pieces
    n = 300 if measure == "plcc_fit" else 60  # a fit of few images has several optima
    score, quality = drawn(1, n, ties)
    counts = np.random.default_rng(2).multinomial(n, np.full(n, 1 / n), size=25).astype(float)
    values = counted.MEASURES[measure](score, quality)(counts)
    for row, value in zip(counts.astype(int), values, strict=True):
        expected = metrics.agreement(np.repeat(score, row), np.repeat(quality, row))[measure]
        assert value == pytest.approx(expected, abs=1e-3 if measure == "plcc_fit" else 1e-12)


def test_scores_far_from_zero_keep_their_digits() -> None:
    score, quality = drawn(3)
    near, _ = bootstrap([PartScores(score, quality)], "plcc", 50)
    far, _ = bootstrap([PartScores(1e6 + 1e-3 * score, quality)], "plcc", 50)
    assert far == pytest.approx(near, abs=1e-6)


@pytest.mark.parametrize("measure", MEASURES)
def test_what_is_observed_is_the_measure_itself(measure: str) -> None:
    (a, q), (b, r) = drawn(4), drawn(5, ties=True)
    both = observed([PartScores(a, q), PartScores(b, r)], measure)  # type: ignore[arg-type]
    alone = [metrics.agreement(a, q)[measure], metrics.agreement(b, r)[measure]]
    assert both == pytest.approx(np.mean(alone), abs=1e-8)


def test_contents_are_drawn_whole() -> None:
    score, quality = drawn(6, n=40)
    content = [f"c{place // 10}" for place in range(40)]
    values, units = bootstrap([PartScores(score, quality, content)], "srcc", 300)
    assert units == 4
    # four contents can be drawn in 35 ways, so there are few different values; images in countless ones
    assert len(set(values.round(12))) <= 35
    assert len(set(bootstrap([PartScores(score, quality)], "srcc", 300)[0])) > 290


def test_a_unit_of_two_parts_is_drawn_once_for_both() -> None:
    score, quality = drawn(7)
    names = [f"{place:02d}" for place in range(60)]
    alone, _ = bootstrap([PartScores(score, quality, names)], "srcc", 100, seed=3)
    twice, units = bootstrap([PartScores(score, quality, names)] * 2, "srcc", 100, seed=3)
    assert units == 60
    assert twice == pytest.approx(alone, abs=1e-15)  # a copy adds no certainty
    other, units = bootstrap(
        [PartScores(score, quality, names), PartScores(score, quality, [f"x{n}" for n in names])], "srcc", 100
    )
    assert units == 120
    assert other.std() < 0.85 * alone.std()


def test_seeds_decide_the_draws() -> None:
    part = PartScores(*drawn(8))
    first, again, other = (bootstrap([part], "srcc", 50, seed)[0] for seed in (1, 1, 2))
    assert (first == again).all()
    assert (first != other).any()


@pytest.mark.parametrize(
    ("score", "message"),
    [
        ([0.5] * 4, "all 4 scores are 0.5"),
        ([0.1, np.nan, 0.2, 0.3], "1 of 4 scores are NaN"),
        ([0.1, 0.2], "2 images are too few"),
    ],
)
def test_the_undefined_is_nan_with_its_cause(score: list[float], message: str) -> None:
    part = PartScores(np.array(score), np.linspace(0, 1, len(score)))
    with pytest.warns(AgreementWarning, match=message):
        values, units = bootstrap([part], "srcc", 10)
    with pytest.warns(AgreementWarning, match=message):
        assert np.isnan(observed([part], "srcc"))
    assert np.isnan(values).all()
    spread = interval(values, units)
    assert np.isnan([spread.low, spread.high]).all()
    with pytest.raises(ValueError, match=r"parts is \[\]"):
        bootstrap([], "srcc")


def test_resamples_without_variation_are_left_out() -> None:
    part = PartScores(np.array([0.1, 0.1, 0.1, 0.9]), np.array([0.1, 0.2, 0.3, 0.4]))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        values, units = bootstrap([part], "srcc", 200)
    assert 0 < np.isnan(values).sum() < 200
    assert np.isfinite(interval(values, units).low)


def test_few_units_widen_the_interval() -> None:
    values = np.random.default_rng(0).normal(size=100_000)
    many, few = interval(values, 2000), interval(values, 6)
    assert [many.low, many.high] == pytest.approx([-1.96, 1.96], abs=0.03)
    # Student's 2.571 with five degrees of freedom, times √(6/5)
    assert few.high == pytest.approx(2.571 * np.sqrt(1.2), abs=0.1)
    assert np.isnan(interval(values, 1).low)
    assert Interval(0.1, 0.2, 3).units == 3


def coverage(n: int, contents: int | None, measure: str, truth: float, repetitions: int) -> float:
    hits = 0
    for seed in range(repetitions):
        rng = np.random.default_rng(seed)
        score, quality = rng.multivariate_normal([0, 0], [[1, 0.8], [0.8, 1]], size=n).T
        unit = None if contents is None else [str(place % contents) for place in range(n)]
        found = interval(*bootstrap([PartScores(score, quality, unit)], measure, 400, seed))  # type: ignore[arg-type]
        hits += found.low <= truth <= found.high
    return hits / repetitions


def test_intervals_cover_what_they_claim() -> None:
    """95 % ± 2 %: a thousand simulated test parts put the chance of a false alarm below 0.4 %."""
    rho = 6 / np.pi * np.arcsin(0.8 / 2)  # Spearman's of a normal pair with Pearson's 0.8
    assert abs(coverage(200, None, "srcc", rho, 1000) - 0.95) <= 0.02
    assert abs(coverage(200, None, "plcc", 0.8, 1000) - 0.95) <= 0.02
    assert abs(coverage(300, 30, "srcc", rho, 1000) - 0.95) <= 0.02


def test_koniq_takes_less_than_two_seconds() -> None:
    score, quality = drawn(9, n=2015)
    for measure in ("srcc", "krcc", "plcc", "rmse"):
        bootstrap([PartScores(score, quality)], measure, 2)  # type: ignore[arg-type]  # imports
    start = time.process_time()
    for measure in ("srcc", "krcc", "plcc", "rmse"):
        bootstrap([PartScores(score, quality)], measure, 2000)  # type: ignore[arg-type]
    assert time.process_time() - start < 2
    start = time.process_time()
    bootstrap([PartScores(score, quality)], "plcc_fit", 2000)  # fitted again two thousand times
    assert time.process_time() - start < 2
