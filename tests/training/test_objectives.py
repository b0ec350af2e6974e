"""Training that looks at more than scores: fields of a sample, frozen parts, the identity of a run."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import lightning
import pytest
import torch
from fakes import write_fake
from torch import Tensor, nn

from sdsiqa.benchmarks import BENCHMARKS, Benchmark
from sdsiqa.data.datamodule import QualityDataModule
from sdsiqa.errors import BenchmarkMismatchError
from sdsiqa.models.base import QualityNetwork
from sdsiqa.models.dbcnn import DistortionClasses
from sdsiqa.models.objective import Crops, Objective, crops_of
from sdsiqa.models.rankiqa import Ranking
from sdsiqa.saliency import Uniform
from sdsiqa.training.task import QualityTask

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning", "ignore::FutureWarning")


class Small(QualityNetwork):
    """A pretrained part with statistics, and a head."""

    def __init__(self) -> None:
        super().__init__()
        self.part = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))
        self.head = nn.Linear(4, 1)

    def forward(self, image: Tensor) -> Tensor:
        return self.head(self.part(image).mean((2, 3)))[:, 0]

    def pretrained_parts(self) -> list[nn.Module]:
        return [self.part]


class Seen(Objective):
    """Keeps what it is shown; has a weight of its own."""

    def __init__(self, *inputs: str) -> None:
        super().__init__()
        self.inputs = inputs  # type: ignore[misc]
        self.weight = nn.Parameter(torch.ones(()))
        self.crops: list[Crops] = []

    def forward(self, network: QualityNetwork, crops: Crops) -> Tensor:
        self.crops.append(crops)
        return (network(crops["image"]) - crops["quality"]).square().mean() + (self.weight - 2).square()


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Benchmark]:
    monkeypatch.setenv("SDSIQA_TEST_SUBSET", "1")
    return lambda name: BENCHMARKS[name](write_fake(name, tmp_path / name))


def train(benchmark: Benchmark, task: QualityTask, steps: int, *callbacks: Any) -> lightning.Trainer:
    data = QualityDataModule(benchmark, Uniform(), crop=32, patches_per_image=2, batch_size=4, num_workers=0)
    options = {"enable_progress_bar": False, "enable_model_summary": False, "enable_checkpointing": False, "logger": False}
    trainer = lightning.Trainer(
        max_steps=steps,
        accelerator="cpu",
        num_sanity_val_steps=0,
        callbacks=list(callbacks),
        **options,  # type: ignore[arg-type]
    )
    trainer.fit(task, datamodule=data)
    return trainer


class Ordered(Seen):
    """Takes a level for a severity."""

    ordered = True


def test_what_is_not_ordered_by_severity_is_ranked_by_nobody(
    make: Callable[[str], Benchmark], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert Ranking.ordered
    assert not DistortionClasses.ordered  # it classifies levels, in whichever order
    benchmark = make("tid2013")
    kinds = sorted(set(benchmark.table()["distortion"]))
    monkeypatch.setattr(type(benchmark), "unordered", tuple(kinds[1:2]))
    for objective, expected in (
        (Ordered("distortion"), {0, *range(2, len(kinds))}),
        (Seen("distortion"), set(range(len(kinds)))),
    ):
        task = QualityTask(Small(), objective=objective, optimizer=lambda groups: torch.optim.SGD(groups, 0.1))  # type: ignore[arg-type,return-value]
        steps = train(benchmark, task, 40).global_step
        assert steps > 0
        assert {int(kind) for crops in objective.crops for kind in crops["distortion"]} == expected
    monkeypatch.setattr(type(benchmark), "unordered", tuple(kinds))
    with pytest.raises(BenchmarkMismatchError, match="Ordered learns from levels in the order of their severity"):
        train(benchmark, QualityTask(Small(), objective=Ordered("level")), 1)


def test_an_objective_gets_what_it_asks_for_and_validation_does_not(make: Callable[[str], Benchmark]) -> None:
    benchmark, objective = make("tid2013"), Seen("reference", "distortion", "level")
    task = QualityTask(Small(), objective=objective, optimizer=lambda groups: torch.optim.SGD(groups, 0.1))  # type: ignore[arg-type,return-value]
    validated: list[set[str]] = []

    class Watch(lightning.Callback):
        def on_validation_batch_start(self, trainer: Any, module: Any, batch: Any, *args: Any) -> None:
            validated.append(set(batch))

    train(benchmark, task, 8, Watch())
    assert validated
    assert set().union(*validated) == {"image", "quality", "index"}
    table = benchmark.table()
    kinds = sorted(set(table["distortion"]))
    assert kinds == ["Gaussian blur", "additive Gaussian noise"]
    for crops in objective.crops:
        assert crops["image"].shape == crops["reference"].shape == (2 * len(crops["index"].unique()), 3, 32, 32)
        rows = table.loc[crops["index"].tolist()]
        assert [kinds[place] for place in crops["distortion"].tolist()] == rows["distortion"].tolist()
        assert crops["level"].tolist() == rows["level"].tolist()
        torch.testing.assert_close(crops["quality"], torch.tensor(rows["quality"].to_numpy(), dtype=torch.float32))
    assert abs(float(objective.weight) - 2) < 0.5  # its own weight has learnt


def test_crops_lie_side_by_side_with_the_facts_of_their_image() -> None:
    image = torch.arange(6.0).view(3, 2, 1, 1, 1).expand(3, 2, 3, 4, 4)
    crops = crops_of({"image": image, "level": torch.tensor([5, 6, 7])})
    assert crops["image"][:, 0, 0, 0].tolist() == [0, 1, 2, 3, 4, 5]
    assert crops["level"].tolist() == [5, 5, 6, 6, 7, 7]


@pytest.mark.parametrize(("field", "what"), [("reference", "compared with their references"), ("level", "asks for the level")])
def test_what_a_benchmark_does_not_know_is_refused(make: Callable[[str], Benchmark], field: str, what: str) -> None:
    with pytest.raises(BenchmarkMismatchError, match=f"{what}.*configs/demo.yaml"):
        train(make("livec"), QualityTask(Small(), objective=Seen(field)), 1)


def test_pretrained_parts_are_frozen_for_their_share_of_the_steps(make: Callable[[str], Benchmark]) -> None:
    network = Small()
    course: list[tuple[Tensor, Tensor, Tensor]] = []

    class Watch(lightning.Callback):
        def on_train_batch_end(self, *args: Any) -> None:
            conv, norm = network.part
            course.append((conv.weight.detach().clone(), norm.running_mean.clone(), network.head.weight.detach().clone()))

    start = network.part[0].weight.detach().clone()  # type: ignore[union-attr]
    task = QualityTask(network, frozen_fraction=0.5, optimizer=lambda groups: torch.optim.SGD(groups, 0.1, 0.9), warmup=0.0)  # type: ignore[arg-type,return-value]
    train(make("livec"), task, 6, Watch())
    for step, (weight, statistics, head) in enumerate(course):
        assert torch.equal(weight, start) == (step < 3), step
        assert bool(statistics.any()) == (step >= 3), step
        assert step == 0 or not torch.equal(head, course[step - 1][2])
