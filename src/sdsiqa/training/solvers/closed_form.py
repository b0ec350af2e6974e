"""Heads that are fitted in closed form to features of whole images, before the first step or instead of training."""

from __future__ import annotations  # signatures show names, not what they stand for

import hashlib
import io
import zipfile
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import nn

from sdsiqa.benchmarks.digests import digests
from sdsiqa.data.datamodule import QualityDataModule, to_float
from sdsiqa.files import user_path, write_bytes
from sdsiqa.models.base import QualityNetwork
from sdsiqa.models.components.gates import MODULATING
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
        found = self._kept(network, data, rows, device)
        if isinstance(probe := getattr(network, "probe", None), Probe):  # on its own, since many networks share a probe
            found = np.hstack([found, self._kept(probe, data, rows, device)])
        return found.astype(np.float64), rows["quality"].to_numpy(np.float64)

    def _kept(
        self, network: QualityNetwork, data: QualityDataModule, rows: pd.DataFrame, device: torch.device
    ) -> NDArray[np.floating[Any]]:
        """Take features from the folder, and compute and keep those that are missing: splits share what they share of images."""
        if self.folder is None:
            return pooled_features(network, data, rows, device)
        file = self.folder / f"{_key(network, data, device)}.npz"
        known, kept = _read(file)
        bytes_of = digests(data.benchmark.root, rows["image"], data.cache_folder)
        images = [f"{bytes_of[image]} {image}" for image in rows["image"]]  # its map may go by its name
        missing = ~np.isin(images, known)
        if missing.any():
            new = pooled_features(network, data, rows.loc[missing], device)
            known = np.concatenate([known, np.array(images)[missing]])
            kept = new if kept is None else np.concatenate([kept, new])
            buffer = io.BytesIO()
            np.savez(buffer, images=known, features=kept)
            write_bytes(file, buffer.getvalue())
        place = {image: position for position, image in enumerate(known.tolist())}
        return cast(NDArray[np.floating[Any]], kept)[[place[image] for image in images]]


def _read(file: Path) -> tuple[NDArray[np.str_], NDArray[np.floating[Any]] | None]:
    """Read which images have kept features, and these; none from a file that is damaged, since they can be computed again."""
    nothing = np.zeros(0, np.str_), None
    try:
        with np.load(file, allow_pickle=False) as content:
            images, features = content["images"], content["features"]
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return nothing
    return (images, features) if images.shape == features.shape[:1] else nothing


def agree(part: nn.Module, data: QualityDataModule) -> None:
    """Give every device the solution of the first one: another kind of processor rounds otherwise.

    Args:
        part: What was solved.
        data: Knows the trainer and its devices.
    """
    if data.trainer is not None and data.trainer.world_size > 1:
        part.load_state_dict(data.trainer.strategy.broadcast(part.state_dict()))


def standard(features: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean and standard deviation `(D,)` of features `(n, D)`; infinite for one that never changes, which says nothing."""
    scale = features.std(0)
    return features.mean(0), np.where(scale < 1e-8, np.inf, scale)


@torch.no_grad()
def pooled_features(
    network: QualityNetwork, data: QualityDataModule, rows: pd.DataFrame, device: torch.device
) -> NDArray[np.floating[Any]]:
    """Compute the network's pooled features of whole images.

    Args:
        network: What computes them.
        data: Where the images are.
        rows: Which of them.
        device: Where to compute.

    Returns:
        `(n, D)`, in the order of the rows.
    """
    training = network.training
    network.eval()
    found = []
    for batch in track(data.whole_images(rows), f"features of whole images of {data.benchmark.name}"):
        pictures = to_float(batch)
        inputs = [pictures[name].flatten(0, 1).to(device) for name in network.inputs]  # type: ignore[literal-required]
        found.append(cast(Any, network).pooled_features(*inputs).cpu().numpy())
    network.train(training)
    return np.concatenate(found)


def _key(network: QualityNetwork, data: QualityDataModule, device: torch.device) -> str:
    """Name what decides the features of an image but its bytes: weights, settings, maps."""
    digest = hashlib.sha256()
    for part in [*network.pretrained_parts(), *(part for part in network.modules() if isinstance(part, MODULATING))]:
        for name, value in part.state_dict().items():
            digest.update(name.encode())
            digest.update(value.detach().cpu().contiguous().numpy().tobytes())
    digest.update(np.round(_drawn_features(network, device), 3).tobytes())
    digest.update(f"{data.benchmark.name} {data.benchmark.short_side} {data.source.fingerprint()}".encode())
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
