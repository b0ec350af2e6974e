"""BIECON: what makes it what it is."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torchmetrics.functional.image import structural_similarity_index_measure

from sdsiqa.losses import MSE
from sdsiqa.metrics.agreement import srcc
from sdsiqa.models.biecon import BIECON, BIECONLocal, LocalSimilarity, PatchFeatures, centred, local_similarity, most_varied
from sdsiqa.models.components.preprocessing import cut_patches, luma
from sdsiqa.models.components.similarity_maps import ssim_map


def test_the_ssim_map_is_the_known_one_away_from_the_border() -> None:
    generator = torch.Generator().manual_seed(0)
    reference = torch.rand(2, 1, 40, 48, generator=generator)
    image = (reference + 0.2 * torch.randn(2, 1, 40, 48, generator=generator)).clamp(0, 1)
    _, known = structural_similarity_index_measure(image, reference, data_range=1.0, return_full_image=True, reduction="none")
    inner = slice(5, -5)
    torch.testing.assert_close(ssim_map(reference, image)[..., inner, inner], known[..., inner, inner], rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(ssim_map(reference, reference), torch.ones(2, 1, 40, 48))


def test_the_target_of_a_patch_of_constants_is_the_formula() -> None:
    # without structure, SSIM is its luminance term: halves of 0.5 and 0.8 against 0.5
    reference = torch.full((1, 3, 32, 64), 0.5)
    image = reference.clone()
    image[..., 32:] = 0.8
    found = local_similarity(reference, image)
    assert found.shape == (1, 2)
    far = (2 * 0.5 * 0.8 + 1e-4) / (0.5**2 + 0.8**2 + 1e-4)
    similar = ssim_map(torch.full((1, 1, 16, 32), 0.5), torch.cat([torch.full((1, 1, 16, 16), v) for v in (0.5, 0.8)], 3))
    torch.testing.assert_close(found[0], similar[0, 0].unflatten(1, (2, 16)).mean((0, 2)))
    assert similar[0, 0, :, 22:].numpy() == pytest.approx(far, abs=1e-4)  # beyond the window's reach of the edge
    assert similar[0, 0, :, :10].numpy() == pytest.approx(1, abs=1e-4)


def test_targets_lie_under_their_patches() -> None:
    reference = torch.rand(1, 3, 102, 136, generator=torch.Generator().manual_seed(1))
    image = reference.clone()
    top, left = (102 % 32) // 4 * 2, (136 % 32) // 4 * 2  # the even corner of the centred grid: 2 and 4
    assert (top, left) == (2, 4)
    image[..., top + 32 : top + 64, left + 64 : left + 96] = 0.0  # the third patch of the second row of four
    found = local_similarity(reference, image)
    assert found.shape == (1, 12)
    assert int(found.argmin()) == 6
    halves = [torch.nn.functional.avg_pool2d(luma(picture), 2) for picture in (reference, image)]
    under = ssim_map(*halves)[0, 0, 1 + 16 : 1 + 32, 2 + 32 : 2 + 48]
    torch.testing.assert_close(found[0, 6], under.mean())
    assert int(cut_patches(centred(image, 32), 32).flatten(2).amax(2).argmin()) == 6


def test_patches_that_vary_most_are_kept() -> None:
    amount = torch.linspace(0.1, 1, 10).view(2, 5).repeat_interleave(32, 0).repeat_interleave(32, 1)  # grows patch by patch
    image = torch.rand(2, 3, 64, 160) * amount
    kept = most_varied(cut_patches(centred(luma(image), 32), 32))
    assert kept.tolist() == [list(range(2, 10))] * 2
    features, places = PatchFeatures().eval()(image)
    assert features.shape == (2, 8, 128)
    assert torch.equal(places, kept)
    assert most_varied(torch.rand(1, 1, 1, 32, 32)).tolist() == [[0]]


def test_the_first_stage_compares_each_patch_with_its_target() -> None:
    torch.manual_seed(0)
    network, image, reference = BIECONLocal().eval(), torch.rand(2, 3, 64, 96), torch.rand(2, 3, 64, 96)
    with torch.no_grad():
        scores, kept = network.local_scores(image)
        found = LocalSimilarity()(network, {"image": image, "reference": reference})
    target = local_similarity(reference, image)
    expected = np.mean(
        [(float(scores[n, k]) - float(target[n, kept[n, k]])) ** 2 for n in range(2) for k in range(kept.shape[1])]
    )
    assert float(found) == pytest.approx(expected, rel=1e-5)
    torch.testing.assert_close(network(image), scores.mean(1))


def test_the_score_is_of_the_mean_features() -> None:
    network, image = BIECON().eval(), torch.rand(2, 3, 70, 100)
    torch.testing.assert_close(network(image), network.head(network.patches(image)[0].mean(1)))


def test_twelve_images_are_learnt_by_heart(tmp_path: Path) -> None:
    generator = torch.Generator().manual_seed(3)
    image, quality = torch.rand(12, 3, 32, 32, generator=generator), torch.rand(12, generator=generator)
    torch.manual_seed(0)
    network = BIECON(dropout=0.0)
    optimizer = torch.optim.Adam(network.parameters(), 1e-3)
    for _ in range(30):
        optimizer.zero_grad()
        MSE()(network(image), quality).backward()
        optimizer.step()
    assert srcc(network(image).detach().numpy(), quality.numpy()) > 0.95
    torch.save(network.state_dict(), tmp_path / "weights.pt")
    other = BIECON().eval()
    other.load_state_dict(torch.load(tmp_path / "weights.pt", weights_only=True))  # noqa: TID251
    torch.testing.assert_close(other(image), network.eval()(image), rtol=0, atol=0)
