"""Which weights learn at which rate, and which decay."""

import dataclasses
from collections.abc import Sequence

from torch import nn

from sdsiqa.models.base import QualityNetwork
from sdsiqa.models.components.attention import SpatialAttention
from sdsiqa.models.components.gates import ECA, GCT, SE


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
