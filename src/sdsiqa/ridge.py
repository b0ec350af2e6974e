"""A head from ridge regression on frozen features: minutes of training for the price of one pass over the images."""

import dataclasses
import hashlib
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np
import torch
from numpy.typing import NDArray
from rich.progress import track

from sdsiqa.data.datamodule import QualityDataModule, to_float
from sdsiqa.errors import SdsiqaError
from sdsiqa.images import write_bytes
from sdsiqa.metrics import srcc
from sdsiqa.models.network import QualityNetwork
from sdsiqa.models.regression import LinearPath

FEWEST = 10
"""Validation images below which their SRCC chooses nothing; the leave-one-out error of the training part does then."""

Part = Literal["train", "val", "test"]


class RidgeStart:
    """Fits the network's linear head in closed form before the first step.

    The features are those of whole images under the pretrained, frozen branches. The penalty is chosen on the
    validation part; the label is quality in [0, 1].

    Args:
        penalties: Candidates for the penalty, on standardised features.
        folder: Where features are kept between runs; none computes them each time.
        lr_scale: Factor on the learning rate of the solved weights. A thousand of them act on standardised features and
            move the score together, so a rate that suits a convolution would undo the solution within a few steps.
    """

    def __init__(
        self,
        penalties: Sequence[float] = (1, 10, 100, 300, 1000, 3000, 10000),
        folder: Path | None = None,
        lr_scale: float = 0.05,
    ) -> None:
        self.penalties, self.folder, self.lr_scale = tuple(penalties), folder, lr_scale

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
        features, quality = self._features(network, data, "train", device)
        if data.fit_on == "train":
            held, held_quality = self._features(network, data, "val", device)
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
        return f"ridge start: penalty {self.penalties[best]:g} of {len(quality)} images, {what} {merits[best]:.4f}"

    def _features(
        self, network: QualityNetwork, data: QualityDataModule, part: Part, device: torch.device
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Features `(n, D)` and quality `(n,)` of a part, from the folder if they are there."""
        rows = data.rows(part)
        quality = rows["quality"].to_numpy(np.float64)
        file = None if self.folder is None else self.folder / f"{self._key(network, data, rows.index.to_numpy())}.npy"
        if file is not None and file.exists():
            return np.load(file, allow_pickle=False), quality
        features = pooled_features(network, data, part, device)
        if file is not None:
            buffer = io.BytesIO()
            np.save(buffer, features, allow_pickle=False)
            write_bytes(file, buffer.getvalue())
        return features, quality

    def _key(self, network: QualityNetwork, data: QualityDataModule, rows: NDArray[np.int64]) -> str:
        digest = hashlib.sha256()
        for part in network.pretrained_parts():
            for name, value in part.state_dict().items():
                digest.update(name.encode())
                digest.update(value.detach().cpu().contiguous().numpy().tobytes())
        digest.update(f"{data.benchmark.data_version()} {data.benchmark.short_side} {data.saliency.fingerprint()}".encode())
        digest.update(rows.tobytes())
        return digest.hexdigest()[:24]


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
            f"this {type(network).__name__} has no linear path to start from a ridge regression; set its linear_path to true, "
            "or model.ridge_start to null"
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
    mean, scale = _standard(features)
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
    mean, scale = _standard(features)
    x, y = (features - mean) / scale, quality - quality.mean()
    kernel = x @ x.T
    hat = kernel @ np.linalg.inv(kernel + penalty * np.eye(len(x))) + 1 / len(x)
    return float(np.sqrt(np.mean(((y - hat @ y) / (1 - np.diag(hat))) ** 2)))


def _tensor(values: NDArray[np.float64]) -> torch.Tensor:
    return torch.from_numpy(values).float()


def _standard(features: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean and standard deviation `(D,)` of features `(n, D)`; infinite for one that never changes, which says nothing."""
    scale = features.std(0)
    return features.mean(0), np.where(scale < 1e-8, np.inf, scale)


@torch.no_grad()
def pooled_features(network: QualityNetwork, data: QualityDataModule, part: Part, device: torch.device) -> NDArray[np.float64]:
    """Compute the network's pooled features of whole images.

    Args:
        network: What computes them.
        data: Where the images are.
        part: Which of them.
        device: Where to compute.

    Returns:
        `(n, D)`, in the order of the part's rows.
    """
    training = network.training
    network.eval()
    found = []
    loader = data.whole_images(part)
    for batch in track(loader, description=f"features of the {part} part", transient=True):
        pictures = to_float(batch)
        inputs = [pictures[name].flatten(0, 1).to(device) for name in network.inputs]  # type: ignore[literal-required]
        found.append(cast(Any, network).pooled_features(*inputs).double().cpu().numpy())
    network.train(training)
    return np.concatenate(found)
