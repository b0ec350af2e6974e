"""From feature maps to a score: pooling, regression head, linear path."""

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - the usual name

Pool = Literal["avg", "avgmax", "meanstd", "saliency"]


def pool(features: Tensor, saliency: Tensor, how: Pool) -> Tensor:
    """Pool a feature map over its places.

    Args:
        features: `(N, C, h, w)`.
        saliency: `(N, 1, H, W)` in [0, 1]; weighs places where `how` is `saliency`.
        how: Mean; mean and maximum; mean and standard deviation; mean weighed by saliency.

    Returns:
        `(N, C)`, or `(N, 2C)` for two statistics.
    """
    if how == "avgmax":
        return torch.cat([features.mean((2, 3)), features.amax((2, 3))], 1)
    if how == "meanstd":
        return mean_std(features)
    if how == "saliency":
        weight = F.adaptive_avg_pool2d(saliency, (features.shape[-2], features.shape[-1])) + 1e-3
        return (features * weight).sum((2, 3)) / weight.sum((2, 3))
    # a sum, because the way back through a mean divides the whole map; float32, because half precision would overflow
    return features.sum((2, 3), dtype=torch.float32) / (features.shape[2] * features.shape[3])


def mean_std(features: Tensor) -> Tensor:
    """Mean and standard deviation over places, in float32: `(N, C, h, w)` to `(N, 2C)`."""
    variance, mean = torch.var_mean(features.float(), (2, 3), correction=0)
    return torch.cat([mean, (variance + 1e-8).sqrt()], 1)  # the root of zero has no gradient


def statistics(features: Tensor) -> Tensor:
    """Mean, standard deviation and maximum over places, in float32: `(N, C, h, w)` to `(N, 3C)`."""
    return torch.cat([mean_std(features), features.float().amax((2, 3))], 1)


class RegressionHead(nn.Module):
    """Two linear layers to one score, without a final sigmoid: it would narrow the range and make ties.

    Runs in float32 whatever the precision around it: in bfloat16 thousands of images share a few distinct scores.

    Args:
        features: Pooled features.
        width: Width of the hidden layer.
        dropout: Share of hidden units dropped in training.
    """

    def __init__(self, features: int, width: int = 512, dropout: float = 0.5) -> None:
        super().__init__()
        self.hidden = nn.Linear(features, width)
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(width, 1)

    def forward(self, features: Tensor) -> Tensor:
        """Map `(N, D)` to scores `(N,)` float32."""
        with torch.autocast(features.device.type, enabled=False):
            score: Tensor = self.output(self.dropout(torch.relu(self.hidden(features.float()))))
        return score[:, 0]

    def start_at(self, quality: float) -> None:
        """Start from a constant score.

        Args:
            quality: Mean quality of the training part.
        """
        nn.init.constant_(self.output.bias, quality)


class LinearPath(nn.Module):
    """A linear map of mean, standard deviation and maximum of feature maps, which ridge regression can solve for.

    Its weights act on standardised features, so that one learning rate suits all of them.

    Args:
        channels: Channels of each map.
    """

    def __init__(self, channels: Sequence[int]) -> None:
        super().__init__()
        width = 3 * sum(channels)
        self.register_buffer("mean", torch.zeros(width))
        self.register_buffer("scale", torch.ones(width))
        self.mean: Tensor
        self.scale: Tensor
        self.weight = nn.Parameter(torch.zeros(width))
        self.bias = nn.Parameter(torch.zeros(()))

    def features(self, maps: Sequence[Tensor]) -> Tensor:
        """Pool maps `(N, C, h, w)` to `(N, D)` float32."""
        return torch.cat([statistics(features) for features in maps], 1)

    def forward(self, maps: Sequence[Tensor]) -> Tensor:
        """Map feature maps to scores `(N,)` float32."""
        with torch.autocast(maps[0].device.type, enabled=False):
            standard = (self.features(maps) - self.mean) / self.scale
            return standard @ self.weight + self.bias

    @torch.no_grad()
    def set(self, mean: Tensor, scale: Tensor, weight: Tensor, bias: float) -> None:
        """Take over a solution.

        Args:
            mean: `(D,)`, subtracted from the features.
            scale: `(D,)`, what they are then divided by.
            weight: `(D,)` of the standardised features.
            bias: Constant.
        """
        self.mean.copy_(mean)
        self.scale.copy_(scale)
        self.weight.copy_(weight)
        self.bias.fill_(bias)
