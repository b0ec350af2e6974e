"""Whether a file of weights belongs to a backbone."""

from pathlib import Path

from safetensors import SafetensorError, safe_open
from torch import nn

from sdsiqa.errors import CheckpointError

_TABLES = ("relative_position_index", "attn_mask")
"""Buffers that older files carry and that the backbone computes by itself."""


def check_weights(path: Path, name: str, body: nn.Module, whole: nn.Module) -> None:
    """Refuse a file that would leave a part of the backbone at random, which timm only logs.

    Only the names are read. Sizes are left to timm, which resizes position embeddings.

    Args:
        path: A file that exists.
        name: Backbone in timm's naming.
        body: The backbone that the weights are for.
        whole: The same backbone with its classifier: its names are those of the file.

    Raises:
        CheckpointError: The file is no `.safetensors` file, lacks weights of the backbone, or has weights of another one.
    """
    if path.suffix != ".safetensors":
        raise CheckpointError(
            f"{path}: weights are read from .safetensors files only, since others can run code; convert it with "
            "safetensors.torch.save_file"
        )
    try:
        with safe_open(path, framework="pt") as file:
            found = set(file.keys())
    except SafetensorError as error:
        raise CheckpointError(f"{path}: is no .safetensors file ({error}); copy or download it again") from error
    names = set(whole.state_dict())
    backbone = {_plain(key) for key in body.state_dict()}
    needed = {key for key in names if _plain(key) in backbone and not key.endswith("num_batches_tracked")}
    problems = {
        "lacks": sorted(needed - found),
        "has unknown": sorted(key for key in found - names if not key.endswith(_TABLES)),
    }
    said = [
        f"{what} {len(keys)} weights ({', '.join(keys[:3])}{', …' * (len(keys) > 3)})" for what, keys in problems.items() if keys
    ]
    if said:
        raise CheckpointError(f"{path}: {' and '.join(said)}; set `weights` to a file of {name} in timm's key names")


def _plain(key: str) -> str:
    """Undo how timm renames weights when it takes a backbone apart: `stages.0` becomes `stages_0`, a whole gets a prefix."""
    return key.removeprefix("model.").removeprefix("body.").replace(".", "_")
