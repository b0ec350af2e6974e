"""A U-Net for pictures of any size."""

import itertools

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - the usual name


class UNet(nn.Module):
    """Encoder and decoder with skips [Ronneberger et al., MICCAI 2015]; channels double from level to level.

    Args:
        inputs: Channels that go in.
        outputs: Channels that come out.
        width: Channels of the first level.
        depth: Levels; each but the last ends in a max-pool of 2.
    """

    def __init__(self, inputs: int, outputs: int, width: int = 32, depth: int = 4) -> None:
        super().__init__()
        widths = [width * 2**level for level in range(depth)]
        self.down = nn.ModuleList(_convolutions(a, b) for a, b in itertools.pairwise([inputs, *widths]))
        self.up = nn.ModuleList(_convolutions(a + b, a) for a, b in itertools.pairwise(widths))
        self.output = nn.Conv2d(width, outputs, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Map `(N, inputs, h, w)` to `(N, outputs, h, w)`; sides of at least `2 ** (depth - 1)`."""
        skips: list[Tensor] = []
        for level, module in enumerate(self.down):
            x = module(F.max_pool2d(x, 2) if level else x)
            skips.append(x)
        x = skips.pop()
        for module in reversed(self.up):
            skip = skips.pop()
            # odd sides lose a row on their way down: the skip knows what the size was
            x = F.interpolate(x, (skip.shape[2], skip.shape[3]), mode="nearest")
            x = module(torch.cat([skip, x], 1))
        found: Tensor = self.output(x)
        return found


def _convolutions(before: int, after: int) -> nn.Sequential:
    """Two convolutions of 3×3 with normalisation and ReLU."""
    pairs = ((before, after), (after, after))
    return nn.Sequential(
        *itertools.chain.from_iterable(
            (nn.Conv2d(a, b, 3, padding=1, bias=False), nn.BatchNorm2d(b), nn.ReLU(inplace=True)) for a, b in pairs
        )
    )
