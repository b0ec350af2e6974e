"""Losses against hand-worked values, and where there is nothing to compare."""

import math

import pytest
import torch

from sdsiqa.losses import L1, MSE, PLCC, Fidelity, NormInNorm, QualityLoss, RankHinge, RankNet, SmoothL1, Weighted

SCORE = torch.tensor([0.2, 0.5, 0.9])
QUALITY = torch.tensor([0.3, 0.5, 0.4])
ALL: list[QualityLoss] = [
    L1(),
    MSE(),
    SmoothL1(),
    PLCC(),
    NormInNorm(),
    RankHinge(),
    RankNet(),
    Fidelity(),
    Weighted([L1(), PLCC()], [1.0, 0.5]),
]


@pytest.mark.parametrize(
    ("loss", "value"),
    [
        (L1(), (0.1 + 0 + 0.5) / 3),
        (MSE(), (0.01 + 0 + 0.25) / 3),
        (SmoothL1(0.2), (0.5 * 0.01 / 0.2 + 0 + 0.5 - 0.1) / 3),
        # pairs with a difference of quality: (1,0) by +0.3, (1,2) by -0.4, (2,0) by +0.7
        (RankHinge(margin=0.5), (0.2 + 0.9 + 0) / 3),
        (RankNet(temperature=1.0), sum(math.log(1 + math.exp(-d)) for d in (0.3, -0.4, 0.7)) / 3),
        (Fidelity(scale=1.0), sum(1 - math.sqrt(0.5 * (1 + math.erf(d / 2))) for d in (0.3, -0.4, 0.7)) / 3),
        (Weighted([L1(), MSE()], [2.0, 3.0]), 2 * 0.2 + 3 * 0.26 / 3),
    ],
    ids=lambda x: type(x).__name__,
)
def test_hand_worked_values(loss: QualityLoss, value: float) -> None:
    assert loss(SCORE, QUALITY).item() == pytest.approx(value, rel=1e-5)


def test_plcc_knows_no_shift_and_no_scale() -> None:
    assert PLCC()(3 * QUALITY - 1, QUALITY).item() == pytest.approx(0, abs=1e-5)
    assert PLCC()(-QUALITY, QUALITY).item() == pytest.approx(1, abs=1e-5)
    rho = torch.corrcoef(torch.stack([SCORE, QUALITY]))[0, 1].item()
    assert PLCC()(SCORE, QUALITY).item() == pytest.approx((1 - rho) / 2, abs=1e-5)


def test_norm_in_norm_by_hand() -> None:
    # (-1, 0, 1) and (-1, 1, 0) over the root of 2: they differ by 0, 1 and 1 over it
    value = NormInNorm()(torch.tensor([1.0, 2.0, 3.0]), torch.tensor([0.2, 0.4, 0.3])).item()
    assert value == pytest.approx(2 / math.sqrt(2) / (2 * math.sqrt(3)), rel=1e-4)
    assert NormInNorm()(3 * QUALITY - 1, QUALITY).item() == pytest.approx(0, abs=1e-4)


@pytest.mark.parametrize("loss", [PLCC(), NormInNorm()], ids=lambda x: type(x).__name__)
@pytest.mark.parametrize("noise", [0.0, 1e-7])
def test_equal_scores_have_no_direction(loss: QualityLoss, noise: float) -> None:
    score = (0.5 + noise * torch.tensor([1.0, -1.0, 0.0])).requires_grad_()
    loss(score, QUALITY).backward()
    assert score.grad is not None
    assert not score.grad.any()


@pytest.mark.parametrize("loss", ALL, ids=lambda x: type(x).__name__)
@pytest.mark.parametrize("quality", [[0.5], [0.5, 0.5, 0.5]])
def test_nothing_to_compare_is_finite(loss: QualityLoss, quality: list[float]) -> None:
    score = torch.full((len(quality),), 0.3, requires_grad=True)
    value = loss(score, torch.tensor(quality))
    value.backward()
    assert torch.isfinite(value)
    assert score.grad is not None
    assert torch.isfinite(score.grad).all()


@pytest.mark.parametrize("loss", ALL, ids=lambda x: type(x).__name__)
def test_gradients(loss: QualityLoss) -> None:
    score = torch.tensor([[0.21, 0.52], [0.13, 0.94]], dtype=torch.float64, requires_grad=True)
    quality = torch.tensor([[0.3, 0.7], [0.35, 0.4]], dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda x: loss(x, quality), score)


@pytest.mark.parametrize("loss", ALL, ids=lambda x: type(x).__name__)
def test_stepping_along_the_gradient_helps(loss: QualityLoss) -> None:
    score = torch.tensor([0.9, 0.1, 0.3], requires_grad=True)
    before = loss(score, QUALITY)
    before.backward()
    assert loss(score - 0.01 * score.grad, QUALITY) < before


def test_losses_that_compare_say_so() -> None:
    assert {type(loss).__name__ for loss in ALL if loss.compares} == {
        "PLCC",
        "NormInNorm",
        "RankHinge",
        "RankNet",
        "Fidelity",
        "Weighted",
    }
    with pytest.raises(ValueError, match="there are 1 losses and 2 weights"):
        Weighted([L1()], [1.0, 2.0])
