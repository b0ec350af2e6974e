"""SDS-IQA: a saliency branch guides an image branch (reconstruction from the abstract)."""

from collections.abc import Sequence
from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn

from sdsiqa.models.base import QualityNetwork
from sdsiqa.models.components.attention import SpatialAttention, Strengthen, strengthen
from sdsiqa.models.components.backbone import Trunk
from sdsiqa.models.components.gates import GCT, GateName, LevelFusion
from sdsiqa.models.components.heads import LinearPath, Pool, RegressionHead, pool


class Levels(NamedTuple):
    """What the branches give, one entry a level.

    Attributes:
        image: Features of the image branch `(N, C, h, w)` after guidance; empty without that branch.
        saliency: Features of the saliency branch `(N, C, h, w)` after its own attention; empty without that branch.
        guides: Spatial attention `(N, 1, h, w)` in (0, 1); empty without the saliency branch.
    """

    image: list[Tensor]
    saliency: list[Tensor]
    guides: list[Tensor]


class SDSIQA(QualityNetwork):
    """Saliency-map-based dual-stream image quality assessment; a reconstruction from the paper's abstract.

    Shi, Kang, Wang, Xiao and Luo, Journal of Tianjin University (Science and Technology) 58(2), 2025, 189-198. The paper
    states: two branches over several levels; spatial attention in the saliency branch, whose weights strengthen the image
    branch; gated attention between channels in the fusion. The rest is our choice: see `docs/method.md`.

    Args:
        backbone: Backbone of both branches, in timm's naming.
        weights: `timm` downloads ImageNet weights, a path reads a `.safetensors` file, none starts at random.
        same_padding: Pad as TensorFlow does, for weights that were trained so.
        levels: Which of timm's feature levels, shallow to deep; none takes the last four.
        streams: Both branches, or one of them alone.
        shared_trunk: Whether both branches share their weights.
        saliency_input: What the saliency branch sees: the normalised image times the map, the map alone, or both.
        saliency_floor: Weight in [0, 1] that places without saliency keep; none is 0.2 for `product` and 0 otherwise.
        saliency_power: Power of the map before the floor is laid under it; above 1 narrows what is salient.
        attention_kernel: Side of the spatial attention's convolution.
        self_attention: How spatial attention acts on the saliency branch itself.
        guidance: How it acts on the image branch; `centered` is the identity at the start, which frozen statistics need.
        propagate: Whether the next level sees strengthened features; needs a backbone of stages, not of patches.
        gate: How channels are weighed in the fusion.
        join: How the branches meet in a level: side by side, or multiplied.
        proj_dim: Channels of a fused level.
        pool: How a fused level becomes a vector.
        head_dim: Width of the regression head.
        dropout: Share of its hidden units dropped in training.
        linear_path: Whether a linear map of all levels' mean and standard deviation is added to the score; ridge
            regression can solve for it before training (`model.ridge_start`), and the fused path then starts at zero.
        frozen: Branches that do not learn.
        frozen_statistics: Whether the backbones' normalisation layers keep their statistics while weights learn.
    """

    inputs: tuple[str, ...] = ("image", "saliency")  # type: ignore[misc]

    def __init__(
        self,
        backbone: str = "resnet50",
        weights: str | None = None,
        same_padding: bool = False,
        levels: Sequence[int] | None = None,
        streams: Literal["both", "image", "saliency"] = "both",
        shared_trunk: bool = False,
        saliency_input: Literal["product", "map", "concat"] = "product",
        saliency_floor: float | None = None,
        saliency_power: float = 1.0,
        attention_kernel: int = 7,
        self_attention: Strengthen = "residual",
        guidance: Strengthen = "residual",
        propagate: bool = True,
        gate: GateName = "gct",
        join: Literal["concat", "product"] = "concat",
        proj_dim: int = 256,
        pool: Pool = "avg",
        head_dim: int = 512,
        dropout: float = 0.5,
        linear_path: bool = False,
        frozen: Literal["none", "image", "saliency", "both"] = "none",
        frozen_statistics: bool = False,
    ) -> None:
        super().__init__()
        if shared_trunk and (saliency_input == "concat" or streams != "both"):
            raise ValueError(
                f"shared_trunk needs both streams and three input channels; got streams {streams!r} and saliency_input "
                f"{saliency_input!r}; set shared_trunk to false"
            )
        self.saliency_input, self.join, self.pool = saliency_input, join, pool
        self.self_attention, self.guidance, self.propagate = self_attention, guidance, propagate
        self.saliency_floor = saliency_floor if saliency_floor is not None else 0.2 * (saliency_input == "product")
        self.saliency_power = saliency_power
        if not (0 <= self.saliency_floor <= 1 and saliency_power > 0):
            raise ValueError(
                f"saliency_floor must lie in [0, 1] and saliency_power above 0; got {saliency_floor!r} and {saliency_power!r}"
            )
        if streams == "image" and pool != "saliency":
            self.inputs = ("image",)
        self.image_branch: Trunk | None = None
        self.saliency_branch: Trunk | None = None
        if streams != "saliency":
            self.image_branch = Trunk(backbone, weights, levels, same_padding, 3, frozen in ("image", "both"), frozen_statistics)
        if streams != "image":
            seen = 4 if saliency_input == "concat" else 3
            self.saliency_branch = (
                self.image_branch
                if shared_trunk
                else Trunk(backbone, weights, levels, same_padding, seen, frozen in ("saliency", "both"), frozen_statistics)
            )
        trunk = self.image_branch or self.saliency_branch
        if trunk is None:
            raise AssertionError("one of the streams is there")
        if propagate and not trunk.staged:
            raise ValueError(f"{backbone} cannot be entered between its levels; set propagate to false")
        count = len(trunk.channels)
        self.attention = nn.ModuleList(
            SpatialAttention(attention_kernel) for _ in range(count if self.saliency_branch is not None else 0)
        )
        branches = 2 if streams == "both" else 1
        joined = [c * (branches if join == "concat" else 1) for c in trunk.channels]
        self.fusion = nn.ModuleList(LevelFusion(c, proj_dim, gate) for c in joined)
        pooled = proj_dim * (2 if pool in ("avgmax", "meanstd") else 1)
        self.head = RegressionHead(count * pooled, head_dim, dropout)
        self.linear_path = LinearPath(trunk.channels * branches) if linear_path else None
        if linear_path:
            nn.init.zeros_(self.head.output.weight)
            nn.init.zeros_(self.head.output.bias)

    def forward(self, image: Tensor, saliency: Tensor | None = None) -> Tensor:
        """Score images.

        Args:
            image: `(N, 3, h, w)` RGB in [0, 1].
            saliency: `(N, 1, h, w)` in [0, 1]; not needed by the image branch alone.

        Returns:
            `(N,)` float32, higher is better, about 0 to 1.
        """
        saliency = image.new_ones(1, 1, 1, 1) if saliency is None else saliency
        levels = self.branches(image, saliency)
        pooled = [
            pool(fusion(joined), saliency, self.pool) for fusion, joined in zip(self.fusion, self.joined(levels), strict=True)
        ]
        score: Tensor = self.head(torch.cat(pooled, 1))
        if self.linear_path is not None:
            score = score + self.linear_path([*levels.image, *levels.saliency])
        return score

    def branches(self, image: Tensor, saliency: Tensor) -> Levels:
        """Run both branches; arguments as in `forward`."""
        guides: list[Tensor] = []
        seen: list[Tensor] = []
        if self.saliency_branch is not None:

            def look(level: int, features: Tensor) -> Tensor:
                guides.append(self.attention[level](features))
                return strengthen(features, guides[level], self.self_attention)

            seen = self.saliency_branch(self.saliency_view(image, saliency), look, self.propagate)
        features: list[Tensor] = []
        if self.image_branch is not None:

            def guide(level: int, features: Tensor) -> Tensor:
                return strengthen(features, guides[level], self.guidance) if guides else features

            features = self.image_branch(self.image_branch.normalise(image), guide, self.propagate)
        return Levels(features, seen, guides)

    def saliency_view(self, image: Tensor, saliency: Tensor) -> Tensor:
        """Make what the saliency branch sees: `(N, 3 or 4, h, w)`; arguments as in `forward`."""
        if self.saliency_branch is None:
            raise AssertionError("there is a saliency branch")
        if self.saliency_power != 1:
            saliency = saliency**self.saliency_power
        saliency = self.saliency_floor + (1 - self.saliency_floor) * saliency
        if self.saliency_input == "map":
            return self.saliency_branch.normalise(saliency.expand(-1, 3, -1, -1))
        normal = self.saliency_branch.normalise(image)
        if self.saliency_input == "product":
            return normal * saliency
        return torch.cat([normal, 2 * saliency - 1], 1)

    def joined(self, levels: Levels) -> list[Tensor]:
        """Join the branches level by level: `(N, C or 2C, h, w)` each."""
        if not levels.saliency or not levels.image:
            return levels.image or levels.saliency
        pairs = zip(levels.image, levels.saliency, strict=True)
        if self.join == "product":
            return [image * saliency for image, saliency in pairs]
        return [torch.cat([image, saliency], 1) for image, saliency in pairs]

    def pretrained_parts(self) -> list[nn.Module]:
        """Both trunks, or the one there is."""
        parts = [self.image_branch, self.saliency_branch]
        return list(dict.fromkeys(part for part in parts if part is not None))

    def start_at(self, quality: float) -> None:
        """Set the last bias, as in `docs/method.md`."""
        self.head.start_at(quality)

    def pooled_features(self, image: Tensor, saliency: Tensor | None = None) -> Tensor:
        """Features that the linear path maps to a score: `(N, D)` float32; arguments as in `forward`."""
        if self.linear_path is None:
            raise ValueError("there is no linear path; set linear_path to true")
        levels = self.branches(image, image.new_ones(1, 1, 1, 1) if saliency is None else saliency)
        return self.linear_path.features([*levels.image, *levels.saliency])

    @torch.no_grad()
    def explain(self, image: Tensor, saliency: Tensor) -> tuple[list[Tensor], list[Tensor]]:
        """Give what the network attends to.

        Args:
            image: As in `forward`.
            saliency: As in `forward`.

        Returns:
            Spatial attention `(N, 1, h, w)` and channel gates `(N, C)` of each level; empty where there are none.
        """
        levels = self.branches(image, saliency)
        gates = [
            fusion.gate.gate(joined).flatten(1)
            for fusion, joined in zip(self.fusion, self.joined(levels), strict=True)
            if isinstance(fusion, LevelFusion) and isinstance(fusion.gate, GCT)
        ]
        return levels.guides, gates
