"""BLIINDS-II: a regression on statistics of local DCT coefficients."""

import math
from functools import cache
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import gammaln
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 - the usual name

from sdsiqa.models.base import Method
from sdsiqa.models.components.kernel_map import KernelMap
from sdsiqa.models.components.preprocessing import luma

SCALES = 3
FEATURES = 8 * SCALES
"""Length of the vector: mean of all and of the worst tenth, of four statistics, at each scale."""

TILE, WINDOW = 3, 5
WORST = 10
"""One in so many windows counts as worst."""

# places (row, column) of 5×5 coefficients, from 1 as in the paper
_BANDS = (
    ((1, 2), (2, 1), (1, 3), (3, 1), (2, 2)),
    (
        *((4, 1), (5, 1), (3, 2), (4, 2), (5, 2), (2, 3), (3, 3), (4, 3)),
        *((1, 4), (2, 4), (3, 4), (1, 5), (2, 5)),
    ),
    ((3, 5), (4, 4), (5, 3), (4, 5), (5, 4), (5, 5)),
)
_FLAT = ((1, 2), (1, 3), (1, 4), (1, 5), (2, 3), (2, 4), (2, 5), (3, 5))
_ORIENTATIONS = (
    _FLAT,
    ((2, 2), (3, 3), (3, 4), (4, 3), (4, 4), (4, 5), (5, 4), (5, 5)),
    tuple((column, row) for row, column in _FLAT),
)


def features(plane: Tensor) -> Tensor:
    """Compute the feature vector of pictures.

    Args:
        plane: One channel, `(N, h, w)` float64 in [0, 255].

    Returns:
        `(N, 24)` float64: scale by scale, the mean of all and of the worst tenth of frequency variation, shape, energy
        ratio, orientation.
    """
    found = []
    for scale in range(SCALES):
        plane = half(plane) if scale else plane
        coefficients = dct(windows(plane))
        statistics = (variation(coefficients), shape(coefficients), energy_ratio(coefficients), orientation(coefficients))
        for values, worst_is_large in zip(statistics, (True, False, True, True), strict=True):
            found.append(values.mean(1))
            found.append(worst_mean(values, worst_is_large))
    return torch.stack(found, 1)


def windows(plane: Tensor) -> Tensor:
    """Cut tiles of 3×3 with a border of one pixel; there is nothing, zero, outside of the picture.

    Args:
        plane: `(N, h, w)`.

    Returns:
        `(N, 25, n)`, n = ceil(h/3) · ceil(w/3), row by row.
    """
    height, width = plane.shape[-2:]
    padded = F.pad(plane, (1, 1 + -width % TILE, 1, 1 + -height % TILE))
    return F.unfold(padded[:, None], WINDOW, stride=TILE)


def dct(found: Tensor) -> Tensor:
    """Give the orthonormal two-dimensional DCT-II of windows: `(N, 25, n)` to the 24 coefficients but the mean."""
    return torch.from_numpy(_transform()).to(found.device) @ found


def variation(coefficients: Tensor) -> Tensor:
    """Coefficient of frequency variation, `ζ = std|c| / mean|c|`: `(N, 24, n)` to `(N, n)`."""
    return _relative_deviation(coefficients.abs())


def shape(coefficients: Tensor) -> Tensor:
    """Shape `γ` of the generalised Gaussian that the coefficients come from: `(N, 24, n)` to `(N, n)`.

    It is looked up by `var c / mean(|c − mean c|)²`, which is `Γ(1/γ) Γ(3/γ) / Γ(2/γ)²` for that distribution; 11 where
    the table has no such value.
    """
    deviation = (coefficients - coefficients.mean(1, keepdim=True)).abs().mean(1)
    ratio = coefficients.var(1) / (deviation.square() + 1e-7)
    shapes, ratios = (torch.from_numpy(values).to(coefficients.device) for values in _table())
    # ratios fall, so they are searched turned over: the number of entries ≥ ratio, whose last one is wanted
    place = len(ratios) - torch.searchsorted(ratios.flip(0), ratio.contiguous()) - 1
    inside = (place >= 0) & (place < len(ratios) - 1)
    return torch.where(inside, shapes[place.clamp(0, len(ratios) - 1)], shapes.new_tensor(11.0))


def energy_ratio(coefficients: Tensor) -> Tensor:
    """Energy sub-band ratio of low, middle and high frequencies: `(N, 24, n)` to `(N, n)`.

    The denominator of the second ratio is the release's; by the paper it might be `v₂ + v₁`.
    """
    low, middle, high = (coefficients[:, _places(band)].var(1) for band in _BANDS)
    below = (low + middle) / 2
    first = (high - below).abs() / (high + below + 1e-8)
    second = (middle - low).abs() / (high + low + 1e-8)
    return (first + second) / 2


def orientation(coefficients: Tensor) -> Tensor:
    """Variance over three orientations of the frequency variation in each: `(N, 24, n)` to `(N, n)`."""
    size = coefficients.abs()
    return torch.stack([_relative_deviation(size[:, _places(some)]) for some in _ORIENTATIONS], 1).var(1)


def worst_mean(values: Tensor, worst_is_large: bool) -> Tensor:
    """Mean of the worst tenth, rounded up, of the windows: `(N, n)` to `(N,)`."""
    count = math.ceil(values.shape[1] / WORST)
    return values.topk(count, 1, largest=worst_is_large).values.mean(1)


def half(plane: Tensor) -> Tensor:
    """Give the next scale: a Gaussian of 3×3 with σ = 0.5, zero outside, then every second row and column.

    Args:
        plane: `(N, h, w)`.

    Returns:
        `(N, h // 2, w // 2)`.
    """
    side = torch.tensor([math.exp(-2.0), 1.0, math.exp(-2.0)], dtype=plane.dtype, device=plane.device)
    side = side / side.sum()
    kernel = torch.outer(side, side)[None, None]
    return F.conv2d(plane[:, None], kernel, padding=1)[:, 0, 1::2, 1::2]


def _relative_deviation(size: Tensor) -> Tensor:
    return size.std(1) / (size.mean(1) + 1e-7)


def _places(some: tuple[tuple[int, int], ...]) -> list[int]:
    """Turn places of coefficients into indices into the 24."""
    return [WINDOW * (row - 1) + column - 2 for row, column in some]


# arrays, not tensors: a tensor that is first made while shapes alone are traced would stay without values
@cache
def _transform() -> NDArray[np.float64]:
    """Rows of the two-dimensional transform but the first: `(24, 25)`."""
    place = np.arange(WINDOW, dtype=np.float64)
    rows = np.cos(np.pi * (2 * place[None] + 1) * place[:, None] / (2 * WINDOW)) * np.sqrt(2 / WINDOW)
    rows[0] /= np.sqrt(2)
    return np.kron(rows, rows)[1:]


@cache
def _table() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Shapes 0.03, 0.031, …, 10 and what `shape` looks up for each, which falls."""
    shapes = np.arange(30, 10001, dtype=np.float64) / 1000
    return shapes, np.exp(gammaln(1 / shapes) + gammaln(3 / shapes) - 2 * gammaln(2 / shapes))


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
