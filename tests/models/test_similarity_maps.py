"""Maps of similarity, against torchmetrics, OpenCV and arithmetic; the U-Net at odd sizes."""

import cv2
import numpy as np
import pytest
import torch
from torchmetrics.functional.image import structural_similarity_index_measure

from sdsiqa.models.components.similarity_maps import gms_map, ssim_map
from sdsiqa.models.components.unet import UNet


def pair() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(2)
    one = torch.rand(2, 1, 33, 41, generator=generator)
    return one, (one + 0.2 * torch.randn(2, 1, 33, 41, generator=generator)).clamp(0, 1)


def test_flat_pictures_differ_in_their_mean_alone() -> None:
    one, other = torch.full((1, 1, 13, 15), 0.25), torch.full((1, 1, 13, 15), 0.75)
    by_hand = (2 * 0.25 * 0.75 + 1e-4) / (0.25**2 + 0.75**2 + 1e-4)
    torch.testing.assert_close(ssim_map(one, other), torch.full((1, 1, 13, 15), by_hand))
    torch.testing.assert_close(gms_map(one, other), torch.ones(1, 1, 13, 15))


def test_structural_similarity_is_that_of_torchmetrics() -> None:
    one, other = pair()
    _, full = structural_similarity_index_measure(one, other, data_range=1.0, return_full_image=True)  # type: ignore[misc]
    found = ssim_map(one, other)
    assert found.shape == (2, 1, 33, 41)
    torch.testing.assert_close(found[..., 5:-5, 5:-5], torch.as_tensor(full)[..., 5:-5, 5:-5], rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(ssim_map(one, one), torch.ones(2, 1, 33, 41))


def test_gradients_are_prewitts() -> None:
    one, other = pair()
    kernel = np.array([[1.0, 0.0, -1.0]] * 3) / 3
    squares = []
    for picture in (one, other):
        plane = 255 * picture[0, 0].double().numpy()
        across, down = (cv2.filter2D(plane, -1, k, borderType=cv2.BORDER_REPLICATE) for k in (kernel, kernel.T))
        squares.append(across**2 + down**2)
    expected = (2 * np.sqrt(squares[0] * squares[1]) + 170) / (squares[0] + squares[1] + 170)
    np.testing.assert_allclose(gms_map(one, other)[0, 0].numpy(), expected, rtol=1e-4)


def test_a_step_against_nothing_by_hand() -> None:
    step, flat = torch.zeros(1, 1, 5, 8), torch.zeros(1, 1, 5, 8)
    step[..., 4:] = 1
    beside = 170 / (255**2 + 170)  # the Prewitt magnitude beside a step is its height
    by_hand = torch.ones(1, 1, 5, 8)
    by_hand[..., 3:5] = beside
    torch.testing.assert_close(gms_map(step, flat), by_hand)


@pytest.mark.parametrize(("height", "width"), [(32, 32), (37, 53), (64, 48)])
def test_the_u_net_keeps_the_size(height: int, width: int) -> None:
    torch.manual_seed(0)
    network = UNet(3, 2, width=4, depth=4).eval()
    assert network(torch.rand(2, 3, height, width)).shape == (2, 2, height, width)
    assert [module[0].out_channels for module in network.down] == [4, 8, 16, 32]  # type: ignore[index]


def test_the_skips_of_the_u_net_carry_detail() -> None:
    torch.manual_seed(0)
    network = UNet(1, 1, width=4, depth=4).eval()
    image = torch.rand(1, 1, 32, 32)
    moved = image.clone()
    moved[..., 9, 17] += 1
    change = (network(moved) - network(image)).abs()[0, 0]
    assert change[9, 17] > 3 * change.median()
