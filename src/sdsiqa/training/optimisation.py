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
from sdsiqa.models.components.gates import MODULATING
from sdsiqa.runs.ranges import check_shares

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
    network: QualityNetwork,
    backbone_lr_scale: float,
    solved: Sequence[nn.Parameter] = (),
    solved_lr_scale: float = 1.0,
    layer_decay: float = 1.0,
    attention_lr_scale: float = 1.0,
) -> list[ParameterGroup]:
    """Group the weights that learn.

    Biases, normalisation, gates and attention never decay: pulling them to zero would switch off what they do. Weights
    that a closed form solved do not decay either: it has weighed their size already.

    Args:
        network: The network.
        backbone_lr_scale: Factor for its pretrained parts.
        solved: Weights that start from a solution.
        solved_lr_scale: Factor for those.
        layer_decay: Factor from each block of a pretrained part to the one before it: earlier blocks learn more slowly.
        attention_lr_scale: Factor for gates and attention.

    Returns:
        Groups that are not empty, pretrained ones first, deep blocks before shallow ones.
    """
    steps = _steps_from_the_end(network) if layer_decay != 1 else {}
    pretrained = {id(p) for part in network.pretrained_parts() for p in part.parameters()}
    attention = {id(p) for m in network.modules() if isinstance(m, MODULATING) for p in m.parameters()}
    groups: dict[tuple[int, int, bool], ParameterGroup] = {}
    taken = {id(p) for p in solved}
    for parameter in network.parameters():
        if not parameter.requires_grad:
            continue
        decays = parameter.dim() > 1 and id(parameter) not in attention
        back = steps.get(id(parameter), 0)
        if id(parameter) in taken:
            place, name, scale, decays = 3, "solved", solved_lr_scale, False
        elif id(parameter) in attention and attention_lr_scale != 1:
            place, name, scale = 2, "attention", attention_lr_scale
        elif id(parameter) in pretrained:
            place, name, scale = 0, f"pretrained{f', {back} blocks back' if back else ''}", backbone_lr_scale * layer_decay**back
        else:
            place, name, scale = 1, "new", 1.0
        title = name if decays or place > 1 else f"{name}, no decay"
        group = groups.setdefault((place, back, not decays), ParameterGroup(title, scale, decays))
        group.parameters.append(parameter)
    return [groups[key] for key in sorted(groups)]


def _steps_from_the_end(network: QualityNetwork) -> dict[int, int]:
    """Say for each weight of a pretrained part how many blocks come after its own, by the weight's identity."""
    found: dict[int, int] = {}
    for part in network.pretrained_parts():
        blocks: dict[str, int] = {}
        names = {id(parameter): _block(name) for name, parameter in part.named_parameters()}
        for block in names.values():
            blocks.setdefault(block, len(blocks))
        found |= {key: len(blocks) - 1 - blocks[block] for key, block in names.items()}
    return found


def _block(name: str) -> str:
    """Give the part of a weight's name that names its block: `body.blocks.2.1.bn1.bias` lies in `body.blocks.2.1`."""
    words = name.split(".")[:4]
    last = max((place for place, word in enumerate(words) if word.isdigit()), default=min(1, len(words) - 1))
    return ".".join(words[: last + 1])


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
    """Exponential moving average of the weights, which validation and test see; nothing where no weight learns.

    Args:
        decay: Share of the old average that each step keeps.
    """

    def __init__(self, decay: float = 0.999) -> None:
        check_shares(decay=decay)
        super().__init__(
            multi_avg_fn=get_ema_multi_avg_fn(decay),  # type: ignore[no-untyped-call]
            use_buffers=False,
        )

    def setup(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, stage: str) -> None:
        """Make the average, where there is something to average: what is fitted in closed form changes after this copy."""
        if any(parameter.requires_grad for parameter in pl_module.parameters()):
            super().setup(trainer, pl_module, stage)

    def on_train_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Leave the average in the network."""
        if self._average_model is not None:
            super().on_train_end(trainer, pl_module)

    def on_train_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Let the average begin with the weights before the first step, which were set after `setup` copied them."""
        if trainer.ckpt_path is None and self._average_model is not None:
            self._average_model.module.load_state_dict(pl_module.state_dict())
