"""DB-CNN: a network trained on distortions and one trained on contents, pooled bilinearly."""

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - the usual name

from sdsiqa.errors import BenchmarkMismatchError
from sdsiqa.models.base import Method, QualityNetwork
from sdsiqa.models.components.backbone import Backbone
from sdsiqa.models.objective import Crops, Objective
from sdsiqa.runs.ranges import check_counts

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Of ImageNet's colours in [0, 1]: what the authors' code normalises by, for both networks."""


class SCNN(nn.Sequential):
    """The network for synthetic distortions: nine convolutions 3×3 with batch normalisation and ReLU.

    Maps `(N, 3, h, w)` in [0, 1] to `(N, 128, h/16, w/16)`, rounded up. Colours are normalised by ImageNet's mean and
    deviation first, as in the authors' code, whatever the other backbone wants.
    """

    SHAPE = ((48, 1), (48, 2), (64, 1), (64, 2), (64, 1), (64, 2), (128, 1), (128, 1), (128, 2))
    """Channels and stride of each convolution."""

    def __init__(self) -> None:
        layers: list[nn.Module] = []
        before = 3
        for channels, stride in self.SHAPE:
            layers += [nn.Conv2d(before, channels, 3, stride, 1, bias=False), nn.BatchNorm2d(channels), nn.ReLU(inplace=True)]
            before = channels
        super().__init__(*layers)
        self.register_buffer("mean", torch.tensor(MEAN).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(STD).view(1, 3, 1, 1), persistent=False)
        self.mean: Tensor
        self.std: Tensor

    def forward(self, image: Tensor) -> Tensor:
        """Compute the features; argument and value as above."""
        features = (image - self.mean) / self.std
        for layer in self:
            features = layer(features)
        return features


class DistortionClassifier(QualityNetwork):
    """First stage of DB-CNN: tells type and level of a distortion. Its score is minus the level that it expects.

    Args:
        types: Most types that a benchmark may have; classes that never occur cost nothing and learn to be improbable.
        levels: Most levels, counted from 1.
    """

    def __init__(self, types: int = 25, levels: int = 5) -> None:
        super().__init__()
        check_counts(types=types, levels=levels)
        self.types, self.levels = types, levels
        self.scnn = SCNN()
        self.head = nn.Sequential(
            *(nn.AdaptiveAvgPool2d(1), nn.Conv2d(128, 256, 1, bias=False), nn.BatchNorm2d(256), nn.ReLU(inplace=True)),
            *(nn.Conv2d(256, 256, 1, bias=False), nn.BatchNorm2d(256), nn.ReLU(inplace=True), nn.Flatten()),
            nn.Linear(256, types * levels),
        )

    def logits(self, image: Tensor) -> Tensor:
        """Give `(N, types · levels)`, the levels of a type side by side; argument as in `forward`."""
        return cast(Tensor, self.head(self.scnn(image)))

    def forward(self, image: Tensor) -> Tensor:
        """Give minus the expected level.

        Args:
            image: `(N, 3, h, w)` RGB in [0, 1].

        Returns:
            `(N,)` float32, from −levels to −1.
        """
        share = self.logits(image).float().softmax(1).reshape(-1, self.types, self.levels).sum(1)  # (N, levels)
        expected: Tensor = (share * torch.arange(1, self.levels + 1, device=share.device)).sum(1)
        return -expected

    def pretrained_parts(self) -> list[nn.Module]:
        """None: it starts at random."""
        return []


class DistortionClasses(Objective):
    """Cross-entropy of the class that type and level make, `type · levels + level − 1`."""

    inputs = ("distortion", "level")

    def forward(self, network: QualityNetwork, crops: Crops) -> Tensor:
        """Give the loss.

        Args:
            network: A `DistortionClassifier`.
            crops: With `distortion` and `level`.

        Raises:
            BenchmarkMismatchError: The benchmark has more types or levels than the network has classes.
        """
        classifier = cast(DistortionClassifier, network)
        kind, level = crops["distortion"], crops["level"]
        if int(kind.max()) >= classifier.types or int(level.max()) > classifier.levels or int(level.min()) < 1:
            raise BenchmarkMismatchError(
                f"the network has classes for {classifier.types} types and levels 1 to {classifier.levels}; this benchmark has "
                f"{int(kind.max()) + 1} types or more, levels {int(level.min())} to {int(level.max())}; raise types and levels"
            )
        return F.cross_entropy(classifier.logits(crops["image"]).float(), kind * classifier.levels + level - 1)


class DBCNN(Method):
    """Deep bilinear network of Zhang, Ma, Yan, Deng and Wang, TCSVT 2020; reimplemented from published facts.

    ```text
    X₁ = vgg16(x)   (512 × HW), ReLU5_3 of VGG16: content, from ImageNet
    X₂ = S-CNN(x)   (128 × HW), resized to the grid of X₁ where it differs: distortion, from the first stage
    B  = X₁ X₂ᵀ / HW,   b = sqrt(B + 1e-8),   q = wᵀ b / ‖b‖ + c
    ```

    Trained in two steps: `w` and `c` alone (`model.frozen_fraction`), then everything. First stage: `DistortionClassifier`.

    Official code: zwx8981/DBCNN and DBCNN-PyTorch (MIT), not used.

    Differs from the paper:
        - The first stage learns from the distortions and levels of a benchmark's training part, from Demo, or from a folder
          of photographs with the paper's nine types, not from Waterloo Exploration and PASCAL VOC.
        - Training sees crops of 224 pixels, unless `data.crop` says otherwise; the paper 432 on LIVE, 448 on LIVEC, and whole
          images of CSIQ and TID2013. Scores are of whole images, as in the paper.
        - Over- and underexposure have five levels, not two.
        - One AdamW with a tenth of the rate for both backbones, for labels in [0, 1]; the paper steps `w` by SGD, then all by
          Adam.
        - The epoch is chosen on the validation part.
        - A ReLU comes before the pooling if features of the backbone may be negative.

    Args:
        backbone: Backbone for content, in timm's naming.
        weights: `timm` downloads ImageNet weights, a path reads a `.safetensors` file, `None` starts at random.
        same_padding: Pad as TensorFlow does, for weights that were trained so.
        level: Which of timm's feature levels; `None` takes the last convolution: −2 of a VGG (ReLU5_3 of VGG16), whose last level
            is pooled, and −1 of others.
        frozen_statistics: Whether the backbone's normalisation layers keep their statistics while weights learn.
    """

    whole = True
    title = "DB-CNN"
    status = "published facts"
    paper = (
        "Zhang, Ma, Yan, Deng and Wang, Blind image quality assessment using a deep bilinear convolutional neural network, "
        "TCSVT 2020"
    )
    differs = (
        "The first stage learns from the distortions and levels of a benchmark's training part, from Demo, or from a folder of "
        "photographs with the paper's nine types, not from Waterloo Exploration and PASCAL VOC.",
        "Training sees crops of 224 pixels, unless `data.crop` says otherwise; the paper 432 on LIVE, 448 on LIVEC, and whole "
        "images of CSIQ and TID2013. Scores are of whole images, as in the paper.",
        "Over- and underexposure have five levels, not two.",
        "One AdamW with a tenth of the rate for both backbones, for labels in [0, 1]; the paper steps the last layer by "
        "SGD, then all by Adam.",
        "The epoch is chosen on the validation part.",
        "A ReLU comes before the pooling if features of the backbone may be negative.",
    )
    stage_one = ("scnn",)

    def __init__(
        self,
        backbone: str = "vgg16",
        weights: str | None = None,
        same_padding: bool = False,
        level: int | None = None,
        frozen_statistics: bool = False,
    ) -> None:
        super().__init__()
        if level is None:
            level = -2 if backbone.startswith("vgg") else -1
        self.body = Backbone(backbone, weights, [level], same_padding, frozen_statistics=frozen_statistics)
        self.scnn = SCNN()
        self.output = nn.Linear(self.body.channels[0] * 128, 1)

    def forward(self, image: Tensor) -> Tensor:
        """Score images.

        Args:
            image: `(N, 3, h, w)` RGB in [0, 1].

        Returns:
            `(N,)` float32, higher is better, about 0 to 1.
        """
        (content,) = self.body(self.body.normalise(image))
        distortion = self.scnn(image)
        with torch.autocast(image.device.type, enabled=False):
            pooled = bilinear(F.relu(content.float()), distortion.float())
            score: Tensor = self.output(F.normalize(pooled))
        return score[:, 0]

    def pretrained_parts(self) -> list[nn.Module]:
        """Both backbones: from ImageNet, and from the first stage."""
        return [self.body, self.scnn]

    def start_at(self, quality: float) -> None:
        """Set the last bias."""
        nn.init.constant_(self.output.bias, quality)


def bilinear(content: Tensor, distortion: Tensor) -> Tensor:
    """Pool two maps by the mean over places of the outer products of their features, and take the root.

    Args:
        content: `(N, C, h, w)`, not negative.
        distortion: `(N, D, k, l)`, not negative; resized to `(h, w)` where it differs.

    Returns:
        `(N, C·D)`.
    """
    if distortion.shape[2:] != content.shape[2:]:
        distortion = F.interpolate(distortion, (content.shape[2], content.shape[3]), mode="bilinear", align_corners=False)
    places = content.shape[2] * content.shape[3]
    product = content.flatten(2) @ distortion.flatten(2).transpose(1, 2) / places  # (N, C, D)
    return (product + 1e-8).sqrt().flatten(1)
