"""HyperIQA: a hyper network predicts, for each image, the weights of the network that scores it."""

import itertools
from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - the usual name

from sdsiqa.models.base import Method
from sdsiqa.models.components.backbone import Backbone

GRID = 7
"""Side of the deepest feature map of a crop of 224 pixels, which the hyper network's maps are tied to."""


class LocalDistortion(nn.Module):
    """A level's features as a short vector that remembers where.

    Args:
        channels: Channels of the level.
        squeezed: Channels after the 1×1 convolution.
        grid: Places per side that are told apart.
        width: Length of the vector.
    """

    def __init__(self, channels: int, squeezed: int, grid: int, width: int = 16) -> None:
        super().__init__()
        self.squeeze = nn.Conv2d(channels, squeezed, 1, bias=False)
        self.grid = grid
        self.output = nn.Linear(squeezed * grid**2, width)

    def forward(self, features: Tensor) -> Tensor:
        """Map `(N, C, h, w)` to `(N, width)`."""
        vector: Tensor = self.output(F.adaptive_avg_pool2d(self.squeeze(features), self.grid).flatten(1))
        return vector


class TargetLayer(nn.Module):
    """One layer of the target network: a linear map whose weights and bias are other ones for each image.

    Args:
        inputs: Length of what goes in.
        outputs: Length of what comes out.
        channels: Channels of the hyper network's maps.
        dense: Whether the weights come from the pooled maps by a linear layer, instead of a convolution's places.
    """

    def __init__(self, inputs: int, outputs: int, channels: int, dense: bool = False) -> None:
        super().__init__()
        self.inputs, self.outputs = inputs, outputs
        self.weight: nn.Module
        if dense:
            self.weight = nn.Linear(channels, inputs * outputs)
        else:
            self.weight = nn.Conv2d(channels, inputs * outputs // GRID**2, 3, padding=1)
        self.bias = nn.Linear(channels, outputs)

    def forward(self, x: Tensor, maps: Tensor) -> Tensor:
        """Map each row by its own weights.

        Args:
            x: `(N, inputs)`.
            maps: Of the hyper network, `(N, channels, 7, 7)`.

        Returns:
            `(N, outputs)`.
        """
        weight, bias = self.weights(maps)
        return torch.einsum("noi,ni->no", weight, x) + bias

    def weights(self, maps: Tensor) -> tuple[Tensor, Tensor]:
        """Give each image's weight `(N, outputs, inputs)` and bias `(N, outputs)`; maps as in `forward`."""
        pooled = maps.mean((2, 3))
        weight = self.weight(pooled if isinstance(self.weight, nn.Linear) else maps)
        return weight.reshape(-1, self.outputs, self.inputs), self.bias(pooled)


class HyperIQA(Method):
    """Self-adaptive hyper network of Su, Yan, Zhu, Zhang, Ge, Sun and Zhang, CVPR 2020; from published facts.

    ```text
    v = [LDM₁(S₁), LDM₂(S₂), LDM₃(S₃), W GAP(S₄)]              content vector, 16 + 16 + 16 + 176
    H = relu(1×1 → 112)(relu(1×1 → 512)(relu(1×1 → 1024)(S₄)))   maps of 7×7 that understand the content
    Wₖ = reshape(3×3 convₖ(H)),  bₖ = FCₖ(GAP(H))               weights of the target network, one set an image
    q = W₅ σ(W₄ σ(W₃ σ(W₂ σ(W₁ v + b₁) + b₂) + b₃) + b₄) + b₅    224 → 112 → 56 → 28 → 14 → 1
    ```

    `S₁` to `S₄` are the stages of ResNet-50; `LDM` is a 1×1 convolution, an average over fields of 7×7 and a linear layer.

    Official code: SSL92/hyperIQA (MIT); not copied.

    Differs from the paper:
        - All layers learn throughout, along a cosine; in the official code the hyper layers learn in the first epoch alone.
        - Local distortion modules learn at the rate of the hyper network, since they start at random as it does.
        - The epoch is chosen on the validation part, and crops of the test lie on a fixed grid.
        - Pictures of other sizes than 224 are pooled to the places that a crop of 224 has.

    Args:
        backbone: Name of a timm model.
        weights: `timm` downloads ImageNet weights, a path reads a `.safetensors` file, `None` starts at random.
        same_padding: Pad as TensorFlow does, for weights that were trained so.
        levels: Four of timm's feature levels, shallow to deep; `None` takes the last four.
        frozen_statistics: Whether the backbone's normalisation layers keep their statistics while weights learn.

    Raises:
        ValueError: `levels` does not name four levels.
    """

    title = "HyperIQA"
    status = "published facts"
    paper = (
        "Su, Yan, Zhu, Zhang, Ge, Sun and Zhang, Blindly assess image quality in the wild guided by a self-adaptive hyper "
        "network, CVPR 2020"
    )
    differs = (
        "All layers learn throughout, along a cosine; in the official code the hyper layers learn in the first epoch alone.",
        "Local distortion modules learn at the rate of the hyper network, since they start at random as it does.",
        "The epoch is chosen on the validation part, and crops of the test lie on a fixed grid.",
        "Pictures of other sizes than 224 are pooled to the places that a crop of 224 has.",
    )

    def __init__(
        self,
        backbone: str = "resnet50",
        weights: str | None = None,
        same_padding: bool = False,
        levels: Sequence[int] | None = None,
        frozen_statistics: bool = False,
    ) -> None:
        super().__init__()
        self.backbone = Backbone(backbone, weights, levels, same_padding, frozen_statistics=frozen_statistics)
        if len(self.backbone.channels) != 4:
            raise ValueError(f"levels must name four levels of {backbone}; got {levels!r}")
        *shallow, deep = self.backbone.channels
        grids = [max(1, round(224 / (GRID * stride))) for stride in self.backbone.strides[:3]]  # 8, 4 and 2 for ResNet
        self.local = nn.ModuleList(
            LocalDistortion(channels, squeezed, grid)
            for channels, squeezed, grid in zip(shallow, (16, 32, 64), grids, strict=True)
        )
        self.content = nn.Linear(deep, 176)
        widths = (deep, 1024, 512, 112)
        layers = [(nn.Conv2d(a, b, 1), nn.ReLU()) for a, b in itertools.pairwise(widths)]
        self.hyper = nn.Sequential(*(layer for pair in layers for layer in pair))
        sizes = (3 * 16 + 176, 112, 56, 28, 14, 1)
        self.target = nn.ModuleList(TargetLayer(a, b, widths[-1], dense=b == 1) for a, b in itertools.pairwise(sizes))

    def forward(self, image: Tensor) -> Tensor:
        """Score images.

        Args:
            image: `(N, 3, h, w)` RGB in [0, 1].

        Returns:
            `(N,)` float32, higher is better, about 0 to 1.
        """
        return self.judge(*self.understand(image))

    def understand(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Give the content vector `(N, 224)` and the hyper network's maps `(N, 112, 7, 7)`; arguments as in `forward`."""
        *shallow, deep = self.backbone(self.backbone.normalise(image))
        vectors = [module(features) for module, features in zip(self.local, shallow, strict=True)]
        vectors.append(self.content(deep.mean((2, 3))))
        return torch.cat(vectors, 1), self.hyper(F.adaptive_avg_pool2d(deep, GRID))

    def judge(self, content: Tensor, maps: Tensor) -> Tensor:
        """Run each image's target network on its content vector; `(N,)` float32 from what `understand` gives."""
        with torch.autocast(content.device.type, enabled=False):  # half precision would leave few distinct scores
            x, maps = content.float(), maps.float()
            for layer in self.target[:-1]:
                x = torch.sigmoid(layer(x, maps))
            score: Tensor = self.target[-1](x, maps)
        return score[:, 0]

    def pretrained_parts(self) -> list[nn.Module]:
        """The backbone."""
        return [self.backbone]

    def start_at(self, quality: float) -> None:
        """Set the bias of the target network's last bias."""
        nn.init.constant_(cast(TargetLayer, self.target[-1]).bias.bias, quality)
