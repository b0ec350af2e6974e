"""BLIINDS-II: a regression on statistics of local DCT coefficients."""

from typing import Literal

import torch
from torch import Tensor

from sdsiqa.models.bliinds2_features import FEATURES, features
from sdsiqa.models.components.kernel_map import KernelMap
from sdsiqa.models.components.preprocessing import luma
from sdsiqa.models.method import Method


class BLIINDS2(Method):
    """Natural scene statistics in the DCT domain of Saad, Bovik and Charrier, TIP 2012; from published facts.

    At each of three scales, windows of 5×5 with a stride of 3, of which the 24 DCT coefficients c but the mean count:

    ```text
    ζ = std|c| / mean|c|                                     coefficient of frequency variation
    γ : var c / mean(|c − mean c|)² = Γ(1/γ) Γ(3/γ) / Γ(2/γ)²    shape of a generalised Gaussian
    R = mean of |v₃ − (v₁+v₂)/2| / (v₃ + (v₁+v₂)/2) and |v₂ − v₁| / (v₃ + v₁)    variances of three frequency bands
    O = var over three orientations of their ζ
    ```

    and of each the mean of all windows and of the worst tenth: 24 features, on which a regression is fitted
    (`model.regression`) instead of training. Scores are of whole images.

    Official code: utlive/BLIINDS2 (no licence); not copied. The features are those of its released rows.

    Differs from the paper:
        - Support vector regression takes the place of the Gaussian model of features and score.
        - The denominator of the second energy ratio is that of the authors' release, where the paper may mean another.
        - The release's predictions, one too low each, and its mixed scales of scores are not repeated.

    The second predictor, `sdsiqa.training.LeastSquares`, is what that Gaussian model predicts; with `rounding`
    the score is the release's, on its grid.

    Args:
        channel: What the features are computed of: `red` as the release does, or BT.601 `luma`.
        rounding: Bring scores to the release's grid of DMOS 1, 1.5, …, 100, where quality is `1 − DMOS/100`.
    """

    whole = True
    title = "BLIINDS-II"
    status = "published facts"
    paper = (
        "Saad, Bovik and Charrier, Blind image quality assessment: a natural scene statistics approach in the DCT domain, "
        "TIP 2012"
    )
    differs = (
        "Support vector regression takes the place of the Gaussian model of features and score.",
        "The denominator of the second energy ratio is that of the authors' release, where the paper may mean another.",
        "The release's predictions, one too low each, and its mixed scales of scores are not repeated.",
    )

    def __init__(self, channel: Literal["red", "luma"] = "red", rounding: bool = False) -> None:
        super().__init__()
        self.channel, self.rounding = channel, rounding
        self.regressor = KernelMap(FEATURES)

    def forward(self, image: Tensor) -> Tensor:
        """Score images.

        Args:
            image: `(N, 3, h, w)` RGB in [0, 1].

        Returns:
            `(N,)` float32, higher is better, about 0 to 1.
        """
        score: Tensor = self.regressor(self.pooled_features(image))
        if self.rounding:
            score = 1 - (2 * 100 * (1 - score)).round().clamp(2, 200) / 200
        return score.float()

    def pooled_features(self, image: Tensor) -> Tensor:
        """Give what the regression is fitted to: `(N, 24)` float64; arguments as in `forward`."""
        with torch.autocast(image.device.type, enabled=False):
            image = 255 * image.double()
            return features(image[:, 0] if self.channel == "red" else luma(image)[:, 0])

    @property
    def features_version(self) -> str:
        """Name of the features, for what is kept between runs."""
        return f"bliinds2 {self.channel} 1"
