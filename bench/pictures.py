"""Photographs to measure on: a folder of real ones, or drawn ones that run anywhere."""

import shutil
from pathlib import Path
from typing import ClassVar

import cv2
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sdsiqa.benchmarks import Benchmark
from sdsiqa.images import write_image
from sdsiqa.runs.image_search import SUFFIXES


class Photographs(Benchmark):
    """Any folder of images as a benchmark; its scores mean nothing."""

    name = "photographs"
    title: ClassVar[str] = "Photographs"
    mos_range: ClassVar[tuple[float, float]] = (0.0, 1.0)
    url: ClassVar[str] = "no address: any folder of images"

    def read(self) -> pd.DataFrame:
        """List the images in alphabetical order."""
        names = sorted(file.name for file in self.root.iterdir() if file.suffix.lower() in SUFFIXES)
        return pd.DataFrame({"image": names, "mos": np.linspace(0, 1, len(names)), "content": names})


def drawn(side: int, seed: int) -> NDArray[np.uint8]:
    """Draw noise with the spectrum of photographs (amplitude falls as 1/f), so that it compresses like one.

    Args:
        side: Side in pixels.
        seed: Another seed, another picture.

    Returns:
        `(side, side, 3)` uint8.
    """
    noise = np.random.default_rng(seed).normal(size=(side, side, 3))
    rows, columns = np.fft.fftfreq(side)[:, None], np.fft.rfftfreq(side)[None]
    frequency = np.maximum(np.hypot(rows, columns), 1 / side)[..., None]
    picture = np.fft.irfft2(np.fft.rfft2(noise, axes=(0, 1)) / frequency, (side, side), axes=(0, 1))
    return np.asarray((128 + 50 * picture / picture.std()).clip(0, 255), np.uint8)


def gather(folder: Path, count: int, source: Path | None, side: int = 500) -> Photographs:
    """Fill a folder with photographs.

    Args:
        folder: Where they go.
        count: How many.
        source: Folder they are taken from, in alphabetical order; none draws them.
        side: Side of drawn ones in pixels.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if source is None:
        for number in range(count):
            write_image(folder / f"{number:05d}.jpg", drawn(side, number))
    else:
        files = sorted(file for file in source.iterdir() if file.suffix.lower() in SUFFIXES)
        for number in range(count):  # fewer files than asked for come again under other names
            file = files[number % len(files)]
            shutil.copyfile(file, folder / f"{number:05d}{file.suffix}")
    return Photographs(folder)


def many(folder: Path, count: int) -> Photographs:
    """Fill a folder with one tiny image under many names.

    Args:
        folder: Where they go.
        count: How many.
    """
    folder.mkdir(parents=True, exist_ok=True)
    data = cv2.imencode(".jpg", drawn(64, 0))[1].tobytes()
    for number in range(count):
        (folder / f"{number:05d}.jpg").write_bytes(data)
    return Photographs(folder)
