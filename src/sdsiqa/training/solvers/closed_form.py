"""Heads that are fitted in closed form to features of whole images, before the first step or instead of training."""

from __future__ import annotations  # signatures show names, not what they stand for

import hashlib
import io
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from sdsiqa.data.datamodule import QualityDataModule, to_float
from sdsiqa.files import user_path, write_bytes
from sdsiqa.models.base import QualityNetwork
from sdsiqa.models.probe import Probe
from sdsiqa.runs.progress import track
from sdsiqa.runs.ranges import check_numbers

FEWEST = 10
"""Validation images below which their SRCC chooses nothing; the training part does then."""

Part = Literal["train", "val", "test"]


class ClosedForm(ABC):
    """Fits a part of a network to features of whole images.

    Args:
        folder: Where features are kept between runs; `None` computes them each time.
        lr_scale: Factor on the learning rate of the solved weights.
    """

    def __init__(self, folder: Path | None = None, lr_scale: float = 1.0) -> None:
        check_numbers(0, lr_scale=lr_scale)
        self.folder, self.lr_scale = None if folder is None else user_path(folder), lr_scale

    @abstractmethod
    def __call__(self, network: QualityNetwork, data: QualityDataModule, device: torch.device) -> str:
        """Fit, and set the part of the network.

        Args:
            network: Its features and the part to set.
            data: Training and validation part.
            device: Where to compute.

        Returns:
            A sentence on what was found.
        """

    def solved(self, network: QualityNetwork) -> list[nn.Parameter]:
        """Give the weights that are set and may learn from there; none where all is kept in buffers."""
        return []

    def features(
        self, network: QualityNetwork, data: QualityDataModule, part: Part, device: torch.device
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Give features `(n, D)` and quality `(n,)` of a part, from the folder if they are there; arguments as in calling."""
        rows = data.rows(part)
        quality = rows["quality"].to_numpy(np.float64)
        if isinstance(probe := getattr(network, "probe", None), Probe):  # frozen features are the same in every run
            own = pooled_features(network, data, part, device)
            return np.hstack([own, self.features(probe, data, part, device)[0]]), quality
        file = None if self.folder is None else self.folder / f"{_key(network, data, rows.index.to_numpy(), device)}.npy"
        if file is not None and file.exists():
            return np.load(file, allow_pickle=False), quality
        features = pooled_features(network, data, part, device)
        if file is not None:
            buffer = io.BytesIO()
            np.save(buffer, features, allow_pickle=False)
            write_bytes(file, buffer.getvalue())
        return features, quality


def standard(features: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
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
    for batch in track(loader, f"features of whole images, {part} part of {data.benchmark.name}"):
        pictures = to_float(batch)
        inputs = [pictures[name].flatten(0, 1).to(device) for name in network.inputs]  # type: ignore[literal-required]
        found.append(cast(Any, network).pooled_features(*inputs).double().cpu().numpy())
    network.train(training)
    return np.concatenate(found)


def _key(network: QualityNetwork, data: QualityDataModule, rows: NDArray[np.int64], device: torch.device) -> str:
    """Name what decides the features of some rows: weights, settings, images, maps."""
    digest = hashlib.sha256()
    for part in network.pretrained_parts():
        for name, value in part.state_dict().items():
            digest.update(name.encode())
            digest.update(value.detach().cpu().contiguous().numpy().tobytes())
    digest.update(np.round(_drawn_features(network, device), 3).tobytes())
    digest.update(f"{data.benchmark.data_version()} {data.benchmark.short_side} {data.source.fingerprint()}".encode())
    digest.update(rows.tobytes())
    return digest.hexdigest()[:24]


@torch.no_grad()
def _drawn_features(network: QualityNetwork, device: torch.device) -> NDArray[np.float64]:
    """Features `(1, D)` of a drawn picture: a setting, or code, that changes those of photographs changes these."""
    training = network.training
    network.eval()
    draw = torch.Generator().manual_seed(0)
    inputs = [torch.rand(1, 1 if name == "saliency" else 3, 97, 130, generator=draw).to(device) for name in network.inputs]
    found = cast(Any, network).pooled_features(*inputs).double().cpu().numpy()
    network.train(training)
    return cast(NDArray[np.float64], found)
