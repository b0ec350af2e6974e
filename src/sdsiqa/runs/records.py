"""JSON files of a run's folder, read with an error that names the file."""

import json
from pathlib import Path
from typing import Any

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
    try:
        content = json.loads(file.read_bytes()) if file.exists() else {}
        if not isinstance(content, dict):
            raise TypeError(f"it holds {type(content).__name__}, not keys and values")
    except (ValueError, TypeError, OSError) as error:
        reason = " ".join(str(error).split())[:160]
        raise RunMismatchError(f"{file} cannot be read ({reason}); put it back, or remove the folder") from error
    return content
