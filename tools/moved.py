"""`python -m tools.moved CHECKPOINT`: how far gates (GCT) and attention are from zero, where they start and do nothing."""

import argparse
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

import sdsiqa
from sdsiqa.models.components.attention import SpatialAttention
from sdsiqa.models.components.gates import GCT


def moved(network: nn.Module) -> dict[str, Tensor]:
    """Collect the weights that start at zero.

    Args:
        network: Such as SDS-IQA.

    Returns:
        Absolute values `(n,)` of `gates` and of `attention`; empty where there are none.
    """
    gates = [weight for part in network.modules() if isinstance(part, GCT) for weight in (part.gamma, part.beta)]
    kernels = [part.convolution.weight for part in network.modules() if isinstance(part, SpatialAttention)]
    return {"gates": _joined(gates), "attention": _joined(kernels)}


def _joined(weights: Sequence[Tensor]) -> Tensor:
    return torch.cat([torch.zeros(0), *(weight.detach().flatten() for weight in weights)]).abs()


def main(words: list[str] | None = None) -> None:
    """Print mean and highest absolute value.

    Args:
        words: Words of the command line; `None`: use `sys.argv`.
    """
    parser = argparse.ArgumentParser(prog="python -m tools.moved", description=__doc__, allow_abbrev=False)
    parser.add_argument("checkpoint", type=Path)
    network = sdsiqa.load(parser.parse_args(words).checkpoint).network
    for name, values in moved(network).items():
        print(
            f"{name}: {len(values)} weights" + (f", mean {values.mean():.5f}, at most {values.max():.5f}" if len(values) else "")
        )


if __name__ == "__main__":
    main()
