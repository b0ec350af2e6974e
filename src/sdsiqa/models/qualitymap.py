"""QualityMapNet: predicts a map of local quality, then scores the image from it (family reconstruction)."""

from typing import Any, Literal, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - the usual name

from sdsiqa.models.base import Method, QualityNetwork
from sdsiqa.models.components.heads import RegressionHead, mean_std
from sdsiqa.models.components.preprocessing import luma
from sdsiqa.models.components.similarity_maps import gms_map, ssim_map
from sdsiqa.models.components.unet import UNet
from sdsiqa.models.objective import Crops, Objective
from sdsiqa.runs.ranges import check_counts

DEPTH = 4
"""Levels of the map network."""


class MapNetwork(UNet):
    """Predicts how alike an image and its unseen reference are, place by place.

    Maps `(N, 3, h, w)` in [0, 1] to `(N, 1, h, w)` in (0, 1).

    Args:
        width: Channels of the first of four levels; the others double it.
    """

    def __init__(self, width: int = 32) -> None:
        super().__init__(3, 1, width, DEPTH)

    def forward(self, x: Tensor) -> Tensor:
        """Predict the map."""
        return torch.sigmoid(super().forward(x))


class QualityMap(QualityNetwork):
    """First stage of QualityMapNet: the map network alone. Its score is the mean of the map.

    Args:
        width: As of `MapNetwork`.
    """

    def __init__(self, width: int = 32) -> None:
        super().__init__()
        check_counts(width=width)
        self.map = MapNetwork(width)

    def forward(self, image: Tensor) -> Tensor:
        """Score images.

        Args:
            image: `(N, 3, h, w)` RGB in [0, 1].

        Returns:
            `(N,)` float32 in (0, 1).
        """
        found: Tensor = self.map(image).float().mean((1, 2, 3))
        return found

    def pretrained_parts(self) -> list[nn.Module]:
        """None: it starts at random."""
        return []


class MapTarget(Objective):
    """Mean absolute error of a predicted map against one that a full-reference method computes from the pair.

    Args:
        target: Structural similarity, or similarity of gradient magnitudes. What is negative of the first counts as 0, which is
            the least that the map can say.
    """

    inputs = ("reference",)

    def __init__(self, target: Literal["ssim", "gms"] = "ssim") -> None:
        super().__init__()
        self.target = target

    def forward(self, network: QualityNetwork, crops: Crops) -> Tensor:
        """Give the loss of a network with a `map`."""
        measure = ssim_map if self.target == "ssim" else gms_map
        target = measure(luma(crops["reference"]), luma(crops["image"])).clamp(min=0)
        return F.l1_loss(cast(Any, network).map(crops["image"]).float(), target)


class QualityMapNet(Method):
    """A quality map and a network that scores it; a family reconstruction that stands where the paper's tables say DQM-IQA.

    ```text
    m = σ(U-Net(x))                                     first stage: |m − SSIM(x, reference)|, or GMS
    F = conv-pool³([m; luma(x)])                         3×3 convolutions to 32, 64, 128, batch norm, ReLU, max-pool 2
    q = w₂ᵀ relu(W₁ [mean F; std F])                      128 units
    ```

    The map network is frozen for the first share of the steps (`model.frozen_fraction`), then both learn. The family's public
    member is BPSQM: Pan, Shi, Hou, Ying, Fu and Zhang, Blind Predicting Similar Quality Map for Image Quality Assessment, CVPR
    2018. No publication called DQM-IQA is known to us, so this goes by its own name, and numbers printed for DQM-IQA are not
    its own.

    Official code: none is known.

    Differs from the paper:
        - No paper describes this network: architecture, losses and training are ours, after the family of BPSQM.
        - The first stage learns from the pairs of a synthetic benchmark's training part, or from Demo's.
        - For the target, pictures are padded with the values of their borders; a negative similarity counts as 0.
        - When both networks learn, the map network's rate is a tenth of the scoring network's, along a cosine.

    Args:
        width: Channels of the map network's first level; the others double it.
        head_dim: Units of the hidden layer of the head.
    """

    title = "QualityMapNet (reconstruction)"
    status = "family reconstruction"
    paper = (
        "none; its family's public member is Pan, Shi, Hou, Ying, Fu and Zhang, Blind predicting similar quality map for image "
        "quality assessment, CVPR 2018"
    )
    differs = (
        "No paper describes this network: architecture, losses and training are ours, after the family of BPSQM.",
        "The first stage learns from the pairs of a synthetic benchmark's training part, or from Demo's.",
        "For the target, pictures are padded with the values of their borders; a negative similarity counts as 0.",
        "When both networks learn, the map network's rate is a tenth of the scoring network's, along a cosine.",
    )
    stage_one = ("map",)

    def __init__(self, width: int = 32, head_dim: int = 128) -> None:
        super().__init__()
        check_counts(width=width, head_dim=head_dim)
        self.map = MapNetwork(width)
        layers: list[nn.Module] = []
        for before, after in ((2, 32), (32, 64), (64, 128)):
            # without normalisation the few steps of a small benchmark leave the score near a constant
            layers += [nn.Conv2d(before, after, 3, padding=1, bias=False), nn.BatchNorm2d(after)]
            layers += [nn.ReLU(inplace=True), nn.MaxPool2d(2)]
        self.pooling = nn.Sequential(*layers)
        self.head = RegressionHead(2 * 128, head_dim, dropout=0.0)

    def forward(self, image: Tensor) -> Tensor:
        """Score images.

        Args:
            image: `(N, 3, h, w)` RGB in [0, 1].

        Returns:
            `(N,)` float32, higher is better, about 0 to 1.
        """
        seen = torch.cat([self.map(image), luma(image)], 1)  # (N, 2, h, w)
        score: Tensor = self.head(mean_std(self.pooling(seen)))
        return score

    def pretrained_parts(self) -> list[nn.Module]:
        """The map network, from the first stage."""
        return [self.map]

    def start_at(self, quality: float) -> None:
        """Set the last bias."""
        self.head.start_at(quality)
