"""Controls: maps that do not depend on the image content. A gain over these is a gain from saliency."""

import hashlib

import cv2
import numpy as np
from numpy.typing import NDArray

from sdsiqa.runs.ranges import check_positive
from sdsiqa.saliency.base import SaliencyProvider


class Uniform(SaliencyProvider):
    """Ones: no saliency. A network with two streams then sees the image twice, at equal capacity."""

    def _map(self, image: NDArray[np.uint8], name: str) -> NDArray[np.float32]:
        return np.ones((1, 1), np.float32)


class Random(SaliencyProvider):
    """Smooth noise, fixed for each image: an 8 × 8 grid of uniform numbers, enlarged by bicubic interpolation.

    Args:
        seed: Chooses the noise, together with the image's name. A map that was drawn anew each time would be an
            augmentation, not a control.
    """

    uses_name = True

    def __init__(self, seed: int = 0) -> None:
        self.seed = seed

    def _map(self, image: NDArray[np.uint8], name: str) -> NDArray[np.float32]:
        digest = hashlib.sha256(f"{self.seed}/{name}".encode(errors="surrogateescape")).digest()
        grid = np.random.default_rng(int.from_bytes(digest[:16], "big")).random((8, 8)).astype(np.float32)
        height, width = image.shape[:2]
        return np.asarray(cv2.resize(grid, (width, height), interpolation=cv2.INTER_CUBIC), np.float32)


class CentrePrior(SaliencyProvider):
    """A Gaussian at the image centre, where photographers place their subject.

    Args:
        rho: Standard deviation in parts of the height and of the width; above 0.

    Raises:
        ValueError: `rho` is not above 0.
    """

    def __init__(self, rho: float = 0.3) -> None:
        check_positive(rho=rho)
        self.rho = rho

    def _map(self, image: NDArray[np.uint8], name: str) -> NDArray[np.float64]:
        column, row = (np.exp(-0.5 * ((np.arange(side) - (side - 1) / 2) / (self.rho * side)) ** 2) for side in image.shape[:2])
        return np.asarray(column[:, None] * row[None, :])
