"""Intervals from resampled units: the measures are those of scipy, the coverage is what they claim."""

import warnings

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from sdsiqa import metrics
from sdsiqa.metrics import resampled
from sdsiqa.metrics.agreement import AgreementWarning
from sdsiqa.metrics.bootstrap import FEWEST_UNITS, Interval, PartScores, bootstrap, interval, observed

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
    monkeypatch.setattr(resampled, "COLUMNS", 17)  # the matrix of pairs comes in pieces
    n = 300 if measure == "plcc_fit" else 60  # a fit of few images has several optima
    score, quality = drawn(1, n, ties)
    counts = np.random.default_rng(2).multinomial(n, np.full(n, 1 / n), size=25).astype(float)
    values = resampled.MEASURES[measure](score, quality)(counts)
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
    part = PartScores(np.array([0.1, 0.1, 0.1, 0.1, 0.9]), np.array([0.1, 0.2, 0.3, 0.4, 0.5]))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        values, units = bootstrap([part], "srcc", 200)
    assert 0 < np.isnan(values).sum() < 200
    assert np.isfinite(interval(values, units).low)


@pytest.mark.parametrize("value", [0.1, 0.3, 1 / 3, 1e-9, 1e9])
def test_a_resample_of_one_image_has_no_linear_correlation(value: float) -> None:
    score, quality = drawn(11, n=30)
    score[4], once = value, np.eye(30)[[4]] * 30
    for measure in ("srcc", "krcc", "plcc"):
        with np.errstate(invalid="ignore", divide="ignore"):
            assert np.isnan(resampled.MEASURES[measure](score, quality)(once)[0]), measure


def test_few_units_widen_the_interval() -> None:
    values = np.random.default_rng(0).normal(size=100_000)
    many, few = interval(values, 2000), interval(values, 6)
    assert [many.low, many.high] == pytest.approx([-1.96, 1.96], abs=0.03)
    # Student's 2.571 with five degrees of freedom, times √(6/5)
    assert few.high == pytest.approx(2.571 * np.sqrt(1.2), abs=0.1)
    assert np.isfinite([interval(values, FEWEST_UNITS).low, interval(values, FEWEST_UNITS).high]).all()
    assert np.isnan([interval(values, FEWEST_UNITS - 1).low, interval(values, FEWEST_UNITS - 1).high]).all()
    assert Interval(0.1, 0.2, 3).units == 3


def test_fewest_units_ask_for_more_than_their_rarest_resample() -> None:
    def tail(units: int) -> float:
        return float(stats.norm.sf(np.sqrt(units / (units - 1)) * stats.t.isf(0.025, units - 1)))

    assert [tail(units) > float(units) ** -units for units in range(2, 9)] == [units >= FEWEST_UNITS for units in range(2, 9)]


@pytest.mark.parametrize("measure", MEASURES[:4])
@pytest.mark.parametrize("units", [2, 4, 5, 6, 30])
def test_an_interval_holds_its_estimate_or_there_is_none(measure: str, units: int) -> None:
    found = []
    for seed in range(40):
        score, quality = drawn(seed, n=6 * units, ties=seed % 2 == 1)
        part = PartScores(score, quality, [f"c{place % units}" for place in range(6 * units)])
        estimate = observed([part], measure)  # type: ignore[arg-type]
        spread = interval(*bootstrap([part], measure, 200, seed), estimate)  # type: ignore[arg-type]
        assert np.isnan(spread.low) == np.isnan(spread.high)
        assert np.isnan(spread.low) or spread.low < estimate < spread.high
        found.append(np.isfinite(spread.low))
    assert not any(found) if units < FEWEST_UNITS else np.mean(found) > 0.9


@pytest.mark.parametrize("estimate", [0.0, 1.0, -0.1, 1.1])
def test_resamples_beside_the_estimate_are_no_interval(estimate: float) -> None:
    values = np.clip(np.random.default_rng(0).normal(0.5, 1, 4000), 0, 1)  # both ends are those of the scale
    assert np.isnan(interval(values, 100, estimate).low)
    assert interval(values, 100, 0.5) == Interval(0.0, 1.0, 100)


@pytest.mark.parametrize("value", [-0.2, 0.1, 1.0, 1 / 3])
def test_resamples_that_differ_by_rounding_are_no_interval(value: float) -> None:
    values = np.full(200, value)
    for last in (value, np.nextafter(value, 2), np.nextafter(value, -2)):
        values[-20:] = last
        assert np.isnan(interval(values, 100).low)


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
