"""The fusion head: joins the branches level by level, gates their channels, and regresses one score."""

from collections.abc import Sequence
from typing import Literal, final

import torch
from torch import Tensor, nn

from sdsiqa.models.components.attention import match_size
from sdsiqa.models.components.gates import GCT, GateName, LevelFusion
from sdsiqa.models.components.heads import LinearPath, Pool, RegressionHead, pool
from sdsiqa.runs.ranges import check_counts, check_shares


@final
class FusionHead(nn.Module):
    """From the levels of both branches to a score.

    Its layers are made by `connect`, once the network knows how many channels the branches give.

    Args:
        gate: How channels are weighed; `None` leaves them as they are.
        join: How the branches meet in a level: side by side, or multiplied.
        proj_dim: Channels of a fused level.
        pool: How a fused level becomes a vector.
        head_dim: Width of the regression's hidden layer.
        dropout: Share in [0, 1) of its hidden units dropped in training.
        linear_path: Whether a linear map of the gated channels' mean, standard deviation and maximum is added to the score;
            ridge regression can solve for it before training (`model.ridge_start`), and the projected path then starts at
            zero. Guidance and gate act on it from the first step on.

    Raises:
        ValueError: `proj_dim`, `head_dim` or `dropout` is out of range.
    """

    def __init__(
        self,
        gate: GateName | None = "gct",
        join: Literal["concat", "product"] = "concat",
        proj_dim: int = 256,
        pool: Pool = "avg",
        head_dim: int = 512,
        dropout: float = 0.5,
        linear_path: bool = False,
    ) -> None:
        super().__init__()
        check_counts(proj_dim=proj_dim, head_dim=head_dim)
        check_shares(dropout=dropout)
        self.gate, self.join, self.proj_dim, self.pool = gate, join, proj_dim, pool
        self.head_dim, self.dropout, self.has_linear_path = head_dim, dropout, linear_path
        self.levels = nn.ModuleList()
        self.linear_path: LinearPath | None = None

    def connect(self, image: Sequence[int], saliency: Sequence[int]) -> None:
        """Make the layers.

        Args:
            image: Channels of each level of the image branch; empty without that branch.
            saliency: The same of the saliency branch.

        Raises:
            ValueError: The branches do not have the same number of levels, or cannot be multiplied.
        """
        if image and saliency and len(image) != len(saliency):
            raise ValueError(
                f"the image branch has {len(image)} levels and the saliency branch {len(saliency)}; give both as many"
            )
        if image and saliency and self.join == "product" and list(image) != list(saliency):
            raise ValueError(
                f"join `product` needs equal channels; the branches have {list(image)} and {list(saliency)}; use concat"
            )
        if image and saliency and self.join == "concat":
            joined = [a + b for a, b in zip(image, saliency, strict=True)]
        else:
            joined = list(image or saliency)
        self.levels = nn.ModuleList(LevelFusion(channels, self.proj_dim, self.gate) for channels in joined)
        pooled = self.proj_dim * (2 if self.pool in ("avgmax", "meanstd") else 1)
        self.head = RegressionHead(len(joined) * pooled, self.head_dim, self.dropout)
        if self.has_linear_path:
            self.linear_path = LinearPath(joined)
            nn.init.zeros_(self.head.output.weight)
            nn.init.zeros_(self.head.output.bias)

    def forward(self, image: Sequence[Tensor], seen: Sequence[Tensor], saliency: Tensor) -> Tensor:
        """Regress scores.

        Args:
            image: Levels of the image branch, `(N, C, h, w)` each; empty without that branch.
            seen: Levels of the saliency branch, likewise.
            saliency: `(N, 1, H, W)` in [0, 1]; weighs places where `pool` is `saliency`.

        Returns:
            `(N,)` float32.
        """
        gated = self.gated(image, seen)
        pooled = [pool(level(features), saliency, self.pool) for level, features in zip(self.levels, gated, strict=True)]
        score: Tensor = self.head(torch.cat(pooled, 1))
        return score if self.linear_path is None else score + self.linear_path(gated)

    def gated(self, image: Sequence[Tensor], seen: Sequence[Tensor]) -> list[Tensor]:
        """Join the branches level by level and weigh the channels, `(N, C, h, w)` each; arguments as in `forward`."""
        levels = zip(self.levels, self.joined(image, seen), strict=True)
        return [level.gated(features) for level, features in levels]  # type: ignore[operator]

    def joined(self, image: Sequence[Tensor], seen: Sequence[Tensor]) -> list[Tensor]:
        """Join the branches level by level, `(N, C, h, w)` or `(N, 2C, h, w)` each; arguments as in `forward`."""
        if not image or not seen:
            return list(image or seen)
        # branches of two kinds of backbone may differ in stride: the saliency branch follows the image branch
        pairs = [(a, match_size(b, a)) for a, b in zip(image, seen, strict=True)]
        if self.join == "product":
            return [a * b for a, b in pairs]
        return [torch.cat(pair, 1) for pair in pairs]

    def gates(self, image: Sequence[Tensor], seen: Sequence[Tensor]) -> list[Tensor]:
        """Give the channel gates `(N, C)` of each level; empty unless `gate` is `gct`. Arguments as in `forward`."""
        levels = zip(self.levels, self.joined(image, seen), strict=True)
        return [
            fusion.gate.gate(features).flatten(1)
            for fusion, features in levels
            if isinstance(fusion, LevelFusion) and isinstance(fusion.gate, GCT)
        ]
