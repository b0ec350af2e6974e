"""Operators that ONNX has for fixed sizes alone, written in operators that it has for any size."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor


def adaptive_average(features: Tensor, size: Sequence[int]) -> Tensor:
    """Average over fields that may overlap, as `torch.nn.functional.adaptive_avg_pool2d`; one product of matrices per axis.

    Args:
        features: `(N, C, h, w)`; sides may be symbols of an export.
        size: Rows and columns that come out; they may be symbols, too.

    Returns:
        `(N, C, *size)`.
    """
    rows, columns = (
        _fields(length, count, features) for length, count in zip((features.shape[2], features.shape[3]), size, strict=True)
    )
    return rows @ features @ columns.transpose(0, 1)


def _fields(length: int, count: int, like: Tensor) -> Tensor:
    """Give the weight of each place in each field, `(count, length)`: field i holds places ⌊i L / n⌋ to ⌈(i + 1) L / n⌉."""
    field, place = torch.arange(count, device=like.device)[:, None], torch.arange(length, device=like.device)
    start, end = field * length // count, ((field + 1) * length + count - 1) // count
    inside = (place >= start) & (place < end)
    return inside.to(like.dtype) / (end - start).to(like.dtype)


_aten = torch.ops.aten

REPLACED: dict[Any, Callable[..., Any]] = {
    _aten.adaptive_avg_pool2d.default: adaptive_average,
    _aten._adaptive_avg_pool2d.default: adaptive_average,
}
"""Functions by the operator of PyTorch that they stand for."""
