"""SGDNet: the side task, and what its map does."""

import pytest
import torch
from network_fakes import pictures
from torch import nn

from sdsiqa.models.sgdnet import SaliencyTask, SGDNet, on_grid, total_variation


def build(**switches: object) -> SGDNet:
    torch.manual_seed(0)
    settings = {"features": 16, "head_dim": 16, **switches}
    return SGDNet("test_resnet", **settings).eval()  # type: ignore[arg-type]


def test_total_variation_of_two_small_maps() -> None:
    one = torch.tensor([[[[1.0, 1.0], [2.0, 0.0]]], [[[0.0, 0.0], [0.0, 5.0]]]])
    other = torch.tensor([[[[3.0, 3.0], [3.0, 3.0]]], [[[7.0, 0.0], [0.0, 0.0]]]])
    # ¼ ¼ ½ 0 against ¼ ¼ ¼ ¼ is ½ (¼ + ¼); mass in different places is 1
    torch.testing.assert_close(total_variation(one, other), torch.tensor([0.25, 1.0]))
    torch.testing.assert_close(total_variation(one, 9 * one), torch.zeros(2))
    assert torch.isfinite(total_variation(0 * one, other)).all()


def test_features_are_weighed_by_the_map() -> None:
    network, (image, saliency) = build(), pictures()
    weighed, where = network.features(image)
    assert where is not None
    score = network.output(network.hidden((weighed * where).mean((2, 3))))[:, 0]
    torch.testing.assert_close(network(image), score)
    (deep,) = network.backbone(network.backbone.normalise(image))
    f = torch.relu(network.reduce(deep))
    first, _, last, _ = network.excite
    gate = torch.sigmoid(last(torch.relu(first(f.mean((2, 3))))))  # type: ignore[operator]
    torch.testing.assert_close(weighed, f * gate[:, :, None, None])
    torch.testing.assert_close(where, torch.relu((f * network.look.weight).sum(1, keepdim=True)))  # type: ignore[union-attr]
    given = build(saliency="input")
    weighed, where = given.features(image, saliency)
    assert where is not None
    torch.testing.assert_close(where, on_grid(saliency, weighed))
    assert (given(image, saliency) - given(image, saliency.flip(0))).abs().min() > 1e-6


def test_what_is_asked_for() -> None:
    assert build().inputs == ("image",)  # so that scoring needs no map
    assert build(saliency="none").inputs == ("image",)
    assert build(saliency="input").inputs == ("image", "saliency")
    assert SaliencyTask.inputs == ("saliency",)


@pytest.mark.parametrize("alpha", [0.25, 1.0])
def test_the_loss_weighs_score_and_map(alpha: float) -> None:
    network, (image, saliency) = build(), pictures()
    crops = {"image": image, "saliency": saliency, "quality": torch.tensor([0.3, 0.6])}
    score, where = network.score_and_map(image)
    assert where is not None
    main, side = (score - crops["quality"]).abs().mean(), total_variation(where, on_grid(saliency, where)).mean()
    torch.testing.assert_close(SaliencyTask(alpha=alpha)(network, crops), (main + alpha * side) / (1 + alpha))


def test_the_map_learns_what_it_is_shown() -> None:
    network, task = build().train(), SaliencyTask(alpha=9.0)
    image, _ = pictures()
    saliency = torch.zeros(2, 1, 97, 131)
    saliency[0, :, :, :40], saliency[1, :, :, 90:] = 1, 1
    crops = {"image": image, "saliency": saliency, "quality": torch.tensor([0.3, 0.6])}
    optimizer = torch.optim.Adam(network.parameters(), 3e-3)
    losses = []
    for _ in range(30):
        optimizer.zero_grad()
        losses.append(task(network, crops))
        losses[-1].backward()
        optimizer.step()
    assert losses[-1].item() < 0.6 * losses[0].item()


def test_a_map_starts_alive() -> None:
    for seed in range(8):
        torch.manual_seed(seed)
        _, where = SGDNet("test_resnet", features=16, head_dim=16).eval().score_and_map(pictures()[0])
        assert where is not None
        assert (where.flatten(1).amax(1) > 0).all()


def test_pictures_are_stretched_to_the_methods_size() -> None:
    network, image = build(size=(64, 96)), pictures()[0]
    assert network.stretch(image).shape == (2, 3, 64, 96)
    network.eval()
    torch.testing.assert_close(network(image), build()(network.stretch(image)))
    small = torch.rand(1, 3, 64, 96)
    assert network.stretch(small) is small
    _, where = network.score_and_map(image)
    assert where is not None
    assert where.shape[-2:] == (2, 3)


def test_a_network_without_a_map_cannot_learn_one() -> None:
    crops = {"image": pictures()[0], "saliency": pictures()[1], "quality": torch.zeros(2)}
    with pytest.raises(ValueError, match="this SGDNet puts out no map to learn; set its saliency to output"):
        SaliencyTask()(build(saliency="none"), crops)


def test_the_sizes_are_those_of_the_paper() -> None:
    with torch.device("meta"):
        network = SGDNet()
    sizes = [tuple(p.shape) for m in (network.reduce, network.excite, network.hidden) for p in m.parameters() if p.dim() > 1]
    assert sizes == [(512, 2048, 1, 1), (128, 512), (512, 128), (1024, 512), (1024, 1024)]
    assert isinstance(network.look, nn.Conv2d)
    assert network.reduce.bias is None
    assert network.look.bias is None
