"""Objectives: losses that need more than scores and quality."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, cast

import torch
from torch import Tensor, nn

from sdsiqa.losses import L1, QualityLoss
from sdsiqa.models.base import QualityNetwork
from sdsiqa.runs.class_attributes import Attribute, check_attributes, is_flag

Crops = Mapping[str, Tensor]
"""Crops of a step, `N` in all, those of an image side by side: pictures `(N, C, h, w)` float32 in [0, 1] (`image`,
`saliency`, `reference`); `(N,)` each of `quality` in [0, 1], `index`, and what else the objective names."""

_FIELDS = ("reference", "saliency", "distortion", "level")
_ATTRIBUTES = {
    "inputs": Attribute(
        lambda value: isinstance(value, tuple | list) and set(value) <= set(_FIELDS),
        f"a tuple of some of {', '.join(_FIELDS)}",
        "('reference',)",
    ),
    "ordered": Attribute(is_flag, "true or false", "True"),
}


class Objective(nn.Module, ABC):
    """The loss of a step. Weights of its own, if it has any, learn with those of the network."""

    inputs: ClassVar[tuple[str, ...]] = ()
    """Fields of a sample that it needs besides those of the network: `reference`, `saliency`; `distortion`, the place of
    the image's distortion among the benchmark's in the order of the alphabet; `level`, as the benchmark numbers it. They
    are read in training alone."""

    ordered: ClassVar[bool] = False
    """Whether it takes a higher level for a worse picture; distortions whose levels are not ordered so
    (`Benchmark.unordered`) are then left out of training."""

    def __init__(self) -> None:
        super().__init__()

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        check_attributes(cls, _ATTRIBUTES)

    gather: Callable[[Tensor], Tensor] = staticmethod(lambda values: values)
    """Joins values `(n, …)` of all devices, with their gradients, for an objective that compares images."""

    def load_pretrained(self) -> None:
        """Load pretrained weights of its own, if it has any. Called once before fitting, not when a run resumes."""

    @abstractmethod
    def forward(self, network: QualityNetwork, crops: Crops) -> Tensor:
        """Give the loss.

        Args:
            network: What is trained.
            crops: What it is trained on.

        Returns:
            A scalar.
        """


class PatchLoss(Objective):
    """A loss over the patches that a network cuts from its crops; each has the label of its image.

    Args:
        loss: What is minimised over the scores of patches, which the network gives by `patch_scores`; `None` is `L1`.
    """

    def __init__(self, loss: QualityLoss | None = None) -> None:
        super().__init__()
        self.loss = L1() if loss is None else loss

    def forward(self, network: QualityNetwork, crops: Crops) -> Tensor:
        """Give the loss over all patches of all crops."""
        scores: Tensor = cast(Any, network).patch_scores(*(crops[name] for name in network.inputs))  # (N, P)
        quality = crops["quality"]
        if self.loss.compares:
            scores, quality = self.gather(scores), self.gather(quality)
        return cast(Tensor, self.loss(scores, quality[:, None].expand_as(scores)))


def crops_of(batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Put the crops of all images of a batch in one row.

    Args:
        batch: Pictures `(B, P, C, h, w)`, and `(B,)` of what is known of each image.

    Returns:
        Pictures `(B·P, C, h, w)`, and `(B·P,)` of the rest.
    """
    count = batch["image"].shape[1]
    return {
        name: values.flatten(0, 1) if values.dim() == 5 else torch.repeat_interleave(values, count)
        for name, values in batch.items()
    }
