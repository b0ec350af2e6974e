"""Which pictures a backbone takes: found by trying one, because timm does not say."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from sdsiqa.errors import in_short

WIDTH = 97
"""Width of the picture that is tried: odd, and a multiple of nothing that networks are built for."""
MORE = 35
"""How much higher it is than what the network was made for: tables of places are then too short, and one size does not do."""
MULTIPLES = (32, 64, 128, 224, 256)
"""Sides to pad to, where a backbone does not take a picture as it is; windows of 7 or 8 places at stride 32 want the last two."""


def smallest_multiple(
    levels: Callable[[Tensor, int], list[Tensor]], channels: int, side: int, expected: Sequence[int], first: int
) -> int:
    """Find what the sides of a picture must be multiples of.

    Args:
        levels: Computes the levels of a picture that is padded to multiples of a number.
        channels: Input channels.
        side: Height of the pictures that the network was made for.
        expected: Channels of each level.
        first: The multiple that is known to be needed, such as the side of a patch.

    Returns:
        The smallest that works.

    Raises:
        ValueError: None does; says why.
    """
    reason = ""
    for multiple in (first, *(each for each in MULTIPLES if each > first)):
        try:
            _check(levels(torch.zeros(1, channels, side // 2 * 2 + MORE, WIDTH), multiple), expected)
        except Exception as error:  # networks of timm raise whatever their layers do
            reason = reason or in_short(error, 120)
        else:
            return multiple
    raise ValueError(reason)


def _check(found: Any, expected: Sequence[int]) -> None:
    if any(not isinstance(level, Tensor) or level.dim() != 4 for level in found):
        raise ValueError("its levels are no feature maps (N, C, h, w)")
    if [level.shape[1] for level in found] != list(expected):
        raise ValueError(f"its levels have {[level.shape[1] for level in found]} channels, and timm says {list(expected)}")
