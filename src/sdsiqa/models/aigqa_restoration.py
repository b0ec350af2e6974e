"""First stage of AIGQA: a generator that restores what an image was like before it was distorted (reconstruction)."""

from typing import Any, cast

from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional as F  # noqa: N812 - the usual name

from sdsiqa.models.base import QualityNetwork
from sdsiqa.models.components.backbone import Backbone
from sdsiqa.models.components.preprocessing import luma
from sdsiqa.models.components.similarity_maps import ssim_map
from sdsiqa.models.components.unet import UNet
from sdsiqa.models.objective import Crops, Objective

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
    not matter whether real or restored pictures pass first.

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
    """What the generator learns: to come near the reference in value, structure and meaning, and to look real.

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
        weights: `timm` downloads ImageNet weights, a path reads a `.safetensors` file; none leaves the term with `φ` out.
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
