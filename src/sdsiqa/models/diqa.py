"""DIQA: learns a map of the error to the reference first, then opinion from its features."""

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - the usual name

from sdsiqa.models.base import Method, QualityNetwork
from sdsiqa.models.components.heads import RegressionHead
from sdsiqa.models.components.initial import for_relu
from sdsiqa.models.components.preprocessing import luma
from sdsiqa.models.components.similarity_maps import gaussian, smooth
from sdsiqa.models.objective import Crops, Objective
from sdsiqa.runs.ranges import check_positive

SCALE = 16.0
"""Divisor of details in grey levels before the first convolution, which makes them about 1."""


class MapFeatures(nn.Sequential):
    """Eight convolutions 3×3 with ReLU: details `(N, 1, h, w)` to `(N, 128, h/4, w/4)`, rounded up."""

    SHAPE = ((48, 1), (48, 2), (64, 1), (64, 2), (64, 1), (64, 1), (128, 1), (128, 1))
    """Channels and stride of each convolution."""

    def __init__(self) -> None:
        layers: list[nn.Module] = []
        before = 1
        for channels, stride in self.SHAPE:
            layers += [nn.Conv2d(before, channels, 3, stride, 1), nn.ReLU(inplace=True)]
            before = channels
        super().__init__(*layers)
        for_relu(self)


class DIQAErrorMap(QualityNetwork):
    """First stage of DIQA: a map of the error at a quarter of the size. Its score is minus the mean of the map."""

    whole = True

    def __init__(self) -> None:
        super().__init__()
        self.features = MapFeatures()
        self.error = nn.Conv2d(128, 1, 1)

    def error_map(self, image: Tensor) -> Tensor:
        """Give the map `(N, 1, h/4, w/4)`; argument as in `forward`."""
        return cast(Tensor, self.error(self.features(details(image)[0] / SCALE)))

    def forward(self, image: Tensor) -> Tensor:
        """Give minus the mean error.

        Args:
            image: `(N, 3, h, w)` RGB in [0, 1].

        Returns:
            `(N,)` float32.
        """
        return -self.error_map(image).float().mean((1, 2, 3))

    def pretrained_parts(self) -> list[nn.Module]:
        """None: it starts at random."""
        return []


class ReliableError(Objective):
    """Squared error of the map against the true one, weighed by how far a place can be trusted: `mean (((ê − e) r)²)`.

    Args:
        power: Power of the absolute difference of details.
        steepness: α of the reliability.
    """

    inputs = ("reference",)

    def __init__(self, power: float = 0.2, steepness: float = 0.2) -> None:
        super().__init__()
        check_positive(power=power, steepness=steepness)
        self.power, self.steepness = power, steepness

    def forward(self, network: QualityNetwork, crops: Crops) -> Tensor:
        """Give the loss.

        Args:
            network: A `DIQAErrorMap`.
            crops: With `reference`.
        """
        found = cast(DIQAErrorMap, network).error_map(crops["image"]).float()
        seen, true = details(crops["image"])[0], details(crops["reference"])[0]
        error = quarter((true - seen).abs().pow(self.power), found)
        trust = reliability(seen, self.steepness)
        trust = quarter(trust / (trust.mean((1, 2, 3), keepdim=True) + 1e-8), found)
        return ((found - error) * trust).square().mean()


class DIQA(Method):
    """Deep image quality assessor of Kim, Nguyen and Lee, TNNLS 2019; reimplemented from published facts.

    ```text
    Î = I − up(down(blur(I)))              details of the grey image I in [0, 255], with scales of ¼ and 4
    e = |Î_ref − Î|^0.2 at ¼,   r = 2 / (1 + exp(−α|Î|)) − 1, over its mean, at ¼
    first stage:   mean (((g(f(Î)) − e) r)²),  g a 1×1 convolution
    second stage:  mean ((h(mean over places of f(Î)) − y)²)
    ```

    Official code: none by the authors is known; the tutorial ocampor/image-quality (Apache-2.0) was not used.

    Differs from the paper:
        - Training sees crops, which make up batches, the paper whole images; scores are of whole images.
        - The schedule is not known.
        - α is 0.2, the paper's is believed to be 1.
        - The two hand-crafted inputs, which are not known for certain, are off by default; `handcrafted` adds our reading.
        - The blur has 15 taps, not 16, which have no middle; details are divided by 16 before the first convolution.
        - The epoch is chosen on the validation part.

    Args:
        handcrafted: Whether the mean reliability and the logarithm of a ratio of deviations join the features.
        steepness: α of that reliability.
    """

    whole = True
    title = "DIQA"
    status = "published facts"
    paper = "Kim, Nguyen and Lee, Deep CNN-based blind image quality predictor, TNNLS 2019"
    differs = (
        "Training sees crops, which make up batches, the paper whole images; scores are of whole images.",
        "The schedule is not known.",
        "α is 0.2, the paper's is believed to be 1.",
        "The two hand-crafted inputs, which are not known for certain, are off by default; `handcrafted` adds our reading.",
        "The blur has 15 taps, not 16, which have no middle; details are divided by 16 before the first convolution.",
        "The epoch is chosen on the validation part.",
    )
    stage_one = ("features",)

    def __init__(self, handcrafted: bool = False, steepness: float = 0.2) -> None:
        super().__init__()
        check_positive(steepness=steepness)
        self.handcrafted, self.steepness = handcrafted, steepness
        self.features = MapFeatures()
        self.head = RegressionHead(128 + 2 * handcrafted, 128, 0.0)

    def forward(self, image: Tensor) -> Tensor:
        """Score images.

        Args:
            image: `(N, 3, h, w)` RGB in [0, 1].

        Returns:
            `(N,)` float32, higher is better, about 0 to 1.
        """
        seen, low = details(image)
        pooled = self.features(seen / SCALE).float().mean((2, 3))
        if self.handcrafted:
            trust = reliability(seen, self.steepness).mean((1, 2, 3))
            share = torch.log1p(low.std((1, 2, 3)) / ((low + seen).std((1, 2, 3)) + 1))
            pooled = torch.cat([pooled, trust[:, None], share[:, None]], 1)
        score: Tensor = self.head(pooled)
        return score

    def pretrained_parts(self) -> list[nn.Module]:
        """The features, from the first stage."""
        return [self.features]

    def start_at(self, quality: float) -> None:
        """Set the last bias."""
        self.head.start_at(quality)


def details(image: Tensor) -> tuple[Tensor, Tensor]:
    """Split a grey image into details and what a quarter of the size can show.

    Args:
        image: `(N, 3, h, w)` RGB in [0, 1].

    Returns:
        Details and the rest, `(N, 1, h, w)` float32 in grey levels each; their sum is the image.
    """
    with torch.autocast(image.device.type, enabled=False):
        grey = 255 * luma(image.float())
        size = (grey.shape[2], grey.shape[3])
        small = [max(1, round(length / 4)) for length in size]
        low = F.interpolate(smooth(grey, gaussian(15, 7 / 6)), small, mode="bilinear", align_corners=False)
        low = F.interpolate(low, size, mode="bicubic", align_corners=False)
        return grey - low, low


def reliability(seen: Tensor, steepness: float) -> Tensor:
    """Say how far details can be trusted: little where there are none to compare.

    Args:
        seen: Details in grey levels, any shape.
        steepness: α.

    Returns:
        `2 / (1 + exp(−α|Î|)) − 1`, in [0, 1).
    """
    return 2 / (1 + torch.exp(-steepness * seen.abs())) - 1


def quarter(plane: Tensor, like: Tensor) -> Tensor:
    """Average `(N, 1, h, w)` to the size of another map."""
    return F.adaptive_avg_pool2d(plane, (like.shape[2], like.shape[3]))
