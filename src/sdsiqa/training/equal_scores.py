"""Scores of several images at once, as long as each is the score that the image has by itself."""

from collections.abc import Callable, Mapping
from typing import cast

import torch
from lightning.pytorch.utilities import rank_zero_info
from torch import Tensor

from sdsiqa.data.dataset import Sample

TOLERANCE = 1e-6
"""The most that a score may move with its batch; a score is about 0 to 1."""


class EqualScores:
    """Scores a batch at once where that gives every image the score that it has by itself, and else one image at a time.

    Libraries choose their kernels by shape, so the first batch of each shape is scored in both ways, in every evaluation: weights
    differ from one to the next. Its scores are those of images by themselves. If any of them moves by more than `TOLERANCE`, the
    rest of the evaluation goes one image at a time. A batch of one image is scored as it is.
    """

    def __init__(self) -> None:
        self._checked, self._holds = set[tuple[int, ...]](), True

    def start(self) -> None:
        """Forget what was measured, at the start of an evaluation."""
        self._checked.clear()
        self._holds = True

    def __call__(self, score: Callable[[Sample], Tensor], batch: Sample) -> Tensor:
        """Score the images of a batch.

        Args:
            score: Gives the scores `(B,)` of a batch of any number of images.
            batch: Images of one size.

        Returns:
            `(B,)`.
        """
        shape = tuple(batch["image"].shape)
        if len(batch["index"]) == 1 or (self._holds and shape in self._checked):
            return score(batch)
        alone = torch.cat([score(_one(batch, place)) for place in range(len(batch["index"]))])
        if self._holds:
            self._checked.add(shape)
            gap = float((score(batch) - alone).abs().max())
            if not gap <= TOLERANCE:  # NaN is no agreement either
                self._holds = False
                rank_zero_info(
                    f"scores move by {gap:.1e} with their batch, more than {TOLERANCE:g}: images are scored one at a time"
                )
        return alone


def _one(batch: Sample, place: int) -> Sample:
    """Give one image of a batch as a batch."""
    return cast(Sample, {name: values[place : place + 1] for name, values in cast(Mapping[str, Tensor], batch).items()})
