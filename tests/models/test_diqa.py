"""DIQA: what makes it what it is."""

import math
from pathlib import Path

import pytest
import torch
from torch import Tensor

from sdsiqa.losses import MSE
from sdsiqa.metrics.agreement import srcc
from sdsiqa.models import diqa
from sdsiqa.models.components.preprocessing import luma
from sdsiqa.models.diqa import DIQA, DIQAErrorMap, MapFeatures, ReliableError, details, quarter, reliability


def test_details_and_the_rest_are_the_image_and_what_is_smooth_has_no_details() -> None:
    image = torch.rand(2, 3, 37, 50)
    seen, low = details(image)
    torch.testing.assert_close(seen + low, 255 * luma(image))
    slope = torch.linspace(0, 1, 96).expand(1, 3, 64, 96)
    assert details(slope)[0][..., 12:-12].abs().max() < 0.5
    checks = ((torch.arange(64)[:, None] + torch.arange(64)) % 2).float().expand(1, 3, 64, 64)
    torch.testing.assert_close(details(checks)[0].abs()[..., 8:-8, 8:-8], torch.full((1, 1, 48, 48), 127.5), rtol=0.02, atol=1.0)


def test_targets_and_weights_of_a_worked_patch(monkeypatch: pytest.MonkeyPatch) -> None:
    # an 8×8 patch whose left half has details 3 against 1 of the reference, whose right half is equal, with details 0
    given = {0.25: torch.zeros(1, 1, 8, 8), 0.75: torch.zeros(1, 1, 8, 8)}
    given[0.25][..., :4], given[0.75][..., :4] = 3.0, 1.0
    monkeypatch.setattr(diqa, "details", lambda image: (given[float(image[0, 0, 0, 0])], Tensor()))
    network = DIQAErrorMap()
    monkeypatch.setattr(network, "error_map", lambda image: torch.tensor([[[[0.5, 0.5], [0.5, 0.5]]]]))
    crops = {"image": torch.full((1, 3, 8, 8), 0.25), "reference": torch.full((1, 3, 8, 8), 0.75)}
    trust = 2 / (1 + math.exp(-0.2 * 3)) - 1
    error, weight = 2**0.2, trust / (trust / 2 + 1e-8)  # half of the places have no reliability
    expected = ((0.5 - error) * weight) ** 2 / 2
    assert float(ReliableError()(network, crops)) == pytest.approx(expected, rel=1e-5)
    assert float(ReliableError(power=1.0)(network, crops)) == pytest.approx(((0.5 - 2) * weight) ** 2 / 2, rel=1e-5)


def test_reliability_grows_from_nothing_to_one() -> None:
    found = reliability(torch.tensor([0.0, -1.0, 1.0, 1000.0]), 1.0)
    assert found.tolist() == pytest.approx([0, 2 / (1 + math.exp(-1)) - 1, 2 / (1 + math.exp(-1)) - 1, 1])


@pytest.mark.parametrize(("height", "width"), [(64, 64), (37, 50)])
def test_maps_have_a_quarter_of_the_size(height: int, width: int) -> None:
    network = DIQAErrorMap()
    found = network.error_map(torch.rand(2, 3, height, width))
    assert found.shape == (2, 1, math.ceil(math.ceil(height / 2) / 2), math.ceil(math.ceil(width / 2) / 2))
    assert quarter(torch.rand(2, 1, height, width), found).shape == found.shape
    crops = {"image": torch.rand(2, 3, height, width), "reference": torch.rand(2, 3, height, width)}
    assert torch.isfinite(ReliableError()(network, crops))
    torch.testing.assert_close(network(crops["image"]), -network.error_map(crops["image"]).mean((1, 2, 3)))


def test_the_network_is_the_papers() -> None:
    sizes = [(layer.out_channels, layer.stride[0]) for layer in MapFeatures() if isinstance(layer, torch.nn.Conv2d)]
    assert sizes == [(48, 1), (48, 2), (64, 1), (64, 2), (64, 1), (64, 1), (128, 1), (128, 1)]
    image = torch.rand(2, 3, 40, 40)
    plain = DIQA().eval()
    torch.testing.assert_close(plain(image), plain.head(plain.features(details(image)[0] / 16).mean((2, 3))))
    assert DIQA(handcrafted=True)(image).shape == (2,)


def test_twelve_images_are_learnt_by_heart(tmp_path: Path) -> None:
    generator = torch.Generator().manual_seed(3)
    image, quality = torch.rand(12, 3, 32, 32, generator=generator), torch.rand(12, generator=generator)
    torch.manual_seed(0)
    network = DIQA()
    optimizer = torch.optim.NAdam(network.parameters(), 2e-3)
    for _ in range(50):
        optimizer.zero_grad()
        MSE()(network(image), quality).backward()
        optimizer.step()
    assert srcc(network(image).detach().numpy(), quality.numpy()) > 0.95
    torch.save(network.state_dict(), tmp_path / "weights.pt")
    other = DIQA().eval()
    other.load_state_dict(torch.load(tmp_path / "weights.pt", weights_only=True))  # noqa: TID251
    torch.testing.assert_close(other(image), network.eval()(image), rtol=0, atol=0)
