"""Grey values, local normalisation and patches, against plain loops."""

import numpy as np
import pytest
import torch

from sdsiqa.models.components.preprocessing import box, cut_patches, luma, normalise_locally


def test_luma_weighs_red_green_and_blue() -> None:
    image = torch.eye(3).view(3, 3, 1, 1)
    torch.testing.assert_close(luma(image).flatten(), torch.tensor([0.299, 0.587, 0.114]))


@pytest.mark.parametrize(("border", "mode"), [("reflect", "reflect"), ("replicate", "edge")])
def test_each_place_is_seen_against_its_window(border: str, mode: str) -> None:
    plane = 255 * torch.rand(2, 1, 9, 11, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    found = normalise_locally(plane, box(3), 10.0, border)  # type: ignore[arg-type]
    for picture, normal in zip(plane.numpy()[:, 0], found.numpy()[:, 0], strict=True):
        padded = np.pad(picture, 1, mode=mode)  # type: ignore[call-overload]
        windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3))
        np.testing.assert_allclose(normal, (picture - windows.mean((2, 3))) / (windows.std((2, 3)) + 10), atol=1e-6)


def test_half_precision_around_it_changes_nothing() -> None:
    plane = 255 * torch.rand(1, 1, 9, 9)
    with torch.autocast("cpu", torch.bfloat16):
        half = normalise_locally(plane, box(3), 1.0)
    torch.testing.assert_close(half, normalise_locally(plane, box(3), 1.0), rtol=0, atol=0)


@pytest.mark.parametrize(("height", "width", "count"), [(8, 12, 6), (11, 15, 6), (4, 4, 1)])
def test_patches_lie_side_by_side_to_the_last_row_and_column(height: int, width: int, count: int) -> None:
    plane = torch.arange(2.0 * height * width).view(2, 1, height, width)
    patches = cut_patches(plane, 4)
    assert patches.shape == (2, count, 1, 4, 4)
    assert torch.equal(patches[:, 0], plane[:, :, :4, :4])
    bottom, right = 4 * (height // 4), 4 * (width // 4)
    assert torch.equal(patches[:, -1], plane[:, :, bottom - 4 : bottom, right - 4 : right])
    columns = width // 4
    last_of_row = plane[:, :, :4, 4 * columns - 4 : 4 * columns]
    assert torch.equal(patches[:, columns - 1], last_of_row)  # row by row
