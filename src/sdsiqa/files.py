"""Paths as people write them, files written whole or not at all, and JSON. Nothing here imports the rest of sdsiqa."""

import datetime
import errno
import json
import os
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

CANNOT_WRITE = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM})
"""Errors of the system that say that a place takes no files."""


def user_path(path: str | Path) -> Path:
    """Give the place that a person means: `~` is the home folder, and `..` leads up, also out of a folder that is not there yet.

    Args:
        path: As written.

    Returns:
        A path without either; relative to the working folder where it was and lies below it.

    Raises:
        ValueError: `~NAME`, and there is no such user.
    """
    try:
        place = Path(path).expanduser()
    except RuntimeError as error:
        raise ValueError(f"{path}: the home folder of {Path(path).parts[0]} is not known; write the path in full") from error
    if ".." not in place.parts:
        return place
    whole, here = place.resolve(), Path.cwd().resolve()
    return whole.relative_to(here) if not place.is_absolute() and whole.is_relative_to(here) else whole


@contextmanager
def part_beside(path: Path) -> Iterator[Path]:
    """Give a name beside a file's place to write to and to move from; what is left there at the end is removed.

    Args:
        path: Where the file ends up; its folder is made.

    Yields:
        A hidden name with the same suffix, which no other process has.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.stem}.{os.getpid()}-{uuid.uuid4().hex[:8]}.part{path.suffix}")
    try:
        yield part
    except OSError as error:
        if error.filename is None:  # a full disk is told of no file
            error.filename = str(path)
        raise
    finally:
        part.unlink(missing_ok=True)


def remove_parts(path: Path) -> None:
    """Remove what processes that were killed have left beside a file's place; call it where no other process writes.

    Args:
        path: As for `part_beside`.
    """
    for left in path.parent.glob(f".{path.stem}.*.part{path.suffix}"):
        left.unlink(missing_ok=True)


def write_bytes(path: Path, data: bytes) -> None:
    """Write a file atomically, making its folder: beside its place first, then renamed.

    Args:
        path: Where the file ends up.
        data: Its content.
    """
    with part_beside(path) as part:
        with part.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)


def read_file(path: Path) -> bytes:
    """Read a file that others have made; a pipe or a device, whose end may never come, is refused.

    Args:
        path: The file.

    Raises:
        OSError: It cannot be read, or is no file.
    """
    if path.exists() and not path.is_file() and not path.is_dir():
        raise OSError(errno.EINVAL, "is a pipe or a device; expected a file", str(path))
    return path.read_bytes()


def now() -> str:
    """Give the time in UTC, to the second."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write JSON that a person can read, atomically.

    Args:
        path: Where.
        content: What; NaN becomes null, which every reader of JSON understands.
    """
    write_bytes(path, to_json(content))


def to_json(content: Mapping[str, Any]) -> bytes:
    """Give JSON as `write_json` writes it.

    Args:
        content: What.
    """
    return (json.dumps(plain_values(content), indent=2, ensure_ascii=False) + "\n").encode()


def plain_values(value: Any) -> Any:
    """Turn paths into text and NaN into null, wherever they stand in nested values."""
    if isinstance(value, Mapping):
        return {str(name): plain_values(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain_values(item) for item in value]
    if isinstance(value, float) and value != value:
        return None
    return str(value) if isinstance(value, Path) else value


def leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the values of a nested configuration by dotted key.

    Args:
        value: The configuration, or a value in it.
        path: Key of the value.
    """
    if isinstance(value, Mapping) and value:
        for name, item in value.items():
            yield from leaves(item, f"{path}.{name}" if path else str(name))
    else:
        yield path, value
