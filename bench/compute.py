"""Training steps and scoring beside the bare backbones and the bare forward."""

import dataclasses
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any

import lightning
import numpy as np
import pandas as pd
import timm
import torch
from lightning.pytorch.callbacks import Callback
from torch import Tensor, nn

from bench.measure import Row, compare, in_turns, synchronize, timed
from bench.pictures import drawn
from sdsiqa.data.datamodule import to_float
from sdsiqa.data.dataset import Sample
from sdsiqa.inference.recipe import Recipe
from sdsiqa.inference.scorer import Scorer
from sdsiqa.models.components.fusion_head import FusionHead
from sdsiqa.models.components.image_branch import ImageBranch
from sdsiqa.models.components.saliency_branch import SaliencyBranch
from sdsiqa.models.sdsiqa import SDSIQA
from sdsiqa.saliency import SDSP, SaliencyProvider, Uniform
from sdsiqa.training.task import QualityTask


@dataclasses.dataclass
class Load:
    """What networks compute on.

    Args:
        backbone: In timm's naming; its weights are random.
        images: Images of a step.
        crops: Crops of an image.
        side: Their side in pixels.
    """

    backbone: str = "mobilenetv2_100"
    images: int = 2
    crops: int = 8
    side: int = 224

    def batch(self) -> Sample:
        """Make a batch as a loader yields it: uint8, channels last in memory."""
        generator = torch.Generator().manual_seed(0)
        shape = (self.images, self.crops, self.side, self.side)
        image = torch.randint(256, (*shape, 3), dtype=torch.uint8, generator=generator)
        saliency = torch.randint(256, shape, dtype=torch.uint8, generator=generator)
        return Sample(
            image=image.permute(0, 1, 4, 2, 3),
            saliency=saliency[:, :, None],
            quality=torch.linspace(0.2, 0.8, self.images),
            index=torch.arange(self.images),
        )


def two_branches(backbone: str) -> SDSIQA:
    """Build SDS-IQA with one kind of backbone in both branches, at random weights."""
    return SDSIQA(ImageBranch(backbone), SaliencyBranch(backbone), FusionHead())


class Backbones(nn.Module):
    """The two backbones and nothing else.

    Args:
        name: In timm's naming.
    """

    def __init__(self, name: str) -> None:
        super().__init__()
        levels = (-4, -3, -2, -1)
        self.pair = nn.ModuleList(timm.create_model(name, features_only=True, out_indices=levels) for _ in range(2))

    def step(self, image: Tensor) -> None:
        """Go forward and back once.

        Args:
            image: `(N, 3, h, w)` float32.
        """
        self.zero_grad()
        total: Any = sum(features.mean() for body in self.pair for features in body(image))
        total.backward()


class Ready(lightning.LightningDataModule):
    """The same batch again and again, without loading: what remains is the step.

    Args:
        batch: As a loader yields it.
        steps: How often.
    """

    def __init__(self, batch: Sample, steps: int) -> None:
        super().__init__()
        self.batch, self.steps = batch, steps

    def __iter__(self) -> Iterator[Sample]:
        return (Sample(**self.batch) for _ in range(self.steps))  # copies: the hook below replaces entries

    def __len__(self) -> int:
        """Count the steps."""
        return self.steps

    def rows(self, part: str) -> pd.DataFrame:
        """Give the labels, whose mean a network starts from."""
        return pd.DataFrame({"quality": self.batch["quality"].numpy()})

    def train_dataloader(self) -> "Ready":
        """Itself."""
        return self

    def on_after_batch_transfer(self, batch: Sample, dataloader_idx: int) -> Sample:
        """Do as the DataModule does."""
        return to_float(batch)


class Between(Callback, ABC):
    """Goes another way after each step of a real training, and times both."""

    def __init__(self) -> None:
        self.ours: list[float] = []
        self.theirs: list[float] = []
        self._since = 0.0

    @abstractmethod
    def prepare(self, trainer: lightning.Trainer, task: QualityTask) -> None:
        """Get ready for the other way, before the clock starts."""

    @abstractmethod
    def other(self, batch: Sample) -> None:
        """Go the other way with the batch of the step."""

    def on_train_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Start the clock."""
        assert isinstance(pl_module, QualityTask)
        self.prepare(trainer, pl_module)
        self._since = time.perf_counter()

    def on_train_batch_end(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Stop the clock after our step, go the other way, start it again."""
        synchronize()
        self.ours.append(time.perf_counter() - self._since)
        self.theirs.append(timed(lambda: self.other(batch))())
        self._since = time.perf_counter()


class BetweenBare(Between):
    """Takes the bare backbones' step.

    Args:
        bare: The backbones.
    """

    def __init__(self, bare: Backbones) -> None:
        super().__init__()
        self.bare = bare

    def prepare(self, trainer: lightning.Trainer, task: QualityTask) -> None:
        """Bring the backbones to the device."""
        self.bare.to(task.device).train()

    def other(self, batch: Sample) -> None:
        """Take the step without the demand for determinism, which only our training makes."""
        was = torch.is_deterministic_algorithms_warn_only_enabled()
        torch.use_deterministic_algorithms(False)
        self.bare.step(batch["image"].flatten(0, 1))
        torch.use_deterministic_algorithms(True, warn_only=was)


def fit(load: Load, steps: int, callbacks: list[Callback]) -> None:
    """Train SDS-IQA as a run does, without loading, logging to a server and checkpoints.

    Args:
        load: What to compute on.
        steps: Steps.
        callbacks: Who watches.
    """
    torch.manual_seed(0)
    trainer = lightning.Trainer(
        accelerator="auto",
        devices=1,
        max_epochs=1,
        precision="32-true",
        deterministic="warn",
        gradient_clip_val=1.0,
        log_every_n_steps=10,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        callbacks=callbacks,
    )
    trainer.fit(QualityTask(two_branches(load.backbone)), datamodule=Ready(load.batch(), steps))
    torch.use_deterministic_algorithms(False)


def training_step(load: Load, turns: int) -> Row:
    """Compare a step of a real training with the bare backbones' forward and backward on its batch.

    Args:
        load: What to compute on.
        turns: Repetitions.
    """
    warm = 2
    watch = BetweenBare(Backbones(load.backbone))
    fit(load, turns + warm, [watch])
    crops = load.images * load.crops
    how = (
        f"{load.backbone}, {crops} crops of {load.side}². Ours: one turn of Lightning's loop (float conversion, forward, "
        "loss, backward, clipping, AdamW, schedule, logging). Bare: both timm bodies, forward and backward, no optimiser."
    )
    return compare("training step", "s", watch.ours[warm:], watch.theirs[warm:], 1.08, True, how)


def scoring(load: Load, turns: int, view: str, provider: SaliencyProvider, side: int = 500) -> Row:
    """Compare `Scorer` on a decoded image with the network's forward on tensors that are ready.

    Args:
        load: What to compute on.
        turns: Repetitions.
        view: `whole` or `grid`.
        provider: Makes the map, inside the time of ours.
        side: Side of the image in pixels.
    """
    torch.manual_seed(0)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    recipe = Recipe({}, {}, view, (5, 5), load.side, None, "Photographs", (0.0, 1.0), True)  # type: ignore[arg-type]
    scorer = Scorer(two_branches(load.backbone), provider, recipe, device)
    image = drawn(side, 0)
    ready = scorer.inputs(*scorer.look(image))

    def forward() -> float:
        with torch.inference_mode():
            return float(scorer.network(*ready).mean())

    if not np.isclose(forward(), scorer.score(image)):
        raise RuntimeError("both ways must give one score")
    several = 4  # one after the other, so that the map of the next is made while the network works
    series = timed(lambda: scorer([image] * several))
    ours, bare = in_turns(lambda: series() / several, timed(forward), turns)
    name = type(provider).__name__
    crops = len(ready[0])
    how = (
        f"{load.backbone}, a decoded {side}×{side} image, {crops} view{'s' * (crops > 1)} of it. Ours: `Scorer` on {several} "
        f"such images, with the {name} map, crops and conversion. Bare: the network's forward on float tensors."
    )
    rates = ([1 / s for s in ours], [1 / s for s in bare])
    return compare(f"scoring, {view}, {name}", "images/s", *rates, 0.95, False, how)


def scorings(load: Load, turns: int, side: int = 500) -> list[Row]:
    """Compare scoring with a map that costs nothing, and with the default one.

    Args:
        load: What to compute on.
        turns: Repetitions.
        side: Side of the image in pixels.
    """
    cases: list[tuple[str, SaliencyProvider, int]] = [
        ("whole", Uniform(), turns),
        ("whole", SDSP(), turns),
        ("grid", SDSP(), max(1, turns // 2)),
    ]
    return [scoring(load, repetitions, view, provider, side) for view, provider, repetitions in cases]
