"""HyperIQA: what makes it what it is."""

import pytest
import torch
from torch import nn

from sdsiqa.losses import L1
from sdsiqa.metrics.agreement import srcc
from sdsiqa.models.hyperiqa import HyperIQA, LocalDistortion
from sdsiqa.training.optimisation import parameter_groups


def build(backbone: str = "test_resnet") -> HyperIQA:
    torch.manual_seed(0)
    return HyperIQA(backbone).eval()


def test_each_image_is_scored_by_a_network_of_its_own() -> None:
    network = build()
    content, maps = network.understand(torch.rand(3, 3, 97, 131))
    scores = network.judge(content, maps)
    for i in range(3):
        x = content[i]
        for place, layer in enumerate(network.target):
            weight, bias = layer.weights(maps[i : i + 1])  # type: ignore[operator]
            x = weight[0] @ x + bias[0]
            x = torch.sigmoid(x) if place < 4 else x
        torch.testing.assert_close(scores[i], x[0])
    one, other = (network.target[0].weights(maps[i : i + 1])[0] for i in (0, 1))  # type: ignore[operator]
    assert not torch.allclose(one, other)


def test_another_images_maps_give_another_score() -> None:
    network = build()
    content, maps = network.understand(torch.rand(2, 3, 64, 64))
    assert (network.judge(content, maps.flip(0)) - network.judge(content, maps)).abs().min() > 1e-6


def test_a_score_does_not_depend_on_its_batch() -> None:
    network, image = build(), torch.rand(3, 3, 97, 131)
    alone = torch.cat([network(image[i : i + 1]) for i in range(3)])
    torch.testing.assert_close(network(image), alone, rtol=1e-4, atol=1e-5)


def test_a_field_of_seven_is_averaged_at_the_papers_size() -> None:
    module, features = LocalDistortion(8, 4, 8), torch.rand(2, 8, 56, 56)
    plain = nn.AvgPool2d(7, 7)(module.squeeze(features)).flatten(1)
    torch.testing.assert_close(module(features), module.output(plain))


@pytest.mark.parametrize("backbone", ["resnet50", "mobilenetv2_100"])
def test_the_sizes_are_those_of_the_paper(backbone: str) -> None:
    with torch.device("meta"):
        network = HyperIQA(backbone)
    assert [module.grid for module in network.local] == [8, 4, 2]
    assert [module.output.in_features for module in network.local] == [1024, 512, 256]  # type: ignore[union-attr]
    channels = [layer.weight.weight.shape[0] for layer in network.target]  # type: ignore[union-attr]
    assert channels == [512, 128, 32, 8, 14]
    assert network.target[0].inputs == 224
    groups = {group.name: group for group in parameter_groups(network, 0.1)}
    assert groups["pretrained"].lr_scale * 10 == groups["new"].lr_scale
    assert id(network.hyper[0].weight) in {id(p) for p in groups["new"].parameters}


def test_the_body_has_four_levels() -> None:
    with pytest.raises(ValueError, match=r"levels must name four levels of test_resnet; got \[-1\]"):
        HyperIQA("test_resnet", levels=[-1])


def test_gradients_reach_all_that_learns() -> None:
    network = HyperIQA("test_resnet")
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.ones_(module.weight)  # timm ends residual blocks with zeros, behind which nothing learns at first
    network(torch.rand(2, 3, 64, 64)).square().sum().backward()
    assert not [name for name, p in network.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]


def test_half_precision_gives_full_scores() -> None:
    network, image = build(), torch.rand(2, 3, 64, 64)
    with torch.autocast("cpu", torch.bfloat16):
        score = network(image)
    assert score.dtype == torch.float32
    torch.testing.assert_close(score, network(image), rtol=0, atol=0.02)


def test_twelve_images_are_learnt_by_heart() -> None:
    generator = torch.Generator().manual_seed(3)
    image, quality = torch.rand(12, 3, 32, 32, generator=generator), torch.rand(12, generator=generator)
    network = build().train()
    optimizer = torch.optim.Adam(network.parameters(), 1e-3)
    for _ in range(30):
        optimizer.zero_grad()
        L1()(network(image), quality).backward()
        optimizer.step()
    assert srcc(network(image).detach().numpy(), quality.numpy()) > 0.95
