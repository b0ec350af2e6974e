"""A head from ridge regression on frozen features: solved after one pass over the images."""

from __future__ import annotations  # signatures show names, not what they stand for

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from sdsiqa.data.datamodule import QualityDataModule
from sdsiqa.errors import SdsiqaError
from sdsiqa.metrics.agreement import srcc
from sdsiqa.models.base import QualityNetwork
from sdsiqa.models.components.heads import LinearPath
from sdsiqa.runs.ranges import check_each
from sdsiqa.training.solvers.closed_form import FEWEST, ClosedForm, agree, standard

PENALTIES = (1.0, 10.0, 100.0, 300.0, 1000.0, 3000.0, 10000.0)
"""Candidates, for standardised features."""


class RidgeStart(ClosedForm):
    """Fits the network's linear head in closed form before the first step.

    The features are those of whole images under the pretrained, frozen branches. The penalty is chosen on the
    validation part; the label is quality in [0, 1].

    Args:
        penalties: Candidates for the penalty, on standardised features.
        folder: Where features are kept between runs; `None` computes them each time.
        lr_scale: Factor on the learning rate of the solved weights. A thousand of them act on standardised features and
            move the score together, so a rate that suits a convolution would undo the solution within a few steps.
    """

    def __init__(
        self,
        penalties: Sequence[float] = PENALTIES,
        folder: Path | None = None,
        lr_scale: float = 0.05,
    ) -> None:
        super().__init__(folder, lr_scale)
        check_each(penalties=penalties)
        self.penalties = tuple(penalties)

    def __call__(self, network: QualityNetwork, data: QualityDataModule, device: torch.device) -> str:
        """Fit, and set the head.

        Args:
            network: Its features and the head to set.
            data: Training and validation part.
            device: Where to compute.

        Returns:
            A sentence on what was found.

        Raises:
            SdsiqaError: The network has no linear head.
        """
        path = linear_path(network)
        features, quality = self.features(network, data, "train", device)
        if data.fit_on == "train":
            held, held_quality = self.features(network, data, "val", device)
        else:  # no validation part, so the training images choose for themselves
            held, held_quality = None, None
        fits = [fit_ridge(features, quality, penalty) for penalty in self.penalties]
        if held is not None and held_quality is not None and len(held) >= FEWEST:
            what, merits = "validation SRCC", [srcc(fit(held), held_quality) for fit in fits]
        else:
            what = "negative leave-one-out RMSE"
            merits = [-leave_one_out_error(features, quality, penalty) for penalty in self.penalties]
        best = int(np.nanargmax(merits))
        chosen = fits[best]
        path.set(_tensor(chosen.mean), _tensor(chosen.scale), _tensor(chosen.weight), chosen.bias)
        agree(path, data)
        return f"ridge start: penalty {self.penalties[best]:g} of {len(quality)} images, {what} {merits[best]:.4f}"

    def solved(self, network: QualityNetwork) -> list[nn.Parameter]:
        """Give the weights of the linear path."""
        return list(linear_path(network).parameters())


def linear_path(network: QualityNetwork) -> LinearPath:
    """Give what ridge regression solves for.

    Args:
        network: The network.

    Raises:
        SdsiqaError: It has no linear path.
    """
    path = getattr(network, "linear_path", None)
    if not isinstance(path, LinearPath):
        raise SdsiqaError(
            f"this {type(network).__name__} has no linear path to start from a ridge regression; set its fusion.linear_path to "
            "true, or model.ridge_start to null"
        )
    return path


@dataclasses.dataclass(frozen=True)
class Ridge:
    """A linear map of standardised features to quality.

    Args:
        mean: `(D,)`, subtracted from the features.
        scale: `(D,)`, what they are then divided by; infinite for a feature that never changes.
        weight: `(D,)`.
        bias: Constant.
    """

    mean: NDArray[np.float64]
    scale: NDArray[np.float64]
    weight: NDArray[np.float64]
    bias: float

    def __call__(self, features: NDArray[np.float64]) -> NDArray[np.float64]:
        """Map features `(n, D)` to scores `(n,)`."""
        return (features - self.mean) / self.scale @ self.weight + self.bias


def fit_ridge(features: NDArray[np.float64], quality: NDArray[np.float64], penalty: float) -> Ridge:
    """Fit `min |y − Xw − b|² + penalty |w|²` on standardised features.

    Args:
        features: `(n, D)`.
        quality: `(n,)`.
        penalty: Weight of the squared norm; the constant is free.
    """
    mean, scale = standard(features)
    x, y = (features - mean) / scale, quality - quality.mean()
    if x.shape[0] < x.shape[1]:  # the smaller of two equal systems
        weight = x.T @ np.linalg.solve(x @ x.T + penalty * np.eye(len(x)), y)
    else:
        weight = np.linalg.solve(x.T @ x + penalty * np.eye(x.shape[1]), x.T @ y)
    return Ridge(mean, scale, weight, float(quality.mean()))


def leave_one_out_error(features: NDArray[np.float64], quality: NDArray[np.float64], penalty: float) -> float:
    """Root mean squared error of each image under the fit to all others, in closed form.

    Args:
        features: `(n, D)`.
        quality: `(n,)`.
        penalty: As in `fit_ridge`.
    """
    mean, scale = standard(features)
    x, y = (features - mean) / scale, quality - quality.mean()
    kernel = x @ x.T
    hat = kernel @ np.linalg.inv(kernel + penalty * np.eye(len(x))) + 1 / len(x)
    return float(np.sqrt(np.mean(((y - hat @ y) / (1 - np.diag(hat))) ** 2)))


def _tensor(values: NDArray[np.float64]) -> torch.Tensor:
    return torch.from_numpy(values).float()
