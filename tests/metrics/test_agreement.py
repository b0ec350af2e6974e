import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from scipy import stats
from scipy.optimize import least_squares

from sdsiqa import metrics
from sdsiqa.metrics import logistic
from sdsiqa.metrics.agreement import AgreementWarning, LogisticFit

Array = NDArray[np.float64]
MEASURES = [metrics.srcc, metrics.krcc, metrics.plcc, metrics.rmse]


def drawn(seed: int, n: int = 200, ties: bool = False) -> tuple[Array, Array]:
    rng = np.random.default_rng(seed)
    quality = rng.uniform(size=n)
    score = quality + 0.3 * rng.normal(size=n)
    return (np.round(score, 1), np.round(quality, 1)) if ties else (score, quality)


def monotone(seed: int) -> tuple[Array, Array]:
    """Noisy monotone relations of many shapes, scales and both directions."""
    rng = np.random.default_rng(seed)
    score = rng.normal(size=int(rng.integers(30, 600))) * rng.uniform(0.1, 3)
    shapes: list[Callable[[Array], Array]] = [np.copy, np.tanh, np.exp, lambda t: t**3]
    curve = shapes[rng.integers(4)](score)
    quality = curve / np.ptp(curve) + rng.normal(size=len(score)) * rng.uniform(0, 0.3)
    quality = (quality - quality.min()) / np.ptp(quality)
    sign = -1 if rng.random() < 0.3 else 1
    return sign * score * 10.0 ** rng.integers(-4, 3) + 3 * rng.normal(), quality


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("seed", range(5))
def test_measures_equal_scipy(seed: int, ties: bool) -> None:
    score, quality = drawn(seed, ties=ties)
    assert metrics.srcc(score, quality) == pytest.approx(stats.spearmanr(score, quality).statistic, abs=1e-12)
    assert metrics.krcc(score, quality) == pytest.approx(stats.kendalltau(score, quality).statistic, abs=1e-12)
    assert metrics.plcc(score, quality) == pytest.approx(stats.pearsonr(score, quality).statistic, abs=1e-12)
    assert metrics.rmse(score, quality) == pytest.approx(np.sqrt(((score - quality) ** 2).mean()), abs=1e-12)


def test_ties_worked_by_hand() -> None:
    score, quality = [1.0, 2.0, 2.0, 3.0], [1.0, 3.0, 2.0, 4.0]
    # mid-ranks 1, 2.5, 2.5, 4 against 1, 3, 2, 4: covariance 4.5, variances 4.5 and 5
    assert metrics.srcc(score, quality) == pytest.approx(4.5 / np.sqrt(4.5 * 5), abs=1e-15)
    # five concordant pairs, one tied in the scores: 5 / sqrt(5 · 6)
    assert metrics.krcc(score, quality) == pytest.approx(5 / np.sqrt(30), abs=1e-15)
    # deviations -1, 0, 0, 1 against -1.5, .5, -.5, 1.5: 3 / sqrt(2 · 5)
    assert metrics.plcc(score, quality) == pytest.approx(3 / np.sqrt(10), abs=1e-15)
    # errors 0, -1, 0, -1
    assert metrics.rmse(score, quality) == pytest.approx(np.sqrt(0.5), abs=1e-15)


def test_wrong_direction_stays_visible() -> None:
    score, quality = drawn(1)
    right, wrong = metrics.agreement(score, quality), metrics.agreement(-score, quality)
    for name in ("srcc", "krcc", "plcc", "plcc_fit"):
        assert wrong[name] == pytest.approx(-right[name], abs=1e-9)
        assert wrong[name] < -0.4
    assert wrong["rmse_fit"] == pytest.approx(right["rmse_fit"], abs=1e-9)


def test_ranks_ignore_monotone_maps_and_pearson_affine_ones() -> None:
    score, quality = drawn(2)
    bent = np.exp(3 * score)
    assert metrics.srcc(bent, quality) == metrics.srcc(score, quality)
    assert metrics.krcc(bent, quality) == metrics.krcc(score, quality)
    assert metrics.plcc(bent, quality) != pytest.approx(metrics.plcc(score, quality), abs=1e-3)
    assert metrics.plcc(40 * score - 7, quality / 9) == pytest.approx(metrics.plcc(score, quality), abs=1e-12)
    order = np.random.default_rng(0).permutation(len(score))
    for measure in MEASURES:
        assert measure(score[order], quality[order]) == pytest.approx(measure(score, quality), abs=1e-14)


def test_tiny_deviations_still_correlate() -> None:
    score, quality = drawn(3)
    assert metrics.plcc(1e-200 * score, quality) == pytest.approx(metrics.plcc(score, quality), abs=1e-12)
    narrow = 0.5 + 1e-6 * score
    assert metrics.srcc(narrow, quality) == metrics.srcc(score, quality)
    assert metrics.agreement(narrow, quality)["plcc_fit"] == pytest.approx(
        metrics.agreement(score, quality)["plcc_fit"], abs=1e-6
    )


def test_agreement_is_in_table_order_and_equals_its_parts() -> None:
    score, quality = drawn(4)
    table = metrics.agreement(score, quality)
    fit = metrics.fit_logistic4(score, quality)
    assert list(table) == ["srcc", "krcc", "plcc", "rmse", "plcc_fit", "rmse_fit"]
    assert all(table[measure.__name__] == measure(score, quality) for measure in MEASURES)
    assert table["plcc_fit"] == metrics.plcc_fit(score, quality, fit)
    assert table["rmse_fit"] == pytest.approx(metrics.rmse(fit(score), quality), abs=1e-12)
    assert all(type(value) is float for value in table.values())


CONSTANT = "all 5 scores are 0.5; constant scores have no correlation"


@pytest.mark.parametrize(
    ("score", "quality", "message"),
    [
        ([0.5] * 5, [0.1, 0.2, 0.3, 0.4, 0.5], CONSTANT),
        ([0.1, 0.2, 0.3], [0.7] * 3, "all 3 qualities are 0.7; constant qualities have no correlation"),
        ([0.1, 0.2], [0.1, 0.2], "2 images are too few; give at least 3"),
        ([], [], "0 images are too few; give at least 3"),
        ([0.1, np.nan, np.inf], [0.1, 0.2, 0.3], "2 of 3 scores are NaN or infinite; look for a diverged training"),
        ([0.1, 0.2, 0.3], [0.1, np.nan, 0.3], "1 of 3 qualities are NaN or infinite; look for a diverged training"),
    ],
)
def test_the_undefined_is_nan_with_its_cause(score: list[float], quality: list[float], message: str) -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        table = metrics.agreement(score, quality)
    assert [(w.category, str(w.message)) for w in caught] == [(AgreementWarning, message)]
    assert caught[0].filename == __file__
    constant = "constant" in message
    assert all(np.isnan(value) for name, value in table.items() if name != "rmse")
    assert np.isnan(table["rmse"]) != constant  # constant scores are off by a known distance all the same
    for measure in (metrics.srcc, metrics.krcc, metrics.plcc):
        with pytest.warns(AgreementWarning) as caught_here:
            assert np.isnan(measure(score, quality))
        assert str(caught_here[0].message) == message
        assert caught_here[0].filename == __file__
    with pytest.warns(AgreementWarning, match=r".") as caught_here:
        fit = metrics.fit_logistic4(score, quality)
    assert (fit.which, fit.converged, fit.parameters) == ("raw", False, ())
    assert str(caught_here[0].message) == message


def test_outliers_err_by_more_than_two_deviations() -> None:
    mos, std = np.array([10.0, 20.0, 30.0, 40.0, 50.0]), np.array([1.0, 2.0, 3.0, np.nan, 0.5])
    predicted = mos + np.array([2.0, -4.1, 5.9, 100.0, 1.01])  # within, beyond, within, unknown, beyond
    assert metrics.outlier_ratio(predicted, mos, std) == 0.5
    assert np.isnan(metrics.outlier_ratio(predicted, mos, np.full(5, np.nan)))  # nobody published any
    with pytest.warns(AgreementWarning, match="1 of 5 scores are NaN"):
        assert np.isnan(metrics.outlier_ratio(np.r_[np.nan, predicted[1:]], mos, std))
    with pytest.raises(ValueError, match="one deviation per image"):
        metrics.outlier_ratio(predicted, mos, std[:3])


def test_rmse_of_constant_scores_is_no_nan() -> None:
    assert metrics.rmse([0.5] * 4, [0.4, 0.6, 0.4, 0.6]) == pytest.approx(0.1, abs=1e-15)


@pytest.mark.parametrize("score", [[1.0, 2.0], [[1.0], [2.0], [3.0]]])
def test_arrays_that_do_not_pair_are_a_bug_not_a_nan(score: list[float]) -> None:
    with pytest.raises(ValueError, match=r"give two arrays \(n,\) of one length"):
        metrics.srcc(score, [1.0, 2.0, 3.0])


@pytest.mark.parametrize(
    ("which", "true"),
    [
        ("logistic4", (0.9, 0.1, 42.0, 6.0)),
        ("logistic4", (0.1, 0.9, -3.0, 0.2)),
        ("logistic5", (0.8, 0.4, 30, 0.002, 0.4)),
    ],
)
def test_fits_recover_what_made_the_data(which: str, true: tuple[float, ...]) -> None:
    center, width = true[2], (true[3] if which == "logistic4" else 1 / true[1])
    score = np.random.default_rng(0).uniform(center - 5 * width, center + 5 * width, 400)
    quality = logistic.CURVES[which](score, np.array(true))
    fit = (metrics.fit_logistic4 if which == "logistic4" else metrics.fit_logistic5)(score, quality)
    assert fit.which == which
    assert fit.converged
    assert fit.monotone
    assert fit.parameters == pytest.approx(true, rel=1e-4, abs=1e-6)
    assert fit(score) == pytest.approx(quality, abs=1e-6)
    assert fit.residual < 1e-6


def test_a_fit_agrees_with_an_independent_optimum() -> None:
    score, quality = drawn(6)
    fit = metrics.fit_logistic4(score, quality)
    # no point of a fine grid over centre and width, with the two heights solved in closed form, is better
    best = np.inf
    for center in np.linspace(score.min(), score.max(), 60):
        for width in np.geomspace(0.01, 3, 60):
            share = 1 / (1 + np.exp(-np.clip((score - center) / width, -60, 60)))
            design = np.stack([share, 1 - share], -1)
            heights = np.linalg.lstsq(design, quality, rcond=None)[0]
            best = min(best, float(np.sqrt(((design @ heights - quality) ** 2).mean())))
    assert fit.residual <= best + 1e-9
    assert fit.residual == pytest.approx(best, rel=1e-3)


KEPT = Path(__file__).parents[2] / "results"
TABLES = [
    *sorted(KEPT.glob("livec-methods/runs/*-[02]-0-*/scores/livec-test.csv")),
    *sorted(KEPT.glob("livec/*-sdsiqa-full-[02]-0-*/scores/livec-test.csv")),
]


def best_of_all(z: np.ndarray, y: np.ndarray) -> float:
    """PLCC after the best five-parameter logistic that a dense search finds, over middles and steepness, each polished."""
    middles, found = np.linspace(z.min(), z.max(), 160), []
    line = np.linalg.qr(np.stack([np.ones_like(z), z], 1))[0]
    for steep in np.geomspace(0.1, 100, 28):
        share = 1 / (1 + np.exp(-np.clip(steep * (z - middles[:, None]), -60, 60)))
        apart = share - (share @ line) @ line.T
        gain = (apart @ y) ** 2 / np.maximum(np.square(apart).sum(1), 1e-9)
        found.append((gain.max(), steep, middles[gain.argmax()]))
    best = 0.0
    for _, steep, middle in sorted(found, reverse=True)[:4]:
        linear = np.stack([1 / (1 + np.exp(-np.clip(steep * (z - middle), -60, 60))) - 0.5, z, np.ones_like(z)], 1)
        height, tilt, offset = np.linalg.lstsq(linear, y)[0]
        start = np.array([height, steep, middle, tilt, offset])
        curve = least_squares(lambda beta: logistic.logistic5(z, beta) - y, start, max_nfev=300).x
        best = max(best, float(np.corrcoef(logistic.logistic5(z, curve), y)[0, 1]))
    return best


def test_no_start_leads_to_a_clearly_better_five_parameter_curve() -> None:
    """What the docstring of `TOLERANCE` says, on every kept table of two splits."""
    assert len(TABLES) == 22
    behind = {}
    for file in TABLES:
        table = pd.read_csv(file)
        score, quality = (table[name].to_numpy(float) for name in ("score", "quality"))
        five, four = metrics.fit_logistic5(score, quality), metrics.fit_logistic4(score, quality)
        assert five.residual <= four.residual * (1 + 1e-6), file  # without a tilt it is the other one
        best = best_of_all((score - score.mean()) / score.std(), quality)
        behind[file.parents[1].name] = best - metrics.plcc_fit(score, quality, five)
    assert max(behind.values()) < 5e-4, behind


def test_bends_far_from_the_middle_are_found() -> None:
    score = np.linspace(-3, 3, 200)
    for middle in (-2.5, -1.7, 1.7, 2.5):
        for steep in (2.0, 12.0, 1e4):
            true = np.array([-0.4, steep, middle, 0.3, 0.5])  # against the direction of the line
            fit = metrics.fit_logistic5(score, logistic.logistic5(score, true))
            assert fit.residual < 2e-3, (middle, steep)


@pytest.mark.parametrize("which", ["logistic4", "logistic5"])
def test_jacobians_equal_differences(which: str) -> None:
    x = np.linspace(-3, 3, 13)
    beta = np.array([0.8, 0.1, 0.3, -0.7]) if which == "logistic4" else np.array([0.8, 1.7, 0.3, 0.2, 0.5])
    numeric = np.stack(
        [
            (logistic.CURVES[which](x, beta + 1e-6 * unit) - logistic.CURVES[which](x, beta - 1e-6 * unit)) / 2e-6
            for unit in np.eye(len(beta))
        ],
        -1,
    )
    assert logistic.JACOBIANS[which](x, beta) == pytest.approx(numeric, abs=1e-8)


# the rest is no more a matter of kernels, and takes a third of the time of all numerical tests
@pytest.mark.parametrize("seeds", [range(30), pytest.param(range(30, 100), marks=pytest.mark.slow)], ids=["some", "rest"])
def test_fits_never_fall_below_the_raw_correlation(seeds: range) -> None:
    for seed in seeds:
        score, quality = monotone(seed)
        raw = metrics.plcc(score, quality)
        for fit in (metrics.fit_logistic4(score, quality), metrics.fit_logistic5(score, quality)):
            fitted = metrics.plcc_fit(score, quality, fit)
            assert fit.which != "raw"
            assert np.sign(fitted) == np.sign(raw)
            assert abs(fitted) >= abs(raw) - 1e-3, (seed, fit)


def test_a_fit_follows_the_units_of_both_axes() -> None:
    score, quality = drawn(7)
    fit = metrics.fit_logistic4(score, quality)
    moved = metrics.fit_logistic4(1000 * score - 5e4, 100 * quality)
    assert moved.residual == pytest.approx(100 * fit.residual, rel=1e-6)
    assert moved(1000 * score - 5e4) == pytest.approx(100 * fit(score), abs=1e-2)


@pytest.mark.parametrize("fit_function", [metrics.fit_logistic4, metrics.fit_logistic5])
def test_a_bootstrap_may_start_from_the_full_sample(fit_function: Callable[..., LogisticFit]) -> None:
    score, quality = drawn(8)
    full = fit_function(score, quality)
    again = fit_function(score, quality, start=full)
    assert again.residual <= full.residual * (1 + 1e-9)
    assert metrics.plcc_fit(score, quality, again) == pytest.approx(metrics.plcc_fit(score, quality, full), abs=1e-3)


def test_a_curve_that_turns_back_says_so() -> None:
    score = np.linspace(-3, 3, 200)
    hill = metrics.fit_logistic5(score, np.tanh(2 * score) - 0.25 * score)
    assert not hill.monotone
    assert metrics.fit_logistic5(score, np.tanh(score)).monotone


def test_a_step_is_fitted_without_overflow() -> None:
    score = np.linspace(0, 1, 50)
    fit = metrics.fit_logistic4(score, (score > 0.505).astype(float))
    assert fit.residual < 1e-3
    assert np.isfinite(fit(np.array([-1e300, 0.505, 1e300]))).all()


def test_fewer_images_than_parameters_are_not_fitted() -> None:
    score, quality = [0.1, 0.2, 0.4], [0.2, 0.1, 0.5]
    with pytest.warns(AgreementWarning, match="^no logistic fits these 3 images; the raw PLCC and RMSE stand in"):
        table = metrics.agreement(score, quality)
    assert table["plcc_fit"] == table["plcc"]
    assert table["rmse_fit"] == table["rmse"]
    with pytest.warns(AgreementWarning, match="no logistic"):
        fit = metrics.fit_logistic4(score, quality)
    assert fit.which == "raw"
    assert fit(score).tolist() == score
    assert metrics.plcc_fit(score, quality, fit) == table["plcc"]


def test_a_fit_that_cannot_be_computed_is_flagged() -> None:
    score, quality = drawn(9, n=20)
    with np.errstate(all="ignore"), pytest.warns(AgreementWarning, match="no logistic"):
        assert metrics.fit_logistic4(score, 1e308 * (quality - 0.5) * 1.9).which == "raw"


def test_metrics_start_light() -> None:
    code = "import sys, sdsiqa.metrics; print([m for m in ('torch', 'scipy', 'pandas', 'lightning') if m in sys.modules])"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out.strip() == "[]"
