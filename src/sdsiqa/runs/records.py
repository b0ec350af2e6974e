"""Records of a run's folder, read with an error that names the file."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from sdsiqa.errors import RunMismatchError, in_short
from sdsiqa.files import read_file


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
    return _read(folder / "config.yaml", parse_yaml)


def parse_yaml(text: str) -> Any:
    """Parse YAML that others have written.

    Args:
        text: Content of a file.

    Returns:
        Its keys and values; `None` for an empty text.

    Raises:
        ValueError: It is no YAML, nests too deep, or holds itself by an alias, so that nobody could walk through it.
    """
    try:
        content = yaml.safe_load(text)
        _walk(content, frozenset())
    except (yaml.YAMLError, RecursionError) as error:
        raise ValueError(_reason(error)) from error
    return content


def _walk(value: Any, above: frozenset[int]) -> None:
    """Go through nested values, and refuse those that hold themselves."""
    if not isinstance(value, dict | list):
        return
    if id(value) in above:
        raise ValueError("a part of it holds itself")
    for part in value.values() if isinstance(value, dict) else value:
        _walk(part, above | {id(value)})


def _read(file: Path, parse: Callable[[str], Any]) -> dict[str, Any]:
    try:
        content = parse(read_file(file).decode("utf-8"))
        if not isinstance(content, dict):
            raise TypeError(f"it holds {type(content).__name__}, not keys and values")
    except (ValueError, TypeError, OSError, RecursionError) as error:
        raise RunMismatchError(f"{file} cannot be read ({_reason(error)}); put it back, or remove the folder") from error
    return content


def _reason(error: Exception) -> str:
    return "it nests too deep" if isinstance(error, RecursionError) else in_short(error)
