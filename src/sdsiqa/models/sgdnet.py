"""SGDNet: a quality network with saliency prediction as a side task."""

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - the usual name

from sdsiqa.losses import L1, QualityLoss
from sdsiqa.models.base import Method, QualityNetwork
from sdsiqa.models.components.backbone import Backbone
from sdsiqa.models.components.heads import pool
from sdsiqa.models.objective import Crops, Objective
from sdsiqa.runs.ranges import check_counts, check_numbers, check_shares


def total_variation(one: Tensor, other: Tensor) -> Tensor:
    """Give the total variation distance of maps, each divided by its sum: `½ Σ |P − Q|` in [0, 1].

    Args:
        one: `(N, 1, h, w)`, not negative. A map of zeros counts as one without any mass.
        other: As `one`.

    Returns:
        `(N,)`.
    """
    one, other = (x / x.sum((2, 3), keepdim=True).clamp_min(1e-8) for x in (one.float(), other.float()))
    return (one - other).abs().sum((1, 2, 3)) / 2


class SGDNet(Method):
    """Saliency-guided deep network of Yang, Jiang, Lin and Wang, ACM MM 2019; reimplemented from published facts.

    ```text
    f = relu(conv1×1-512(backbone(x)))          last level of the backbone, no bias
    f_c = f ⊙ σ(W₂ relu(W₁ GAP(f)))           squeeze and excitation, 512 → 128 → 512
    s = relu(conv1×1-1(f))                   saliency, no bias; the side task's output, or a given map on the grid of f
    f_m = f_c ⊙ s
    q = w₃ᵀ relu(W₂ drop(relu(W₁ GAP(f_m))))   1024 and 1024 units
    loss = |q − y| / (1 + α) + α TV(s, map) / (1 + α),  α = ¼    (`SaliencyTask`)
    ```

    Official code: ysyscool/SGDNet, without a licence; not copied.

    Differs from the paper:
        - The side task's target is the map of the configured saliency source; the paper's is DINet's.
        - Training sees square crops, flipped half of the time; the paper whole images of one size, not flipped. Scores are of
          whole images, in their own size unless `size` gives the paper's.
        - Colours are normalised as the backbone's weights expect, not by Caffe's mean.
        - The learning rate follows a cosine over a fixed number of epochs, chosen on the validation part; the official code
          lets the test part decide all three.
        - The saliency convolution starts with weights that are not negative: one that starts below zero everywhere is lost.

    Args:
        backbone: Name of a timm model.
        weights: `timm` downloads ImageNet weights, a path reads a `.safetensors` file, `None` starts at random.
        same_padding: Pad as TensorFlow does, for weights that were trained so.
        saliency: Whether the network puts out the map, is given it as an input, or does without.
        size: Height and width that every picture is stretched to first (bilinear, antialiased), whatever its shape: the
            paper's LIVE is [512, 768], LIVEC [500, 500], TID2013 and KonIQ-10k [384, 512], CSIQ [512, 512]; `None` leaves
            pictures alone.
        features: Channels after the first 1×1 convolution.
        head_dim: Units of both hidden layers.
        dropout: Share of the first hidden layer's units dropped in training.
        frozen_statistics: Whether the backbone's normalisation layers keep their statistics while weights learn.

    Raises:
        ValueError: `size`, `features`, `head_dim` or `dropout` is out of range.
    """

    whole = True
    title = "SGDNet"
    status = "published facts"
    paper = (
        "Yang, Jiang, Lin and Wang, SGDNet: an end-to-end saliency-guided deep neural network for no-reference image quality "
        "assessment, ACM MM 2019"
    )
    differs = (
        "The side task's target is the map of the configured saliency source; the paper's is DINet's.",
        "Training sees square crops, flipped half of the time; the paper whole images of one size, not flipped. Scores are of "
        "whole images, in their own size unless `size` gives the paper's.",
        "Colours are normalised as the backbone's weights expect, not by Caffe's mean.",
        "The learning rate follows a cosine over a fixed number of epochs, chosen on the validation part; the official code "
        "lets the test part decide all three.",
        "The saliency convolution starts with weights that are not negative: one that starts below zero everywhere is lost.",
    )
    inputs: tuple[str, ...] = ("image",)  # type: ignore[misc]

    def __init__(
        self,
        backbone: str = "resnet50",
        weights: str | None = None,
        same_padding: bool = False,
        saliency: Literal["output", "input", "none"] = "output",
        size: tuple[int, int] | None = None,
        features: int = 512,
        head_dim: int = 1024,
        dropout: float = 0.5,
        frozen_statistics: bool = False,
    ) -> None:
        super().__init__()
        check_counts(features=features, head_dim=head_dim)
        check_shares(dropout=dropout)
        if size is not None and min(size) < 1:
            raise ValueError(f"size is {list(size)}; expected height and width in pixels, or null")
        self.saliency, self.size = saliency, size
        if saliency == "input":
            self.inputs = ("image", "saliency")
        self.backbone = Backbone(backbone, weights, [-1], same_padding, frozen_statistics=frozen_statistics)
        self.reduce = nn.Conv2d(self.backbone.channels[0], features, 1, bias=False)
        self.excite = nn.Sequential(
            nn.Linear(features, features // 4), nn.ReLU(), nn.Linear(features // 4, features), nn.Sigmoid()
        )
        self.look: nn.Conv2d | None = None
        if saliency == "output":
            self.look = nn.Conv2d(features, 1, 1, bias=False)
            with torch.no_grad():
                self.look.weight.abs_()
        self.hidden = nn.Sequential(
            nn.Linear(features, head_dim), nn.ReLU(), nn.Dropout(dropout), nn.Linear(head_dim, head_dim), nn.ReLU()
        )
        self.output = nn.Linear(head_dim, 1)

    def forward(self, image: Tensor, saliency: Tensor | None = None) -> Tensor:
        """Score images.

        Args:
            image: `(N, 3, h, w)` RGB in [0, 1].
            saliency: `(N, 1, h, w)` in [0, 1], if it is an input.

        Returns:
            `(N,)` float32, higher is better, about 0 to 1.
        """
        return self.score_and_map(image, saliency)[0]

    def score_and_map(self, image: Tensor, saliency: Tensor | None = None) -> tuple[Tensor, Tensor | None]:
        """Give scores `(N,)` and the map `(N, 1, h, w)` on the backbone's grid, none without one; arguments as in `forward`."""
        weighed, where = self.features(image, saliency)
        pooled = pool(weighed if where is None else weighed * where, weighed, "avg")
        with torch.autocast(image.device.type, enabled=False):  # half precision would leave few distinct scores
            score: Tensor = self.output(self.hidden(pooled.float()))
        return score[:, 0], where

    def features(self, image: Tensor, saliency: Tensor | None = None) -> tuple[Tensor, Tensor | None]:
        """Give `f_c` `(N, C, h, w)` and the map that will multiply it, as in `score_and_map`."""
        (deep,) = self.backbone(self.backbone.normalise(self.stretch(image)))
        features = torch.relu(self.reduce(deep))
        weighed = features * self.excite(features.mean((2, 3)))[:, :, None, None]
        if self.look is not None:
            return weighed, torch.relu(self.look(features))
        if saliency is None:
            return weighed, None
        return weighed, on_grid(self.stretch(saliency), features)

    def stretch(self, picture: Tensor) -> Tensor:
        """Bring a picture `(N, C, h, w)` to the configured size."""
        if self.size is None or picture.shape[-2:] == torch.Size(self.size):
            return picture
        return F.interpolate(picture, tuple(self.size), mode="bilinear", align_corners=False, antialias=True)

    def pretrained_parts(self) -> list[nn.Module]:
        """The backbone."""
        return [self.backbone]

    def start_at(self, quality: float) -> None:
        """Set the last bias."""
        nn.init.constant_(self.output.bias, quality)


def on_grid(saliency: Tensor, features: Tensor) -> Tensor:
    """Average a map `(N, 1, H, W)` over the fields of a feature map `(N, C, h, w)`: `(N, 1, h, w)`."""
    return F.adaptive_avg_pool2d(saliency, (features.shape[-2], features.shape[-1]))


class SaliencyTask(Objective):
    """Scores, and on the side the map that `SGDNet` puts out: `(L + α TV) / (1 + α)`.

    Args:
        loss: `L`, over scores; `None` is `L1`.
        alpha: Weight of the total variation distance between the put out and the given map.
    """

    inputs = ("saliency",)

    def __init__(self, loss: QualityLoss | None = None, alpha: float = 0.25) -> None:
        super().__init__()
        check_numbers(0, alpha=alpha)
        self.loss, self.alpha = L1() if loss is None else loss, alpha

    def forward(self, network: QualityNetwork, crops: Crops) -> Tensor:
        """Give the loss.

        Raises:
            ValueError: The network puts out no map.
        """
        if not isinstance(network, SGDNet) or network.saliency != "output":
            raise ValueError(
                f"this {type(network).__name__} puts out no map to learn; set its saliency to output, or the model's objective "
                "to null"
            )
        score, where = network.score_and_map(crops["image"])
        if where is None:
            raise AssertionError("a network that puts out a map gives it")
        quality = crops["quality"]
        if self.loss.compares:
            score, quality = self.gather(score), self.gather(quality)
        side = total_variation(where, on_grid(crops["saliency"], where)).mean()
        total: Tensor = (self.loss(score, quality) + self.alpha * side) / (1 + self.alpha)
        return total
