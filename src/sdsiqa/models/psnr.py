"""PSNR: peak signal-to-noise ratio to a reference."""

from typing import Literal

import torch
from torch import Tensor
from torchmetrics.functional.image import peak_signal_noise_ratio

from sdsiqa.models.base import Method
from sdsiqa.models.components.preprocessing import luma

LIMIT = 100.0
"""Decibels of an image that equals its reference."""


class PSNR(Method):
    """Peak signal-to-noise ratio, by torchmetrics. It has nothing to learn, and needs references in the test too.

    ```text
    PSNR = 10 log₁₀(255² / MSE),  score = PSNR / 100
    ```

    over all pixels of the whole image. A score is a hundredth of the decibels, so that it lies in [0, 1] as all scores
    do; `decibels` gives torchmetrics' own value. 8-bit pictures are not rounded to integers after conversion to luma.

    Differs from the paper: nothing, it is a formula. 100 dB is the most that is given, for an image that equals its
    reference too.

    Args:
        channels: `y` compares BT.601 luma, `rgb` all three channels together.
    """

    inputs = ("image", "reference")
    whole = True
    title = "PSNR"
    status = "published facts"
    paper = "A formula, full-reference"

    def __init__(self, channels: Literal["y", "rgb"] = "y") -> None:
        super().__init__()
        self.channels = channels

    def forward(self, image: Tensor, reference: Tensor) -> Tensor:
        """Score images.

        Args:
            image: `(N, 3, h, w)` RGB in [0, 1].
            reference: The same.

        Returns:
            `(N,)` float32 in [0, 1], higher is better.
        """
        return self.decibels(image, reference) / 100

    def decibels(self, image: Tensor, reference: Tensor) -> Tensor:
        """Give PSNR in decibels: `(N,)` float32, at most 100; arguments as in `forward`."""
        with torch.autocast(image.device.type, enabled=False):
            if self.channels == "y":
                image, reference = luma(image), luma(reference)
            found = peak_signal_noise_ratio(image, reference, data_range=1.0, reduction="none", dim=(1, 2, 3))
            return found.clamp(max=LIMIT)
