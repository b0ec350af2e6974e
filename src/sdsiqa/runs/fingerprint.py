"""The hash of all settings that decide the result of a run; the name of its folder ends in it."""

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any

from sdsiqa.files import plain_values

# neither of these decides a number: where files lie, how much is shown, how work is spread
_UNDECISIVE_SECTIONS = frozenset({"config", "run", "wandb", "ckpt_path", "weights_only"})
_UNDECISIVE_DATA = frozenset({"num_workers", "cache", "maps"})
_UNDECISIVE_TRAINER = frozenset(
    {
        "accelerator", "strategy", "devices", "num_nodes", "logger", "callbacks", "default_root_dir", "profiler",
        "enable_progress_bar", "enable_model_summary", "enable_checkpointing", "log_every_n_steps", "num_sanity_val_steps",
    }
)  # fmt: skip
# a class of ours in a file of its package, such as `sdsiqa.models.dbcnn.DBCNN`
_LONG = re.compile(r"(sdsiqa\.[a-z_]+)\.[a-z_0-9.]+\.([A-Z]\w*)")


def decisive(config: Mapping[str, Any]) -> dict[str, Any]:
    """Keep what decides the result of a run.

    Args:
        config: The resolved configuration as plain values.

    Returns:
        What is left without places, display and the spread of work.
    """
    kept = {name: value for name, value in config.items() if name not in _UNDECISIVE_SECTIONS}
    kept["data"] = _data(config.get("data"))
    kept["trainer"] = {
        name: value for name, value in dict(config.get("trainer") or {}).items() if name not in _UNDECISIVE_TRAINER
    }
    kept["model"] = _model(config.get("model"))
    # averaging weights is a callback, and it decides; so may any other that a configuration adds
    kept["callbacks"] = dict(config.get("trainer") or {}).get("callbacks") or []
    return kept


def fingerprint(config: Mapping[str, Any], first_stage: Mapping[str, str] | None = None) -> str:
    """Hash what decides the result of a run.

    Args:
        config: The resolved configuration as plain values.
        first_stage: What decides the weights that it starts from (`FirstStage.identity`), if it has a first stage.

    Returns:
        Eight hexadecimal digits.
    """
    content = short_paths(decisive(config))
    return hash_of(content if first_stage is None else {**content, "first_stage": first_stage})[:8]


def short_paths(value: Any) -> Any:
    """Name classes of sdsiqa by package and class, wherever they stand in nested values; their files may move.

    Args:
        value: Plain values; `class_path: sdsiqa.models.dbcnn.DBCNN` becomes `class_path: sdsiqa.models.DBCNN`.
    """
    if isinstance(value, Mapping):
        return {name: short_paths(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [short_paths(item) for item in value]
    long = _LONG.fullmatch(value) if isinstance(value, str) else None
    return f"{long[1]}.{long[2]}" if long else value


def hash_of(content: Mapping[str, Any]) -> str:
    """Hash plain values, whatever their order; 64 hexadecimal digits.

    Args:
        content: Values by name.
    """
    return hashlib.sha256(json.dumps(plain_values(content), sort_keys=True, default=str).encode()).hexdigest()


def _data(data: Mapping[str, Any] | None) -> dict[str, Any]:
    """Keep what decides of a data section."""
    kept = {name: value for name, value in dict(data or {}).items() if name not in _UNDECISIVE_DATA}
    # a benchmark's labels are hashed, wherever it lies; stored maps are not, so their folder counts
    kept["benchmark"] = without(kept.get("benchmark"), "root")
    return kept


def _model(model: Mapping[str, Any] | None) -> Any:
    """Keep what decides of a model section."""
    kept = without(model, "folder")  # of features that ridge_start could compute again
    # which run a run starts from decides (`first_stage`), where that one lies does not
    return {name: value for name, value in kept.items() if name != "init_from"} if isinstance(kept, Mapping) else kept


def without(value: Any, name: str) -> Any:
    """Drop an argument wherever it stands in a nested configuration.

    Args:
        value: Plain values.
        name: The argument.
    """
    if not isinstance(value, Mapping):
        return value
    return {key: without(item, name) for key, item in value.items() if key != name}
