"""Images of the benchmarks in a report, where they are at hand."""

from __future__ import annotations  # signatures show names, not what they stand for

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sdsiqa.benchmarks import BENCHMARKS
from sdsiqa.benchmarks.choice import usual_places
from sdsiqa.benchmarks.tree import find_root
from sdsiqa.errors import ImageError, SdsiqaError
from sdsiqa.images import read_image, shrunk
from sdsiqa.report.result import Result


class ImageFinder:
    """Finds images below the roots that runs name, or below `SDSIQA_DATA`, where `configs/data` looks for them.

    Args:
        results: Results whose images may be wanted.
    """

    def __init__(self, results: Sequence[Result]) -> None:
        self.roots: dict[str, Path] = {}
        shared = Path(os.environ.get("SDSIQA_DATA", "data"))
        for name in sorted({result.benchmark for result in results} & {*BENCHMARKS}):
            said = [result.root for result in results if result.benchmark == name and result.root is not None]
            found = next(
                (
                    root
                    for place in [*dict.fromkeys(said), *usual_places(BENCHMARKS[name], shared)]
                    if (root := _root(name, place))
                ),
                None,
            )
            if found is not None:
                self.roots[name] = found

    def has(self, benchmark: str) -> bool:
        """Say whether a benchmark's images are here.

        Args:
            benchmark: Its name.
        """
        return benchmark in self.roots

    def pixels(self, benchmark: str, image: str) -> NDArray[np.uint8] | None:
        """Read an image, RGB `(H, W, 3)`; `None` if it is not here or broken.

        Args:
            benchmark: The benchmark's name.
            image: Path below its root, as score tables have it.
        """
        root = self.roots.get(benchmark)
        if root is None:
            return None
        try:
            # score tables come from elsewhere: no path leads out of the root
            file = (root / image).resolve()
            return read_image(file) if file.is_relative_to(root.resolve()) else None
        except ImageError:
            return None

    def thumbnail(self, benchmark: str, image: str, side: int) -> NDArray[np.uint8] | None:
        """Read an image, made small; `None` if it is not here or broken.

        Args:
            benchmark: The benchmark's name.
            image: Path below its root, as score tables have it.
            side: Pixels of its long side, at most.
        """
        pixels = self.pixels(benchmark, image)
        return None if pixels is None else shrunk(pixels, side)


def _root(name: str, place: Path) -> Path | None:
    """The authors' folder at a place; `None` if it is not there. Demo, which makes itself, is not made for a report."""
    if not place.expanduser().is_dir():
        return None
    kind = BENCHMARKS[name]
    try:
        return find_root(place.expanduser(), kind.label_files, kind.title, "")
    except SdsiqaError:
        return None
