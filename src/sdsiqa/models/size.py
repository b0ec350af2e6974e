"""How large a network is, part by part: parameters, and operations of one picture."""

import copy
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils.flop_counter import FlopCounterMode

from sdsiqa.models.base import QualityNetwork

SIDE = 224
"""Side of the picture that operations are counted for, in pixels."""


class Size(NamedTuple):
    """Size of a network or of a part of it.

    Args:
        name: Name of the part, or of the network's class.
        kind: Name of its class.
        parameters: Numbers in it.
        learning: How many of these learn.
        flops: Operations of one picture, a multiplication and a sum being two; `None` where they could not be counted.
    """

    name: str
    kind: str
    parameters: int
    learning: int
    flops: int | None


def sizes(network: QualityNetwork, side: int = SIDE) -> list[Size]:
    """Give the size of each part of a network, and of the whole last.

    Args:
        network: The network; it is left as it is.
        side: Side of the picture, in pixels.
    """
    counts = _without_computing(network, side)
    parts = [_size(name, part, _spent(name, part, counts)) for name, part in network.named_children()]
    return [*parts, _size(type(network).__name__, network, None if counts is None else counts[""])]


def as_table(rows: Sequence[Size], side: int = SIDE) -> str:
    """Write sizes as a table for people; `-` where operations could not be counted.

    Args:
        rows: As `sizes` gives them.
        side: Side of the picture, in pixels.
    """
    heads = ("part", "class", "parameters", "of them learn", f"GFLOPs, {side} × {side}")
    spent = ["-" if row.flops is None else f"{row.flops / 1e9:.2f}" for row in rows]
    cells = [
        (row.name, row.kind, f"{row.parameters:,}", f"{row.learning:,}", count) for row, count in zip(rows, spent, strict=True)
    ]
    widths = [max(map(len, column)) for column in zip(heads, *cells, strict=True)]
    lines = [[f"{cell:<{width}}" for cell, width in zip(line[:2], widths, strict=False)] for line in (heads, *cells)]
    numbers = [[f"{cell:>{width}}" for cell, width in zip(line[2:], widths[2:], strict=True)] for line in (heads, *cells)]
    return "\n".join("  ".join(left + right) for left, right in zip(lines, numbers, strict=True))


def flops(network: QualityNetwork, side: int = SIDE) -> Counter[str]:
    """Count the operations of one picture, convolutions and products of matrices, by running the network.

    Args:
        network: The network, in evaluation mode.
        side: Side of the picture, in pixels.

    Returns:
        Operations by name of the part; those of the whole under the empty name.
    """
    device = next((value.device for value in network.parameters()), torch.device("cpu"))
    pictures = [torch.full((1, 1 if name == "saliency" else 3, side, side), 0.5, device=device) for name in network.inputs]
    counter = FlopCounterMode(display=False)
    with torch.no_grad(), counter:
        network(*pictures)
    found = Counter({"": int(counter.get_total_flops())})
    prefix = f"{type(network).__name__}."
    for name, counts in counter.get_flop_counts().items():
        found[name.removeprefix(prefix)] += int(sum(counts.values())) if name.startswith(prefix) else 0
    return found


def _without_computing(network: QualityNetwork, side: int) -> Counter[str] | None:
    """Count by shapes alone; `None` for a network that has to see values."""
    copied = copy.deepcopy(network).eval()
    with FakeTensorMode(allow_non_fake_inputs=True):
        try:
            return flops(copied, side)
        except (RuntimeError, TypeError, ValueError):
            return None


def _spent(name: str, part: nn.Module, counts: Counter[str] | None) -> int | None:
    """Give the operations of a part; a list of modules is never called itself, its members are."""
    if counts is None or name in counts:
        return None if counts is None else counts[name]
    return sum(_spent(f"{name}.{child}", module, counts) or 0 for child, module in part.named_children())


def _size(name: str, part: nn.Module, count: int | None) -> Size:
    numbers = [(value.numel(), value.requires_grad) for value in part.parameters()]
    return Size(name, type(part).__name__, sum(n for n, _ in numbers), sum(n for n, learns in numbers if learns), count)
