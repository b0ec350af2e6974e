"""SDSP saliency: band-pass filtering, warm colours and the image centre."""

from functools import cache
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from sdsiqa.saliency.base import SaliencyProvider

_SIDE = 256
_NOISE = 0.01
"""Range of a* or b* below which a channel is constant: one grey level of 8 bits moves them by about 0.3."""

_PRESETS = {"icip2013": (0.002, 6.2, 114.0, 0.25), "vsi": (0.021, 1.34, 145.0, 0.001)}
"""ω₀, σ_F, σ_D, σ_C."""

_TO_XYZ = np.array([[0.412453, 0.357580, 0.180423], [0.212671, 0.715160, 0.072169], [0.019334, 0.119193, 0.950227]])
_TO_XYZ /= _TO_XYZ.sum(axis=1, keepdims=True)  # divided by the white point D65, so that white is exactly (1, 1, 1)


class SDSP(SaliencyProvider):
    """Saliency from simple priors [Zhang, Gu & Li, ICIP 2013].

    The product of a log-Gabor band-pass of the Lab channels, a Gaussian around the centre and a preference for warm
    colours, computed at 256 × 256. A grey image, and one of a single tint, has no warm colours: the colour prior is
    then left out.

    Args:
        preset: `icip2013`, the constants of the paper; or `vsi`, those of the VSI quality index [TIP 2014], whose
            colour prior is 1 almost everywhere.

    Raises:
        ValueError: `preset` is neither.
    """

    def __init__(self, preset: Literal["icip2013", "vsi"] = "icip2013") -> None:
        if preset not in _PRESETS:
            raise ValueError(f"got preset={preset!r}; choose one of {', '.join(_PRESETS)}")
        self.preset: Literal["icip2013", "vsi"] = preset

    def _map(self, image: NDArray[np.uint8], name: str) -> NDArray[np.float64]:
        omega, sigma_f, sigma_d, sigma_c = _PRESETS[self.preset]
        small = cv2.resize(image.astype(np.float32), (_SIDE, _SIDE), interpolation=cv2.INTER_LINEAR)
        lab = _lab(small.astype(np.float64) / 255)
        gain = _log_gabor(omega, sigma_f)[:, : _SIDE // 2 + 1]  # a real signal has no more frequencies
        filtered = np.fft.irfft2(np.fft.rfft2(lab) * gain, s=(_SIDE, _SIDE))
        frequency_prior = np.sqrt((filtered**2).sum(axis=0))
        return np.asarray(frequency_prior * _centre(sigma_d) * _warm(lab[1:], sigma_c))


def _lab(rgb: NDArray[np.float64]) -> NDArray[np.float64]:
    """Turn sRGB `(H, W, 3)` in [0, 1] into CIELAB (D65) `(3, H, W)`: L in [0, 100], a and b around 0."""
    linear = np.where(rgb > 0.04045, ((rgb + 0.055) / 1.055) ** 2.4, rgb / 12.92)
    xyz = linear @ _TO_XYZ.T
    f = np.where(xyz > (6 / 29) ** 3, np.cbrt(xyz), xyz * (29 / 6) ** 2 / 3 + 4 / 29)
    x, y, z = f[..., 0], f[..., 1], f[..., 2]
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)])  # planes first: sums and spectra run along memory


@cache
def _log_gabor(omega: float, sigma: float) -> NDArray[np.float64]:
    """Gain `(256, 256)` of the band-pass, zero frequency in the corner: eq. (1) of the paper."""
    axis = (np.arange(_SIDE) - _SIDE // 2) / _SIDE
    radius = np.hypot(axis[:, None], axis[None, :])
    inside = (radius > 0) & (radius <= 0.5)
    gain = np.zeros_like(radius)
    gain[inside] = np.exp(-(np.log(radius[inside] / omega) ** 2) / (2 * sigma**2))
    return np.fft.ifftshift(gain)


@cache
def _centre(sigma: float) -> NDArray[np.float64]:
    """Gaussian `(256, 256)` around pixel (128, 128), counted from 1."""
    square = (np.arange(1, _SIDE + 1) - _SIDE / 2) ** 2
    return np.asarray(np.exp(-(square[:, None] + square[None, :]) / sigma**2))


def _warm(ab: NDArray[np.float64], sigma: float) -> NDArray[np.float64]:
    """Colour prior `(H, W)` of a and b `(2, H, W)`: red and yellow attract; ones where the image has one tint only."""
    lowest, span = ab.min(axis=(1, 2), keepdims=True), np.ptp(ab, axis=(1, 2), keepdims=True)
    coloured = span > _NOISE  # below that, rounding would be stretched to a full range of colours
    if not coloured.any():
        return np.ones(ab.shape[1:])
    scaled = np.where(coloured, (ab - lowest) / (span + 1e-12), 0.0)
    return np.asarray(1 - np.exp(-(scaled**2).sum(axis=0) / sigma**2))
