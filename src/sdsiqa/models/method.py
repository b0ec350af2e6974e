"""What every method that SDS-IQA is compared with says about itself."""

from typing import Any, ClassVar, Literal, get_args

from torch import nn

from sdsiqa.models.base import QualityNetwork
from sdsiqa.runs.class_attributes import Attribute, check_attributes, is_text, is_texts

Status = Literal["published facts", "family reconstruction"]
_ATTRIBUTES = {
    "title": Attribute(is_text, "a text", "'CNNIQA'", required=True),
    "status": Attribute(
        lambda value: value in get_args(Status), " or ".join(get_args(Status)), "'published facts'", required=True
    ),
    "paper": Attribute(is_text, "a text", "'Kang et al., Convolutional neural networks for NR-IQA, CVPR 2014'", required=True),
    "differs": Attribute(is_texts, "a tuple of sentences", "('The loss is L1.',)"),
    "stage_one": Attribute(is_texts, "a tuple of names of submodules", "('encoder',)"),
}


class Method(QualityNetwork):
    """A published method, and how far what is here is that method. The table of methods is made from these facts."""

    title: ClassVar[str]
    """Name in tables; it says `(reconstruction)` where it is one."""
    status: ClassVar[Status]
    """Whether architecture, losses and stages are published, or only what the abstract tells."""
    paper: ClassVar[str]
    """Authors, title, venue and year."""
    differs: ClassVar[tuple[str, ...]] = ()
    """What differs from the paper, a sentence each."""
    stage_one: ClassVar[tuple[str, ...]] = ()
    """Submodules whose weights come from the first stage (`sdsiqa.training.pretraining`), under the same names there."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if cls.forward is not nn.Module.forward:  # a base class of one's own states nothing yet
            check_attributes(cls, _ATTRIBUTES)

    def pretrained_parts(self) -> list[nn.Module]:
        """No part, unless a method says otherwise."""
        return []
