"""Regressions on hand-made features, which take the place of training."""

from __future__ import annotations  # signatures show names, not what they stand for

import itertools
import warnings
from abc import abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from sdsiqa.data.datamodule import QualityDataModule
from sdsiqa.errors import MissingExtraError, SdsiqaError
from sdsiqa.metrics.agreement import AgreementWarning, srcc
from sdsiqa.models.base import QualityNetwork
from sdsiqa.models.components.kernel_map import KernelMap
from sdsiqa.runs.progress import track
from sdsiqa.runs.ranges import check_each, check_numbers
from sdsiqa.training.solvers.closed_form import FEWEST, ClosedForm, standard
from sdsiqa.training.solvers.ridge import PENALTIES, fit_ridge

FOLDS = 5
"""Shares of the training part, by content, that choose settings where the validation part cannot."""

COSTS = tuple(2.0**k for k in range(11))
GAMMAS = tuple(2.0**-k for k in range(11))

CHOOSING = "choosing a regression"

Solution = dict[str, Any]
"""Buffers of a `KernelMap` but mean and scale."""


@dataclass(frozen=True)
class Fold:
    """Standardised features `(n, D)` and quality `(n,)` to fit to, and such to predict."""

    x: NDArray[np.float64]
    y: NDArray[np.float64]
    held_x: NDArray[np.float64]
    held_y: NDArray[np.float64]


class FeatureRegression(ClosedForm):
    """Fits a network's `regressor`, a `KernelMap`, to its features; that is all the training there is.

    Features are standardised on the training part. Settings are chosen by the SRCC of the validation part; where that is
    trained on or has fewer than ten images, by that of left-out contents of the training part.

    Args:
        folder: Where features are kept between runs; `None` computes them each time.
    """

    def __init__(self, folder: Path | None = None) -> None:
        super().__init__(folder)

    @abstractmethod
    def candidates(self) -> dict[str, Callable[[NDArray[np.float64], NDArray[np.float64]], Solution]]:
        """Give what may be fitted, by a name for people: functions of standardised features `(n, D)` and quality `(n,)`."""

    def __call__(self, network: QualityNetwork, data: QualityDataModule, device: torch.device) -> str:
        """Fit, and set the regressor; arguments as those of a `ClosedForm`.

        Raises:
            SdsiqaError: The network has no regressor.
        """
        regressor = getattr(network, "regressor", None)
        if not isinstance(regressor, KernelMap):
            raise SdsiqaError(f"{type(network).__name__} has no regressor to fit; set model.regression to null")
        features, quality = self.features(network, data, "train", device)
        mean, scale = standard(features)
        x = (features - mean) / scale
        fits = self.candidates()
        name, merit, how = next(iter(fits)), float("nan"), ""
        if len(fits) > 1:
            held = self._held(network, data, device)
            if held is not None:
                how, folds = "validation SRCC", [Fold(x, quality, (held[0] - mean) / scale, held[1])]
            else:
                how, folds = "SRCC of left-out contents", list(_folds(x, quality, data.rows("train")["content"].to_numpy()))
            merits = self.merits(folds)
            name = max(merits, key=lambda name: merits[name])
            merit = merits[name]
        regressor.set(mean=mean, scale=scale, **fits[name](x, quality))
        said = f", {how} {merit:.4f}" if how else ""
        return f"regression: {name} on {x.shape[1]} features of {len(x)} images{said}"

    def merits(self, folds: Sequence[Fold]) -> dict[str, float]:
        """Measure what may be fitted.

        Args:
            folds: What to fit to, and what to predict.

        Returns:
            Mean SRCC over folds of each candidate, in [−1, 1]; −1 in a fold where it says the same of all.
        """
        fits = self.candidates()
        return {
            name: float(np.mean([_srcc(_predict(fit(fold.x, fold.y), fold.held_x), fold.held_y) for fold in folds]))
            for name, fit in track(fits.items(), CHOOSING, len(fits), "candidates")
        }

    def _held(
        self, network: QualityNetwork, data: QualityDataModule, device: torch.device
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
        """Features and quality of the validation part, if it can choose."""
        if data.fit_on != "train" or len(data.rows("val")) < FEWEST:
            return None
        return self.features(network, data, "val", device)


class SupportVectorRegression(FeatureRegression):
    """Support vector regression with a radial kernel, by scikit-learn; every pair of cost and kernel width is tried.

    Args:
        costs: Candidates for the cost of an error beyond the margin.
        gammas: Candidates for γ of the kernel `exp(−γ |x − v|²)`.
        margin: Errors of quality up to here cost nothing.
        folder: Where features are kept between runs; `None` computes them each time.
    """

    def __init__(
        self,
        costs: Sequence[float] = COSTS,
        gammas: Sequence[float] = GAMMAS,
        margin: float = 0.05,
        folder: Path | None = None,
    ) -> None:
        super().__init__(folder)
        check_each(costs=costs, gammas=gammas)
        check_numbers(0, margin=margin)
        self.costs, self.gammas, self.margin = tuple(costs), tuple(gammas), margin

    def candidates(self) -> dict[str, Callable[[NDArray[np.float64], NDArray[np.float64]], Solution]]:
        """One for each cost and γ; arguments as those of a `FeatureRegression`.

        Raises:
            MissingExtraError: scikit-learn is not installed.
        """
        svr = self._svr()

        def fit(cost: float, gamma: float, x: NDArray[np.float64], y: NDArray[np.float64]) -> Solution:
            found = svr(kernel="rbf", C=cost, gamma=gamma).fit(x, y)
            weights, bias = found.dual_coef_[0], found.intercept_[0]
            return {"vectors": found.support_vectors_, "weights": weights, "gamma": gamma, "bias": bias}

        return {_svr_name(cost, gamma): partial(fit, cost, gamma) for cost, gamma in itertools.product(self.costs, self.gammas)}

    def merits(self, folds: Sequence[Fold]) -> dict[str, float]:
        """As those of a `FeatureRegression`; distances, which are most of the work, are computed once for all candidates."""
        svr = self._svr()
        from sklearn.metrics.pairwise import euclidean_distances

        found: dict[str, list[float]] = {}
        for fold in track(folds, CHOOSING, len(folds), "folds"):
            among, between = (euclidean_distances(x, fold.x, squared=True) for x in (fold.x, fold.held_x))
            for gamma in self.gammas:
                fitted_on, held = np.exp(-gamma * among), np.exp(-gamma * between)
                for cost in self.costs:
                    predicted = svr(kernel="precomputed", C=cost).fit(fitted_on, fold.y).predict(held)
                    found.setdefault(_svr_name(cost, gamma), []).append(_srcc(predicted, fold.held_y))
        return {name: float(np.mean(found[name])) for name in self.candidates()}  # in the order that decides between equals

    def _svr(self) -> Callable[..., Any]:
        try:
            from sklearn.svm import SVR
        except ImportError as error:
            raise MissingExtraError("support vector regression needs scikit-learn: pip install 'sdsiqa[svr]'") from error
        return partial(SVR, epsilon=self.margin, cache_size=500)


class RidgeRegression(FeatureRegression):
    """The linear map of standardised features, with a constant, whose squared error and squared norm have the least sum.

    Args:
        penalties: Candidates for the weight of the norm.
        folder: Where features are kept between runs; `None` computes them each time.
    """

    def __init__(self, penalties: Sequence[float] = PENALTIES, folder: Path | None = None) -> None:
        super().__init__(folder)
        self.penalties = tuple(penalties)

    def candidates(self) -> dict[str, Callable[[NDArray[np.float64], NDArray[np.float64]], Solution]]:
        """One for each penalty; arguments as those of a `FeatureRegression`."""

        def fit(penalty: float, x: NDArray[np.float64], y: NDArray[np.float64]) -> Solution:
            found = fit_ridge(x, y, penalty)
            weight = found.weight / found.scale  # of the features as they are given
            return {"vectors": weight[None], "weights": [1.0], "gamma": 0.0, "bias": found.bias - found.mean @ weight}

        return {f"ridge with penalty {penalty:g}": partial(fit, penalty) for penalty in self.penalties}


class LeastSquares(FeatureRegression):
    """The linear map of the features, with a constant, that has the least squared error.

    It is what a multivariate Gaussian of features and score predicts: the score of greatest density given the features.
    """

    def candidates(self) -> dict[str, Callable[[NDArray[np.float64], NDArray[np.float64]], Solution]]:
        """The one there is; arguments as those of a `FeatureRegression`."""

        def fit(x: NDArray[np.float64], y: NDArray[np.float64]) -> Solution:
            weight = np.linalg.lstsq(x, y - y.mean(), rcond=None)[0]  # columns of x have the mean zero
            return {"vectors": weight[None], "weights": [1.0], "gamma": 0.0, "bias": y.mean()}

        return {"least squares": fit}


def _svr_name(cost: float, gamma: float) -> str:
    return f"SVR with cost {cost:g} and γ {gamma:g}"


def _folds(x: NDArray[np.float64], y: NDArray[np.float64], contents: NDArray[Any]) -> Iterator[Fold]:
    """Give each content to be predicted once, in an order that only the names decide."""
    order = {content: place % FOLDS for place, content in enumerate(sorted(set(contents)))}
    place = np.array([order[content] for content in contents])
    for fold in range(min(FOLDS, len(order))):
        yield Fold(x[place != fold], y[place != fold], x[place == fold], y[place == fold])


def _predict(solution: Solution, x: NDArray[np.float64]) -> NDArray[np.float64]:
    regressor = KernelMap(x.shape[1])
    regressor.set(mean=np.zeros(x.shape[1]), scale=np.ones(x.shape[1]), **solution)
    predicted: NDArray[np.float64] = regressor(torch.from_numpy(x)).numpy()
    return predicted


def _srcc(predicted: NDArray[np.float64], y: NDArray[np.float64]) -> float:
    """SRCC with quality; −1 where all are predicted the same."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AgreementWarning)
        found = srcc(predicted, y)
    return found if found == found else -1.0
