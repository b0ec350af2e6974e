"""Degenerate cases are the same on every processor: inputs moved by one unit in the last place change no verdict.

A sum rounds differently from kernel to kernel. Moving the inputs by that much stands for kernels that cannot be run here;
`make test-portable` runs those that can.
"""

from collections.abc import Iterator

import numpy as np
import pytest
from numpy.typing import NDArray

from sdsiqa import metrics
from sdsiqa.metrics import logistic, resampled
from sdsiqa.metrics.agreement import AgreementWarning
from sdsiqa.metrics.bootstrap import PartScores
from sdsiqa.metrics.correlation import is_constant, is_perfect, pearson, rounding, spearman
from sdsiqa.metrics.significance import corrected_t, meng_rosenthal_rubin, paired_bootstrap, pitman_morgan

Array = NDArray[np.float64]
SIZES = (3, 4, 7, 8, 30, 33, 1000, 2015)
"""Fewest, around the widths of vector registers, and as many as test parts have."""


def neighbours(values: Array) -> Iterator[Array]:
    """The values, and each moved by one unit in the last place: all up, all down, every second one, at random."""
    up, down = np.nextafter(values, np.inf), np.nextafter(values, -np.inf)
    yield values
    yield up
    yield down
    yield np.where(np.arange(len(values)) % 2 == 0, up, values)
    yield np.where(np.arange(len(values)) % 2 == 0, down, up)
    yield np.choose(np.random.default_rng(len(values)).integers(3, size=len(values)), [down, values, up])


def errors(n: int, seed: int = 0) -> Array:
    return np.random.default_rng(seed).normal(0.01, 0.2, n)


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("factor", [2, 3, 1.1, 0.7, -2, -1 / 3, 1e9, 1 + 1e-9])
def test_pitman_morgan_knows_proportional_errors(n: int, factor: float) -> None:
    a = errors(n)
    for b in neighbours(factor * a):
        with pytest.warns(AgreementWarning, match="a multiple of the other"):
            assert np.isnan(pitman_morgan(a, b).p)
        with pytest.warns(AgreementWarning, match="a multiple of the other"):
            assert np.isnan(pitman_morgan(b, a).p)


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("constant", [0.0, 0.1, -3.0, 1e3])
def test_pitman_morgan_knows_equal_and_opposite_errors(n: int, sign: float, constant: float) -> None:
    a = errors(n)
    for b in neighbours(sign * a + constant):
        found = pitman_morgan(a, b)
        assert found.p == 1
        assert found.difference == pytest.approx(0, abs=1e-12)


def test_pitman_morgan_tests_what_is_near_to_proportional_or_equal() -> None:
    a, other = errors(200), errors(200, 1)
    assert pitman_morgan(a, 2 * a + 1e-3 * other).p < 1e-6  # no NaN
    assert 0 < pitman_morgan(a, a + 1e-9 * other).p < 1  # far above rounding
    assert pitman_morgan(a, a + 1e-9 * other, noise=1e-8).p == 1  # and below what a fit knows


@pytest.mark.parametrize("n", SIZES[1:])
def test_meng_rosenthal_rubin_knows_perfect_and_equal_ranks(n: int) -> None:
    quality, b = np.random.default_rng(n).uniform(size=n), errors(n)
    for perfect in neighbours(3 * quality + 0.1):
        for sign in (1, -1):
            with pytest.warns(AgreementWarning, match="perfect correlation"):
                assert np.isnan(meng_rosenthal_rubin(sign * perfect, b, quality).p)
    for same in neighbours(np.exp(b)):
        found = meng_rosenthal_rubin(same, b, quality)
        assert (found.difference, found.p) == (0, 1)


@pytest.mark.parametrize("n", SIZES)
def test_rank_correlations_are_exact_at_their_ends(n: int) -> None:
    x = errors(n)
    for y in neighbours(np.exp(x)):
        assert (spearman(x, y), spearman(-x, y)) == (1, -1)
        for measure in ("srcc", "krcc"):
            both = [resampled.MEASURES[measure](sign * x, y)(np.ones((1, n)))[0] for sign in (1, -1)]
            assert both == [1, -1]
    swapped = np.sort(x)
    swapped[[0, 1]] = swapped[[1, 0]]
    assert not is_perfect(spearman(np.sort(x), swapped))  # one pair of neighbours the other way round


@pytest.mark.parametrize("k", [2, 3, 5, 10])
@pytest.mark.parametrize("value", [0.1, 0.3, 0.7, 1 / 3, 1e-6, -0.1])
def test_corrected_t_knows_splits_without_spread(k: int, value: float) -> None:
    for values in neighbours(np.full(k, value)):
        with pytest.warns(AgreementWarning, match=f"all {k} splits give"):
            found = corrected_t(values)
        assert np.isnan([found.low, found.high, found.p]).all()
        assert found.difference == pytest.approx(value)


@pytest.mark.parametrize("k", [2, 3, 5, 10])
def test_corrected_t_knows_differences_of_rounding(k: int) -> None:
    a = np.random.default_rng(k).uniform(0.8, 0.95, k)
    for b in neighbours(a):
        found = corrected_t(a - b, noise=2 * rounding(a))
        assert found.p == 1
        assert np.isnan([found.low, found.high]).all()
    assert corrected_t(np.linspace(0.01, 0.02, k), noise=2 * rounding(a)).p < 0.5


@pytest.mark.parametrize("measure", ["srcc", "krcc", "plcc", "rmse"])
@pytest.mark.parametrize("n", [8, 33, 300])
def test_the_paired_bootstrap_knows_methods_that_agree_but_for_rounding(measure: str, n: int) -> None:
    quality = np.random.default_rng(n).uniform(size=n)
    a = quality + errors(n)
    for b in neighbours(a if measure == "rmse" else 3 * a + 1):
        found = paired_bootstrap([PartScores(a, quality)], [PartScores(b, quality)], measure, 200)  # type: ignore[arg-type]
        assert found.p == 1
        assert np.isnan([found.low, found.high]).all()
        assert found.difference == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("value", [0.5, 0.1, 1 / 3, -7.3, 1e12, 1e-12])
def test_constant_but_for_rounding_is_constant(n: int, value: float) -> None:
    quality = np.linspace(0, 1, n)
    for values in neighbours(np.full(n, value)):
        assert is_constant(values)
        assert np.isnan([pearson(values, quality), pearson(quality, values)]).all()
        for measure in (metrics.srcc, metrics.krcc, metrics.plcc):
            with pytest.warns(AgreementWarning, match="constant scores"):
                assert np.isnan(measure(values, quality))
        with pytest.warns(AgreementWarning, match="constant qualities"):
            assert metrics.fit_logistic4(quality, values).which == "raw"
        assert logistic.fit_curve("logistic4", values, quality).which == "raw"
    assert not is_constant(value * (1 + 1e-12 * np.arange(n)))
    assert not is_constant(np.zeros(n) + 1e-300 * np.arange(n))
    assert is_constant(np.zeros(n))


def test_scores_of_a_collapsed_network_are_constant_in_float32() -> None:
    quality, single = np.linspace(0, 1, 50), np.full(50, 0.3, np.float32)
    single[::3] = np.nextafter(single[0], np.float32(1))  # another batch, another kernel
    for scores in (single, single.astype(np.float64), np.array([float(repr(float(value))) for value in single])):
        with pytest.warns(AgreementWarning, match="constant scores"):
            assert np.isnan(metrics.agreement(scores, quality)["srcc"])
    apart = (0.3 + 1e-5 * quality).astype(np.float32)
    assert metrics.srcc(apart, quality) > 0.99


def test_a_curve_on_a_score_that_says_nothing_points_upwards() -> None:
    score = np.linspace(-1, 1, 101)
    for moved in neighbours(score):
        for quality in (np.cos(3 * score), -np.cos(3 * score)):  # even: the linear correlation is zero but for rounding
            assert abs(metrics.plcc(moved, quality)) < 1e-12
            fit = metrics.fit_logistic4(moved, quality)
            assert fit.which == "raw" or metrics.plcc_fit(moved, quality, fit) > 0


def test_an_error_of_two_deviations_exceeds_them_on_no_processor() -> None:
    mos = np.array([0.1, 0.3, 0.7, 10.1, 55.5, 70.3])
    deviation = np.array([0.1, 0.15, 0.05, 1.3, 2.2, 0.7])
    for sign in (1, -1):
        for predicted in neighbours(mos + sign * 2 * deviation):
            assert metrics.outlier_ratio(predicted, mos, deviation) == 0
        assert metrics.outlier_ratio(mos + sign * 2.000001 * deviation, mos, deviation) == 1
