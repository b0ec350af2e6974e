"""A step of Lightning's loop beside the same step in a loop written by hand."""

import copy
import math
from collections.abc import Sequence
from typing import Any

import lightning
import torch
from torch import Tensor

from bench.compute import Between, Load, fit
from bench.measure import Row, compare
from sdsiqa.data.datamodule import to_float
from sdsiqa.data.dataset import Sample
from sdsiqa.training.optimisation import scheduler
from sdsiqa.training.task import QualityTask

WARM = 2
"""Steps before the clock counts; both loops have the same weights after them."""

ROUNDING = 0.003
"""Share of the way from the start by which both may differ: AdamW makes steps of roundings where a gradient is almost zero."""


class HandWritten:
    """The same network, optimiser, clipping and schedule, in ten lines of plain PyTorch.

    Args:
        task: What a trainer trains; its network and optimiser are copied as they are.
        optimizer: Of that trainer.
        steps: Steps of the schedule.
    """

    def __init__(self, task: QualityTask, optimizer: torch.optim.Optimizer, steps: int) -> None:
        for module in task.network.modules():
            if isinstance(module, torch.nn.Dropout):
                module.p = 0.0  # both loops have to come to the same weights
        self.task, self.network = task, copy.deepcopy(task.network)
        twin = dict(zip(task.network.parameters(), self.network.parameters(), strict=True))
        groups = [{**group, "params": [twin[p] for p in group["params"]]} for group in optimizer.param_groups]
        for group in groups:
            group["lr"] = group.pop("initial_lr")
        self.optimizer = type(optimizer)(groups)  # type: ignore[call-arg]
        self.rates = scheduler(self.optimizer, task.schedule, task.warmup, steps)
        self.start = [parameter.detach().clone() for parameter in self.network.parameters()]

    def step(self, batch: Sample) -> None:
        """Take a step.

        Args:
            batch: As a loader yields it.
        """
        batch = to_float(Sample(**batch))
        image, saliency, quality = batch["image"], batch["saliency"], batch["quality"]
        self.optimizer.zero_grad()
        score = self.network(image.flatten(0, 1), saliency.flatten(0, 1)).float().reshape(image.shape[:2])
        loss: Any = self.task.loss(score, quality[:, None].expand_as(score))
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        self.optimizer.step()
        self.rates.step()

    def check(self) -> None:
        """Make sure that both loops did the same.

        Raises:
            RuntimeError: Their weights differ by more than `ROUNDING`.
        """
        ours, theirs = list(self.task.network.parameters()), list(self.network.parameters())
        if not _distance(ours, theirs) <= ROUNDING * _distance(ours, self.start):
            raise RuntimeError("both loops must come to the same weights")


def _distance(some: list[torch.nn.Parameter], others: Sequence[Tensor]) -> float:
    return math.sqrt(sum(float((one - other).detach().square().sum()) for one, other in zip(some, others, strict=True)))


class BetweenByHand(Between):
    """Takes each step once more by hand.

    Args:
        batch: As a loader yields it, before it goes to the device; every step is taken on it.
    """

    def __init__(self, batch: Sample) -> None:
        super().__init__()
        self.batch = batch

    def prepare(self, trainer: lightning.Trainer, task: QualityTask) -> None:
        """Copy what is trained."""
        self.batch = Sample(**{name: value.to(task.device) for name, value in self.batch.items()})  # type: ignore[attr-defined,typeddict-item]
        self.hand = HandWritten(task, trainer.optimizers[0], int(trainer.estimated_stepping_batches))

    def other(self, batch: Sample) -> None:
        """Take the step."""
        self.hand.step(self.batch)
        if len(self.theirs) == WARM - 1:
            self.hand.check()


def loop_by_hand(load: Load, turns: int) -> Row:
    """Compare a step of Lightning's loop with one by hand.

    Args:
        load: What to compute on.
        turns: Repetitions.
    """
    watch = BetweenByHand(load.batch())
    fit(load, turns + WARM, [watch])
    how = (
        f"{load.backbone}, {load.images * load.crops} crops of {load.side}². Ours: one turn of Lightning's loop. Bare: "
        "a loop by hand with the same network (no dropout), conversion, loss, AdamW, clipping and schedule, which comes to "
        "the same weights."
    )
    return compare("training step, to a loop by hand", "s", watch.ours[WARM:], watch.theirs[WARM:], 1.03, True, how)
