"""Spectral residual saliency: what is unexpected in the image's amplitude spectrum."""

import cv2
import numpy as np
from numpy.typing import NDArray

from sdsiqa.runs.ranges import check_counts, check_positive
from sdsiqa.saliency.base import FLAT, SaliencyProvider

_TALLEST = 1024
"""Rows of the small image at most: a picture of one column would become 64 times as tall as it is."""


class SpectralResidual(SaliencyProvider):
    """Spectral residual [Hou & Zhang, CVPR 2007].

    The small grey image is rebuilt from its phase and from that part of its log amplitude which neighbouring
    frequencies do not explain: what is left is what stands out.

    Args:
        width: Width of the small grey image in pixels; its height follows the image. The scale of what is found.
        sigma: Standard deviation in small pixels of the final blur: 2.5 in the authors' program, 8 in their text.

    Raises:
        ValueError: `width` or `sigma` is not positive.
    """

    def __init__(self, width: int = 64, sigma: float = 2.5) -> None:
        check_counts(width=width)
        check_positive(sigma=sigma)
        self.width = width
        self.sigma = sigma

    def _map(self, image: NDArray[np.uint8], name: str) -> NDArray[np.float64]:
        grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float64) / 255
        height = min(max(1, round(self.width * grey.shape[0] / grey.shape[1])), _TALLEST)
        small = _shrinking(grey.shape[0], height) @ grey @ _shrinking(grey.shape[1], self.width).T
        if np.ptp(small) < FLAT:
            return np.ones_like(small)  # nothing but the mean: its residual would be a spot in the corner
        spectrum = np.fft.fft2(small)
        log_amplitude = np.log(np.abs(spectrum) + 1e-8)
        residual = log_amplitude - cv2.blur(log_amplitude, (3, 3), borderType=cv2.BORDER_REPLICATE)
        saliency = np.abs(np.fft.ifft2(np.exp(residual + 1j * np.angle(spectrum)))) ** 2
        radius = round(2 * self.sigma)  # 11 taps at 2.5
        size = (2 * radius + 1, 2 * radius + 1)
        blurred = np.asarray(cv2.GaussianBlur(saliency, size, self.sigma, borderType=cv2.BORDER_CONSTANT))
        return np.asarray((blurred - blurred.min()) / max(np.ptp(blurred), 1e-12))


def _shrinking(source: int, target: int) -> NDArray[np.float64]:
    """Weights `(target, source)` of bilinear resizing along one axis; widened when shrinking, so nothing aliases."""
    scale = source / target
    reach = max(scale, 1.0)
    centres = (np.arange(target) + 0.5) * scale - 0.5
    weights = np.maximum(0, 1 - np.abs(np.arange(source)[None, :] - centres[:, None]) / reach)
    return np.asarray(weights / weights.sum(axis=1, keepdims=True))
