"""Every method that SDS-IQA is compared with, small enough for tests."""

import inspect
from typing import Any

import torch
from network_fakes import pictures
from torch import Tensor

from sdsiqa.models.base import Method
from sdsiqa.models.components.kernel_map import KernelMap
from tools.methods import methods

TINY: dict[str, Any] = {
    "backbone": "test_resnet",
    "width": 8,
    "features": 16,
    "side": 2,
    "proj_dim": 16,
    "head_dim": 16,
    "dropout": 0.0,
}
"""Arguments that make a network small, wherever it has them."""


METHODS = methods()


def build(kind: type[Method], seed: int = 0) -> Method:
    """Build a small one with its weights at random."""
    torch.manual_seed(seed)
    known = inspect.signature(kind).parameters
    network = kind(**{name: value for name, value in TINY.items() if name in known})
    if isinstance(regressor := getattr(network, "regressor", None), KernelMap):  # fitted, as a run does before it scores
        width = len(regressor.mean)
        vectors, weights = torch.rand(3, width), torch.rand(3)
        regressor.set(mean=torch.zeros(width), scale=torch.ones(width), vectors=vectors, weights=weights, gamma=0.01, bias=0.0)
    return network


def given(network: Method, count: int = 2, height: int = 97, width: int = 131) -> list[Tensor]:
    """Give pictures for what a network asks for."""
    image, saliency = pictures(count, height, width)
    reference = (image + 0.1 * torch.randn(image.shape, generator=torch.Generator().manual_seed(2))).clamp(0, 1)
    fields = {"image": image, "saliency": saliency, "reference": reference}
    return [fields[name] for name in network.inputs]
