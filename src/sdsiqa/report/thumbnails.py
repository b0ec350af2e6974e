"""Small pictures for the page, one per image whatever the number of runs, within a budget."""

import base64
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import cv2
import numpy as np

from sdsiqa.report.images import ImageFinder

BUDGET: Final = 12 << 20
"""Bytes of all thumbnails of one benchmark; the page grows by four thirds of it."""

SIDE: Final = 128
"""Pixels of the long side."""

SMALLER: Final = 80
"""Pixels of the long side for more than `MANY` images."""

MANY: Final = 4000
QUALITY: Final = 50


def thumbnails(
    benchmark: str,
    names: Sequence[str],
    errors: Sequence[float],
    images: ImageFinder,
    tick: Callable[[str], None] = lambda _: None,
) -> list[str]:
    """Make small pictures, those with the largest errors first, until the budget is spent.

    Args:
        benchmark: The benchmark's name.
        names: Paths of its images below its root.
        errors: How wrong the methods are about each, on average.
        images: Where images are.
        tick: Called with a line now and then.

    Returns:
        WebP in base64 per image, in their order; an empty string where there is none. Nothing at all if no image is here.
    """
    if not images.has(benchmark):
        return []
    side = SIDE if len(names) <= MANY else SMALLER
    made, spent = [""] * len(names), 0
    order = np.argsort(-np.asarray(errors), kind="stable")

    def encoded(place: int) -> bytes:
        return _encoded(benchmark, names[place], images, side)

    # OpenCV works outside the interpreter's lock; in slices, so that nothing is decoded beyond the budget
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for start in range(0, len(order), 64):
            some = order[start : start + 64]
            tick(f"thumbnails of {benchmark}: {start} of {len(names)}")
            for place, data in zip(some, pool.map(encoded, some), strict=True):
                if spent + len(data) > BUDGET:
                    return made
                spent += len(data)
                made[place] = base64.b64encode(data).decode()
    return made if spent else []


def _encoded(benchmark: str, name: str, images: ImageFinder, side: int) -> bytes:
    pixels = images.thumbnail(benchmark, name, side)
    if pixels is None:
        return b""
    done, data = cv2.imencode(".webp", pixels[..., ::-1], [cv2.IMWRITE_WEBP_QUALITY, QUALITY])
    return data.tobytes() if done else b""
