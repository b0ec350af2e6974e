"""SETNet: what sets it apart from SDS-IQA."""

import pytest
import torch
from network_fakes import pictures
from torch import nn
from torch.nn import functional as F  # noqa: N812 - the usual name

from sdsiqa.models.setnet import LEAST_WEIGHT, DilatedChannelAttention, LevelScore, SETNet


def build() -> SETNet:
    torch.manual_seed(0)
    return SETNet("test_resnet", proj_dim=16, head_dim=16).eval()


def test_the_score_is_the_weighted_mean_of_the_levels() -> None:
    network = build()
    scores, weights = (values.detach() for values in network.level_scores(*pictures(3)))
    assert scores.shape == weights.shape == (4, 3)
    assert (weights > 0).all()
    by_hand = [sum(float(w * q) for w, q in zip(weights[:, i], scores[:, i], strict=True)) for i in range(3)]
    expected = torch.tensor([total / float(weights[:, i].sum()) for i, total in enumerate(by_hand)])
    torch.testing.assert_close(network(*pictures(3)).detach(), expected)


def test_a_level_that_outweighs_all_others_is_the_score() -> None:
    network = build()
    heads = [head for head in network.heads if isinstance(head, LevelScore)]
    for place, head in enumerate(heads):
        nn.init.zeros_(head.weight.weight)
        nn.init.constant_(head.weight.bias, 50.0 if place == 2 else -50.0)
    scores, _ = network.level_scores(*pictures())
    torch.testing.assert_close(network(*pictures()), scores[2], rtol=1e-5, atol=1e-6)


def test_weights_are_softplus_and_never_zero() -> None:
    head = LevelScore(8, 4)
    features = torch.rand(2, 8, 5, 7)
    hidden = torch.relu(head.hidden(features.mean((2, 3))))
    _, weight = head(features)
    torch.testing.assert_close(weight, F.softplus(head.weight(hidden)[:, 0]) + LEAST_WEIGHT)
    nn.init.constant_(head.weight.bias, -1e4)
    assert (head(features)[1] > 0).all()


def test_the_map_does_not_guide_the_image_stream() -> None:
    network = build()
    image, saliency = pictures()
    (seen, looked), (same, others) = network.streams(image, saliency), network.streams(image, saliency.flip(0))
    for one, other in zip(seen, same, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=0)
    assert all((one - other).abs().max() > 0 for one, other in zip(looked, others, strict=True))
    assert (network(image, saliency) - network(image, saliency.flip(0))).abs().min() > 1e-6


def test_channel_attention_sees_in_three_dilations() -> None:
    attention, features = DilatedChannelAttention(32), torch.randn(2, 32, 9, 11)
    assert [convolution.dilation for convolution in attention.context] == [(1, 1), (2, 2), (3, 3)]
    found = sum(F.conv2d(features, c.weight, c.bias, padding=d, dilation=d) for d, c in enumerate(attention.context, start=1))  # type: ignore[arg-type,misc]
    expected = torch.sigmoid(attention.output(torch.relu(torch.as_tensor(found)).mean((2, 3))))
    torch.testing.assert_close(attention(features)[..., 0, 0], expected)


def test_the_streams_share_no_weights() -> None:
    network = build()
    image = {id(p) for m in (network.image_stream, network.image_refinement) for p in m.parameters()}
    assert not image & {id(p) for m in (network.saliency_stream, network.saliency_refinement) for p in m.parameters()}


def test_training_starts_from_the_mean_quality() -> None:
    network = build()
    for head in network.heads:
        nn.init.zeros_(head.score.weight)  # type: ignore[union-attr,arg-type]
    network.start_at(0.37)
    assert network(*pictures()).tolist() == pytest.approx([0.37, 0.37])
