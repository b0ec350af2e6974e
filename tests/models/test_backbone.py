"""A backbone: any timm backbone, entered between its levels, filled from a file that fits."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import timm
import torch
from network_fakes import PATCHES, STAGED, build
from safetensors.torch import save_file
from torch import Tensor

from sdsiqa.errors import CheckpointError, WeightsNotFoundError
from sdsiqa.models.components.backbone import Backbone

State = dict[str, Tensor]


def state(name: str, **arguments: Any) -> State:
    """A backbone's weights under timm's names, classifier included."""
    torch.manual_seed(5)
    return {key: value.clone() for key, value in timm.create_model(name, pretrained=False, **arguments).state_dict().items()}


@pytest.mark.parametrize("name", [*STAGED, "mobilenetv2_050", "test_nfnet"])
def test_level_by_level_is_all_at_once(name: str) -> None:
    torch.manual_seed(0)
    backbone, image = Backbone(name).eval(), torch.randn(1, 3, 97, 131)
    once = backbone(image)
    stepwise = backbone(image, lambda level, features: features, propagate=True)
    assert [features.shape[1] for features in once] == backbone.channels
    for a, b in zip(once, stepwise, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", STAGED)
def test_what_a_level_is_changed_to_reaches_the_next(name: str) -> None:
    torch.manual_seed(0)
    backbone, image = Backbone(name).eval(), torch.randn(1, 3, 64, 64)

    def double_first(level: int, features: Tensor) -> Tensor:
        return features * (2 if level == 0 else 1)

    plain, aside, onward = backbone(image), backbone(image, double_first), backbone(image, double_first, propagate=True)
    torch.testing.assert_close(aside[0], 2 * plain[0])
    torch.testing.assert_close(aside[1], plain[1])
    assert not torch.allclose(onward[1], plain[1])


@pytest.mark.parametrize(
    ("name", "channels", "strides", "parameters"),
    [
        ("vgg16", [128, 256, 512, 512], [2, 4, 8, 16], 14_714_688),  # without the pooling behind conv5_3
        ("vgg11_bn", [128, 256, 512, 512], [2, 4, 8, 16], 9_225_984),
        ("resnet18", [64, 128, 256, 512], [4, 8, 16, 32], 11_176_512),
        ("resnet50", [256, 512, 1024, 2048], [4, 8, 16, 32], 23_508_032),
    ],
)
def test_four_levels_are_the_default(name: str, channels: list[int], strides: list[int], parameters: int) -> None:
    with torch.device("meta"):
        backbone = Backbone(name)
        assert (backbone.channels, backbone.strides) == (channels, strides)
        assert sum(weight.numel() for weight in backbone.parameters()) == parameters
        features = backbone(torch.empty(1, 3, 224, 224))
    assert [tuple(level.shape[1:]) for level in features] == [
        (width, 224 // stride, 224 // stride) for width, stride in zip(channels, strides, strict=True)
    ]
    with torch.device("meta"):  # what is named is taken as it is
        assert Backbone(name, levels=[-1]).strides == [32]


@pytest.mark.parametrize(("name", "mean"), [("test_resnet", 0.5), ("resnet18", 0.485)])
def test_normalisation_is_the_backbones(name: str, mean: float) -> None:
    backbone = Backbone(name)
    assert backbone.mean[0, 0].item() == pytest.approx(mean)
    torch.testing.assert_close(backbone.normalise(backbone.mean + backbone.std), torch.ones(1, 3, 1, 1))


@pytest.mark.parametrize("name", [*STAGED[:3], *PATCHES, "mobilenetv2_050"])
def test_the_whole_trunk_comes_from_the_file(name: str, tmp_path: Path) -> None:
    weights = state(name)
    save_file(weights, tmp_path / "weights.safetensors")
    backbone = Backbone(name, str(tmp_path / "weights.safetensors"))
    backbone.load_pretrained()
    plain = {key.replace(".", "_"): value for key, value in weights.items()}
    for key, value in backbone.body.state_dict().items():
        torch.testing.assert_close(value, plain[key.removeprefix("model.").replace(".", "_")], rtol=0, atol=0)


def test_counters_may_be_missing(tmp_path: Path) -> None:
    weights = {key: value for key, value in state("test_resnet").items() if "num_batches" not in key}
    save_file(weights, tmp_path / "weights.safetensors")
    Backbone("test_resnet", str(tmp_path / "weights.safetensors")).load_pretrained()


def without_a_layer(weights: State) -> State:
    return {key: value for key, value in weights.items() if not key.startswith("layer3")}


def with_another_block(weights: State) -> State:
    return weights | {key.replace("layer1.0", "layer1.1"): value.clone() for key, value in weights.items() if "layer1.0" in key}


def of_another_size(weights: State) -> State:
    return weights | {"layer2.0.conv1.weight": torch.zeros(1, 1, 3, 3)}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (without_a_layer, r"lacks 20 weights \(layer3\.0\.bn1\.bias, .*set `weights` to a file of test_resnet"),
        (with_another_block, r"has unknown 12 weights \(layer1\.1\.bn1\.bias, "),  # as ResNet-34 for ResNet-18
        (of_another_size, "is not a file of test_resnet .*size mismatch for layer2"),
        (lambda _: state("test_vit"), "lacks 75 weights .* and has unknown"),
    ],
)
def test_weights_that_do_not_fit_change_nothing(change: Callable[[State], State], message: str, tmp_path: Path) -> None:
    save_file(change(state("test_resnet")), tmp_path / "weights.safetensors")
    backbone = Backbone("test_resnet", str(tmp_path / "weights.safetensors"))
    before = {key: value.clone() for key, value in backbone.state_dict().items()}
    with pytest.raises(CheckpointError, match=message):
        backbone.load_pretrained()
    assert all(torch.equal(value, before[key]) for key, value in backbone.state_dict().items())


def test_only_safetensors_are_opened(tmp_path: Path) -> None:
    (tmp_path / "weights.pth").write_bytes(b"whatever")
    with pytest.raises(CheckpointError, match=r"weights are read from \.safetensors files only"):
        Backbone("test_resnet", str(tmp_path / "weights.pth")).load_pretrained()
    (tmp_path / "weights.safetensors").write_bytes(b"hello")
    with pytest.raises(CheckpointError, match=r"is no \.safetensors file .*; copy or download it again"):
        Backbone("test_resnet", str(tmp_path / "weights.safetensors")).load_pretrained()


@pytest.mark.parametrize("levels", [[-1, 0], [1, 1], [2, -3]])
def test_levels_go_from_shallow_to_deep(levels: list[int]) -> None:
    with pytest.raises(ValueError, match="levels must go from shallow to deep, each once"):
        Backbone("test_resnet", levels=levels)


@pytest.mark.parametrize("name", ["test_resnet", "test_vit", "mobilenetv3_small_050"])
def test_levels_are_there(name: str) -> None:
    with pytest.raises(ValueError, match=rf"{name} cannot give the levels \[99\]"):
        Backbone(name, levels=[99])
    with pytest.raises(ValueError, match="levels is empty; name one or more"):
        Backbone(name, levels=[])


def test_padding_that_a_backbone_does_not_know_is_refused() -> None:
    with pytest.raises(ValueError, match="test_resnet cannot pad as TensorFlow does; set same_padding to false"):
        Backbone("test_resnet", same_padding=True)


def test_weights_come_from_a_file_and_nowhere_else(tmp_path: Path) -> None:
    torch.manual_seed(5)
    source = timm.create_model("test_resnet", pretrained=False)
    save_file(source.state_dict(), tmp_path / "weights.safetensors")
    network = build(
        image_branch={"weights": str(tmp_path / "weights.safetensors")},
        saliency_branch={"weights": str(tmp_path / "weights.safetensors"), "input": "concat"},
    )
    before = next(iter(network.image_branch.backbone.body.state_dict().values())).clone()  # type: ignore[union-attr]
    network.load_pretrained()
    first = next(iter(network.image_branch.backbone.body.state_dict().values()))  # type: ignore[union-attr]
    assert not torch.equal(before, first)
    seen = next(iter(network.saliency_branch.backbone.body.state_dict().values()))  # type: ignore[union-attr]
    torch.testing.assert_close(seen[:, :3], first)
    assert not seen[:, 3].any()
    with pytest.raises(WeightsNotFoundError, match=r"there are no weights at nowhere; set `weights` to a \.safetensors file"):
        Backbone("test_resnet", "nowhere").load_pretrained()
    with pytest.raises(WeightsNotFoundError, match="could not be loaded from 'timm'"):
        Backbone("test_resnet", "timm").load_pretrained()  # tests have no network
