"""Small networks and pictures for tests."""

from typing import Any

import timm
import torch
from torch import Tensor, nn

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


def build(backbone: str = "test_resnet", **switches: Any) -> SDSIQA:
    torch.manual_seed(0)
    switches = {"proj_dim": 16, "head_dim": 16, "propagate": backbone not in PATCHES, **switches}
    return SDSIQA(backbone, **switches)


def pictures(count: int = 2, height: int = 97, width: int = 131) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    return torch.rand(count, 3, height, width, generator=generator), torch.rand(count, 1, height, width, generator=generator)
