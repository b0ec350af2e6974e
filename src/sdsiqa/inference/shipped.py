"""The model that ships with sdsiqa: one safetensors file in half precision, with the recipe in it; no pickle."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from sdsiqa.errors import CheckpointError, in_short
from sdsiqa.inference.checkpoint_paths import SHIPPED_SUFFIX, named_file
from sdsiqa.inference.recipe import Recipe

FORMAT = "1"
"""Raised when older files can no longer be read."""
LARGEST = 16 * 2**20
"""Bytes of a file that ships with the package."""


def to_safetensors(state: Mapping[str, Tensor], recipe: Recipe, card: Mapping[str, str]) -> bytes:
    """Give the content of a file that ships.

    Matrices are rounded to half precision; biases, statistics and scales, a small part, are kept.

    Args:
        state: Weights of the network.
        recipe: How to build the network and to give it an image.
        card: What people have to know: data, split, seed, commit, …

    Raises:
        CheckpointError: A weight is not finite in half precision, or the file is too large.
    """
    halves = {name: value.half() if value.is_floating_point() and value.dim() > 1 else value for name, value in state.items()}
    wrong = next((name for name, value in halves.items() if value.is_floating_point() and not value.isfinite().all()), None)
    if wrong is not None:
        raise CheckpointError(f"the weight {wrong} is not finite in half precision; train again, with a smaller learning rate")
    facts = {**card, "format": FORMAT, "sdsiqa": recipe.portable().to_json()}
    content = save({name: value.contiguous() for name, value in halves.items()}, metadata=facts)
    if len(content) > LARGEST:
        raise CheckpointError(
            f"the model has {len(content) / 2**20:.1f} MiB in half precision; at most {LARGEST // 2**20} MiB ship: train a "
            "smaller backbone, such as that of configs/overlay/mobilenetv2.yaml"
        )
    return content


def read_shipped(path: Path) -> tuple[dict[str, Any], dict[str, str]]:
    """Read what `to_safetensors` gave.

    Args:
        path: The file.

    Returns:
        Weights, and the facts: the card, and the recipe as `sdsiqa`.

    Raises:
        CheckpointError: The file is missing, broken, or not one of sdsiqa.
    """
    path = named_file(path, "file", "name a checkpoint of a run, or install sdsiqa again")
    try:
        with safe_open(path, framework="pt") as file:
            facts: dict[str, str] = file.metadata() or {}
            state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - no mapping
    except (SafetensorError, OSError) as error:
        reason = in_short(error)
        raise CheckpointError(
            f"{path}: is no {SHIPPED_SUFFIX} file, or is cut ({reason}); copy it again from where it is good"
        ) from error
    if "sdsiqa" not in facts:
        raise CheckpointError(
            f"{path}: holds weights without the recipe of sdsiqa, such as those of a backbone; name a checkpoint of a run"
        )
    if facts.get("format") != FORMAT:
        raise CheckpointError(f"{path}: has format {facts.get('format')!r}, and this sdsiqa reads {FORMAT}; use the newer sdsiqa")
    return state, facts


def card_of(run: Mapping[str, Any], config: Mapping[str, Any], metrics: Mapping[str, Any], recipe: Recipe) -> dict[str, str]:
    """Write the card of a run's model.

    Args:
        run: Content of its `run.json`.
        config: Content of its `config.yaml`.
        metrics: Content of its `metrics.json`.
        recipe: Of its checkpoint.
    """
    git = run.get("git") or {}
    facts = {
        "data": recipe.benchmark,
        "data_version": run.get("data_version"),
        "split": (config.get("data") or {}).get("split"),
        "split_hash": run.get("split_hash"),
        "seed": run.get("seed"),
        "commit": f"{git.get('commit', 'unknown')}{' and changes that were not committed' if git.get('dirty') else ''}",
        "code_version": run.get("code_version"),
        "run": run.get("id"),
        "sdsiqa_version": (run.get("versions") or {}).get("sdsiqa"),
        "chosen_by": run.get("chosen_by"),
        "metrics": json.dumps(metrics),
        "precision": "half; vectors in single",
    }
    return {name: str(value) for name, value in facts.items() if value is not None}
