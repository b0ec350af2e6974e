"""Crops: random ones in training, a fixed grid in evaluation.

Nothing here may change the perceived quality: no resizing, no colour change, no blur. Every crop carries the
label of its image, so an augmentation that changes quality would make that label wrong.
"""

from __future__ import annotations  # signatures show names, not what they stand for

import os

import numpy as np
from numpy.typing import NDArray

Fields = dict[str, NDArray[np.uint8]]
"""Whole pictures by field: `image` and `reference` `(H, W, 3)`, `saliency` `(H, W)`; all of one size."""


class RandomCrops:
    """Crops at random places, flipped left to right half of the time, all fields together.

    Args:
        side: Side of a crop in pixels; a smaller image is padded by reflection.
        count: Crops cut from one image.
    """

    def __init__(self, side: int, count: int) -> None:
        os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")  # the import would ask the package index for a newer version
        import albumentations as A  # noqa: N812 - the library's own convention; here, for scoring cuts nothing at random

        self.side, self.count = side, count
        pad = {"pad_if_needed": True, "border_mode": 4}  # cv2.BORDER_REFLECT_101
        self._transform = A.Compose(
            [A.RandomCrop(side, side, **pad), A.HorizontalFlip(p=0.5)],
            additional_targets={"saliency": "mask", "reference": "image"},
            is_check_shapes=False,  # they are of one size already; the check would cost at every crop
        )

    def __call__(self, fields: Fields, seed: int) -> list[Fields]:
        """Cut the crops.

        Args:
            fields: Whole pictures.
            seed: What decides the places, and nothing else does: `Compose` owns a generator that a fork copies, so
                without this every worker would cut alike.

        Returns:
            `count` crops.
        """
        self._transform.set_random_seed(seed)
        return [self._transform(**fields) for _ in range(self.count)]

    def __repr__(self) -> str:
        return f"RandomCrops(side={self.side}, count={self.count})"


class GridCrops:
    """Crops at fixed, evenly spaced places, borders included (`docs/protocol.md`).

    Args:
        side: Side of a crop in pixels; a smaller image is padded by reflection.
        rows: Rows of the grid.
        columns: Columns of the grid.
    """

    def __init__(self, side: int, rows: int, columns: int) -> None:
        self.side, self.rows, self.columns = side, rows, columns
        self.count = rows * columns

    def __call__(self, fields: Fields, seed: int = 0) -> list[Fields]:
        """Cut the crops, row by row; `seed` is not used."""
        fields = {name: _pad(picture, self.side) for name, picture in fields.items()}
        height, width = fields["image"].shape[:2]
        return [
            {name: picture[y : y + self.side, x : x + self.side] for name, picture in fields.items()}
            for y in _places(height, self.side, self.rows)
            for x in _places(width, self.side, self.columns)
        ]

    def __repr__(self) -> str:
        return f"GridCrops(side={self.side}, rows={self.rows}, columns={self.columns})"


class WholeImage:
    """The whole image as the only crop."""

    count = 1

    def __call__(self, fields: Fields, seed: int = 0) -> list[Fields]:
        """Give the fields unchanged; `seed` is not used."""
        return [fields]

    def __repr__(self) -> str:
        return "WholeImage()"


def _places(length: int, side: int, count: int) -> list[int]:
    """Evenly spaced starts `round(i (length - side) / (count - 1))`; the middle for one."""
    if count == 1:
        return [(length - side) // 2]
    return [round(i * (length - side) / (count - 1)) for i in range(count)]


def _pad(picture: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """Pad a picture that is smaller than a crop, evenly on both sides."""
    short = [max(0, side - length) for length in picture.shape[:2]]
    if not any(short):
        return picture
    widths = [(n // 2, n - n // 2) for n in short] + [(0, 0)] * (picture.ndim - 2)
    # a reflection cannot be longer than the picture: symmetric padding repeats it as often as needed
    return np.pad(picture, widths, mode="symmetric")
