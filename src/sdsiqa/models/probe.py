"""The probe: a regression on frozen features of backbones, which every network that is trained has to beat."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - the usual name

from sdsiqa.models.base import QualityNetwork
from sdsiqa.models.components.backbone import Backbone
from sdsiqa.models.components.heads import statistics
from sdsiqa.models.components.kernel_map import KernelMap


class Probe(QualityNetwork):
    """Frozen features of one or more backbones at one or more sizes of the picture, and a regression on them.

    The features of a level are mean, standard deviation and maximum of each channel over its places.

    Args:
        backbones: Backbones, in timm's naming.
        weights: Where the weights of all of them come from: `timm`, a `.safetensors` file, a folder of such files, `None` for
            random ones.
        levels: Which of timm's feature levels, shallow to deep; `None` takes all.
        scales: Factors in (0, 1] on the sides of the picture, each of which every backbone sees.
        same_padding: Pad as TensorFlow does, for weights that were trained so.

    Raises:
        ValueError: There is no backbone or no scale, or a scale is out of range.
    """

    whole = True

    def __init__(
        self,
        backbones: Sequence[str] = ("resnet50",),
        weights: str | None = None,
        levels: Sequence[int] | None = None,
        scales: Sequence[float] = (1.0,),
        same_padding: bool = False,
    ) -> None:
        super().__init__()
        if not backbones:
            raise ValueError("backbones is empty; name one or more in timm's naming")
        if not scales or not all(0 < scale <= 1 for scale in scales):
            raise ValueError(f"scales is {list(scales)!r}; give one or more factors above 0, up to 1")
        self.scales = tuple(scales)
        self.bodies = nn.ModuleList(Backbone(name, weights, levels or "all", same_padding, frozen=True) for name in backbones)
        width = sum(3 * sum(body.channels) for body in self.bodies)  # type: ignore[misc, arg-type]
        self.regressor = KernelMap(len(self.scales) * width)

    def forward(self, image: Tensor) -> Tensor:
        """Score images.

        Args:
            image: `(N, 3, h, w)` RGB in [0, 1].

        Returns:
            `(N,)` float32, higher is better, about 0 to 1.
        """
        score: Tensor = self.regressor(self.pooled_features(image).double())
        return score.float()

    def pooled_features(self, image: Tensor) -> Tensor:
        """Give what the regression is fitted to: `(N, D)` float32; arguments as in `forward`."""
        found = []
        for scale in self.scales:
            seen = image if scale == 1 else F.interpolate(image, scale_factor=scale, mode="bilinear", antialias=True)
            for body in self.bodies:
                found += [statistics(level) for level in body(body.normalise(seen))]  # type: ignore[operator]
        return torch.cat(found, 1)

    def pretrained_parts(self) -> list[nn.Module]:
        """The backbones."""
        return list(self.bodies)
