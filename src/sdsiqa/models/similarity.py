"""Maps of how alike two pictures are, place by place."""

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 - the usual name

from sdsiqa.models.picture import luma

SSIM_CONSTANTS = (0.01**2, 0.03**2)
"""`C₁` and `C₂` for values in [0, 1]."""
GMS_CONSTANT = 170.0
"""Keeps the ratio finite where both gradients vanish; for values in 0 … 255 [Xue et al., TIP 2014]."""


def ssim_map(one: Tensor, other: Tensor) -> Tensor:
    """Give the structural similarity at each place [Wang, Bovik, Sheikh and Simoncelli, TIP 2004].

    The window is a Gaussian of 11×11 with σ = 1.5; pictures are reflected at their borders, so the map has their size.

    Args:
        one: RGB `(N, 3, h, w)` in [0, 1], sides above 5; luma is compared.
        other: The same.

    Returns:
        `(N, 1, h, w)` float32 in [−1, 1], 1 where they are alike.
    """
    with torch.autocast(one.device.type, enabled=False):  # variances are differences of squares
        x, y = luma(one.float()), luma(other.float())
        places = torch.arange(-5.0, 6.0, device=x.device)
        line = torch.exp(-places.square() / (2 * 1.5**2))
        line = line / line.sum()

        def mean(plane: Tensor) -> Tensor:
            padded = F.pad(plane, (5, 5, 5, 5), mode="reflect")
            return F.conv2d(F.conv2d(padded, line.view(1, 1, 1, -1)), line.view(1, 1, -1, 1))

        # about each picture's mean, so that squares stay small
        xm, ym = x.mean((2, 3), keepdim=True), y.mean((2, 3), keepdim=True)
        x, y = x - xm, y - ym
        mx, my = mean(x), mean(y)
        vx, vy, vxy = mean(x * x) - mx * mx, mean(y * y) - my * my, mean(x * y) - mx * my
        mx, my = mx + xm, my + ym
        first, second = SSIM_CONSTANTS
        return (2 * mx * my + first) * (2 * vxy + second) / ((mx * mx + my * my + first) * (vx + vy + second))


def gms_map(one: Tensor, other: Tensor) -> Tensor:
    """Give the similarity of gradient magnitudes at each place, `(2ab + c) / (a² + b² + c)` [Xue et al., TIP 2014].

    Magnitudes are Prewitt's, of the luma in 0 … 255 in full size, reflected at its borders.

    Args:
        one: RGB `(N, 3, h, w)` in [0, 1].
        other: The same.

    Returns:
        `(N, 1, h, w)` float32 in (0, 1], 1 where they are alike.
    """
    with torch.autocast(one.device.type, enabled=False):
        a, b = _prewitt(255 * luma(one.float())), _prewitt(255 * luma(other.float()))
        return (2 * (a * b).sqrt() + GMS_CONSTANT) / (a + b + GMS_CONSTANT)


def _prewitt(plane: Tensor) -> Tensor:
    """Squared gradient magnitude of `(N, 1, h, w)`."""
    across = plane.new_tensor([[1.0, 0.0, -1.0]] * 3) / 3
    found = F.conv2d(F.pad(plane, (1, 1, 1, 1), mode="reflect"), torch.stack([across, across.T])[:, None])
    return found.square().sum(1, keepdim=True)
