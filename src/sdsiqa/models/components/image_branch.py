"""The image branch: features of the image at several levels, each strengthened where the saliency branch attends."""

from collections.abc import Sequence
from typing import final

from torch import Tensor, nn

from sdsiqa.models.components.attention import Strengthen, strengthen
from sdsiqa.models.components.backbone import Backbone


@final
class ImageBranch(nn.Module):
    """Levels of a backbone that sees the image.

    Args:
        backbone: Backbone, in timm's naming.
        weights: `timm` downloads ImageNet weights, a path reads a `.safetensors` file, `None` starts at random.
        levels: Which of timm's feature levels, shallow to deep; `None` takes the last four.
        same_padding: Pad as TensorFlow does, for weights that were trained so.
        frozen: Whether the backbone does not learn.
        frozen_statistics: Whether its normalisation layers keep their statistics while weights learn.
        frozen_levels: How many of its levels, shallow ones first, do not learn; that saves time where `propagate` is false.
    """

    def __init__(
        self,
        backbone: str = "resnet50",
        weights: str | None = None,
        levels: Sequence[int] | None = None,
        same_padding: bool = False,
        frozen: bool = False,
        frozen_statistics: bool = False,
        frozen_levels: int = 0,
    ) -> None:
        super().__init__()
        self.backbone = Backbone(backbone, weights, levels, same_padding, 3, frozen, frozen_statistics, frozen_levels)

    def forward(self, image: Tensor, attention: Sequence[Tensor], guidance: Strengthen, propagate: bool) -> list[Tensor]:
        """Compute the levels.

        Args:
            image: `(N, 3, h, w)` RGB in [0, 1].
            attention: Spatial attention of each level `(N, 1, h', w')` in (0, 1); empty for no guidance.
            guidance: How it acts on the features.
            propagate: Whether the next level sees the guided features.

        Returns:
            `(N, C, h, w)` of each level, guided.
        """

        def guide(level: int, features: Tensor) -> Tensor:
            return strengthen(features, attention[level], guidance) if attention else features

        features: list[Tensor] = self.backbone(self.backbone.normalise(image), guide, propagate)
        return features
