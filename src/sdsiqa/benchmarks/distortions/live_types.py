"""Distortions of an image at levels, as LIVE has them.

LIVE [Sheikh, Sabir and Bovik, TIP 2006] distorts with JPEG 2000 (0.028 … 3.15 bits a pixel), JPEG (0.15 … 3.34), white noise
(standard deviation 0.012 … 2.0 of [0, 1]), Gaussian blur (σ 0.42 … 15 pixels) and a JPEG 2000 stream sent over a
fast-fading Rayleigh channel. The levels here lie within those ranges and end where small pictures still show something;
they are ours, chosen so that the distortions overlap in strength.
"""

from __future__ import annotations  # signatures in a notebook show names, not what they stand for

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from sdsiqa.errors import ImageError

Image = NDArray[np.uint8]


@dataclass(frozen=True)
class Distortion:
    """A family of distortions.

    Args:
        apply: Distorts an image `(H, W, 3)` at a strength, drawing from a generator.
        strengths: Parameter of each level, mild to strong.
        unit: What the parameter is.
    """

    apply: Callable[[Image, float, np.random.Generator], Image]
    strengths: tuple[float, ...]
    unit: str


def distort(image: Image, name: str, level: int, seed: int, among: Mapping[str, Distortion] | None = None) -> Image:
    """Distort an image.

    Args:
        image: RGB `(H, W, 3)` uint8.
        name: Name of the distortion.
        level: 1 (mild) to the number of strengths.
        seed: With name and level, what decides all draws.
        among: Distortions by name; `None` takes `DISTORTIONS`.

    Returns:
        RGB `(H, W, 3)` uint8.

    Raises:
        ValueError: There is no such level.
        ImageError: This OpenCV has no JPEG 2000.
    """
    family = (DISTORTIONS if among is None else among)[name]
    if not 1 <= level <= len(family.strengths):
        raise ValueError(f"level {level!r} of {name!r}; expected 1 to {len(family.strengths)}")
    generator = np.random.default_rng((seed, level, *name.encode()))
    return family.apply(image, family.strengths[level - 1], generator)


def jpeg2000(image: Image, ratio: float, generator: np.random.Generator) -> Image:
    """Compress with JPEG 2000.

    Args:
        image: RGB `(H, W, 3)` uint8.
        ratio: Raw size over compressed size.
        generator: Not used.
    """
    return _decode_jp2(_encode_jp2(image, ratio))


def jpeg(image: Image, quality: float, generator: np.random.Generator) -> Image:
    """Compress with baseline JPEG.

    Args:
        image: RGB `(H, W, 3)` uint8.
        quality: The encoder's quality, 0 … 100.
        generator: Not used.
    """
    _, data = cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, int(quality)])
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR_RGB), np.uint8)


def white_noise(image: Image, deviation: float, generator: np.random.Generator) -> Image:
    """Add independent Gaussian noise to each channel.

    Args:
        image: RGB `(H, W, 3)` uint8.
        deviation: Standard deviation, for values in [0, 1].
        generator: Draws the noise.
    """
    noisy = image + 255 * deviation * generator.standard_normal(image.shape, np.float32)
    return np.clip(np.rint(noisy), 0, 255).astype(np.uint8)


def gaussian_blur(image: Image, sigma: float, generator: np.random.Generator) -> Image:
    """Blur.

    Args:
        image: RGB `(H, W, 3)` uint8.
        sigma: Standard deviation of the kernel in pixels.
        generator: Not used.
    """
    return np.asarray(cv2.GaussianBlur(image, (0, 0), sigma, borderType=cv2.BORDER_REFLECT_101), np.uint8)


def fast_fading(image: Image, snr: float, generator: np.random.Generator) -> Image:
    """Send a JPEG 2000 stream over a fading channel, and decode what arrives.

    Bits are sent in blocks; each block meets its own Rayleigh amplitude `a`, so `a²` is exponential with mean 1, and each
    of its bits flips with the probability `½ erfc(a √SNR)` of binary phase shift keying. Headers and the first eighth of
    the stream, which holds the coarsest scale, are taken as protected, as senders protect them. Where nothing can be
    decoded, the stream is sent again.

    Args:
        image: RGB `(H, W, 3)` uint8.
        snr: Mean signal-to-noise ratio in decibels.
        generator: Draws amplitudes and flips.

    Raises:
        ImageError: No damaged stream could be decoded.
    """
    from scipy.special import erfc

    data = _encode_jp2(image, 12.0)
    start = data.find(b"\xff\x93") + 2  # start of data: all before it are headers
    start += (len(data) - start) // 8
    body = np.unpackbits(np.frombuffer(data[start:-2], np.uint8))
    for _ in range(100):
        power = generator.exponential(size=-(-body.size // FADING_BLOCK))
        flip_probability = np.repeat(0.5 * erfc(np.sqrt(power * 10 ** (snr / 10))), FADING_BLOCK)[: body.size]
        received = body ^ (generator.random(body.size) < flip_probability)
        try:
            found = _decode_jp2(data[:start] + np.packbits(received).tobytes() + data[-2:])
        except ImageError:
            continue
        if found.shape == image.shape:
            return found
    raise ImageError(f"no stream at {snr} dB could be decoded in 100 tries")


FADING_BLOCK = 256
"""Bits that meet the same amplitude."""

DISTORTIONS: dict[str, Distortion] = {
    "jp2k": Distortion(jpeg2000, (16, 32, 64, 128, 256), "raw size / compressed size"),
    "jpeg": Distortion(jpeg, (40, 18, 9, 5, 2), "quality"),
    "wn": Distortion(white_noise, (0.03, 0.06, 0.11, 0.2, 0.4), "standard deviation of values in [0, 1]"),
    "gblur": Distortion(gaussian_blur, (0.7, 1.1, 1.7, 2.8, 5.0), "σ in pixels"),
    "fastfading": Distortion(fast_fading, (28, 24, 21, 18, 15), "signal-to-noise ratio in dB"),
}


def _encode_jp2(image: Image, ratio: float) -> bytes:
    if not cv2.haveImageWriter("x.jp2"):
        raise ImageError("this OpenCV cannot write JPEG 2000; install the opencv-python-headless wheel")
    # OpenCV's parameter is a thousandth of the share that is kept
    _, data = cv2.imencode(".jp2", image[..., ::-1], [cv2.IMWRITE_JPEG2000_COMPRESSION_X1000, round(1000 / ratio)])
    return bytes(data.tobytes())


def _decode_jp2(data: bytes) -> Image:
    level = cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)  # a damaged stream is the point
    try:
        found = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB)
    except cv2.error:
        found = None
    finally:
        cv2.utils.logging.setLogLevel(level)
    if found is None:
        raise ImageError("the JPEG 2000 stream cannot be decoded")
    return np.asarray(found, np.uint8)
