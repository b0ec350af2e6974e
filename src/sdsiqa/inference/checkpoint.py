"""Checkpoint files from anywhere, read without running anything in them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from sdsiqa.errors import CheckpointError
from sdsiqa.inference.checkpoint_paths import named_file

REMEDY = "use the sdsiqa that made it (its run.json says which), or train again"
"""End of a message about a checkpoint that is whole and does not fit."""


def read_checkpoint(path: Path) -> dict[str, Any]:
    """Read a checkpoint without running anything in it.

    Args:
        path: The file.

    Raises:
        CheckpointError: The file is missing, broken, no checkpoint of sdsiqa, or wants to run code.
    """
    path = named_file(path, "checkpoint", "name a .ckpt file, or train one with `sdsiqa fit`")
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)  # noqa: TID251 - the one door
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read ({error.strerror or error})") from error
    except Exception as error:  # bytes that are no checkpoint end in errors of any kind inside torch
        raise CheckpointError(
            f"{path}: is no checkpoint of plain weights, or is cut ({type(error).__name__}); it was not opened further, because "
            "such files can run code; copy it again from where it is good, or name another"
        ) from error
    if not isinstance(content, dict) or not isinstance(content.get("state_dict"), Mapping):
        raise CheckpointError(f"{path}: holds no `state_dict`; expected a checkpoint of `sdsiqa fit`")
    return content


def check_weights(own: Mapping[str, Tensor], found: Mapping[str, Any], name: str) -> None:
    """Refuse weights that are not those of a network.

    Args:
        own: State of the network.
        found: State in the checkpoint.
        name: What errors call the checkpoint.

    Raises:
        CheckpointError: A tensor is missing, unknown, of another shape, or none.
    """
    missing, unknown = sorted(own.keys() - found.keys()), sorted(map(str, found.keys() - own.keys()))
    if missing or unknown:
        raise CheckpointError(
            f"{name}: its weights do not fit the network ({len(missing)} missing such as {missing[:2]}, {len(unknown)} unknown "
            f"such as {unknown[:2]}); use the configuration that it was trained with (the config.yaml of its run), or {REMEDY}"
        )
    for key, tensor in own.items():
        shape = list(found[key].shape) if isinstance(found[key], Tensor) else None
        expected = list(tensor.shape)
        if shape and expected and expected[0] == 0:  # as long as a fit has made it, which this network has not seen yet
            expected[0] = shape[0]
        if shape != expected:
            told = f"is no tensor ({type(found[key]).__name__})" if shape is None else f"has shape {shape}"
            raise CheckpointError(
                f"{name}: its weights do not fit the network: {key} {told}; expected shape {list(tensor.shape)}; use the "
                f"configuration that it was trained with (the config.yaml of its run), or {REMEDY}"
            )
