"""QualityMapNet: the target of the first stage, and what the second one makes of the map."""

import pytest
import torch

from sdsiqa.models.components.heads import mean_std
from sdsiqa.models.components.preprocessing import luma
from sdsiqa.models.components.similarity_maps import gms_map, ssim_map
from sdsiqa.models.qualitymap import MapTarget, QualityMap, QualityMapNet


def crops() -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    reference = torch.rand(2, 3, 40, 48, generator=generator)
    return {"image": (reference + 0.3 * torch.randn(2, 3, 40, 48, generator=generator)).clamp(0, 1), "reference": reference}


@pytest.mark.parametrize(("name", "measure"), [("ssim", ssim_map), ("gms", gms_map)])
def test_the_target_is_the_map_of_the_pair(name: str, measure: object) -> None:
    torch.manual_seed(0)
    network, batch = QualityMap(width=4).eval(), crops()
    target = measure(luma(batch["reference"]), luma(batch["image"])).clamp(min=0)  # type: ignore[operator]
    expected = (network.map(batch["image"]) - target).abs().mean()
    torch.testing.assert_close(MapTarget(name)(network, batch), expected)  # type: ignore[arg-type]
    torch.testing.assert_close(network(batch["image"]), network.map(batch["image"]).mean((1, 2, 3)))


def test_what_is_of_the_opposite_structure_counts_as_nothing() -> None:
    stripes = (torch.arange(48) % 2).float().expand(1, 3, 40, 48)
    network = QualityMap(width=4).eval()
    batch = {"image": stripes, "reference": 1 - stripes}
    assert ssim_map(luma(stripes), luma(1 - stripes)).max() < 0
    torch.testing.assert_close(MapTarget()(network, batch), network.map(stripes).mean())


def test_the_map_is_learnt() -> None:
    torch.manual_seed(0)
    network, batch, target = QualityMap(width=4).train(), crops(), MapTarget()
    optimizer = torch.optim.AdamW(network.parameters(), 1e-2)
    losses = []
    for _ in range(30):
        optimizer.zero_grad()
        losses.append(target(network, batch))
        losses[-1].backward()
        optimizer.step()
    assert losses[-1].item() < 0.7 * losses[0].item()


def test_the_score_is_read_from_map_and_luma() -> None:
    torch.manual_seed(0)
    network, image = QualityMapNet(width=4, head_dim=8).eval(), crops()["image"]
    seen = torch.cat([network.map(image), luma(image)], 1)
    torch.testing.assert_close(network(image), network.head(mean_std(network.pooling(seen))))
    network.map.output.bias.data.fill_(5.0)  # another map of the same image
    assert (network(image) - network.head(mean_std(network.pooling(seen)))).abs().min() > 1e-6


def test_the_map_comes_from_the_first_stage_and_learns_slowly() -> None:
    network, first = QualityMapNet(width=4), QualityMap(width=4)
    assert QualityMapNet.stage_one == ("map",)
    network.map.load_state_dict(first.map.state_dict())
    assert network.pretrained_parts() == [network.map]


def test_the_sizes_are_those_of_the_family() -> None:
    with torch.device("meta"):
        network = QualityMapNet()
    assert [block[0].out_channels for block in network.map.down] == [32, 64, 128, 256]  # type: ignore[index]
    assert [layer.out_channels for layer in network.pooling[::4]] == [32, 64, 128]
