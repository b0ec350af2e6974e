"""DB-CNN: what makes it what it is."""

from pathlib import Path

import pytest
import torch
from torch import nn

from sdsiqa.errors import BenchmarkMismatchError
from sdsiqa.losses import MSE
from sdsiqa.metrics.agreement import srcc
from sdsiqa.models.dbcnn import DBCNN, SCNN, DistortionClasses, DistortionClassifier, bilinear


def build() -> DBCNN:
    torch.manual_seed(0)
    return DBCNN("test_resnet")


def test_bilinear_pooling_is_the_root_of_the_mean_outer_product() -> None:
    content, distortion = torch.rand(2, 3, 4, 5), torch.rand(2, 2, 4, 5)
    found = bilinear(content, distortion)
    for image in range(2):
        mean = torch.zeros(3, 2)
        for y in range(4):
            for x in range(5):
                mean += torch.outer(content[image, :, y, x], distortion[image, :, y, x]) / 20
        torch.testing.assert_close(found[image], (mean + 1e-8).sqrt().flatten())


def test_maps_of_other_sizes_are_brought_to_one_grid() -> None:
    content = torch.rand(1, 3, 4, 6)
    constant = torch.full((1, 2, 2, 3), 0.5)
    torch.testing.assert_close(bilinear(content, constant), bilinear(content, torch.full((1, 2, 4, 6), 0.5)))


def test_the_vector_has_norm_one_before_the_last_layer() -> None:
    network, seen = build().eval(), []
    network.output.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    network(torch.rand(3, 3, 64, 80))
    torch.testing.assert_close(seen[0].norm(dim=1), torch.ones(3))


def test_the_network_for_distortions_is_the_papers() -> None:
    with torch.device("meta"):
        network = SCNN()
        assert network(torch.empty(1, 3, 224, 224)).shape == (1, 128, 14, 14)
        assert sum(isinstance(layer, nn.Conv2d) for layer in network) == 9
        body = DBCNN().body
        assert (body.channels, body.strides) == ([512], [16])
        assert DBCNN().output.in_features == 65_536


@pytest.mark.parametrize(("backbone", "level"), [("vgg16", -2), ("vgg11_bn", -2), ("resnet18", -1), ("mobilenetv2_100", -1)])
def test_contents_come_from_the_last_convolution(backbone: str, level: int) -> None:
    with torch.device("meta"):
        last, named = DBCNN(backbone).body, DBCNN(backbone, level=level).body
        assert (last.channels, last.strides) == (named.channels, named.strides)
        assert last.channels[0] == max(DBCNN(backbone, level=-1).body.channels)
        before = DBCNN(backbone, level=level - 1).body
        assert before.strides[0] < last.strides[0]


def test_both_networks_of_distortions_see_normalised_colours() -> None:
    mean, std = (torch.tensor(values).view(1, 3, 1, 1) for values in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
    image = torch.rand(2, 3, 64, 80)
    for network in (build(), DistortionClassifier()):  # the backbone of the first wants another mean, 0.5
        seen: list[torch.Tensor] = []
        network.scnn[0].register_forward_pre_hook(lambda _, given, seen=seen: seen.append(given[0]))
        network.eval()(image)
        torch.testing.assert_close(seen[0], (image - mean) / std)
        assert not any(key.split(".")[-1] == "mean" for key in network.state_dict())  # files of weights stay as they are


def test_classes_are_type_times_level() -> None:
    classifier = DistortionClassifier(types=3, levels=5).eval()
    crops = {"image": torch.rand(4, 3, 32, 32), "distortion": torch.tensor([0, 0, 1, 2]), "level": torch.tensor([1, 5, 1, 3])}
    share = classifier.logits(crops["image"]).log_softmax(1)
    expected = -(share[0, 0] + share[1, 4] + share[2, 5] + share[3, 12]) / 4
    torch.testing.assert_close(DistortionClasses()(classifier, crops), expected)
    for name, values in (("distortion", [0, 0, 0, 3]), ("level", [1, 1, 1, 6]), ("level", [0, 1, 1, 1])):
        with pytest.raises(BenchmarkMismatchError, match="raise types and levels"):
            DistortionClasses()(classifier, {**crops, name: torch.tensor(values)})


def test_the_proxy_score_is_minus_the_expected_level() -> None:
    classifier = DistortionClassifier(types=2, levels=3)
    classifier.logits = lambda image: torch.tensor([[0.0, 0, 9, 0, 0, 0], [9, 0, 0, 9, 0, 0]]) * 9  # type: ignore[method-assign]
    torch.testing.assert_close(classifier(torch.rand(2, 3, 8, 8)), torch.tensor([-3.0, -1.0]))


def test_twelve_images_are_learnt_by_heart(tmp_path: Path) -> None:
    generator = torch.Generator().manual_seed(3)
    image, quality = torch.rand(12, 3, 32, 32, generator=generator), torch.rand(12, generator=generator)
    network = build()
    network.start_at(0.5)
    optimizer = torch.optim.AdamW(network.parameters(), 2e-3)
    for _ in range(25):
        optimizer.zero_grad()
        MSE()(network(image), quality).backward()
        optimizer.step()
    assert srcc(network(image).detach().numpy(), quality.numpy()) > 0.95
    torch.save(network.state_dict(), tmp_path / "weights.pt")
    other = DBCNN("test_resnet").eval()
    other.load_state_dict(torch.load(tmp_path / "weights.pt", weights_only=True))  # noqa: TID251
    torch.testing.assert_close(other(image), network.eval()(image), rtol=0, atol=0)
