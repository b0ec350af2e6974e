"""Providers that are a formula, against that formula written out a second time."""

from typing import Literal

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from saliency_fakes import photograph

from sdsiqa.saliency import SDSP, CentrePrior, Random, SpectralResidual


def test_random_differs_per_image_and_seed_and_keeps_its_values() -> None:
    image = photograph()
    maps = [Random(seed)(image, name) for seed in (0, 1) for name in ("a.png", "b.png")]
    assert all(np.abs(maps[i] - maps[j]).mean() > 0.05 for i in range(4) for j in range(i))
    # the noise of an image is part of a published result: it must not move with a library
    assert maps[0][[5, 20, 63], [9, 50, 95]] == pytest.approx([0.606842, 0.626895, 0.572741], abs=1e-4)


@pytest.mark.parametrize(("height", "width"), [(41, 81), (40, 80)])
def test_the_centre_prior_is_the_formula(height: int, width: int) -> None:
    saliency = CentrePrior(0.3)(photograph(height, width), "x")
    expected = np.empty((height, width))
    for h in range(height):
        for w in range(width):
            down, right = (h - (height - 1) / 2) / (0.3 * height), (w - (width - 1) / 2) / (0.3 * width)
            expected[h, w] = np.exp(-0.5 * (down**2 + right**2))
    expected = (expected - expected.min()) / (expected.max() - expected.min())
    assert saliency == pytest.approx(expected, abs=1e-6)
    assert np.array_equal(saliency, saliency[::-1, ::-1])


# --- spectral residual ----------------------------------------------------------------------------------------------


def disc(where: tuple[int, int], shape: tuple[int, int] = (96, 128)) -> NDArray[np.uint8]:
    """Grey stripes with one bright disc, `(H, W, 3)`."""
    stripes = (128 + 40 * np.sin(np.arange(shape[1]) * 2 * np.pi / 8)).astype(np.uint8)
    image = np.ascontiguousarray(np.broadcast_to(stripes[None, :, None], (*shape, 3)))
    return np.asarray(cv2.circle(image, where[::-1], 6, (250, 250, 250), -1), np.uint8)


@pytest.mark.parametrize("where", [(30, 40), (70, 90), (20, 100)])
def test_spectral_residual_finds_the_odd_disc(where: tuple[int, int]) -> None:
    saliency = SpectralResidual()(disc(where), "x")
    highest = np.unravel_index(saliency.argmax(), saliency.shape)
    assert np.hypot(highest[0] - where[0], highest[1] - where[1]) < 10


def test_spectral_residual_is_the_formula() -> None:
    from scipy.ndimage import convolve, gaussian_filter, uniform_filter

    image = photograph(75, 100)
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) / 255
    small = area_bilinear(grey, 48, 64)
    spectrum = np.fft.fft2(small)
    amplitude = np.log(np.abs(spectrum) + 1e-8)
    residual = amplitude - uniform_filter(amplitude, 3, mode="nearest")
    saliency = np.abs(np.fft.ifft2(np.exp(residual) * spectrum / np.abs(spectrum))) ** 2
    taps = np.exp(-(np.arange(-5, 6) ** 2) / (2 * 2.5**2))
    blurred = convolve(saliency, np.outer(taps, taps) / taps.sum() ** 2, mode="constant")
    assert gaussian_filter(saliency, 2.5, mode="constant", truncate=2) == pytest.approx(blurred, rel=1e-6)
    large = cv2.resize(((blurred - blurred.min()) / np.ptp(blurred)).astype(np.float32), (100, 75))
    large = (large - large.min()) / np.ptp(large)
    assert SpectralResidual()(image, "x") == pytest.approx(large, abs=1e-4)


def area_bilinear(image: NDArray[np.float64], height: int, width: int) -> NDArray[np.float64]:
    """Antialiased bilinear resizing by torch, as an independent witness."""
    import torch

    pixels = torch.from_numpy(image)[None, None]
    return torch.nn.functional.interpolate(pixels, (height, width), mode="bilinear", antialias=True)[0, 0].numpy()


# --- SDSP -----------------------------------------------------------------------------------------------------------


CONSTANTS = {"icip2013": (0.002, 6.2, 114, 0.25), "vsi": (0.021, 1.34, 145, 0.001)}


def sdsp_by_loops(image: NDArray[np.uint8], preset: str, *, coloured: bool) -> NDArray[np.float64]:
    """The formula written out for a 256 × 256 image, which needs no resizing."""
    from skimage.color import rgb2lab

    omega, sigma_f, sigma_d, sigma_c = CONSTANTS[preset]
    lab = rgb2lab(image / 255)  # OpenCV's reads a table, and is up to 0.4 off
    gain, centre, colour = np.zeros((256, 256)), np.zeros((256, 256)), np.ones((256, 256))
    for i in range(256):
        for j in range(256):
            radius = np.hypot((i - 128) / 256, (j - 128) / 256)
            if 0 < radius <= 0.5:
                gain[i, j] = np.exp(-(np.log(radius / omega) ** 2) / (2 * sigma_f**2))
            centre[i, j] = np.exp(-((i + 1 - 128) ** 2 + (j + 1 - 128) ** 2) / sigma_d**2)
    shifted = [np.fft.fftshift(np.fft.fft2(lab[..., c])) * gain for c in range(3)]
    energy = sum(np.real(np.fft.ifft2(np.fft.ifftshift(part))) ** 2 for part in shifted)
    if coloured:
        a, b = ((lab[..., c] - lab[..., c].min()) / np.ptp(lab[..., c]) for c in (1, 2))
        colour = 1 - np.exp(-(a**2 + b**2) / sigma_c**2)
    values = np.sqrt(energy) * centre * colour
    return (values - values.min()) / np.ptp(values)


@pytest.mark.parametrize("preset", ["icip2013", "vsi"])
def test_sdsp_is_the_formula(preset: Literal["icip2013", "vsi"]) -> None:
    image = photograph(256, 256)
    assert SDSP(preset)(image, "x") == pytest.approx(sdsp_by_loops(image, preset, coloured=True), abs=1e-4)


@pytest.mark.parametrize("preset", ["icip2013", "vsi"])
def test_sdsp_of_grey_leaves_colour_out(preset: Literal["icip2013", "vsi"]) -> None:
    image = disc((60, 80), (256, 256))  # the rounding of a grey image's colours must not be taken for colours
    assert SDSP(preset)(image, "x") == pytest.approx(sdsp_by_loops(image, preset, coloured=False), abs=1e-4)


def test_sdsp_prefers_the_centre_and_warm_colours() -> None:
    image = np.full((200, 200, 3), 90, np.uint8)
    for row, column in ((100, 100), (20, 20)):
        image[row - 8 : row + 8, column - 8 : column + 8] = (200, 60, 40)
    saliency = SDSP()(image, "x")
    assert saliency[100, 100] > 1.5 * saliency[20, 20]
    warm_and_cold = np.full((200, 200, 3), 110, np.uint8)
    warm_and_cold[80:120, 50:90] = (180, 90, 60)
    warm_and_cold[80:120, 110:150] = (60, 120, 180)
    saliency = SDSP()(warm_and_cold, "x")
    assert saliency[80:120, 50:90].mean() > 2 * saliency[80:120, 110:150].mean()


def test_sdsp_refuses_other_presets() -> None:
    with pytest.raises(ValueError, match="choose one of icip2013, vsi"):
        SDSP("nearest")  # type: ignore[arg-type]
