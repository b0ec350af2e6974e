"""The base classes of quality networks and of methods."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar, Literal, get_args

from torch import Tensor, nn

from sdsiqa.runs.class_attributes import Attribute, check_attributes, is_flag, is_text, is_texts

_SCORED = ("image", "saliency", "reference")
_OF_NETWORK = {
    "inputs": Attribute(
        lambda value: isinstance(value, tuple | list) and len(value) > 0 and set(value) <= set(_SCORED),
        f"a tuple of some of {', '.join(_SCORED)}",
        "('image', 'saliency')",
    ),
    "whole": Attribute(is_flag, "true or false", "True"),
    "stage_one": Attribute(is_texts, "a tuple of names of submodules", "('encoder',)"),
    "needs_stage_one": Attribute(is_flag, "true or false", "True"),
}


Status = Literal["published facts", "family reconstruction"]

_OF_METHOD = {
    "title": Attribute(is_text, "a text", "'CNNIQA'", required=True),
    "status": Attribute(
        lambda value: value in get_args(Status), " or ".join(get_args(Status)), "'published facts'", required=True
    ),
    "paper": Attribute(is_text, "a text", "'Kang et al., Convolutional neural networks for NR-IQA, CVPR 2014'", required=True),
    "differs": Attribute(is_texts, "a tuple of sentences", "('The loss is L1.',)"),
}


class QualityNetwork(nn.Module, ABC):
    """Maps the inputs it names to one score per image, higher for better quality."""

    inputs: ClassVar[tuple[str, ...]] = ("image",)
    """Fields of a sample, in the order of `forward`."""

    whole: ClassVar[bool] = False
    """Whether it is defined on whole images: these are what it scores, whatever `data.view` is. Others score a fixed grid of
    crops, and average, unless `data.view` is `whole`. Either kind may train on crops."""

    stage_one: ClassVar[tuple[str, ...]] = ()
    """Submodules whose weights come from a first stage (`model.init_from`), under the same names there."""

    needs_stage_one: ClassVar[bool] = True
    """Whether it is another method without a first stage, where `stage_one` names something."""

    forward: Callable[..., Tensor]
    """`N × (C, h, w)` float32 in [0, 1] for each input, to scores `(N,)` float32."""

    def __init__(self) -> None:
        super().__init__()

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        check_attributes(cls, _OF_NETWORK)

    def __repr__(self) -> str:
        """Name the parts with their sizes; PyTorch's own text is a line for each of hundreds of layers, as that of a part is."""
        parts = [f"\n  {name}: {_named(part)}, {_size(part)}" for name, part in self.named_children()]
        return f"{type(self).__name__}({', '.join(self.inputs)}): {_size(self)} parameters{''.join(parts)}"

    def start_at(self, quality: float) -> None:
        """Start from a constant score; a network that can does, others start where they are.

        Args:
            quality: Mean quality of the training part.
        """

    def score_and_attention(self, *inputs: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Give scores `(N,)` and, in one pass, the spatial attention that `explain` gives; arguments as in `forward`."""
        return self(*inputs), []

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


def _named(part: nn.Module) -> str:
    """Name the class of a part, with the backbone that it is or has."""
    backbone = getattr(getattr(part, "backbone", part), "name", "")
    return type(part).__name__ + (f"({backbone})" if isinstance(backbone, str) and backbone else "")


def _size(part: nn.Module) -> str:
    """Count parameters: in millions, or as they are where those are few."""
    count = sum(parameter.numel() for parameter in part.parameters())
    return f"{count / 1e6:.2f} M" if count >= 10_000 else str(count)


class Method(QualityNetwork):
    """A published method, and how far what is here is that method. The table of methods is made from these facts."""

    title: ClassVar[str]
    """Name in tables; it says `(reconstruction)` where it is one."""
    status: ClassVar[Status]
    """Whether architecture, losses and stages are published, or only what the abstract tells."""
    paper: ClassVar[str]
    """Authors, title, venue and year."""
    differs: ClassVar[tuple[str, ...]] = ()
    """Differences from the paper, a sentence each."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if cls.forward is not nn.Module.forward:  # a base class of one's own states nothing yet
            check_attributes(cls, _OF_METHOD)

    def pretrained_parts(self) -> list[nn.Module]:
        """No part, unless a method says otherwise."""
        return []
