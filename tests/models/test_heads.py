"""From joined features to a score: fusion of a level, pooling, the regression head, the linear path."""

import pytest
import torch
from network_fakes import build, pictures

from sdsiqa.models.components.gates import GCT, GateName, LevelFusion
from sdsiqa.models.components.heads import LinearPath, Pool, RegressionHead, pool


def test_the_head_keeps_full_precision_under_autocast() -> None:
    head = RegressionHead(8, 8, 0.0).eval()
    features = torch.rand(500, 8)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(head(features), head(features.float()))
        assert len(head(features).unique()) > 490
    head.start_at(0.7)
    assert head.output.bias.item() == pytest.approx(0.7)


@pytest.mark.parametrize("attention", ["none", "centered"])
def test_the_linear_path_is_the_start_and_takes_a_solution(attention: str) -> None:
    network = build(fusion={"linear_path": True}, guidance="centered", saliency_branch={"attention": attention}).eval()
    path = network.linear_path
    assert isinstance(path, LinearPath)
    features = network.pooled_features(*pictures())
    weight = torch.randn(features.shape[1])
    path.set(features.mean(0), torch.ones_like(weight), weight, 0.25)
    expected = (features - features.mean(0)) @ weight + 0.25
    torch.testing.assert_close(network(*pictures()), expected, rtol=1e-4, atol=1e-4)
    with pytest.raises(ValueError, match=r"there is no linear path; set fusion\.linear_path to true"):
        build().pooled_features(*pictures())


def test_guidance_and_gate_act_on_the_linear_path() -> None:
    network = build(fusion={"linear_path": True, "dropout": 0.0}, guidance="centered").eval()
    path = network.linear_path
    assert isinstance(path, LinearPath)
    path.weight.data.normal_(generator=torch.Generator().manual_seed(0))
    start = network(*pictures())
    for level in network.fusion.levels:
        assert isinstance(level, LevelFusion)
        assert isinstance(level.gate, GCT)
        level.gate.gamma.data.fill_(0.5)
    gated = network(*pictures())
    assert not torch.allclose(start, gated, rtol=1e-3)
    assert network.saliency_branch is not None
    for attention in network.saliency_branch.attention:
        attention.convolution.weight.data.fill_(0.1)  # type: ignore[union-attr, operator]
    assert not torch.allclose(gated, network(*pictures()), rtol=1e-3)


def test_a_feature_that_never_changes_is_left_out() -> None:
    path = LinearPath([1])
    path.set(torch.zeros(3), torch.tensor([1.0, float("inf"), 1.0]), torch.tensor([2.0, 5.0, 0.0]), 0.5)
    assert path([torch.full((1, 1, 2, 2), 0.25)]).item() == pytest.approx(2 * 0.25 + 0.5)


@pytest.mark.parametrize(
    ("how", "expected"),
    [
        ("avg", [2.5]),
        ("avgmax", [2.5, 4.0]),
        ("meanstd", [2.5, 1.25**0.5]),
        ("saliency", [(1 * 0.501 + (2 + 3 + 4) * 0.001) / 0.504]),  # 1e-3 keeps what is not salient
    ],
)
def test_pooling_by_hand(how: Pool, expected: list[float]) -> None:
    features = torch.tensor([[1.0, 2.0], [3.0, 4.0]]).view(1, 1, 2, 2)
    saliency = torch.zeros(1, 1, 4, 4)
    saliency[..., 0, :2] = 1  # half of the upper left quarter
    torch.testing.assert_close(pool(features, saliency, how), torch.tensor([expected]))


def test_a_constant_map_has_a_gradient() -> None:
    features = torch.ones(1, 1, 3, 3, requires_grad=True)
    pool(features, torch.ones(1, 1, 3, 3), "meanstd").sum().backward()
    assert features.grad is not None
    assert torch.isfinite(features.grad).all()


@pytest.mark.parametrize("gate", ["gct", "se", "eca", "glu", "none"])
def test_a_level_is_gated_and_projected(gate: GateName) -> None:
    torch.manual_seed(0)
    fusion = LevelFusion(32, 8, gate).eval()
    features = torch.randn(2, 32, 5, 3)
    found = fusion(features)
    assert found.shape == (2, 8, 5, 3)
    assert (found.min() < 0) == (gate == "glu")  # all but the gated linear unit end in a rectifier


def test_no_gate_and_the_start_of_the_gate_agree() -> None:
    gated, plain = LevelFusion(6, 4, "gct").eval(), LevelFusion(6, 4, "none").eval()
    plain.load_state_dict({name: value for name, value in gated.state_dict().items() if not name.startswith("gate")})
    features = torch.randn(2, 6, 3, 3)
    torch.testing.assert_close(gated(features), plain(features), rtol=0, atol=0)
