"""Settings that are null although their class takes no null: the parser lets them pass, and the class fails later."""

import inspect
from collections.abc import Iterator, Mapping
from importlib import import_module
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from sdsiqa.errors import SettingError

_WORDS = {"int": "a whole number", "float": "a number", "str": "a text", "bool": "true or false", "Path": "a path"}


def check_nulls(config: Mapping[str, Any], kinds: Mapping[str, type]) -> None:
    """Refuse null where a class does not take it, at every depth.

    Args:
        config: Plain values of a run's configuration.
        kinds: The class of each section.

    Raises:
        SettingError: Names the setting and what is expected.
    """
    for section, kind in kinds.items():
        for place, hint in _nulls(config.get(section), kind, section):
            raise SettingError(f"{place} is null; expected {_told(hint)}")


def _nulls(value: Any, hint: Any, place: str) -> Iterator[tuple[str, Any]]:
    """Give the places at and below one that are null and may not be, each with its type."""
    if value is None:
        if not _takes_none(hint):
            yield place, hint
        return
    if isinstance(value, list | tuple):
        inner = next((args[0] for part in _parts(hint) if (args := get_args(part))), Any)
        for number, item in enumerate(value):
            yield from _nulls(item, inner, f"{place}[{number}]")
        return
    if not isinstance(value, Mapping):
        return
    if "class_path" in value:
        kind, values, place = _class(str(value["class_path"])), value.get("init_args") or {}, f"{place}.init_args"
    else:
        kind, values = (
            next((part for part in _parts(hint) if inspect.isclass(part) and part not in (dict, type(None))), None),
            value,
        )
    hints = {} if kind is None else _hints(kind)
    for name, item in values.items():
        if name in hints:
            yield from _nulls(item, hints[name], f"{place}.{name}")


def _class(path: str) -> Any:
    module, _, name = path.rpartition(".")
    try:
        return getattr(import_module(module), name)
    except (ImportError, AttributeError, ValueError):  # the parser has said so, or will
        return None


def _hints(kind: Any) -> dict[str, Any]:
    """Types of the arguments of a class; none for those that only a type checker can read."""
    try:
        return get_type_hints(kind.__init__)
    except (NameError, TypeError, AttributeError):
        return {}


def _parts(hint: Any) -> tuple[Any, ...]:
    return get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)


def _takes_none(hint: Any) -> bool:
    return hint is Any or any(part in (None, type(None), Any) for part in _parts(hint))


def _told(hint: Any) -> str:
    """Name a type for a person."""
    words = []
    for part in _parts(hint):
        if get_origin(part) is Literal:
            words.append(f"one of {', '.join(map(str, get_args(part)))}")
        else:
            words.append(_WORDS.get(getattr(part, "__name__", ""), "a value"))
    return " or ".join(dict.fromkeys(words))
