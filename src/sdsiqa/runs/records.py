"""Records of a run's folder, read with an error that names the file."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from sdsiqa.errors import RunMismatchError


def read_record(file: Path) -> dict[str, Any]:
    """Read keys and values.

    Args:
        file: The file.

    Returns:
        Its content; empty where there is no file.

    Raises:
        RunMismatchError: The file is damaged.
    """
    return _read(file, json.loads) if file.exists() else {}


def read_config(folder: Path) -> dict[str, Any]:
    """Read the configuration that a run has kept.

    Args:
        folder: The run's folder.

    Raises:
        RunMismatchError: There is none, or it is damaged.
    """
    return _read(folder / "config.yaml", yaml.safe_load)


def _read(file: Path, parse: Callable[[str], Any]) -> dict[str, Any]:
    try:
        content = parse(file.read_text(encoding="utf-8"))
        if not isinstance(content, dict):
            raise TypeError(f"it holds {type(content).__name__}, not keys and values")
    except (ValueError, TypeError, OSError, yaml.YAMLError) as error:
        reason = " ".join(str(error).split())[:160]
        raise RunMismatchError(f"{file} cannot be read ({reason}); put it back, or remove the folder") from error
    return content
