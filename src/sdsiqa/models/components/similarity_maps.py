"""Maps of local similarity between an image and its reference, as targets of a first stage."""

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 - the usual name


def gaussian(side: int, sigma: float) -> Tensor:
    """Give a Gaussian window of sum 1.

    Args:
        side: Odd, in pixels.
        sigma: Standard deviation in pixels.

    Returns:
        `(side, side)` float32.
    """
    places = torch.arange(side) - side // 2
    line = torch.exp(-places.square() / (2 * sigma**2))
    return torch.outer(line, line) / line.sum() ** 2


def smooth(plane: Tensor, window: Tensor) -> Tensor:
    """Filter a plane at its own size, padded with the values of its border.

    Args:
        plane: `(N, 1, h, w)`.
        window: `(k, k)` with odd k.
    """
    reach = window.shape[-1] // 2
    return F.conv2d(F.pad(plane, (reach,) * 4, mode="replicate"), window.to(plane)[None, None])


def ssim_map(reference: Tensor, image: Tensor) -> Tensor:
    """Give the structural similarity of each place [Wang, Bovik, Sheikh and Simoncelli, TIP 2004].

    The window is the usual one of 11×11 pixels with σ = 1.5; K₁ = 0.01 and K₂ = 0.03.

    Args:
        reference: Luma `(N, 1, h, w)` in [0, 1].
        image: As the reference.

    Returns:
        `(N, 1, h, w)` in [−1, 1]; 1 where both are equal.
    """
    window = gaussian(11, 1.5)
    with torch.autocast(image.device.type, enabled=False):  # variances are small differences of squares
        x, y = reference.float(), image.float()
        mean_x, mean_y = smooth(x, window), smooth(y, window)
        # second moments about each picture's mean, so that squares stay small
        u, v = x - x.mean((1, 2, 3), keepdim=True), y - y.mean((1, 2, 3), keepdim=True)
        mean_u, mean_v = smooth(u, window), smooth(v, window)
        variances = smooth(u * u + v * v, window) - mean_u * mean_u - mean_v * mean_v
        covariance = smooth(u * v, window) - mean_u * mean_v
        luminance = (2 * mean_x * mean_y + 1e-4) / (mean_x * mean_x + mean_y * mean_y + 1e-4)
        return luminance * (2 * covariance + 9e-4) / (variances + 9e-4)


def gms_map(reference: Tensor, image: Tensor) -> Tensor:
    """Give the similarity of gradient magnitudes at each place, `(2ab + c) / (a² + b² + c)` [Xue et al., TIP 2014].

    `a` and `b` are Prewitt's magnitudes in full size, for luma in 0 … 255; c = 170.

    Args:
        reference: Luma `(N, 1, h, w)` in [0, 1].
        image: As the reference.

    Returns:
        `(N, 1, h, w)` in (0, 1]; 1 where both are equal.
    """
    kernel = torch.tensor([[1.0, 0.0, -1.0]] * 3) / 3
    with torch.autocast(image.device.type, enabled=False):
        a, b = (
            torch.hypot(smooth(plane, kernel), smooth(plane, kernel.T))
            for plane in (255 * reference.float(), 255 * image.float())
        )
        return (2 * a * b + 170) / (a * a + b * b + 170)
