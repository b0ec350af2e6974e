"""What every method that SDS-IQA is compared with says about itself."""

from typing import ClassVar, Literal

from torch import nn

from sdsiqa.models.network import QualityNetwork


class Method(QualityNetwork):
    """A published method, and how far what is here is that method. The table of methods is made from these facts."""

    title: ClassVar[str]
    """Name in tables; it says `(reconstruction)` where it is one."""
    status: ClassVar[Literal["published facts", "family reconstruction"]]
    """Whether architecture, losses and stages are published, or only what the abstract tells."""
    paper: ClassVar[str]
    """Authors, title, venue and year."""
    differs: ClassVar[tuple[str, ...]] = ()
    """What differs from the paper, a sentence each."""
    stage_one: ClassVar[tuple[str, ...]] = ()
    """Submodules whose weights come from the first stage (`sdsiqa.pretraining`), under the same names there."""

    def pretrained_parts(self) -> list[nn.Module]:
        """No part, unless a method says otherwise."""
        return []
