"""TwoStreamIQA: the gradient, the patches, the sizes."""

import torch

from sdsiqa.models.objective import PatchLoss
from sdsiqa.models.twostream import TwoStreamIQA, gradient


def test_the_gradient_beside_a_step_is_two() -> None:
    plane = torch.zeros(1, 1, 5, 6)
    plane[..., 3:] = 1
    by_hand = torch.zeros(1, 1, 5, 6)
    by_hand[..., 2:4] = 2  # ½ · (1 + 2 + 1) on both sides of the step, and none along it
    torch.testing.assert_close(gradient(plane), by_hand)
    torch.testing.assert_close(gradient(plane.mT), by_hand.mT)


def test_the_gradient_of_a_slope_is_even() -> None:
    slope = (torch.arange(6.0)[:, None] + 2 * torch.arange(7.0))[None, None]
    torch.testing.assert_close(gradient(slope)[..., 1:-1, 1:-1], torch.full((1, 1, 4, 5), 0.5 * (8 * 1 + 8 * 2)))


def test_the_gradient_is_taken_before_patches_are_cut() -> None:
    torch.manual_seed(0)
    network = TwoStreamIQA(width=4, features=8, head_dim=8).eval()
    image = torch.rand(1, 3, 64, 64)
    whole = network.patch_scores(image)
    corners = [image[..., y : y + 32, x : x + 32] for y in (0, 32) for x in (0, 32)]
    alone = torch.cat([network.patch_scores(corner) for corner in corners], 1)
    assert (whole - alone).abs().min() > 0  # a patch knows what lies beside it
    moved = image.clone()
    moved[..., :, 40:] = 0.5  # nothing that the left patches or their neighbours see
    torch.testing.assert_close(network.patch_scores(moved)[:, ::2], whole[:, ::2], rtol=0, atol=0)


def test_both_streams_count() -> None:
    torch.manual_seed(0)
    network, image = TwoStreamIQA(width=4, features=8, head_dim=8).eval(), torch.rand(2, 3, 64, 96)
    scores = network(image)
    assert (network(image + 0.2) - scores).abs().min() > 1e-6  # the gradient is the same
    network.image_stream.requires_grad_(False).apply(lambda m: m.weight.zero_() if hasattr(m, "weight") else None)
    assert (network(image) - network(image.flip(0))).abs().min() > 1e-6


def test_the_sizes_are_those_of_the_paper() -> None:
    network = TwoStreamIQA()
    sizes = [tuple(p.shape) for p in network.parameters() if p.dim() > 1]
    stream = [(64, 32, 5, 5), (128, 64, 3, 3), (256, 128, 3, 3), (216, 256, 1, 1)]
    assert sizes == [(32, 3, 7, 7), *stream, (32, 1, 7, 7), *stream, (512, 432), (512, 512), (1, 512)]


def test_each_patch_has_the_label_of_its_image() -> None:
    network = TwoStreamIQA(width=4, features=8, head_dim=8).eval()
    crops = {"image": torch.rand(2, 3, 64, 70), "quality": torch.tensor([0.2, 0.9])}
    expected = (network.patch_scores(crops["image"]) - crops["quality"][:, None]).abs().mean()
    torch.testing.assert_close(PatchLoss()(network, crops), expected)
