"""SETNet: an image and a saliency stream, fused level by level, each level with a score and a weight (reconstruction)."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - the usual name

from sdsiqa.models.base import Method
from sdsiqa.models.components.attention import SpatialAttention, strengthen
from sdsiqa.models.components.backbone import Backbone
from sdsiqa.models.components.heads import pool
from sdsiqa.runs.ranges import check_counts

LEAST_WEIGHT = 1e-6
"""Added to the weight of each level, so that their sum is never zero."""


class DilatedChannelAttention(nn.Module):
    """Weighs channels by what three dilated convolutions see.

    Args:
        channels: Channels to weigh.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        narrow = max(1, channels // 16)
        self.context = nn.ModuleList(nn.Conv2d(channels, narrow, 3, padding=reach, dilation=reach) for reach in (1, 2, 3))
        self.output = nn.Linear(narrow, channels)

    def forward(self, features: Tensor) -> Tensor:
        """Weigh channels of `(N, C, h, w)`: `(N, C, 1, 1)` in (0, 1)."""
        seen = torch.relu(torch.stack([convolution(features) for convolution in self.context]).sum(0))
        weights: Tensor = torch.sigmoid(self.output(seen.mean((2, 3))))
        return weights[:, :, None, None]


class Refinement(nn.Module):
    """Spatial attention, then channel attention, on the features of one stream at one level.

    Args:
        channels: Channels of the level.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.where = SpatialAttention()
        self.what = DilatedChannelAttention(channels)

    def forward(self, features: Tensor) -> Tensor:
        """Weigh the places and channels of `(N, C, h, w)`."""
        features = strengthen(features, self.where(features), "plain")
        weights: Tensor = self.what(features)
        return features * weights


class LevelScore(nn.Module):
    """The score of a level and its weight, in float32 whatever the precision around it.

    Args:
        channels: Channels of the fused level.
        width: Units of the hidden layer.
    """

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        self.hidden = nn.Linear(channels, width)
        self.score = nn.Linear(width, 1)
        self.weight = nn.Linear(width, 1)

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Map `(N, C, h, w)` to scores `(N,)` and weights `(N,)` above zero."""
        with torch.autocast(features.device.type, enabled=False):
            hidden = torch.relu(self.hidden(pool(features, features, "avg")))
            return self.score(hidden)[:, 0], F.softplus(self.weight(hidden)[:, 0]) + LEAST_WEIGHT


class SETNet(Method):
    """Saliency-enhanced two-stream network, about 2022; a family reconstruction, made after what its abstract tells.

    ```text
    F^i_l, F^s_l = backbone^i(x̂), backbone^s(repeat₃(s))      level l of the normalised image and of the map; no shared weights
    R = F' ⊙ C(F'),  F' = F ⊙ A(F)                       for each stream and level, with weights of its own
    A(F) = σ(conv7×7[mean_c F; max_c F])                 CBAM's spatial attention
    C(F) = σ(W relu-GAP(Σ_d conv3×3_d(F)))               d = 1, 2, 3 dilated, C → C/16 → C
    Z_l = relu(conv1×1[R^i_l; R^s_l])                    256 channels
    q_l, w_l = FC(h_l), softplus(FC(h_l)),  h_l = relu(FC GAP(Z_l))
    q = Σ w_l q_l / Σ w_l
    ```

    What sets it apart from SDS-IQA: the saliency stream does not guide the image stream, the fusion has no gate, and the score
    is a weighted mean of the scores of levels.

    Official code: none is known.

    Differs from the paper:
        - Architecture, losses and training are ours: only the abstract is known.
        - Known are two streams, spatial and dilated channel attention at several levels, fusion level by level, and weights.
        - Attention acts on what leaves a level, not on what the next level sees.

    Args:
        backbone: Backbone of both streams, in timm's naming.
        weights: `timm` downloads ImageNet weights, a path reads a `.safetensors` file, `None` starts at random.
        same_padding: Pad as TensorFlow does, for weights that were trained so.
        levels: Which of timm's feature levels, shallow to deep; `None` takes the last four.
        proj_dim: Channels of a fused level.
        head_dim: Units of the hidden layer of a level's head.
        frozen_statistics: Whether the backbones' normalisation layers keep their statistics while weights learn.
    """

    title = "SETNet (reconstruction)"
    status = "family reconstruction"
    paper = "Saliency-enhanced two-stream convolutional network for no-reference image quality assessment, about 2022"
    differs = (
        "Architecture, losses and training are ours: only the abstract is known.",
        "Known are two streams, spatial and dilated channel attention at several levels, fusion level by level, and weights.",
        "Attention acts on what leaves a level, not on what the next level sees.",
    )
    inputs = ("image", "saliency")

    def __init__(
        self,
        backbone: str = "resnet50",
        weights: str | None = None,
        same_padding: bool = False,
        levels: Sequence[int] | None = None,
        proj_dim: int = 256,
        head_dim: int = 128,
        frozen_statistics: bool = False,
    ) -> None:
        super().__init__()
        check_counts(proj_dim=proj_dim, head_dim=head_dim)
        self.image_stream = Backbone(backbone, weights, levels, same_padding, frozen_statistics=frozen_statistics)
        self.saliency_stream = Backbone(backbone, weights, levels, same_padding, frozen_statistics=frozen_statistics)
        channels = self.image_stream.channels
        self.image_refinement = nn.ModuleList(Refinement(count) for count in channels)
        self.saliency_refinement = nn.ModuleList(Refinement(count) for count in channels)
        self.fusion = nn.ModuleList(nn.Conv2d(2 * count, proj_dim, 1) for count in channels)
        self.heads = nn.ModuleList(LevelScore(proj_dim, head_dim) for _ in channels)

    def forward(self, image: Tensor, saliency: Tensor) -> Tensor:
        """Score images.

        Args:
            image: `(N, 3, h, w)` RGB in [0, 1].
            saliency: `(N, 1, h, w)` in [0, 1].

        Returns:
            `(N,)` float32, higher is better, about 0 to 1.
        """
        scores, weights = self.level_scores(image, saliency)
        return (scores * weights).sum(0) / weights.sum(0)

    def level_scores(self, image: Tensor, saliency: Tensor) -> tuple[Tensor, Tensor]:
        """Give each level's scores and weights, `(levels, N)` both; arguments as in `forward`."""
        streams = zip(self.fusion, self.heads, *self.streams(image, saliency), strict=True)
        found = [head(torch.relu(fusion(torch.cat([seen, looked], 1)))) for fusion, head, seen, looked in streams]
        scores, weights = zip(*found, strict=True)
        return torch.stack(scores), torch.stack(weights)

    def streams(self, image: Tensor, saliency: Tensor) -> tuple[list[Tensor], list[Tensor]]:
        """Give the refined levels `(N, C, h, w)` of the image and of the saliency stream; arguments as in `forward`."""
        seen = self.image_stream(self.image_stream.normalise(image))
        looked = self.saliency_stream(self.saliency_stream.normalise(saliency.expand(-1, 3, -1, -1)))
        return (
            [refine(features) for refine, features in zip(self.image_refinement, seen, strict=True)],
            [refine(features) for refine, features in zip(self.saliency_refinement, looked, strict=True)],
        )

    def pretrained_parts(self) -> list[nn.Module]:
        """Both backbones."""
        return [self.image_stream, self.saliency_stream]

    def start_at(self, quality: float) -> None:
        """Set the last bias of each level's score: a weighted mean of equal scores is that score."""
        for head in self.heads:
            nn.init.constant_(head.score.bias, quality)  # type: ignore[union-attr,arg-type]
