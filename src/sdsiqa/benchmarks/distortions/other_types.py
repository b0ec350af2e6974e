"""Distortions that LIVE does not have: noise, colour, contrast and local faults, for `sdsiqa.benchmarks.distortions.sets`.

Every function takes RGB `(H, W, 3)` uint8, a strength, and the generator that all draws come from, and gives RGB of the same
size. Strengths are the published ones; what publications leave open is our choice and said here.
"""

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pillow

Image = NDArray[np.uint8]

BLOCK, PATCH = 32, 15  # sides of what is painted over and of what is moved, in pixels [RankIQA, supplement]
REACH = 15  # pixels that a patch is moved at most: ours; TID2013 says `close by`
CUT = 0.25  # cycles per pixel below which high-frequency noise has nothing: ours


def noise(image: Image, variance: float, generator: np.random.Generator) -> Image:
    """Add independent Gaussian noise to red, green and blue.

    Args:
        image: RGB `(H, W, 3)` uint8.
        variance: Of the noise, for values in [0, 1].
        generator: Draws it.
    """
    return _to_bytes(image + _gaussian(image.shape, variance, generator))


def colour_noise(image: Image, variance: float, generator: np.random.Generator) -> Image:
    """Add independent Gaussian noise to the three components of YCbCr.

    Args:
        image: RGB `(H, W, 3)` uint8.
        variance: Of the noise, for values in [0, 1].
        generator: Draws it.
    """
    return _to_rgb(cv2.cvtColor(image, cv2.COLOR_RGB2YCrCb) + _gaussian(image.shape, variance, generator))


def high_frequency_noise(image: Image, variance: float, generator: np.random.Generator) -> Image:
    """Add Gaussian noise of which a filter leaves the frequencies above `CUT`.

    Args:
        image: RGB `(H, W, 3)` uint8.
        variance: Of the noise before the filter, for values in [0, 1].
        generator: Draws it.
    """
    spectrum = np.fft.rfft2(_gaussian(image.shape, variance, generator), axes=(0, 1))
    spectrum *= (_frequency(image) > CUT)[..., None]
    return _to_bytes(image + np.fft.irfft2(spectrum, image.shape[:2], (0, 1)))


def pink_noise(image: Image, weight: float, generator: np.random.Generator) -> Image:
    """Add noise whose amplitude falls with the frequency, drawn for each channel.

    Args:
        image: RGB `(H, W, 3)` uint8.
        weight: Largest absolute value of the noise, in units of 255.
        generator: Draws it.
    """
    spectrum = np.fft.rfft2(generator.standard_normal(image.shape), axes=(0, 1))
    frequency = _frequency(image)
    frequency[0, 0] = np.inf  # no constant
    pink = np.fft.irfft2(spectrum / frequency[..., None], image.shape[:2], (0, 1))
    return _to_bytes(image + 255 * weight * pink / np.abs(pink).max((0, 1)))


def impulse_noise(image: Image, share: float, generator: np.random.Generator) -> Image:
    """Replace values of each channel by 0 or 255.

    Args:
        image: RGB `(H, W, 3)` uint8.
        share: How many of the values.
        generator: Draws which, and by what.
    """
    draw = generator.random(image.shape)
    return np.where(draw < share / 2, 0, np.where(draw < share, 255, image)).astype(np.uint8)


def multiplicative_noise(image: Image, variance: float, generator: np.random.Generator) -> Image:
    """Multiply each value by a Gaussian factor around 1.

    Args:
        image: RGB `(H, W, 3)` uint8.
        variance: Of the factor.
        generator: Draws it.
    """
    return _to_bytes(image * (1 + _gaussian(image.shape, variance, generator) / 255))


def denoised(image: Image, variance: float, generator: np.random.Generator) -> Image:
    """Add noise and take it away again by non-local means; RankIQA takes BM3D, which is not free to use.

    Args:
        image: RGB `(H, W, 3)` uint8.
        variance: Of the noise, for values in [0, 1].
        generator: Draws it.
    """
    strength = 255 * float(np.sqrt(variance))
    noisy = noise(image, variance, generator)
    return np.asarray(cv2.fastNlMeansDenoisingColored(noisy, None, strength, strength, 7, 15), np.uint8)


def quantised(image: Image, step: float, generator: np.random.Generator) -> Image:
    """Round each value to the middle of its step.

    Args:
        image: RGB `(H, W, 3)` uint8.
        step: Of values in 0 … 255.
        generator: Not used.
    """
    return _to_bytes(np.floor(image / step) * step + step / 2)


def dither(image: Image, colours: float, generator: np.random.Generator) -> Image:
    """Reduce to a palette of the image's own (median cut) and spread the error [Floyd and Steinberg].

    Args:
        image: RGB `(H, W, 3)` uint8.
        colours: Of the palette.
        generator: Not used.
    """
    picture = Pillow.fromarray(image)
    palette = picture.quantize(int(colours), method=Pillow.Quantize.MEDIANCUT)
    return np.asarray(picture.quantize(palette=palette, dither=Pillow.Dither.FLOYDSTEINBERG).convert("RGB"), np.uint8)


def windowed_blur(image: Image, side: float, generator: np.random.Generator) -> Image:
    """Blur with a Gaussian kernel of limited size.

    Args:
        image: RGB `(H, W, 3)` uint8.
        side: Of the kernel in pixels, which is six standard deviations.
        generator: Not used.
    """
    # repeated borders: a kernel may be larger than the image, which a reflection cannot be
    return np.asarray(cv2.GaussianBlur(image, (int(side), int(side)), side / 6, borderType=cv2.BORDER_REPLICATE), np.uint8)


def contrast(image: Image, factor: float, generator: np.random.Generator) -> Image:
    """Bring values nearer to the image's mean, or farther from it.

    Args:
        image: RGB `(H, W, 3)` uint8.
        factor: On the distance from the mean.
        generator: Not used.
    """
    return _to_bytes(image.mean() + factor * (image - image.mean()))


def compressed_contrast(image: Image, low: float, generator: np.random.Generator) -> Image:
    """Map the range between the 1 % and the 99 % quantile to a narrow one around the middle.

    Args:
        image: RGB `(H, W, 3)` uint8.
        low: Lower end of that range, for values in [0, 1]; the upper end is 1 minus it.
        generator: Not used.
    """
    first, last = np.quantile(image, (0.01, 0.99))
    share = np.clip((image - first) / max(1.0, last - first), 0, 1)
    return _to_bytes(255 * (low + share * (1 - 2 * low)))


def mean_shift(image: Image, shift: float, generator: np.random.Generator) -> Image:
    """Make brighter or darker.

    Args:
        image: RGB `(H, W, 3)` uint8.
        shift: Added to values in 0 … 255.
        generator: Not used.
    """
    return _to_bytes(image + np.float32(shift))


def saturation(image: Image, factor: float, generator: np.random.Generator) -> Image:
    """Scale the two colour components of YCbCr; a negative factor turns colours into their opposites.

    Args:
        image: RGB `(H, W, 3)` uint8.
        factor: On their distance from grey.
        generator: Not used.
    """
    ycc = cv2.cvtColor(image, cv2.COLOR_RGB2YCrCb).astype(np.float32)
    ycc[..., 1:] = 128 + factor * (ycc[..., 1:] - 128)
    return _to_rgb(ycc)


def chromatic_aberration(image: Image, shift: float, generator: np.random.Generator) -> Image:
    """Shift red to the right and blue by half as much to the left, repeating the border.

    Args:
        image: RGB `(H, W, 3)` uint8.
        shift: Of red, in pixels.
        generator: Not used.
    """
    columns, found = np.arange(image.shape[1]), image.copy()
    for channel, by in ((0, int(shift)), (2, -int(shift) // 2)):
        found[..., channel] = image[:, np.clip(columns - by, 0, image.shape[1] - 1), channel]
    return found


def blocks(image: Image, count: float, generator: np.random.Generator) -> Image:
    """Paint square blocks over in random colours.

    Args:
        image: RGB `(H, W, 3)` uint8.
        count: How many.
        generator: Draws places and colours.
    """
    found = image.copy()
    for _ in range(int(count)):
        y, x = (int(generator.integers(max(1, length - BLOCK + 1))) for length in image.shape[:2])
        found[y : y + BLOCK, x : x + BLOCK] = generator.integers(0, 256, 3)
    return found


def displaced_patches(image: Image, count: float, generator: np.random.Generator) -> Image:
    """Replace patches by what lies close by, up to `REACH` pixels away.

    Args:
        image: RGB `(H, W, 3)` uint8.
        count: How many.
        generator: Draws places and distances.
    """
    found, last = image.copy(), np.maximum(0, np.array(image.shape[:2]) - PATCH)
    for _ in range(int(count)):
        y, x = (int(generator.integers(end + 1)) for end in last)
        v, u = (int(place) for place in np.clip(np.array([y, x]) + generator.integers(-REACH, REACH + 1, 2), 0, last))
        found[y : y + PATCH, x : x + PATCH] = image[v : v + PATCH, u : u + PATCH]
    return found


def _gaussian(shape: tuple[int, ...], variance: float, generator: np.random.Generator) -> NDArray[np.float32]:
    """Gaussian noise for values in 0 … 255, of a variance for values in [0, 1]."""
    return 255 * np.float32(np.sqrt(variance)) * generator.standard_normal(shape, np.float32)


def _frequency(image: Image) -> NDArray[np.float64]:
    """Radial frequency in cycles per pixel, as `rfft2` orders it."""
    rows, columns = np.fft.fftfreq(image.shape[0]), np.fft.rfftfreq(image.shape[1])
    return np.asarray(np.hypot(rows[:, None], columns[None]), np.float64)


def _to_bytes(values: NDArray[np.floating]) -> Image:
    return np.asarray(np.clip(np.rint(values), 0, 255), np.uint8)


def _to_rgb(ycc: NDArray[np.floating]) -> Image:
    return np.asarray(cv2.cvtColor(_to_bytes(ycc), cv2.COLOR_YCrCb2RGB), np.uint8)
