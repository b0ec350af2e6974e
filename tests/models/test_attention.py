"""Spatial attention and channel gates: how they start, what they follow, what they refuse."""

import pytest
import torch
from torch import nn

from sdsiqa.models.components.attention import SpatialAttention, strengthen
from sdsiqa.models.components.gates import ECA, GCT, SE


def test_attention_starts_at_a_half_and_acts_in_four_forms() -> None:
    features = torch.randn(2, 4, 6, 6)
    attention = SpatialAttention()(features)
    torch.testing.assert_close(attention, torch.full((2, 1, 6, 6), 0.5), rtol=0, atol=0)
    for how, factor in (("residual", 1.5), ("plain", 0.5), ("centered", 1.0), ("none", 1.0)):
        torch.testing.assert_close(strengthen(features, attention[..., :3, :3], how), factor * features)  # type: ignore[arg-type]


def test_the_gate_starts_as_the_identity_and_knows_no_scale() -> None:
    gate, features = GCT(6), torch.randn(3, 6, 5, 4)
    torch.testing.assert_close(gate(features), features, rtol=0, atol=0)
    nn.init.normal_(gate.gamma)
    assert not torch.equal(gate(features), features)
    torch.testing.assert_close(gate.gate(features), gate.gate(3 * features), rtol=1e-5, atol=1e-5)


def test_the_gate_follows_its_formula() -> None:
    gate, features = GCT(2), torch.tensor([3.0, 4.0]).view(1, 2, 1, 1)
    nn.init.ones_(gate.gamma)
    expected = 1 + torch.tanh(torch.tensor([3.0, 4.0]) / (12.5**0.5))  # root of the mean square of 3 and 4
    torch.testing.assert_close(gate.gate(features).flatten(), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("channels", "length"), [(512, 5), (1024, 5), (2048, 7), (4096, 7)])
def test_the_length_of_eca_grows_with_the_channels(channels: int, length: int) -> None:
    assert ECA(channels).convolution.kernel_size == (length,)


def test_attention_sees_mean_and_maximum() -> None:
    attention = SpatialAttention(1)
    with torch.no_grad():
        attention.convolution.weight.copy_(torch.tensor([1.0, 10.0]).view(1, 2, 1, 1))
    features = torch.tensor([0.1, 0.3]).view(1, 2, 1, 1)  # mean 0.2, maximum 0.3
    torch.testing.assert_close(attention(features).flatten(), torch.sigmoid(torch.tensor([0.2 + 10 * 0.3])))


@pytest.mark.parametrize("kernel", [4, 0, -1])
def test_a_kernel_that_shifts_the_map_is_refused(kernel: int) -> None:
    with pytest.raises(ValueError, match=f"the kernel of spatial attention must be odd; got {kernel}"):
        SpatialAttention(kernel)


@pytest.mark.parametrize("size", [(1, 1), (2, 5)])
def test_attention_keeps_the_size_of_small_maps(size: tuple[int, int]) -> None:
    assert SpatialAttention()(torch.randn(1, 3, *size)).shape == (1, 1, *size)


@pytest.mark.parametrize("gate", [GCT, SE, ECA])
def test_every_gate_weighs_whole_channels(gate: type[GCT] | type[SE] | type[ECA]) -> None:
    module, features = gate(32), torch.randn(2, 32, 3, 5)
    torch.testing.assert_close(module(features), features * module.gate(features))
    assert module.gate(features).shape == (2, 32, 1, 1)


def test_the_gate_survives_half_precision() -> None:
    gate, features = GCT(2), torch.full((1, 2, 56, 56), 300.0, dtype=torch.float16)  # the sum of squares is 2.8e8
    nn.init.ones_(gate.gamma)
    with torch.autocast("cpu", torch.float16):
        weights = gate.gate(features)
        assert gate(features).dtype == torch.float16
    torch.testing.assert_close(weights, torch.full((1, 2, 1, 1), 1 + torch.tanh(torch.tensor(1.0)).item()))
