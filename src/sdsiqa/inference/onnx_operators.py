"""Operators that ONNX has for fixed sizes alone, written in operators that it has for any size."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from timm.layers import padding
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


def same_padding(x: int, kernel_size: int, stride: int, dilation: int) -> int:
    """Give what TensorFlow pads a side by, as timm's `get_same_padding`, in whole numbers that a symbol can stand for.

    timm divides real numbers and takes a maximum, out of which PyTorch builds terms that grow with each layer.

    Args:
        x: Places of the side; it may be a symbol of an export.
        kernel_size: Of the convolution, as are `stride` and `dilation`.
        stride: Places from one field to the next.
        dilation: Places from one weight to the next.
    """
    reach = (kernel_size - 1) * dilation + 1
    padded = ((x + stride - 1) // stride - 1) * stride + reach
    return padded - x if reach >= stride else max(padded - x, 0)  # with a reach of a step it is never negative


@contextmanager
def whole_number_padding() -> Iterator[None]:
    """Put `same_padding` in the place of timm's for a while."""
    before = padding.get_same_padding
    padding.get_same_padding = same_padding
    try:
        yield
    finally:
        padding.get_same_padding = before


_aten = torch.ops.aten

REPLACED: dict[Any, Callable[..., Any]] = {
    _aten.adaptive_avg_pool2d.default: adaptive_average,
    _aten._adaptive_avg_pool2d.default: adaptive_average,
}
"""Functions by the operator of PyTorch that they stand for."""
