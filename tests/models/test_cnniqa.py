"""CNNIQA: what makes it what it is."""

import pytest
import torch

from sdsiqa.losses import L1
from sdsiqa.metrics.agreement import srcc
from sdsiqa.models.cnniqa import CNNIQA
from sdsiqa.models.components.preprocessing import box, cut_patches, luma, normalise_locally
from sdsiqa.models.objective import PatchLoss


def build(**switches: float) -> CNNIQA:
    torch.manual_seed(0)
    return CNNIQA(filters=6, width=8, **switches).eval()  # type: ignore[arg-type]


def test_a_patch_is_the_largest_and_smallest_answer_of_each_filter() -> None:
    network, image = build(), torch.rand(1, 3, 32, 32)
    patch = normalise_locally(255 * luma(image), box(7), 10.0)
    answers = network.filters(patch)
    assert answers.shape == (1, 6, 26, 26)
    pooled = torch.cat([answers.flatten(2).max(2).values, answers.flatten(2).min(2).values], 1)
    hidden = network.second(torch.relu(network.hidden(pooled)))
    torch.testing.assert_close(network(image), network.output(torch.relu(hidden))[:, 0])


@pytest.mark.parametrize(("height", "width", "count"), [(64, 96, 6), (97, 131, 12), (32, 32, 1)])
def test_the_score_is_the_mean_over_patches_to_the_last_row_and_column(height: int, width: int, count: int) -> None:
    network, image = build(), torch.rand(2, 3, height, width)
    scores = network.patch_scores(image)
    assert scores.shape == (2, count)
    torch.testing.assert_close(network(image), scores.mean(1))
    changed = image.clone()
    changed[:, :, 32 * (height // 32) - 16 :, 32 * (width // 32) - 16 :] = 0  # in the last patch
    assert (network.patch_scores(changed)[:, -1] != scores[:, -1]).all()


def test_the_whole_picture_is_normalised_before_it_is_cut() -> None:
    network, image = build(), torch.rand(1, 3, 64, 64)
    own = torch.cat([network.patch_scores(patch[None]) for patch in cut_patches(image, 32)[0]], 1)
    assert not torch.allclose(own, network.patch_scores(image))


def test_each_patch_has_a_loss_of_its_own() -> None:
    network, image = build(), torch.rand(2, 3, 64, 64)
    crops = {"image": image, "quality": torch.tensor([0.2, 0.9])}
    expected = (network.patch_scores(image) - crops["quality"][:, None]).abs().mean()
    torch.testing.assert_close(PatchLoss()(network, crops), expected)
    assert PatchLoss()(network, crops) >= L1()(network(image), crops["quality"])


def test_the_sizes_are_those_of_the_paper() -> None:
    sizes = [p.numel() for p in CNNIQA().parameters() if p.dim() > 1]
    assert sizes == [50 * 7 * 7, 100 * 800, 800 * 800, 800]


def test_twelve_images_are_learnt_by_heart() -> None:
    generator = torch.Generator().manual_seed(3)
    crops = {"image": torch.rand(12, 3, 32, 32, generator=generator), "quality": torch.rand(12, generator=generator)}
    torch.manual_seed(0)
    network, objective = CNNIQA(dropout=0.0), PatchLoss()
    optimizer = torch.optim.Adam(network.parameters(), 1e-3)
    for _ in range(80):
        optimizer.zero_grad()
        objective(network, crops).backward()
        optimizer.step()
    assert srcc(network(crops["image"]).detach().numpy(), crops["quality"].numpy()) > 0.95
