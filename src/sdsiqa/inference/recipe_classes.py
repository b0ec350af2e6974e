"""Which classes a recipe may name: the file may come from anybody, and a class that is imported may do anything."""

import contextlib
import os
import typing
from collections.abc import Callable, Iterator, Mapping, Sequence
from enum import Enum
from typing import Any

from sdsiqa.errors import CheckpointError, ClassNotFoundError
from sdsiqa.inference.checkpoint import REMEDY
from sdsiqa.runs.class_paths import import_class

_PLAIN = (bool, int, float, complex, str, bytes, list, tuple, dict, Enum, os.PathLike, type(None))


def check_classes(part: Mapping[str, Any], name: str, trusted: Sequence[str] = ()) -> None:
    """Refuse classes that may not be built, without importing them, and those that are not there.

    Args:
        part: Class path and arguments of a network or a saliency provider.
        name: What errors call the checkpoint.
        trusted: Packages besides sdsiqa whose classes may be built.

    Raises:
        CheckpointError: Names the class, or the argument that could hide one.
    """
    for path in _class_paths(part):
        package = path.split(".")[0]
        if package not in ("sdsiqa", *trusted):
            raise CheckpointError(
                f"{name}: wants {path!r} to be built, and only classes of sdsiqa are; if you trust the package {package!r}, "
                f"load with trusted=[{package!r}]"
            )
        try:
            import_class(path, object)
        except ClassNotFoundError as error:
            raise CheckpointError(f"{name}: its recipe names a class that is not there ({error}); {REMEDY}") from error
    _refuse_hidden(part, object, name)


def _refuse_hidden(part: Mapping[str, Any], kind: type, name: str) -> None:
    """Refuse what the parser would read as a class though no `class_path` says so: a text, a file, a key with dots."""
    if "class_path" in part:
        kind = import_class(str(part["class_path"]), object)
        if unknown := sorted(set(part) - {"class_path", "init_args"}):
            raise CheckpointError(f"{name}: its recipe has {unknown[0]!r} beside class_path; expected init_args alone; {REMEDY}")
        part = part.get("init_args") or {}
    if not isinstance(part, Mapping):
        raise CheckpointError(f"{name}: its recipe gives {part!r} as arguments; expected their names and values; {REMEDY}")
    hints = _hints(kind)
    for key, value in part.items():
        if not key.isidentifier():
            raise CheckpointError(f"{name}: its recipe has an argument {key!r}, which is no name; {REMEDY}")
        classes = [hint for hint in _leaves(hints.get(key)) if not issubclass(hint, _PLAIN)]
        for item in value if isinstance(value, list | tuple) else [value]:
            if classes and isinstance(item, str):
                raise CheckpointError(f"{name}: its recipe gives {key} as {item!r}; expected class path and arguments; {REMEDY}")
            if isinstance(item, Mapping) and (classes or "class_path" in item):
                _refuse_hidden(item, classes[0] if classes else object, name)


def _hints(kind: type) -> dict[str, Any]:
    """Types of the arguments of a class, and of the classes that it hands them on to."""
    hints: dict[str, Any] = {}
    for base in reversed(kind.__mro__):
        with contextlib.suppress(NameError):  # a trusted class may import types for type checkers alone
            hints |= typing.get_type_hints(vars(base).get("__init__", object.__init__))
    return hints


def _leaves(hint: Any) -> Iterator[type]:
    parts, origin = typing.get_args(hint), typing.get_origin(hint)
    if origin is typing.Literal:
        return
    if origin is Callable:
        yield object  # a text would name what to call
    elif isinstance(hint, type) and not parts:
        yield hint
    for part in parts:
        yield from _leaves(part)


def _class_paths(value: Any) -> list[str]:
    """All class paths in a nested configuration."""
    if isinstance(value, Mapping):
        own = [str(value["class_path"])] if "class_path" in value else []
        return own + [path for item in value.values() for path in _class_paths(item)]
    if isinstance(value, list | tuple):
        return [path for item in value for path in _class_paths(item)]
    return []
