"""Checkpoint files from anywhere, read without running anything in them."""

import pickle  # noqa: TID251 - only the name of its error; nothing is unpickled
from pathlib import Path
from typing import Any

import torch

from sdsiqa.errors import CheckpointError


def read_checkpoint(path: Path) -> dict[str, Any]:
    """Read a checkpoint without running anything in it.

    Args:
        path: The file.

    Raises:
        CheckpointError: The file is missing, broken, no checkpoint of sdsiqa, or wants to run code.
    """
    if not path.is_file():
        raise CheckpointError(f"{path}: there is no such checkpoint; train one with `sdsiqa fit`")
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)  # noqa: TID251 - the one door
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError, KeyError) as error:
        raise CheckpointError(
            f"{path}: is no checkpoint of plain weights, or is cut ({type(error).__name__}); it was not opened further, because "
            "such files can run code"
        ) from error
    if not isinstance(content, dict) or "state_dict" not in content:
        raise CheckpointError(f"{path}: holds no `state_dict`; expected a checkpoint of `sdsiqa fit`")
    return content
