"""A backbone works on pictures of any size, or is refused when it is built, with what it was made for."""

import pytest
import torch

from sdsiqa.models.components.backbone import Backbone


@pytest.mark.parametrize(("name", "multiple"), [("resnet18", 1), ("hrnet_w18_small", 32), ("vit_tiny_patch16_224", 16)])
def test_levels_have_the_places_of_the_picture_whatever_its_sides_are_multiples_of(name: str, multiple: int) -> None:
    backbone = Backbone(name).eval()
    assert backbone.multiple == multiple
    with torch.no_grad():
        levels = backbone(torch.rand(1, 3, 131, 97))
    places = [(-(-131 // stride), -(-97 // stride)) for stride in backbone.strides]
    assert [tuple(level.shape[2:]) for level in levels] == places
    assert [level.shape[1] for level in levels] == backbone.channels


@pytest.mark.parametrize("name", ["gmixer_12_224", "mvitv2_tiny", "coat_tiny"])
def test_a_backbone_for_one_size_is_refused_when_it_is_built(name: str) -> None:
    said = ["gives no feature maps of a picture of any size .* made it for 224×224"]
    if name == "coat_tiny":
        said.append("timm cannot give its levels")  # an older timm takes it apart for no size
    with pytest.raises(ValueError, match=rf"backbone {name}:? ({'|'.join(said)})"):
        Backbone(name)


@pytest.mark.parametrize(
    ("name", "said"),
    [("resnet5O", "backbone is 'resnet5O', which timm does not know; did you mean 'resnet50'"), ("qqq", "timm does not know")],
)
def test_an_unknown_backbone_is_named_with_the_nearest(name: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Backbone(name)


def test_trying_a_backbone_draws_no_random_number_and_changes_no_statistics() -> None:
    torch.manual_seed(3)
    Backbone("test_resnet")
    after = torch.rand(1)
    torch.manual_seed(3)
    Backbone("test_resnet")._try(3)
    assert torch.equal(after, torch.rand(1))
    means = [value for name, value in Backbone("test_resnet").state_dict().items() if name.endswith("running_mean")]
    assert means
    assert not any(mean.any() for mean in means)
    assert Backbone("test_resnet").training
