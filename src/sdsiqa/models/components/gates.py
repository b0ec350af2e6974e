"""Gates that weigh channels."""

import math
from typing import Literal

import torch
from torch import Tensor, nn

from sdsiqa.models.components.attention import SpatialAttention

GateName = Literal["gct", "se", "eca", "glu"]


class GCT(nn.Module):
    """Gated channel transformation [Yang et al., CVPR 2020]: channels compete (γ > 0) or cooperate (γ < 0).

    Starts as the exact identity; a constant factor on all features does not change the gate, so it does not depend on
    the size of a crop. Computed in float32, since sums of squares overflow float16.

    Args:
        channels: Channels to weigh.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.alpha = nn.Parameter(torch.ones(1, channels, 1, 1))
        self.gamma = nn.Parameter(torch.zeros(1, channels, 1, 1))
        self.beta = nn.Parameter(torch.zeros(1, channels, 1, 1))

    def gate(self, features: Tensor) -> Tensor:
        """Weigh channels of `(N, C, h, w)`: `(N, C, 1, 1)` in (0, 2)."""
        with torch.autocast(features.device.type, enabled=False):
            # a norm and its square, because a sum of squares would write a whole map of squares first
            squares = torch.linalg.vector_norm(features.float(), dim=(2, 3), keepdim=True).square()
            norm = (squares + 1e-5).sqrt() * self.alpha
            normalised = self.gamma * norm / (norm.square().mean(1, keepdim=True) + 1e-5).sqrt()
            return 1 + torch.tanh(normalised + self.beta)

    def forward(self, features: Tensor) -> Tensor:
        """Weigh the channels of `(N, C, h, w)`."""
        return features * self.gate(features).to(features.dtype)


class SE(nn.Module):
    """Squeeze and excitation [Hu et al., CVPR 2018], reduction 16.

    Args:
        channels: Channels to weigh.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        narrow = max(1, channels // 16)
        self.layers = nn.Sequential(nn.Linear(channels, narrow), nn.ReLU(), nn.Linear(narrow, channels))

    def gate(self, features: Tensor) -> Tensor:
        """Weigh channels of `(N, C, h, w)`: `(N, C, 1, 1)` in (0, 1)."""
        weights: Tensor = torch.sigmoid(self.layers(features.mean((2, 3))))
        return weights[:, :, None, None]

    def forward(self, features: Tensor) -> Tensor:
        """Weigh the channels of `(N, C, h, w)`."""
        return features * self.gate(features)


class ECA(nn.Module):
    """Efficient channel attention [Wang et al., CVPR 2020]: a convolution across channels.

    Args:
        channels: Channels to weigh; they decide the length of the convolution.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        length = int(abs((math.log2(channels) + 1) / 2))
        length += 1 - length % 2
        self.convolution = nn.Conv1d(1, 1, length, padding=length // 2, bias=False)

    def gate(self, features: Tensor) -> Tensor:
        """Weigh channels of `(N, C, h, w)`: `(N, C, 1, 1)` in (0, 1)."""
        pooled = features.mean((2, 3))[:, None]  # (N, 1, C)
        weights: Tensor = torch.sigmoid(self.convolution(pooled))
        return weights[:, 0, :, None, None]

    def forward(self, features: Tensor) -> Tensor:
        """Weigh the channels of `(N, C, h, w)`."""
        return features * self.gate(features)


MODULATING = (SpatialAttention, GCT, SE, ECA)
"""What weighs features and makes none: it is never pulled to zero, and may be all that two trained networks differ in."""


class LevelFusion(nn.Module):
    """Gates the joined channels of one level and projects them.

    Args:
        channels: Joined channels.
        width: Channels after the projection.
        gate: How channels are weighed; `glu` gates the projection instead [Dauphin et al., ICML 2017], `None` weighs none.
    """

    def __init__(self, channels: int, width: int, gate: GateName | None) -> None:
        super().__init__()
        self.gate: GCT | SE | ECA | None = None
        self.switch: nn.Conv2d | None = None
        if gate == "gct":
            self.gate = GCT(channels)
        elif gate == "se":
            self.gate = SE(channels)
        elif gate == "eca":
            self.gate = ECA(channels)
        elif gate == "glu":
            self.switch = nn.Conv2d(channels, width, 1)
        self.projection = nn.Conv2d(channels, width, 1, bias=gate == "glu")
        self.norm = nn.Identity() if gate == "glu" else nn.BatchNorm2d(width)

    def gated(self, features: Tensor) -> Tensor:
        """Weigh the channels of `(N, C, h, w)`; `glu` does not, since it gates what comes out."""
        return features if self.gate is None else self.gate(features)

    def forward(self, features: Tensor) -> Tensor:
        """Map what `gated` gives, `(N, C, h, w)`, to `(N, width, h, w)`."""
        if self.switch is not None:
            return self.projection(features) * torch.sigmoid(self.switch(features))  # type: ignore[no-any-return]
        return torch.relu_(self.norm(self.projection(features)))  # in place: nothing else reads the largest maps there are
