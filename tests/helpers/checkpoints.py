"""Checkpoints of networks with random weights: files of a run without the run."""

from pathlib import Path
from typing import Any, Literal

import torch

from sdsiqa.inference.recipe import Recipe

SMALL = {"proj_dim": 8, "head_dim": 8}


def branches(backbone: str, **network: Any) -> dict[str, Any]:
    """Give the arguments of a small SDS-IQA."""
    both = {"image_branch": {"backbone": backbone}, "saliency_branch": {"backbone": backbone}}
    return {**both, "fusion": SMALL, **network}


def recipe(network: str, view: Literal["whole", "grid"] | None = None, saliency: str = "CentrePrior", **arguments: Any) -> Recipe:
    """Give the recipe of a network of sdsiqa, for 2×2 crops of 64 pixels."""
    return Recipe(
        network={"class_path": f"sdsiqa.models.{network}", "init_args": arguments},
        saliency={"class_path": f"sdsiqa.saliency.{saliency}", "init_args": {}},
        view=view,
        grid=(2, 2),
        crop=64,
        short_side=None,
        benchmark="LIVE In the Wild",
        mos_range=(0.0, 100.0),
        higher_is_better=True,
    )


def write_checkpoint(path: Path, network: str, **arguments: Any) -> Path:
    """Write the checkpoint of a network of sdsiqa whose weights, biases and statistics are all random."""
    torch.manual_seed(3)
    made = recipe(network, **arguments)
    state = made.build_network().state_dict()
    for name, values in state.items():
        if values.is_floating_point() and values.dim() == 1:  # zeros and ones of a fresh network would hide what is left out
            values.copy_(values + 0.1 * torch.rand_like(values))
        elif "attention" in name:
            values.normal_(0, 0.5)
    torch.save({"state_dict": {f"network.{name}": value for name, value in state.items()}, "sdsiqa": made.to_json()}, path)
    return path
