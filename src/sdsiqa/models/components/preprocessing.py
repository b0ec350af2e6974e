"""Inputs of older methods: grey values, locally normalised, in patches."""

from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 - the usual name

LUMA = (0.299, 0.587, 0.114)
"""Weights of red, green and blue in BT.601 luma."""


def luma(image: Tensor) -> Tensor:
    """Give BT.601 luma, not rounded.

    Args:
        image: `(N, 3, h, w)` RGB on any scale.

    Returns:
        `(N, 1, h, w)` on that scale.
    """
    red, green, blue = image.unbind(1)
    return (LUMA[0] * red + LUMA[1] * green + LUMA[2] * blue)[:, None]


def normalise_locally(
    plane: Tensor, kernel: Tensor, constant: float, border: Literal["reflect", "replicate"] = "reflect"
) -> Tensor:
    """Subtract the local mean and divide by the local standard deviation, `(I − μ) / (σ + C)`.

    Args:
        plane: `(N, 1, h, w)`.
        kernel: Weights of the window, `(k, k)` with odd k and sum 1.
        constant: `C`, on the scale of the plane.
        border: How the plane is padded.

    Returns:
        `(N, 1, h, w)` float32 or wider.
    """
    with torch.autocast(plane.device.type, enabled=False):  # a variance is a small difference of large squares
        plane = plane if plane.dtype == torch.float64 else plane.float()
        weight, reach = kernel.to(plane)[None, None], kernel.shape[-1] // 2
        # about each picture's mean, so that squares stay small
        padded = F.pad(plane - plane.mean((1, 2, 3), keepdim=True), (reach,) * 4, mode=border)
        mean, square = F.conv2d(padded, weight), F.conv2d(padded.square(), weight)
        centre = padded[..., reach : padded.shape[-2] - reach, reach : padded.shape[-1] - reach]
        return (centre - mean) / ((square - mean.square()).clamp_min(0).sqrt() + constant)


def box(side: int) -> Tensor:
    """Give the window that weighs all places alike: `(side, side)`."""
    return torch.full((side, side), 1 / side**2)


def cut_patches(plane: Tensor, side: int) -> Tensor:
    """Cut patches that do not overlap, row by row from the upper left; a rest that fills none is left out.

    Args:
        plane: `(N, C, h, w)`, not smaller than a patch.
        side: Side of a patch.

    Returns:
        `(N, P, C, side, side)`.
    """
    rows = plane.unfold(2, side, side).unfold(3, side, side)  # (N, C, rows, columns, side, side)
    return rows.flatten(2, 3).transpose(1, 2)
