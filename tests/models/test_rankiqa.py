"""RankIQA: what makes it what it is."""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from sdsiqa.losses import MSE
from sdsiqa.metrics.agreement import srcc
from sdsiqa.models.base import QualityNetwork
from sdsiqa.models.rankiqa import Ranking, RankIQA, ranking_loss


def build(**switches: Any) -> RankIQA:
    torch.manual_seed(0)
    return RankIQA("test_resnet", **{"side": 2, "width": 16, "dropout": 0.0, **switches})


class Mean(QualityNetwork):
    """Scores an image by its mean."""

    def forward(self, image: Tensor) -> Tensor:
        return image.mean((1, 2, 3))

    def pretrained_parts(self) -> list[nn.Module]:
        return []


def by_loop(score: Tensor, kind: Tensor, level: Tensor, margin: float) -> float:
    total = 0.0
    for i in range(len(score)):
        for j in range(len(score)):
            if kind[i] == kind[j] and level[i] < level[j]:
                total += max(0.0, margin - float(score[i] - score[j]))
    return total / len(score)


def test_the_loss_is_that_of_an_explicit_loop_over_pairs() -> None:
    generator = torch.Generator().manual_seed(0)
    score = torch.randn(24, generator=generator)
    kind, level = (torch.randint(0, high, (24,), generator=generator) for high in (3, 6))
    expected = by_loop(score, kind, level, 0.5)
    assert expected > 0
    torch.testing.assert_close(ranking_loss(score, kind, level, 0.5), torch.tensor(expected))


def test_levels_are_ordered_by_it_within_a_type_and_between_types_nothing_is_asked() -> None:
    kind, level = torch.tensor([0, 0, 0, 1, 1]), torch.tensor([1, 2, 3, 1, 2])
    ordered = torch.tensor([0.9, 0.7, 0.5, -5.0, -6.0])
    assert ranking_loss(ordered, kind, level, 0.1) == 0
    assert ranking_loss(-ordered, kind, level, 0.1) > 0
    score = torch.zeros(5, requires_grad=True)
    optimizer = torch.optim.SGD([score], 0.05)
    for _ in range(40):
        optimizer.zero_grad()
        ranking_loss(score, kind, level, 0.1).backward()
        optimizer.step()
    found = score.detach()
    assert found[0] - found[1] > 0.09
    assert found[1] - found[2] > 0.09
    assert found[3] - found[4] > 0.09


def test_references_join_as_the_mildest_level_of_their_own_type() -> None:
    image, reference = torch.rand(10, 3, 4, 4), torch.rand(10, 3, 4, 4)
    kind, level = torch.arange(10) % 2, 1 + torch.arange(10) // 2
    crops = {"image": image, "reference": reference, "distortion": kind, "level": level}
    scores = torch.cat([image.mean((1, 2, 3)), reference[[0, 5]].mean((1, 2, 3))])
    kinds, levels = torch.cat([kind, kind[[0, 5]]]), torch.cat([level, torch.zeros(2).long()])
    found = Ranking(margin=0.3)(Mean(), crops)
    torch.testing.assert_close(found, torch.tensor(by_loop(scores, kinds, levels, 0.3)))
    alone = Ranking(margin=0.3, originals=0)(Mean(), crops)
    torch.testing.assert_close(alone, torch.tensor(by_loop(image.mean((1, 2, 3)), kind, level, 0.3)))


def test_what_is_gathered_is_compared() -> None:
    objective = Ranking(originals=0)
    objective.gather = lambda values: torch.cat([values, values + (1 if values.dtype == torch.int64 else 0)])
    crops = {"image": torch.rand(2, 3, 4, 4), "distortion": torch.tensor([0, 7]), "level": torch.tensor([1, 1])}
    assert objective(Mean(), {**crops, "reference": crops["image"]}) == 0  # kinds 0 7 1 8: no pair
    crops["distortion"] = torch.tensor([0, -1])
    assert objective(Mean(), {**crops, "reference": crops["image"]}) > 0  # kinds 0 -1 1 0: one pair over two devices


def test_the_fully_connected_layers_are_those_of_vgg() -> None:
    with torch.device("meta"):
        network = RankIQA()
    shapes = [tuple(p.shape) for p in (network.hidden[0].weight, network.head.hidden.weight, network.head.output.weight)]
    assert shapes == [(4096, 25_088), (4096, 4096), (1, 4096)]


def test_twelve_images_are_learnt_by_heart(tmp_path: Path) -> None:
    generator = torch.Generator().manual_seed(3)
    image, quality = torch.rand(12, 3, 64, 64, generator=generator), torch.rand(12, generator=generator)
    network = build(width=32)
    optimizer = torch.optim.AdamW(network.parameters(), 3e-3)
    for _ in range(40):
        optimizer.zero_grad()
        MSE()(network(image), quality).backward()
        optimizer.step()
    assert srcc(network(image).detach().numpy(), quality.numpy()) > 0.95
    torch.save(network.state_dict(), tmp_path / "weights.pt")
    other = build(width=32).eval()
    other.load_state_dict(torch.load(tmp_path / "weights.pt", weights_only=True))  # noqa: TID251
    torch.testing.assert_close(other(image), network.eval()(image), rtol=0, atol=0)
