"""Optimisation: groups of weights and their rates, the schedule of the rate, and averaged weights."""

import dataclasses
import math
from collections.abc import Sequence
from typing import Literal

import lightning
import torch
from lightning.pytorch.callbacks.weight_averaging import WeightAveraging
from torch import nn
from torch.optim.lr_scheduler import LambdaLR, LRScheduler, OneCycleLR
from torch.optim.swa_utils import get_ema_multi_avg_fn

from sdsiqa.models.base import QualityNetwork
from sdsiqa.models.components.attention import SpatialAttention
from sdsiqa.models.components.gates import ECA, GCT, SE

Schedule = Literal["cosine", "one_cycle", "constant"]


@dataclasses.dataclass
class ParameterGroup:
    """Weights that are treated alike.

    Args:
        name: What logs call it.
        lr_scale: Factor on the learning rate.
        decay: Whether weight decay applies.
        parameters: The weights.
    """

    name: str
    lr_scale: float
    decay: bool
    parameters: list[nn.Parameter] = dataclasses.field(default_factory=list)


def parameter_groups(
    network: QualityNetwork, backbone_lr_scale: float, solved: Sequence[nn.Parameter] = (), solved_lr_scale: float = 1.0
) -> list[ParameterGroup]:
    """Group the weights that learn.

    Biases, normalisation, gates and attention never decay: pulling them to zero would switch off what they do. Weights
    that a closed form solved do not decay either: it has weighed their size already.

    Args:
        network: The network.
        backbone_lr_scale: Factor for its pretrained parts.
        solved: Weights that start from a solution.
        solved_lr_scale: Factor for those.

    Returns:
        Groups that are not empty, pretrained ones first.
    """
    pretrained = {id(p) for part in network.pretrained_parts() for p in part.parameters()}
    modulating = (SpatialAttention, GCT, SE, ECA)
    attention = {id(p) for m in network.modules() if isinstance(m, modulating) for p in m.parameters()}
    groups = [
        ParameterGroup(f"{name}{'' if decay else ', no decay'}", scale, decay)
        for name, scale in (("pretrained", backbone_lr_scale), ("new", 1.0))
        for decay in (True, False)
    ]
    groups.append(ParameterGroup("solved", solved_lr_scale, False))
    taken = {id(p) for p in solved}
    for parameter in network.parameters():
        if parameter.requires_grad:
            decays = parameter.dim() > 1 and id(parameter) not in attention
            if id(parameter) in taken:
                groups[-1].parameters.append(parameter)
                continue
            groups[2 * (id(parameter) not in pretrained) + (not decays)].parameters.append(parameter)
    return [group for group in groups if group.parameters]


def scheduler(optimizer: torch.optim.Optimizer, schedule: Schedule, warmup: float, steps: int) -> LRScheduler:
    """Give each group of weights the schedule of its learning rate over all steps.

    Args:
        optimizer: Its groups have the highest rate of each.
        schedule: `cosine` falls to 0, `one_cycle` rises and falls, `constant` stays.
        warmup: Share of the steps in which the rate rises.
        steps: How many there are.
    """
    if schedule == "one_cycle":
        tops = [group["lr"] for group in optimizer.param_groups]
        steps = max(steps, 4)  # fewer leave no room for a rise and a fall
        rise = min(max(warmup, 2 / steps), 1 - 1 / steps)
        # a schedule that also cycles the momentum would undo what the optimiser was given
        return OneCycleLR(optimizer, tops, total_steps=steps, pct_start=rise, cycle_momentum=False)
    return LambdaLR(optimizer, lambda step: _factor(schedule, warmup, step, steps))


def _factor(schedule: Schedule, warmup: float, step: int, steps: int) -> float:
    rising = round(warmup * steps)
    if step < rising:
        return (step + 1) / rising
    if schedule == "constant":
        return 1.0
    return 0.5 * (1 + math.cos(math.pi * (step - rising) / max(1, steps - rising)))


class EMA(WeightAveraging):
    """Exponential moving average of the weights, which validation and test see.

    Args:
        decay: Share of the old average that each step keeps.
    """

    def __init__(self, decay: float = 0.999) -> None:
        super().__init__(
            multi_avg_fn=get_ema_multi_avg_fn(decay),  # type: ignore[no-untyped-call]
            use_buffers=False,
        )

    def on_train_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Let the average begin with the weights before the first step, which were set after `setup` copied them."""
        if trainer.ckpt_path is None and self._average_model is not None:
            self._average_model.module.load_state_dict(pl_module.state_dict())
