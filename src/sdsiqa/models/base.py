"""What every quality network promises."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar

from torch import Tensor, nn

from sdsiqa.runs.class_attributes import Attribute, check_attributes, is_flag

_SCORED = ("image", "saliency", "reference")
_ATTRIBUTES = {
    "inputs": Attribute(
        lambda value: isinstance(value, tuple | list) and len(value) > 0 and set(value) <= set(_SCORED),
        f"a tuple of some of {', '.join(_SCORED)}",
        "('image', 'saliency')",
    ),
    "whole": Attribute(is_flag, "true or false", "True"),
}


class QualityNetwork(nn.Module, ABC):
    """Maps the inputs it names to one score per image, higher for better quality."""

    inputs: ClassVar[tuple[str, ...]] = ("image",)
    """Fields of a sample, in the order of `forward`."""

    whole: ClassVar[bool] = False
    """Whether it is defined on whole images alone; it is then shown no crops, whatever `data.view` says."""

    forward: Callable[..., Tensor]
    """`N × (C, h, w)` float32 in [0, 1] for each input, to scores `(N,)` float32."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        check_attributes(cls, _ATTRIBUTES)

    def start_at(self, quality: float) -> None:
        """Start from a constant score; a network that can does, others start where they are.

        Args:
            quality: Mean quality of the training part.
        """

    def explain(self, image: Tensor, saliency: Tensor) -> tuple[list[Tensor], list[Tensor]]:
        """Give what the network attends to; nothing unless a network says otherwise.

        Args:
            image: `(N, 3, h, w)` in [0, 1].
            saliency: `(N, 1, h, w)` in [0, 1].

        Returns:
            Spatial attention `(N, 1, h, w)` in (0, 1) and channel gates `(N, C)`, one entry a level.
        """
        return [], []

    @abstractmethod
    def pretrained_parts(self) -> list[nn.Module]:
        """Parts that start from pretrained weights: trained at a lower rate, loaded by `load_pretrained`."""

    def load_pretrained(self) -> None:
        """Load the weights that the parts name. Called once before fitting, never when a checkpoint is opened."""
        for part in self.pretrained_parts():
            load = getattr(part, "load_pretrained", None)
            if callable(load):
                load()
