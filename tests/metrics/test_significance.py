"""Paired tests: against scipy where it has them, by hand and by simulation where it has not."""

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from sdsiqa import metrics
from sdsiqa.metrics.agreement import AgreementWarning
from sdsiqa.metrics.bootstrap import PartScores
from sdsiqa.metrics.significance import (
    POWER,
    Comparison,
    corrected_t,
    holm,
    meng_rosenthal_rubin,
    paired_bootstrap,
    pitman_morgan,
    visible_difference,
)

Array = NDArray[np.float64]


def methods(seed: int, n: int = 150, noise: float = 0.2) -> tuple[Array, Array, Array]:
    """Two methods that share half of their noise, the second with `noise` of its own, and the labels."""
    rng = np.random.default_rng(seed)
    quality, shared = rng.uniform(size=n), rng.normal(size=n)
    a = quality + 0.2 * shared + 0.2 * rng.normal(size=n)
    return a, quality + 0.2 * shared + noise * rng.normal(size=n), quality


def test_a_better_method_is_found_and_a_method_does_not_beat_itself() -> None:
    good, bad, quality = methods(1, noise=0.6)
    a, b = PartScores(good, quality), PartScores(bad, quality)
    found = paired_bootstrap([a], [b])
    assert found.difference == pytest.approx(metrics.srcc(good, quality) - metrics.srcc(bad, quality), abs=1e-12)
    assert 0 < found.low < found.difference < found.high
    assert found.p == 2 / 2001  # none of 2000 resamples is on the other side
    back = paired_bootstrap([b], [a])
    assert (back.difference, back.low, back.p) == (-found.difference, pytest.approx(-found.high), found.p)
    same = paired_bootstrap([a], [a])
    assert (same.difference, same.p) == (0, 1)
    with pytest.raises(ValueError, match="different numbers of images"):
        paired_bootstrap([a], [PartScores(bad[1:], quality[1:])])


def test_pairing_sees_what_two_separate_intervals_hide() -> None:
    good, bad, quality = methods(2, n=400, noise=0.3)
    found = paired_bootstrap([PartScores(good, quality)], [PartScores(bad, quality)])
    assert found.high - found.low < 0.14
    assert found.p < 0.01


@pytest.mark.parametrize("test", ["bootstrap", "meng", "pitman"])
def test_equal_methods_are_called_different_once_in_twenty_times(test: str) -> None:
    rejected, repetitions = 0, 400
    for seed in range(repetitions):
        a, b, quality = methods(seed)
        if test == "bootstrap":
            found = paired_bootstrap([PartScores(a, quality)], [PartScores(b, quality)], resamples=400, seed=seed)
        elif test == "meng":
            found = meng_rosenthal_rubin(a, b, quality)
        else:
            found = pitman_morgan(a - quality, b - quality)
        rejected += found.p < 0.05
    assert 0.02 < rejected / repetitions < 0.085


def test_meng_rosenthal_rubin_worked_by_hand() -> None:
    quality = np.arange(1.0, 6.0)
    a, b = np.array([1, 2, 3, 5, 4.0]), np.array([2, 1, 4, 3, 5.0])
    # SRCC 0.9, 0.8 and, between the two, 1 - 6 · 8 / 120 = 0.6; r̄² = 0.725; f = 0.4 / 0.55; h = (1 - f · 0.725) / 0.275
    f = 0.4 / 0.55
    h = (1 - f * 0.725) / 0.275
    z = (np.arctanh(0.9) - np.arctanh(0.8)) * np.sqrt(2 / (2 * 0.4 * h))
    found = meng_rosenthal_rubin(a, b, quality)
    assert metrics.srcc(a, b) == pytest.approx(0.6, abs=1e-12)
    assert found.difference == pytest.approx(0.1, abs=1e-12)
    assert found.p == pytest.approx(2 * stats.norm.sf(z), abs=1e-12)
    assert meng_rosenthal_rubin(b, a, quality).p == pytest.approx(found.p, abs=1e-12)


def test_meng_rosenthal_rubin_agrees_with_the_bootstrap() -> None:
    a, b, quality = methods(3, n=300, noise=0.27)
    closed, drawn = meng_rosenthal_rubin(a, b, quality), paired_bootstrap([PartScores(a, quality)], [PartScores(b, quality)])
    assert 0.001 < drawn.p < 0.2
    assert closed.p == pytest.approx(drawn.p, abs=0.03)


def test_pitman_morgan_is_the_correlation_of_sum_and_difference() -> None:
    a, b, quality = methods(4, noise=0.3)
    a, b = a - quality, b - quality
    found = pitman_morgan(a, b)
    assert found.p == pytest.approx(stats.pearsonr(a + b, a - b).pvalue, abs=1e-12)
    assert found.difference == pytest.approx(np.std(a, ddof=1) - np.std(b, ddof=1), abs=1e-12)
    assert found.difference < 0
    assert pitman_morgan(a, a).p == 1


def test_the_corrected_t_is_students_where_nothing_overlaps() -> None:
    values = np.array([0.01, 0.03, -0.01, 0.02, 0.025])
    plain, scipy = corrected_t(values, 0), stats.ttest_1samp(values, 0)
    low, high = scipy.confidence_interval()
    assert plain.p == pytest.approx(scipy.pvalue, abs=1e-12)
    assert (plain.difference, plain.low, plain.high) == pytest.approx((values.mean(), low, high), abs=1e-12)
    corrected = corrected_t(values, 0.2 / 0.7)
    # the variance grows from 1/5 to 1/5 + 2/7
    t = scipy.statistic * np.sqrt((1 / 5) / (1 / 5 + 2 / 7))
    assert corrected.p == pytest.approx(2 * stats.t.sf(t, 4), abs=1e-12)
    assert corrected.p > plain.p
    assert corrected.high - corrected.low > high - low


def test_one_split_has_no_interval_and_no_verdict() -> None:
    alone = corrected_t([0.02])
    assert alone.difference == 0.02
    assert np.isnan([alone.low, alone.high, alone.p]).all()
    assert np.isnan(corrected_t([0.1, np.nan, 0.2]).p)
    assert np.isnan(corrected_t([]).difference)
    assert corrected_t([0.0, 0.0, 0.0]).p == 1
    with pytest.warns(AgreementWarning, match="all 3 splits give 0.5"):
        assert np.isnan(corrected_t([0.5] * 3).p)


@pytest.mark.parametrize(("splits", "level"), [(3, 0.05), (10, 0.05), (10, 0.05 / 7)])
def test_a_visible_difference_is_found_in_four_of_five_experiments(splits: int, level: float) -> None:
    random, ratio, scatter = np.random.default_rng(splits), 0.2 / 0.7, 0.01
    # splits share training images: their differences move together, so much that the correction is exact
    shared, own = scatter * np.sqrt(ratio), scatter
    reach = np.sqrt(1 / splits + ratio) * scatter * stats.t.ppf(0.975, splits - 1)
    truth = visible_difference(Comparison(0.0, -reach, reach, 1.0, ""), splits, level)
    experiments = truth + shared * random.normal(size=(4000, 1)) + own * random.normal(size=(4000, splits))
    found = np.mean([corrected_t(values, ratio).p < level for values in experiments])
    assert found == pytest.approx(POWER, abs=0.025)  # four standard errors


def test_a_visible_difference_of_images_is_found_in_four_of_five_draws() -> None:
    random, error = np.random.default_rng(1), 0.004
    truth = visible_difference(Comparison(0.0, -1.96 * error, 1.96 * error, 1.0, ""), 1)
    draws = truth + error * random.normal(size=20000)
    assert np.mean(2 * stats.norm.sf(np.abs(draws) / error) < 0.05) == pytest.approx(POWER, abs=0.015)
    assert np.isnan(visible_difference(Comparison(0.1, np.nan, np.nan, np.nan, ""), 3))


def test_holm_worked_by_hand() -> None:
    # sorted .005 .01 .03 .04 times 4 3 2 1, never falling
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02], abs=1e-15)
    adjusted = holm([0.04, np.nan, 0.5])
    assert adjusted[[0, 2]] == pytest.approx([0.08, 0.5], abs=1e-15)
    assert np.isnan(adjusted[1])
    assert holm([0.9, 0.8]).tolist() == [1, 1]
    assert len(holm([])) == 0


def test_the_undefined_is_nan_with_its_cause() -> None:
    a, b, quality = methods(5, n=30)
    with pytest.warns(AgreementWarning, match="constant scores"):
        found = meng_rosenthal_rubin(np.full(30, 0.5), b, quality)
    assert np.isnan([found.difference, found.p]).all()
    with pytest.warns(AgreementWarning, match="NaN or infinite"):
        assert np.isnan(pitman_morgan(np.r_[np.nan, a[1:]], b).p)
    with pytest.warns(AgreementWarning, match="NaN or infinite"):
        assert np.isnan(paired_bootstrap([PartScores(np.r_[np.nan, a[1:]], quality)], [PartScores(b, quality)]).p)
    with pytest.warns(AgreementWarning, match="perfect correlation"):
        assert np.isnan(meng_rosenthal_rubin(quality, b, quality).p)
    assert meng_rosenthal_rubin(a, 2 * a + 1, quality).p == 1
    with pytest.warns(AgreementWarning, match="a multiple of the other"):
        assert np.isnan(pitman_morgan(a, 2 * a).p)
