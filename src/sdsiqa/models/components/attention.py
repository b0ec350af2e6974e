"""Spatial attention, and the ways in which a map of attention strengthens features."""

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - the usual name

Strengthen = Literal["residual", "plain", "centered", "none"]
"""How attention `A` acts on features `F`: `F(1 + A)`, `F A`, `2 F A` (the identity at the start), `F`."""


class SpatialAttention(nn.Module):
    """Spatial attention: a map from the mean and maximum over channels [CBAM, Woo et al., ECCV 2018, eq. 5].

    The convolution starts at zero, so that the map starts at 0.5 everywhere.

    Args:
        kernel: Side of the convolution, odd.

    Raises:
        ValueError: `kernel` is even.
    """

    def __init__(self, kernel: int = 7) -> None:
        super().__init__()
        if kernel < 1 or kernel % 2 == 0:  # an even one would shift the map by half a place
            raise ValueError(f"the kernel of spatial attention must be odd; got {kernel!r}")
        self.convolution = nn.Conv2d(2, 1, kernel, padding=kernel // 2, bias=False)
        nn.init.zeros_(self.convolution.weight)

    def forward(self, features: Tensor) -> Tensor:
        """Map features `(N, C, h, w)` to attention `(N, 1, h, w)` in (0, 1)."""
        # a sum, because the way back through a mean divides the whole map
        mean = features.sum(1, keepdim=True, dtype=torch.float32) / features.shape[1]
        pooled = torch.cat([mean.to(features.dtype), features.amax(1, keepdim=True)], 1)  # (N, 2, h, w)
        attention: Tensor = torch.sigmoid(self.convolution(pooled))
        return attention


def match_size(features: Tensor, like: Tensor) -> Tensor:
    """Resize features `(N, C, h', w')` bilinearly to the places of others, `(N, D, h, w)`."""
    if features.shape[-2:] == like.shape[-2:]:
        return features
    return F.interpolate(features, like.shape[-2:], mode="bilinear", align_corners=False)


def strengthen(features: Tensor, attention: Tensor, how: Strengthen) -> Tensor:
    """Let attention act on features.

    Args:
        features: `(N, C, h, w)`.
        attention: `(N, 1, h', w')` in (0, 1); resized bilinearly where its size differs.
        how: The form.
    """
    if how == "none":
        return features
    attention = match_size(attention, features)
    if how == "residual":
        return features * (1 + attention)
    return features * (attention if how == "plain" else 2 * attention)
