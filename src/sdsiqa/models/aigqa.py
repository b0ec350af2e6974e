"""AIGQA: what a generator takes away from an image guides its assessment (reconstruction)."""

from typing import Self

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - the usual name

from sdsiqa.models.aigqa_restoration import Generator
from sdsiqa.models.components.backbone import Backbone
from sdsiqa.models.components.heads import RegressionHead, pool
from sdsiqa.models.components.preprocessing import luma
from sdsiqa.models.components.similarity_maps import ssim_map
from sdsiqa.models.method import Method


class AIGQA(Method):
    """Active inference of Ma, Wu, Li, Dong, Xie and others, TIP 2021; a family reconstruction after its abstract.

    ```text
    p = clip(generator(x))                                  what the image was like, from the first stage; it stands still
    v_x, v_p, v_r = GAP trunk_x(x), GAP trunk_p(p), GAP trunk_r(|x − p|)     content, primary content, distortion
    v_s = GAP conv³(SSIM(x, p) at a quarter of the size)                      degradation of content by distortion
    q = w₂ᵀ drop(relu(W₁ [v_x; v_p; v_r; v_s]))                                512 units
    ```

    First stage: `Restoration`, by `RestorationLoss`, on pairs of distorted and undistorted pictures.

    Official code: none is known.

    Differs from the paper:
        - The architecture is not known: the mechanism follows the abstract, everything else is ours.
        - The generator learns from the pairs of a synthetic benchmark's training part, or Demo's; the paper's are not known.
        - The semantic term of its loss needs VGG-16's ImageNet weights, and is left out where the configuration names none.
        - Generator and discriminator take their steps at the same time, by one optimiser, not in turns.

    Args:
        backbone: Backbone of the three streams, in timm's naming.
        weights: `timm` downloads ImageNet weights, a path reads a `.safetensors` file, none starts at random.
        same_padding: Pad as TensorFlow does, for weights that were trained so.
        width: Channels of the generator's first level.
        head_dim: Width of the regression head.
        dropout: Share of its hidden units dropped in training.
        frozen_statistics: Whether the streams' normalisation layers keep their statistics while weights learn.
    """

    title = "AIGQA (reconstruction)"
    status = "family reconstruction"
    paper = "Ma, Wu, Li, Dong, Xie et al., Blind image quality assessment with active inference, TIP 30, 3650-3663, 2021"
    differs = (
        "The architecture is not known: the mechanism follows the abstract, everything else is ours.",
        "The generator learns from the pairs of a synthetic benchmark's training part, or Demo's; the paper's are not known.",
        "The semantic term of its loss needs VGG-16's ImageNet weights, and is left out where the configuration names none.",
        "Generator and discriminator take their steps at the same time, by one optimiser, not in turns.",
    )
    stage_one = ("generator",)

    def __init__(
        self,
        backbone: str = "resnet18",
        weights: str | None = None,
        same_padding: bool = False,
        width: int = 64,
        head_dim: int = 512,
        dropout: float = 0.5,
        frozen_statistics: bool = False,
    ) -> None:
        super().__init__()
        self.generator = Generator(width).requires_grad_(False)
        self.streams = nn.ModuleList(
            Backbone(backbone, weights, [-1], same_padding, frozen_statistics=frozen_statistics) for _ in range(3)
        )
        layers: list[nn.Module] = []
        for before, after in ((1, 16), (16, 32), (32, 64)):
            layers += [nn.Conv2d(before, after, 3, padding=1), nn.ReLU()]
        self.degradation = nn.Sequential(*layers)
        features = sum(stream.channels[0] for stream in self.streams if isinstance(stream, Backbone))
        self.head = RegressionHead(features + 64, head_dim, dropout)
        self.train()  # Lightning trains in the modes that it finds, so the generator must stand still from the start

    def forward(self, image: Tensor) -> Tensor:
        """Score images.

        Args:
            image: `(N, 3, h, w)` RGB in [0, 1].

        Returns:
            `(N,)` float32, higher is better, about 0 to 1.
        """
        restored, residual, likeness = self.infer(image)
        vectors = []
        for stream, picture in zip(self.streams, (image, restored, residual), strict=True):
            (deep,) = stream(stream.normalise(picture))  # type: ignore[operator]
            vectors.append(pool(deep, deep, "avg"))
        seen = self.degradation(likeness)
        score: Tensor = self.head(torch.cat([*vectors, pool(seen, seen, "avg")], 1))
        return score

    def infer(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Give what the streams see besides the image.

        Args:
            image: As in `forward`.

        Returns:
            The restored picture and its absolute difference to the image, `(N, 3, h, w)` both in [0, 1], and the map of their
            structural similarity at a quarter of the size, `(N, 1, h/4, w/4)`.
        """
        restored = self.generator(image).clamp(0, 1)
        return restored, (image - restored).abs(), F.avg_pool2d(ssim_map(luma(image), luma(restored)), 4)

    def train(self, mode: bool = True) -> Self:
        """Switch to training, except for the generator."""
        super().train(mode)
        self.generator.eval()
        return self

    def pretrained_parts(self) -> list[nn.Module]:
        """The three backbones; the generator does not learn any more."""
        return list(self.streams)

    def start_at(self, quality: float) -> None:
        """Set the last bias."""
        self.head.start_at(quality)
