"""What every network promises, over bodies of five kinds, and what makes SDS-IQA what it is."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from network_fakes import PATCHES, STAGED, build, pictures
from torch import Tensor, nn

from sdsiqa.models.components.fusion_head import FusionHead
from sdsiqa.models.components.gates import ECA, SE
from sdsiqa.models.components.image_branch import ImageBranch
from sdsiqa.models.components.saliency_branch import SaliencyBranch
from sdsiqa.models.sdsiqa import SDSIQA
from sdsiqa.training.optimisation import parameter_groups


@pytest.mark.parametrize("backbone", [*STAGED, *PATCHES])
class TestEveryBody:
    def test_odd_sizes_give_one_float_per_image(self, backbone: str) -> None:
        score = build(backbone)(*pictures(2))
        assert score.shape == (2,)
        assert score.dtype == torch.float32
        assert torch.isfinite(score).all()

    def test_a_score_does_not_depend_on_its_batch(self, backbone: str) -> None:
        network = build(backbone).eval()
        image, saliency = pictures(3)
        together = network(image, saliency)
        alone = torch.cat([network(image[i : i + 1], saliency[i : i + 1]) for i in range(3)])
        torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-5)

    def test_another_map_gives_another_score(self, backbone: str) -> None:
        network = build(backbone).eval()
        image, saliency = pictures(2)
        assert (network(image, saliency) - network(image, saliency.flip(0))).abs().min() > 1e-6

    def test_gradients_reach_all_that_learns(self, backbone: str) -> None:
        network = build(backbone, fusion={"dropout": 0.0}).train()
        for fusion in network.fusion.levels:
            nn.init.constant_(fusion.gate.gamma, 0.1)  # alpha has a gradient only where gamma has left zero
        for module in network.modules():
            if isinstance(module, nn.BatchNorm2d):
                nn.init.ones_(module.weight)  # timm ends residual blocks with zeros, behind which nothing learns at first
        network(*pictures(2)).square().sum().backward()
        silent = [name for name, p in network.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
        # a bias before batch normalisation, and the key's bias before a softmax, cancel out
        assert not [name for name in silent if "relative_position" not in name and not name.endswith(("qkv.bias", "k_norm.bias"))]

    def test_the_state_makes_the_same_network_again(self, backbone: str) -> None:
        network = build(backbone).eval()
        other = build(backbone).eval()
        nn.init.zeros_(other.fusion.head.output.weight)
        other.load_state_dict(network.state_dict())
        torch.testing.assert_close(network(*pictures()), other(*pictures()), rtol=0, atol=0)


@pytest.mark.parametrize(
    "switches",
    [
        {"saliency_branch": None},
        {"image_branch": None},
        {"shared": True},
        {"saliency_branch": {"input": "map"}},
        {"saliency_branch": {"input": "concat"}},
        {"saliency_branch": {"shrink": 2}},
        *({"saliency_branch": {"attention": how}} for how in ("plain", "centered", "none")),
        *({"guidance": how} for how in ("plain", "centered", "none")),
        {"propagate": False},
        *({"fusion": {"gate": gate}} for gate in ("se", "eca", "glu", None)),
        {"fusion": {"join": "product"}},
        *({"image_branch": {"levels": levels}, "saliency_branch": {"levels": levels}} for levels in ([-1], [0, 2, 4])),
        *({"fusion": {"pool": how}} for how in ("avgmax", "meanstd", "saliency")),
        {"saliency_branch": None, "fusion": {"pool": "saliency"}},
        {"fusion": {"linear_path": True}},
        {"image_branch": {"frozen": True}, "saliency_branch": {"frozen": True}},
        {"image_branch": {"frozen_statistics": True}, "saliency_branch": {"frozen_statistics": True}},
        {"image_branch": {"frozen_levels": 2}, "saliency_branch": {"frozen_levels": 4}, "propagate": False},
    ],
    ids=str,
)
def test_every_switch_trains(switches: dict[str, Any]) -> None:
    network = build(**switches).train()
    image, saliency = pictures(2)
    score = network(*(image, saliency)[: len(network.inputs)])
    score.sum().backward()
    assert score.shape == (2,)


def test_the_sizes_are_those_of_the_method() -> None:
    with torch.device("meta"):
        for backbone, total, fusion in (("resnet50", 49_532_937, 23_040 + 1_968_128), ("resnet18", 23_378_057, 5_760 + 493_568)):
            network = SDSIQA(ImageBranch(backbone), SaliencyBranch(backbone), FusionHead())
            assert size(network) == total
            parts = (network.saliency_branch.attention, network.fusion.levels, network.fusion.head)  # type: ignore[union-attr]
            assert [size(part) for part in parts] == [392, fusion, 525_313]


def size(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def test_no_guidance_leaves_the_image_branch_alone() -> None:
    network = build(guidance="none").eval()
    image, saliency = pictures()
    one, other = network.branches(image, saliency), network.branches(image, saliency.flip(0))
    for a, b in zip(one.image, other.image, strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=0)


def test_centered_guidance_starts_as_the_identity() -> None:
    plain, centered = build(guidance="none").eval(), build(guidance="centered").eval()
    centered.load_state_dict(plain.state_dict())
    torch.testing.assert_close(plain(*pictures()), centered(*pictures()), rtol=0, atol=0)


def test_equal_attention_makes_two_equal_streams() -> None:
    network = build(guidance="none", saliency_branch={"attention": "none"}).eval()
    assert network.image_branch is not None
    assert network.saliency_branch is not None
    network.saliency_branch.backbone.load_state_dict(network.image_branch.backbone.state_dict())
    image, _ = pictures()
    levels = network.branches(image, torch.ones(2, 1, 97, 131))
    for a, b in zip(levels.image, levels.saliency, strict=True):
        torch.testing.assert_close(a, b)


def test_frozen_means_evaluation_and_no_gradient() -> None:
    network = build(saliency_branch={"frozen": True})  # as built: Lightning trains in the modes that it finds
    assert network.saliency_branch is not None
    assert network.image_branch is not None
    frozen = network.saliency_branch.backbone
    assert not any(module.training for module in frozen.modules())
    assert not any(p.requires_grad for p in frozen.parameters())
    assert network.image_branch.training
    network(*pictures()).sum().backward()
    assert all(p.grad is None for p in frozen.parameters())


def test_frozen_statistics_stay_while_weights_learn() -> None:
    network = build(image_branch={"frozen_statistics": True})
    before = {name: value.clone() for name, value in network.image_branch.named_buffers()}  # type: ignore[union-attr]
    network(*pictures()).sum().backward()
    assert all(torch.equal(value, before[name]) for name, value in network.image_branch.named_buffers())  # type: ignore[union-attr]
    assert all(p.grad is not None for p in network.image_branch.parameters())  # type: ignore[union-attr]


@pytest.mark.parametrize("propagate", [True, False])
@pytest.mark.parametrize("backbone", ["test_resnet", "test_efficientnet"])
def test_frozen_levels_stay_while_deeper_ones_learn(backbone: str, propagate: bool) -> None:
    network = build(backbone, image_branch={"frozen_levels": 2}, propagate=propagate).train()
    assert network.image_branch is not None
    body = network.image_branch.backbone
    before = {name: value.clone() for name, value in body.state_dict().items()}
    optimizer = torch.optim.SGD([p for p in network.parameters() if p.requires_grad], 0.1)
    network(*pictures()).sum().backward()
    optimizer.step()
    changed = {name for name, value in body.state_dict().items() if not torch.equal(value, before[name])}
    frozen = [name for name, p in body.named_parameters() if not p.requires_grad]
    learning = [name for name, p in body.named_parameters() if p.requires_grad]
    names = list(before)
    assert names.index(frozen[-1]) < names.index(learning[0])
    assert names.index(frozen[-1]) < min(map(names.index, changed))  # statistics, too
    assert all(p.grad is not None for p in body.parameters() if p.requires_grad)


def test_frozen_levels_cost_no_way_back() -> None:
    network = build("test_efficientnet", image_branch={"frozen_levels": 4}, saliency_branch=None, propagate=False)
    levels = network.branches(*pictures()).image
    assert not any(level.requires_grad for level in levels)


def test_what_the_network_attends_to_can_be_shown() -> None:
    guides, gates = build().explain(*pictures())
    assert [guide.shape[:2] for guide in guides] == [(2, 1)] * 4
    assert [gate.shape for gate in gates] == [(2, 2 * c) for c in (32, 48, 192, 96)]
    assert build(saliency_branch=None, fusion={"gate": None}).explain(*pictures()) == ([], [])


def test_bodies_of_patches_cannot_be_entered() -> None:
    with pytest.raises(ValueError, match="test_vit cannot be entered between its levels; set propagate to false"):
        build("test_vit", propagate=True)


@pytest.mark.parametrize(
    ("switches", "said"),
    [
        ({"image_branch": None, "saliency_branch": None}, "image_branch and saliency_branch are both null"),
        ({"shared": True, "saliency_branch": None}, "shared needs both branches"),
        ({"shared": True, "saliency_branch": {"input": "concat"}}, "shared needs an input of three channels"),
        ({"shared": True, "saliency_branch": {"levels": [-1]}}, "the same levels in both branches"),
        ({"saliency_branch": {"levels": [-1]}}, "the image branch has 4 levels and the saliency branch 1"),
        ({"fusion": {"dropout": 1.0}}, "dropout is 1.0"),
        ({"image_branch": {"frozen_levels": 5}}, "frozen_levels is 5, and test_resnet gives 4 levels here"),
        ({"image_branch": {"frozen_levels": -1}}, "frozen_levels is -1; expected a whole number, at least 0"),
        ({"fusion": {"proj_dim": 0}}, "proj_dim is 0"),
        ({"saliency_branch": {"attention_kernel": 4}}, "expected an odd number"),
        ({"saliency_branch": {"shrink": 0}}, "shrink is 0"),
    ],
    ids=str,
)
def test_parts_that_do_not_fit_are_refused(switches: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        build(**switches)


def test_a_saliency_branch_may_see_half_of_the_size() -> None:
    branch = build(saliency_branch={"shrink": 2}).saliency_branch
    image, saliency = torch.rand(1, 3, 5, 8), torch.rand(1, 1, 5, 8)
    small = torch.stack([image[..., y:4:2, x::2] for y in (0, 1) for x in (0, 1)]).mean(0)  # the last row has no pair
    seen = branch.view(image, torch.ones(1, 1, 1, 1))  # type: ignore[union-attr]
    torch.testing.assert_close(seen, branch.backbone.normalise(small))  # type: ignore[union-attr]
    assert branch.view(image, saliency).shape == (1, 3, 2, 4)  # type: ignore[union-attr]
    assert (build(saliency_branch={"shrink": 2})(*pictures(2)) - build()(*pictures(2))).abs().min() > 1e-6


def test_branches_of_two_kinds_meet() -> None:
    torch.manual_seed(0)
    network = SDSIQA(ImageBranch("test_resnet"), SaliencyBranch("test_convnext"), FusionHead(proj_dim=8, head_dim=8))
    assert network(*pictures(2)).shape == (2,)
    with pytest.raises(ValueError, match="join `product` needs equal channels"):
        SDSIQA(ImageBranch("test_resnet"), SaliencyBranch("test_convnext"), FusionHead(join="product"))


def test_what_decays_and_what_learns_slowly() -> None:
    groups = {group.name: group for group in parameter_groups(build(fusion={"linear_path": True}), 0.1)}
    assert set(groups) == {"pretrained", "pretrained, no decay", "new", "new, no decay"}
    assert {group.lr_scale for name, group in groups.items() if "pretrained" in name} == {0.1}
    assert all(p.dim() > 1 for p in groups["new"].parameters)
    names = {id(p): name for name, p in build(fusion={"linear_path": True}).named_parameters()}
    assert len(names) == sum(len(group.parameters) for group in groups.values())
    solved = build(fusion={"linear_path": True})
    path = list(solved.linear_path.parameters())  # type: ignore[union-attr]
    (slow,) = [group for group in parameter_groups(solved, 0.1, path, 0.05) if group.name == "solved"]
    assert [id(p) for p in slow.parameters] == [id(p) for p in path]
    assert (slow.lr_scale, slow.decay) == (0.05, False)
    assert len(names) == sum(len(group.parameters) for group in parameter_groups(solved, 0.1, path, 0.05))
    network = build()
    free = {id(p) for group in parameter_groups(network, 1.0) if not group.decay for p in group.parameters}
    assert all(id(p) in free for p in network.saliency_branch.attention.parameters())
    assert {id(fusion.gate.gamma) for fusion in network.fusion.levels} <= free
    assert not [
        g
        for g in parameter_groups(build(image_branch={"frozen": True}, saliency_branch={"frozen": True}), 1.0)
        if "pretrained" in g.name
    ]


def test_earlier_blocks_learn_more_slowly() -> None:
    network = build(fusion={"linear_path": True})
    path = list(network.linear_path.parameters())  # type: ignore[union-attr]
    groups = parameter_groups(network, 0.5, path, 0.2, layer_decay=0.8)
    scales = {id(p): group.lr_scale for group in groups for p in group.parameters}
    assert len(scales) == sum(p.requires_grad for p in network.parameters())
    for branch in (network.image_branch, network.saliency_branch):
        body = dict(branch.backbone.body.named_parameters())
        found = {name.split(".")[0]: scales[id(parameter)] for name, parameter in body.items() if name.startswith("layer")}
        assert found == pytest.approx({f"layer{k}": 0.5 * 0.8 ** (4 - k) for k in range(1, 5)})
        assert scales[id(body["conv1.0.weight"])] < found["layer1"]
    assert {scales[id(p)] for p in path} == {0.2}
    assert {scales[id(p)] for p in network.fusion.levels.parameters()} == {1.0}
    assert [group.name for group in groups][:2] == ["pretrained", "pretrained, no decay"]


def test_gates_and_attention_learn_at_a_rate_of_their_own() -> None:
    network = build(fusion={"linear_path": True})
    path = list(network.linear_path.parameters())  # type: ignore[union-attr]
    groups = parameter_groups(network, 0.5, path, 0.2, attention_lr_scale=30.0)
    (own,) = [group for group in groups if group.lr_scale == 30]
    gates = [parameter for fusion in network.fusion.levels for parameter in fusion.gate.parameters()]
    expected = {id(parameter) for parameter in [*network.saliency_branch.attention.parameters(), *gates]}
    assert {id(parameter) for parameter in own.parameters} == expected
    assert (own.name, own.decay) == ("attention", False)
    assert sum(len(group.parameters) for group in groups) == len(list(network.parameters()))


@pytest.mark.parametrize(
    "change", [lambda n: n.to(memory_format=torch.channels_last), lambda n: torch.compile(n, backend="aot_eager")]
)
def test_layout_and_compilation_keep_the_score(change: Callable[[nn.Module], Callable[..., Tensor]]) -> None:
    network = build(image_branch={"levels": [0, 1]}, saliency_branch={"levels": [0, 1]}).eval()  # tracing takes a while per level
    expected = network(*pictures())
    torch.testing.assert_close(change(network)(*pictures()), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("switches", "expected"),
    [
        ({"power": 2.0}, 0.2 + 0.8 * 0.25),
        ({"floor": 0.0}, 0.5),
        ({"floor": 1.0}, 1.0),
    ],
    ids=str,
)
def test_floor_and_power_shape_the_map(switches: dict[str, float], expected: float) -> None:
    branch = build(saliency_branch=switches).saliency_branch
    image = torch.rand(1, 3, 8, 8)
    seen = branch.view(image, torch.full((1, 1, 8, 8), 0.5))
    torch.testing.assert_close(seen, branch.backbone.normalise(image) * expected)


@pytest.mark.parametrize("switches", [{"floor": -0.1}, {"floor": 1.1}, {"power": 0.0}], ids=str)
def test_floor_and_power_have_a_range(switches: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=rf"{next(iter(switches))} is"):
        build(saliency_branch=switches)


@pytest.mark.parametrize("gate", ["se", "eca"])
def test_no_gate_decays(gate: str) -> None:
    network = build(fusion={"gate": gate})
    gates = {id(p) for m in network.modules() if isinstance(m, SE | ECA) for p in m.parameters()}
    decaying = {id(p) for group in parameter_groups(network, 1.0) if group.decay for p in group.parameters}
    assert gates
    assert not gates & decaying


def test_half_precision_gives_full_scores() -> None:
    network = build().eval()
    expected = network(*pictures())
    with torch.autocast("cpu", torch.bfloat16):
        score = network(*pictures())
    assert score.dtype == torch.float32
    torch.testing.assert_close(score, expected, rtol=0, atol=0.02)
