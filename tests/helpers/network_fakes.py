"""Small networks and pictures for tests."""

from typing import Any

import timm
import torch
from torch import Tensor, nn

from sdsiqa.models.components.fusion_head import FusionHead
from sdsiqa.models.components.image_branch import ImageBranch
from sdsiqa.models.components.saliency_branch import SaliencyBranch
from sdsiqa.models.sdsiqa import SDSIQA

STAGED = ["test_resnet", "test_convnext", "mobilenetv3_small_050", "test_swin"]
PATCHES = ["test_vit"]


def _swin(pretrained: bool = False, **arguments: Any) -> nn.Module:
    """A Swin of a few channels under a name of its own; timm ships none for tests."""
    small = {"patch_size": 4, "window_size": 7, "embed_dim": 8, "depths": (1, 1, 1, 1), "num_heads": (1, 1, 1, 1)}
    return timm.create_model("swin_tiny_patch4_window7_224", pretrained=pretrained, **small, **arguments)


_swin.__name__, _swin.__module__ = "test_swin", "timm.models.swin_transformer"  # what timm registers it by
if not timm.is_model("test_swin"):
    timm.models.register_model(_swin)


def build(
    backbone: str = "test_resnet",
    image_branch: dict[str, Any] | None = {},  # noqa: B006 - read only; None leaves the branch out
    saliency_branch: dict[str, Any] | None = {},  # noqa: B006
    fusion: dict[str, Any] = {},  # noqa: B006
    **network: Any,
) -> SDSIQA:
    torch.manual_seed(0)
    return SDSIQA(
        None if image_branch is None else ImageBranch(backbone, **image_branch),
        None if saliency_branch is None else SaliencyBranch(backbone, **saliency_branch),
        FusionHead(**{"proj_dim": 16, "head_dim": 16, **fusion}),
        **{"propagate": backbone not in PATCHES, **network},
    )


def pictures(count: int = 2, height: int = 97, width: int = 131) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    return torch.rand(count, 3, height, width, generator=generator), torch.rand(count, 1, height, width, generator=generator)
