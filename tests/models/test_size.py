"""Sizes of networks and of their parts."""

import pytest
import torch
from torch import Tensor, nn

from sdsiqa.models.base import QualityNetwork
from sdsiqa.models.components.fusion_head import FusionHead
from sdsiqa.models.components.image_branch import ImageBranch
from sdsiqa.models.components.saliency_branch import SaliencyBranch
from sdsiqa.models.sdsiqa import SDSIQA
from sdsiqa.models.size import as_table, sizes


class Two(QualityNetwork):
    """A layer that is called, and a list of which each member is."""

    def __init__(self, looks: bool = False) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 2, 1, bias=False).requires_grad_(False)
        self.rest = nn.ModuleList([nn.Conv2d(2, 2, 1, bias=False), nn.Conv2d(2, 1, 1, bias=False)])
        self.looks = looks

    def forward(self, image: Tensor) -> Tensor:
        found = self.first(image)
        if self.looks and float(found.mean()) > 2:
            raise ValueError
        for layer in self.rest:
            found = layer(found)
        return found.mean((1, 2, 3))

    def pretrained_parts(self) -> list[nn.Module]:
        return []


def test_each_part_has_its_parameters_and_operations() -> None:
    network = Two().train()
    state = torch.get_rng_state()
    first, rest, whole = sizes(network, side=10)
    assert first == ("first", "Conv2d", 6, 0, 2 * 6 * 100)
    assert rest == ("rest", "ModuleList", 6, 6, 2 * 6 * 100)
    assert whole == ("Two", "Two", 12, 6, 2 * 12 * 100)
    assert network.training
    assert torch.equal(state, torch.get_rng_state())
    lines = as_table([first, rest, whole], side=10).splitlines()
    assert lines[0].endswith("GFLOPs, 10 × 10")
    assert len({len(line) for line in lines}) == 1


def test_a_network_that_looks_at_values_has_no_operations() -> None:
    rows = sizes(Two(looks=True), side=10)
    assert [row.flops for row in rows] == [None] * 3
    assert as_table(rows).splitlines()[1].endswith("-")


@pytest.mark.parametrize("shared", [False, True])
def test_the_summary_shows_the_three_parts(shared: bool) -> None:
    body = {"backbone": "test_resnet", "weights": None}
    rows = sizes(SDSIQA(ImageBranch(**body), SaliencyBranch(**body), FusionHead(), shared=shared))  # type: ignore[arg-type]
    assert [row.name for row in rows] == ["image_branch", "saliency_branch", "fusion", "SDSIQA"]
    assert rows[-1].flops == sum(row.flops or 0 for row in rows[:-1])
    assert all(row.flops for row in rows)
