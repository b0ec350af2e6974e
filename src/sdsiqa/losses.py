"""Losses between scores and quality. Both are float32, quality in [0, 1], higher is better."""

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - the usual name

from sdsiqa.runs.class_attributes import Attribute, check_attributes, is_flag
from sdsiqa.runs.ranges import check_numbers, check_positive

_ATTRIBUTES = {"compares": Attribute(is_flag, "true or false", "True")}


class QualityLoss(nn.Module, ABC):
    """Compares scores with quality.

    `compares` says whether images are compared with each other; then the scores of all devices are gathered first.
    """

    compares: ClassVar[bool] = False

    def __init__(self) -> None:
        super().__init__()

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        check_attributes(cls, _ATTRIBUTES)

    @abstractmethod
    def forward(self, score: Tensor, quality: Tensor) -> Tensor:
        """Give the loss.

        Args:
            score: Any shape.
            quality: The same shape, in [0, 1].

        Returns:
            A scalar, finite whatever the scores.
        """


class L1(QualityLoss):
    """Mean absolute error."""

    def forward(self, score: Tensor, quality: Tensor) -> Tensor:
        """Give `mean |q − y|`."""
        return F.l1_loss(score, quality)


class MSE(QualityLoss):
    """Mean squared error."""

    def forward(self, score: Tensor, quality: Tensor) -> Tensor:
        """Give `mean (q − y)²`."""
        return F.mse_loss(score, quality)


class SmoothL1(QualityLoss):
    """Squared error near zero, absolute error beyond.

    Args:
        beta: Where one becomes the other; with quality in [0, 1], 1 would make it a mere squared error.
    """

    def __init__(self, beta: float = 0.1) -> None:
        super().__init__()
        check_positive(beta=beta)
        self.beta = beta

    def forward(self, score: Tensor, quality: Tensor) -> Tensor:
        """Give `½ d²/β` for `|d| < β`, else `|d| − β/2`, in the mean."""
        return F.smooth_l1_loss(score, quality, beta=self.beta)


class PLCC(QualityLoss):
    """Lack of linear correlation within the batch, `(1 − ρ)/2`.

    Blind to shift and scale, and without a direction where all scores are equal, so add another loss: alone it never
    leaves a network whose output starts at zero.
    """

    compares = True

    def forward(self, score: Tensor, quality: Tensor) -> Tensor:
        """Give `(1 − ρ)/2` in [0, 1]; ½ without gradient where scores or quality are constant."""
        q, y = _centred(score), _centred(quality)
        rho = (q * y).sum() / ((q.square().sum() * y.square().sum()) + 1e-8).sqrt()
        return (1 - rho) / 2


class NormInNorm(QualityLoss):
    """Distance between centred, normalised scores and quality [Li, Jiang and Jiang, ACM MM 2020, p = 1, q = 2].

    Blind to shift and scale, as PLCC is, so add another loss.
    """

    compares = True

    def forward(self, score: Tensor, quality: Tensor) -> Tensor:
        """Give `Σ |q̂ − ŷ| / (2 √n)` in [0, 1], where `q̂` and `ŷ` have mean 0 and norm 1."""
        q, y = _centred(score), _centred(quality)
        q, y = (x / (x.square().sum() + 1e-8).sqrt() for x in (q, y))
        return (q - y).abs().sum() / (2 * math.sqrt(score.numel()))


def _centred(values: Tensor) -> Tensor:
    """Subtract the mean, in one dimension; zero without gradient where all values are equal but for rounding.

    There the gradient of a correlation is that of its ε: thousands of times an ordinary one, in a direction of chance.
    """
    values = values.flatten() - values.mean()
    return values * (values.square().mean() > 1e-12)


class _Pairs(QualityLoss):
    """A loss over pairs of images whose quality differs."""

    compares = True

    def __init__(self, least: float) -> None:
        super().__init__()
        check_numbers(0, 1, least=least)
        self.least = least

    @abstractmethod
    def of_pairs(self, difference: Tensor) -> Tensor:
        """Give the loss of each pair from `q_better − q_worse`, `(pairs,)`."""

    def forward(self, score: Tensor, quality: Tensor) -> Tensor:
        """Give the mean over pairs with `y_i − y_j > least`; 0 without any."""
        q, y = score.flatten(), quality.flatten()
        better = y[:, None] - y[None, :] > self.least
        if not better.any():
            return 0 * q.sum()
        return self.of_pairs((q[:, None] - q[None, :])[better]).mean()


class RankHinge(_Pairs):
    """Hinge over pairs: the better image must score higher by a margin.

    Args:
        margin: That margin.
        least: Least difference of quality that makes a pair.
    """

    def __init__(self, margin: float = 0.05, least: float = 0.02) -> None:
        super().__init__(least)
        check_numbers(0, margin=margin)
        self.margin = margin

    def of_pairs(self, difference: Tensor) -> Tensor:
        """Give `max(0, margin − difference)`."""
        return F.relu(self.margin - difference)


class RankNet(_Pairs):
    """Logistic loss over pairs [Burges et al., ICML 2005].

    Args:
        temperature: Difference of scores at which a pair counts as well ordered.
        least: Least difference of quality that makes a pair.
    """

    def __init__(self, temperature: float = 0.1, least: float = 0.02) -> None:
        super().__init__(least)
        check_positive(temperature=temperature)
        self.temperature = temperature

    def of_pairs(self, difference: Tensor) -> Tensor:
        """Give `ln(1 + exp(−difference / temperature))`."""
        return F.softplus(-difference / self.temperature)


class Fidelity(_Pairs):
    """Fidelity loss over pairs under Thurstone's model, as in UNIQUE [Zhang et al., TIP 2021].

    Args:
        scale: Factor on scores in [0, 1], whose differences would otherwise all look like ties.
        least: Least difference of quality that makes a pair.
    """

    def __init__(self, scale: float = 10.0, least: float = 0.0) -> None:
        super().__init__(least)
        check_positive(scale=scale)
        self.scale = scale

    def of_pairs(self, difference: Tensor) -> Tensor:
        """Give `1 − sqrt(p)`, where `p = Φ(scale · difference / √2)` is the probability of the right order."""
        probability = 0.5 * (1 + torch.erf(self.scale * difference / 2))  # Φ(x/√2) = (1 + erf(x/2))/2
        return 1 - (probability + 1e-8).sqrt()


class Weighted(QualityLoss):
    """A weighted sum of losses.

    Args:
        losses: The losses.
        weights: Their weights, as many.

    Raises:
        ValueError: There are not as many weights as losses.
    """

    compares = True  # one of them may

    def __init__(self, losses: Sequence[QualityLoss], weights: Sequence[float]) -> None:
        super().__init__()
        if len(losses) != len(weights):
            raise ValueError(f"there are {len(losses)} losses and {len(weights)} weights; give one weight for each loss")
        for place, weight in enumerate(weights):
            check_numbers(0, **{f"weights[{place}]": weight})
        self.losses, self.weights = nn.ModuleList(losses), tuple(weights)

    def forward(self, score: Tensor, quality: Tensor) -> Tensor:
        """Give the sum."""
        terms = [weight * loss(score, quality) for loss, weight in zip(self.losses, self.weights, strict=True)]
        return torch.stack(terms).sum()


def __dir__() -> list[str]:
    """Name the losses."""
    kinds = {name: item for name, item in globals().items() if isinstance(item, type) and not name.startswith("_")}
    return sorted(name for name, kind in kinds.items() if issubclass(kind, QualityLoss))
