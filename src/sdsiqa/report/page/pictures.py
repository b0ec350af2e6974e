"""Pictures for the page: each image whole but small, and a part of it pixel for pixel, within a budget of bytes.

Blur, noise and the blocks of JPEG are what people rate, and shrinking takes them away; so a second picture shows a part of
the image as it is.
"""

import base64
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from sdsiqa.images import shrunk, webp
from sdsiqa.report.figures.images import ImageFinder
from sdsiqa.runs.process import thread_pool

BUDGET: Final = 12 << 20
"""Bytes of all pictures of a page, half of them for parts; the page grows by four thirds of it."""

SIDE: Final = 192
"""Pixels of the long side of a whole image."""

SMALLER: Final = 96
"""Pixels of the long side for more than `MANY` images."""

MANY: Final = 2000
QUALITY: Final = 60
"""Of WebP for whole images, which are for an overview."""

PART: Final = 256
"""Pixels of the sides of a part."""

FINE: Final = 95
"""Of WebP for parts: its own losses must not show beside those that are judged."""


Part = tuple[str, int, int, int, int, int, int]
"""WebP in base64; left, top, width and height of the part; width and height of the image."""
Place = tuple[int, int, int, int, int, int]


@dataclass(frozen=True)
class Pictures:
    """Pictures of a benchmark's images, in the order of the images.

    Args:
        whole: WebP in base64; empty where there is none.
        parts: Parts at 1:1; none where there is none.
    """

    whole: Sequence[str]
    parts: Sequence[Part | None]


def pictures(
    benchmark: str,
    names: Sequence[str],
    errors: Sequence[float],
    images: ImageFinder,
    tick: Callable[[str], None] = lambda _: None,
    share: int = 1,
) -> Pictures | None:
    """Make pictures, those with the largest errors first, until the budget is spent.

    Args:
        benchmark: The benchmark's name.
        names: Paths of its images below its root.
        errors: How wrong the methods are about each, on average.
        images: Where images are.
        tick: Called with a line now and then.
        share: Among how many benchmarks the budget is divided.

    Returns:
        The pictures; `None` if no image is here.
    """
    if not images.has(benchmark):
        return None
    side, room = SIDE if len(names) <= MANY else SMALLER, BUDGET // (2 * max(1, share))
    order = np.argsort(-np.asarray(errors), kind="stable")
    whole, parts = [""] * len(names), list[Part | None]([None] * len(names))
    spent, spent_parts = 0, 0

    # OpenCV works outside the interpreter's lock; in slices, so that little is decoded beyond the budget
    with thread_pool(os.cpu_count()) as pool:
        for start in range(0, len(order), 64):
            some = order[start : start + 64]
            tick(f"pictures of {benchmark}: {start} of {len(names)}")
            with_part = spent_parts < room

            def make(place: int, with_part: bool = with_part) -> tuple[bytes, tuple[bytes, Place] | None]:
                pixels = images.pixels(benchmark, names[place])
                if pixels is None:
                    return b"", None
                return webp(shrunk(pixels, side), QUALITY), _part(pixels) if with_part else None

            for place, (small, part) in zip(some, pool.map(make, some), strict=True):
                if part is not None and spent_parts < room:
                    data, where = part
                    spent_parts += len(data)
                    if spent_parts <= room:
                        parts[place] = (base64.b64encode(data).decode(), *where)
                if spent + len(small) > room:
                    return Pictures(whole, parts)
                spent += len(small)
                whole[place] = base64.b64encode(small).decode()
    return Pictures(whole, parts) if spent else None


def _part(pixels: NDArray[np.uint8]) -> tuple[bytes, Place]:
    """Cut the part with most detail, for blur and compression show there; code it, and say where it lies."""
    height, width = pixels.shape[:2]
    high, wide = min(PART, height), min(PART, width)
    grey = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
    edges = np.abs(cv2.Sobel(grey, cv2.CV_32F, 1, 0)) + np.abs(cv2.Sobel(grey, cv2.CV_32F, 0, 1))
    total = cv2.integral(edges)
    # corners of JPEG's blocks, so that a part shows whole blocks
    tops, lefts = np.arange(0, height - high + 1, 8), np.arange(0, width - wide + 1, 8)
    detail = (
        total[np.ix_(tops + high, lefts + wide)]
        - total[np.ix_(tops, lefts + wide)]
        - total[np.ix_(tops + high, lefts)]
        + total[np.ix_(tops, lefts)]
    )
    row, column = np.unravel_index(int(detail.argmax()), detail.shape)
    top, left = int(tops[row]), int(lefts[column])
    return webp(pixels[top : top + high, left : left + wide], FINE), (left, top, wide, high, width, height)
