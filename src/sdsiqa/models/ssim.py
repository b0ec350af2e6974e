"""SSIM: structural similarity to a reference."""

import math
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 - the usual name
from torchmetrics.functional.image import structural_similarity_index_measure

from sdsiqa.models.base import Method
from sdsiqa.models.components.preprocessing import luma

REACH = 5
"""Half of the window of 11×11 that torchmetrics makes of a Gaussian with σ = 1.5."""


class SSIM(Method):
    """Structural similarity of Wang, Bovik, Sheikh and Simoncelli, TIP 2004, by torchmetrics; from published facts.

    ```text
    SSIM(p) = (2 μ_x μ_y + C₁)(2 σ_xy + C₂) / ((μ_x² + μ_y² + C₁)(σ_x² + σ_y² + C₂)),  score = mean over places p
    ```

    of BT.601 luma, not rounded, of the whole image; Gaussian window of 11×11 with σ = 1.5, `C₁ = (0.01 L)²`,
    `C₂ = (0.03 L)²`. It has nothing to learn, and needs references in the test too.

    With `downsample` false and `border` `reflect` the score is torchmetrics' own. Both switches move correlations, so
    state them with every number.

    Official code: ssim_index.m and ssim.m of the authors; not copied.

    Differs from the paper: nothing; the reduction is that of the authors' script, which the paper does not have.

    Args:
        downsample: Reduce both images by `f = max(1, round(min(h, w) / 256))` first, as the authors' script does
            (`reduced`).
        border: `valid` averages over places whose window lies inside, as the authors do; `reflect` over all places, with
            images reflected at their border, as torchmetrics does.
    """

    inputs = ("image", "reference")
    whole = True
    title = "SSIM"
    status = "published facts"
    paper = (
        "Wang, Bovik, Sheikh and Simoncelli, Image quality assessment: from error visibility to structural similarity, TIP 2004"
    )

    def __init__(self, downsample: bool = True, border: Literal["valid", "reflect"] = "valid") -> None:
        super().__init__()
        self.downsample, self.border = downsample, border

    def forward(self, image: Tensor, reference: Tensor) -> Tensor:
        """Score images.

        Args:
            image: `(N, 3, h, w)` RGB in [0, 1].
            reference: The same.

        Returns:
            `(N,)` float32 in [-1, 1], higher is better.
        """
        with torch.autocast(image.device.type, enabled=False):
            image, reference = luma(image), luma(reference)
            if self.downsample:
                factor = max(1, math.floor(min(image.shape[-2:]) / 256 + 0.5))
                image, reference = reduced(image, factor), reduced(reference, factor)
            similarity, places = structural_similarity_index_measure(
                image, reference, data_range=1.0, sigma=1.5, reduction="none", return_full_image=True
            )
            if self.border == "reflect":
                return similarity
            return places[..., REACH:-REACH, REACH:-REACH].mean((1, 2, 3))


def reduced(plane: Tensor, factor: int) -> Tensor:
    """Average over factor×factor pixels around every factor-th one, the first included, as the authors' script does.

    MATLAB's `imfilter(plane, ones(f)/f^2, 'symmetric', 'same')(1:f:end, 1:f:end)`: the window of pixel `i` begins at
    `i − ⌊(f − 1) / 2⌋`, and beyond the border the picture is mirrored, its outermost pixels included.

    Args:
        plane: `(N, C, h, w)`, larger than `factor`.
        factor: 1 or more.

    Returns:
        `(N, C, ⌈h / factor⌉, ⌈w / factor⌉)`.
    """
    if factor == 1:
        return plane
    before, after = (factor - 1) // 2, factor // 2
    for axis in (2, 3):
        first, last = plane.narrow(axis, 0, before).flip(axis), plane.narrow(axis, plane.shape[axis] - after, after).flip(axis)
        plane = torch.cat([first, plane, last], axis)
    return F.avg_pool2d(plane, factor)
