"""AIGQA: a generator restores the image, and the difference guides the score (reconstruction)."""

from typing import Any, Self, cast

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional as F  # noqa: N812 - the usual name

from sdsiqa.models.base import Method, QualityNetwork
from sdsiqa.models.components.backbone import Backbone
from sdsiqa.models.components.heads import RegressionHead, pool
from sdsiqa.models.components.preprocessing import luma
from sdsiqa.models.components.similarity_maps import ssim_map
from sdsiqa.models.components.unet import UNet
from sdsiqa.models.objective import Crops, Objective
from sdsiqa.runs.ranges import check_counts, check_numbers, check_shares

DEPTH = 5
"""Levels of the generator."""


class Generator(UNet):
    """Predicts the undistorted image: the image and a correction, which starts at zero.

    Maps `(N, 3, h, w)` in [0, 1] to `(N, 3, h, w)`, about in [0, 1].

    Args:
        width: Channels of the first of five levels; the others double it.
    """

    def __init__(self, width: int = 64) -> None:
        super().__init__(3, 3, width, DEPTH)
        nn.init.zeros_(self.output.weight)
        nn.init.zeros_(cast(Tensor, self.output.bias))

    def forward(self, x: Tensor) -> Tensor:
        """Predict the undistorted image."""
        return x + super().forward(x)


class Restoration(QualityNetwork):
    """First stage of AIGQA: the generator alone. Its score is minus the mean absolute correction.

    Args:
        width: As of `Generator`.
    """

    def __init__(self, width: int = 64) -> None:
        super().__init__()
        check_counts(width=width)
        self.generator = Generator(width)

    def forward(self, image: Tensor) -> Tensor:
        """Score images.

        Args:
            image: `(N, 3, h, w)` RGB in [0, 1].

        Returns:
            `(N,)` float32, at most 0.
        """
        correction: Tensor = self.generator(image) - image
        return -correction.float().abs().mean((1, 2, 3))

    def pretrained_parts(self) -> list[nn.Module]:
        """None: it starts at random."""
        return []


class PatchDiscriminator(nn.Sequential):
    """Tells, field by field of 70×70 pixels, whether a picture is real [Isola et al., CVPR 2017].

    Maps `(N, 3, h, w)` to `(N, 1, k, l)`, above zero for real. Instance normalisation keeps no statistics, so that it does
    not matter whether real or restored pictures come first.

    Args:
        width: Channels of the first layer.
    """

    def __init__(self, width: int = 64) -> None:
        layers: list[nn.Module] = [nn.Conv2d(3, width, 4, 2, 1), nn.LeakyReLU(0.2)]
        for factor, stride in ((2, 2), (4, 2), (8, 1)):
            before, after = width * factor // 2, width * factor
            layers += [nn.Conv2d(before, after, 4, stride, 1), nn.InstanceNorm2d(after), nn.LeakyReLU(0.2)]
        super().__init__(*layers, nn.Conv2d(8 * width, 1, 4, 1, 1))


class RestorationLoss(Objective):
    """The loss of the generator: differences to the reference in value, structure and features, and an adversarial term.

    ```text
    |p − r| + λ_s (1 − SSIM(p, r)) + λ_m |φ(p) − φ(r)| − λ_a D'(p) + ½ [max(0, 1 − D(r)) + max(0, 1 + D(p'))]
    ```

    `φ` is VGG-16 up to relu3_3, from ImageNet. `D'` is the discriminator with its weights held, and `p'` the restored picture
    without its gradient: so the one optimiser takes generator and discriminator a step at the same time, not in turns.

    Args:
        structure: `λ_s`.
        semantics: `λ_m`.
        adversarial: `λ_a`; 0 leaves the last two terms out.
        backbone: `φ`, in timm's naming.
        level: Which of its feature levels; 2 of VGG-16 is relu3_3.
        weights: `timm` downloads ImageNet weights, a path reads a `.safetensors` file; `None` leaves the term with `φ` out.
        discriminator: Channels of the discriminator's first layer.
    """

    inputs = ("reference",)

    def __init__(
        self,
        structure: float = 0.1,
        semantics: float = 0.01,
        adversarial: float = 1e-3,
        backbone: str = "vgg16",
        level: int = 2,
        weights: str | None = None,
        discriminator: int = 64,
    ) -> None:
        super().__init__()
        check_numbers(0, structure=structure, semantics=semantics, adversarial=adversarial)
        check_counts(discriminator=discriminator)
        self.structure, self.semantics, self.adversarial = structure, semantics, adversarial
        self.body = None if weights is None or semantics == 0 else Backbone(backbone, weights, [level], frozen=True)
        self.discriminator = PatchDiscriminator(discriminator) if adversarial else None

    def load_pretrained(self) -> None:
        """Load the weights of `φ`."""
        if self.body is not None:
            self.body.load_pretrained()

    def forward(self, network: QualityNetwork, crops: Crops) -> Tensor:
        """Give the loss of a network with a `generator`."""
        reference = crops["reference"]
        restored: Tensor = cast(Any, network).generator(crops["image"])
        alike = ssim_map(luma(reference), luma(restored)).mean()
        loss = F.l1_loss(restored, reference) + self.structure * (1 - alike)
        if self.body is not None:
            (found,), (expected,) = (self.body(self.body.normalise(picture)) for picture in (restored, reference))
            loss = loss + self.semantics * F.l1_loss(found, expected)
        if self.discriminator is not None:
            loss = loss + self._adversarial(self.discriminator, restored, reference)
        return loss

    def _adversarial(self, discriminator: nn.Module, restored: Tensor, reference: Tensor) -> Tensor:
        held = {name: weight.detach() for name, weight in discriminator.named_parameters()}
        seems: Tensor = functional_call(discriminator, held, (restored,))
        real, fake = discriminator(reference), discriminator(restored.detach())
        return (F.relu(1 - real).mean() + F.relu(1 + fake).mean()) / 2 - self.adversarial * seems.mean()


class AIGQA(Method):
    """Active inference of Ma, Wu, Li, Dong, Xie and others, TIP 2021; a family reconstruction after its abstract.

    ```text
    p = clip(generator(x))                                  the restored image, from the first stage; frozen
    v_x, v_p, v_r = GAP CNN_x(x), GAP CNN_p(p), GAP CNN_r(|x − p|)     content, primary content, distortion
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
        weights: `timm` downloads ImageNet weights, a path reads a `.safetensors` file, `None` starts at random.
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
        check_counts(width=width, head_dim=head_dim)
        check_shares(dropout=dropout)
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
        self.train()  # Lightning trains in the modes that it finds, so the generator must be frozen from the start

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
