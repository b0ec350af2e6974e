"""The saliency branch: features of what is salient, and the spatial attention that comes out of them."""

from collections.abc import Sequence
from typing import Literal, final

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - the usual name

from sdsiqa.models.components.attention import SpatialAttention, Strengthen, strengthen
from sdsiqa.models.components.backbone import Backbone
from sdsiqa.runs.ranges import check_counts, check_numbers, check_positive


@final
class SaliencyBranch(nn.Module):
    """Levels of a backbone that sees the saliency map, and spatial attention computed at each level.

    Args:
        backbone: Backbone, in timm's naming.
        weights: `timm` downloads ImageNet weights, a path reads a `.safetensors` file, `None` starts at random.
        levels: Which of timm's feature levels, shallow to deep; `None` takes the last four.
        same_padding: Pad as TensorFlow does, for weights that were trained so.
        input: What the branch sees: the normalised image times the map, the map alone, or both side by side.
        floor: Weight in [0, 1] that places without saliency keep; `None` is 0.2 for `product` and 0 otherwise.
        power: Power of the map, above 0, before the floor is laid under it; above 1 narrows what is salient.
        shrink: Side of the square of pixels that the branch sees as one: 2 shows it half of the size, at a quarter of the cost,
            and the fusion a second scale. Its levels are brought to the places of the image branch's.
        attention: How spatial attention acts on the branch itself.
        attention_kernel: Side of the spatial attention's convolution in places of the feature map, odd.
        frozen: Whether the backbone does not learn; the attention learns all the same.
        frozen_statistics: Whether its normalisation layers keep their statistics while weights learn.
        frozen_levels: How many of its levels, shallow ones first, do not learn; that saves time where `propagate` is false.

    Raises:
        ValueError: `floor`, `power`, `shrink` or `attention_kernel` is out of range.
    """

    def __init__(
        self,
        backbone: str = "resnet50",
        weights: str | None = None,
        levels: Sequence[int] | None = None,
        same_padding: bool = False,
        input: Literal["product", "map", "concat"] = "product",  # noqa: A002 - the word of a configuration
        floor: float | None = None,
        power: float = 1.0,
        shrink: int = 1,
        attention: Strengthen = "residual",
        attention_kernel: int = 7,
        frozen: bool = False,
        frozen_statistics: bool = False,
        frozen_levels: int = 0,
    ) -> None:
        super().__init__()
        self.input, self.strengthening, self.power, self.shrink = input, attention, power, shrink
        self.floor = floor if floor is not None else 0.2 * (input == "product")
        check_numbers(0, 1, floor=floor)
        check_positive(power=power)
        check_counts(shrink=shrink)
        if attention_kernel < 1 or attention_kernel % 2 == 0:  # an even one would shift the map by half a place
            raise ValueError(f"attention_kernel is {attention_kernel!r}; expected an odd number of places, 1 or more")
        channels = 4 if input == "concat" else 3
        self.backbone = Backbone(backbone, weights, levels, same_padding, channels, frozen, frozen_statistics, frozen_levels)
        self.attention = nn.ModuleList(SpatialAttention(attention_kernel) for _ in self.backbone.channels)

    def share(self, backbone: Backbone) -> None:
        """Use the backbone of the image branch in place of an own one.

        Args:
            backbone: That backbone, of three input channels.

        Raises:
            ValueError: This branch sees four channels, or other levels.
        """
        if self.input == "concat":
            raise ValueError(
                "shared needs an input of three channels; set shared to false, or saliency_branch.input to product or map"
            )
        if backbone.channels != self.backbone.channels:
            raise ValueError("shared needs one backbone and the same levels in both branches; set shared to false")
        self.backbone = backbone

    def forward(self, image: Tensor, saliency: Tensor, propagate: bool) -> tuple[list[Tensor], list[Tensor]]:
        """Compute the levels.

        Args:
            image: `(N, 3, h, w)` RGB in [0, 1].
            saliency: `(N, 1, h, w)` in [0, 1].
            propagate: Whether the next level sees the strengthened features.

        Returns:
            Features `(N, C, h, w)` of each level after the branch's own attention, and that attention `(N, 1, h, w)` in (0, 1).
        """
        maps: list[Tensor] = []

        def attend(level: int, features: Tensor) -> Tensor:
            maps.append(self.attention[level](features))
            return strengthen(features, maps[level], self.strengthening)

        return self.backbone(self.view(image, saliency), attend, propagate), maps

    def view(self, image: Tensor, saliency: Tensor) -> Tensor:
        """Make what the backbone sees, `(N, 3 or 4, h / shrink, w / shrink)`; arguments as in `forward`."""
        if self.shrink != 1:
            saliency = saliency.expand(-1, -1, *image.shape[-2:])  # one value may stand for a whole map
            image, saliency = F.avg_pool2d(image, self.shrink), F.avg_pool2d(saliency, self.shrink)
        if self.power != 1:
            saliency = saliency**self.power
        saliency = self.floor + (1 - self.floor) * saliency
        if self.input == "map":
            return self.backbone.normalise(saliency.expand(-1, 3, -1, -1))
        normal = self.backbone.normalise(image)
        if self.input == "product":
            return normal * saliency
        return torch.cat([normal, 2 * saliency - 1], 1)
