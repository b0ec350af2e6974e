"""SDS-IQA: a saliency branch guides an image branch (reconstruction from the abstract)."""

from __future__ import annotations  # signatures in a notebook show names, not what they stand for

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from sdsiqa.models.base import QualityNetwork
from sdsiqa.models.components.attention import Strengthen
from sdsiqa.models.components.fusion_head import FusionHead
from sdsiqa.models.components.image_branch import ImageBranch
from sdsiqa.models.components.kernel_map import KernelMap
from sdsiqa.models.components.saliency_branch import SaliencyBranch
from sdsiqa.models.probe import Probe


@dataclass(frozen=True)
class Levels:
    """Outputs of the branches, one entry per level.

    Args:
        image: Features of the image branch `(N, C, h, w)` after guidance; empty without that branch.
        saliency: Features of the saliency branch `(N, C, h, w)` after its own attention; empty without that branch.
        attention: Spatial attention `(N, 1, h, w)` in (0, 1); empty without the saliency branch.
    """

    image: list[Tensor]
    saliency: list[Tensor]
    attention: list[Tensor]


class SDSIQA(QualityNetwork):
    """Saliency-map-based dual-stream image quality assessment; a reconstruction from the paper's abstract.

    Shi, Kang, Wang, Xiao and Luo, Journal of Tianjin University (Science and Technology) 58(2), 2025, 189-198. The paper
    states: two branches over several levels; spatial attention in the saliency branch, whose weights strengthen the image
    branch; gated attention between channels in the fusion. The rest is our choice: see `docs/sds-iqa.md`.

    Example:
        >>> from sdsiqa.models import FusionHead, ImageBranch, SaliencyBranch
        >>> network = SDSIQA(ImageBranch("resnet18"), SaliencyBranch("resnet18"), FusionHead())
        >>> network
        SDSIQA(image, saliency): 23.38 M parameters
          image_branch: ImageBranch(resnet18), 11.18 M
          saliency_branch: SaliencyBranch(resnet18), 11.18 M
          fusion: FusionHead, 1.02 M
        >>> network(torch.rand(2, 3, 64, 64), torch.rand(2, 1, 64, 64)).shape
        torch.Size([2])

    Args:
        image_branch: Features of the image; `None` leaves the saliency branch alone.
        saliency_branch: Features of what is salient, and attention; `None` leaves the image branch alone.
        fusion: Joins the branches and regresses the score.
        guidance: How attention acts on the image branch; `centered` is the identity at the start, which frozen statistics need.
        propagate: Whether the next level sees strengthened features; needs a backbone of stages, not of patches.
        shared: Whether the saliency branch uses the image branch's backbone.
        kernel: Whether a kernel regression on the features of the linear path takes the place of the head. It is fitted
            (`model.regression`), and nothing else learns: branches and gates are those of a finished training
            (`model.init_from`), or of their pretrained weights.
        probe: Frozen features that this regression sees beside those of the linear path; `None` for none.

    Raises:
        ValueError: There is no branch, or the parts do not fit together.
    """

    inputs: tuple[str, ...] = ("image", "saliency")  # type: ignore[misc]
    stage_one = ("image_branch", "saliency_branch", "fusion")
    needs_stage_one = False

    def __init__(
        self,
        image_branch: ImageBranch | None,
        saliency_branch: SaliencyBranch | None,
        fusion: FusionHead,
        guidance: Strengthen = "residual",
        propagate: bool = True,
        shared: bool = False,
        kernel: bool = False,
        probe: Probe | None = None,
    ) -> None:
        super().__init__()
        branches = [branch for branch in (image_branch, saliency_branch) if branch is not None]
        if not branches:
            raise ValueError("image_branch and saliency_branch are both null; give one of them, or both")
        if shared:
            if image_branch is None or saliency_branch is None:
                raise ValueError("shared needs both branches; set shared to false")
            saliency_branch.share(image_branch.backbone)
        for branch in branches:
            if propagate and not branch.backbone.staged:
                raise ValueError(f"{branch.backbone.name} cannot be entered between its levels; set propagate to false")
        self.image_branch, self.saliency_branch, self.fusion = image_branch, saliency_branch, fusion
        self.guidance, self.propagate = guidance, propagate
        if saliency_branch is None and fusion.pool != "saliency":
            self.inputs = ("image",)
        fusion.connect(
            [] if image_branch is None else image_branch.backbone.channels,
            [] if saliency_branch is None else saliency_branch.backbone.channels,
        )
        self.kernel, self.probe = kernel, probe
        if probe is not None and not kernel:
            raise ValueError("probe gives features to a kernel alone; set kernel to true, or probe to null")
        if kernel:
            if fusion.linear_path is None:
                raise ValueError("kernel needs the features of the linear path; set fusion.linear_path to true")
            self.regressor = KernelMap(len(fusion.linear_path.mean) + (0 if probe is None else len(probe.regressor.mean)))
            self.requires_grad_(False)
            self.eval()

    def train(self, mode: bool = True) -> SDSIQA:
        """Switch to training, unless a kernel is fitted, where nothing learns."""
        super().train(mode and not self.kernel)
        return self

    def forward(self, image: Tensor, saliency: Tensor | None = None) -> Tensor:
        """Score images.

        Args:
            image: `(N, 3, h, w)` RGB in [0, 1].
            saliency: `(N, 1, h, w)` in [0, 1]; not needed by the image branch alone.

        Returns:
            `(N,)` float32, higher is better, about 0 to 1.
        """
        return self.score_and_attention(image, saliency)[0]

    def score_and_attention(self, image: Tensor, saliency: Tensor | None = None) -> tuple[Tensor, list[Tensor]]:  # type: ignore[override]
        """Give scores `(N,)` and the spatial attention of each level `(N, 1, h, w)` in (0, 1); arguments as in `forward`."""
        saliency = image.new_ones(1, 1, 1, 1) if saliency is None else saliency
        levels = self.branches(image, saliency)
        if not self.kernel:
            return self.fusion(levels.image, levels.saliency, saliency), levels.attention
        features = [self.features_of(levels)] + ([] if self.probe is None else [self.probe.pooled_features(image)])
        return self.regressor(torch.cat(features, 1).double()).float(), levels.attention

    def branches(self, image: Tensor, saliency: Tensor) -> Levels:
        """Run both branches; arguments as in `forward`."""
        features: list[Tensor] = []
        seen: list[Tensor] = []
        attention: list[Tensor] = []
        if self.saliency_branch is not None:
            seen, attention = self.saliency_branch(image, saliency, self.propagate)
        if self.image_branch is not None:
            features = self.image_branch(image, attention, self.guidance, self.propagate)
        return Levels(features, seen, attention)

    def pretrained_parts(self) -> list[nn.Module]:
        """Both backbones, or the one there is, and those of the probe."""
        parts = [branch.backbone for branch in (self.image_branch, self.saliency_branch) if branch is not None]
        return [*dict.fromkeys(parts), *([] if self.probe is None else self.probe.pretrained_parts())]

    def start_at(self, quality: float) -> None:
        """Set the last bias, as in `docs/sds-iqa.md`."""
        self.fusion.head.start_at(quality)

    @property
    def linear_path(self) -> nn.Module | None:
        """The part that ridge regression solves (`model.ridge_start`); `None` without one."""
        return self.fusion.linear_path

    def pooled_features(self, image: Tensor, saliency: Tensor | None = None) -> Tensor:
        """Features that the linear path maps to a score: `(N, D)` float32; arguments as in `forward`.

        Raises:
            ValueError: As `features_of`.
        """
        return self.features_of(self.branches(image, image.new_ones(1, 1, 1, 1) if saliency is None else saliency))

    def features_of(self, levels: Levels) -> Tensor:
        """Give `pooled_features` `(N, D)` of what the branches gave.

        Args:
            levels: Outputs of the branches.

        Raises:
            ValueError: The fusion head has no linear path.
        """
        if self.fusion.linear_path is None:
            raise ValueError("there is no linear path; set fusion.linear_path to true")
        return self.fusion.linear_path.features(self.fusion.gated(levels.image, levels.saliency))

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
        return levels.attention, self.fusion.gates(levels.image, levels.saliency)
