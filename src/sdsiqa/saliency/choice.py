"""Providers by the words of a command line. The list is that of the subclasses: nothing is registered."""

import inspect
import types
from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path
from textwrap import indent
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from sdsiqa import saliency
from sdsiqa.runs.class_paths import import_class, part_of_file
from sdsiqa.saliency.base import SaliencyProvider


def provider_classes() -> dict[str, type[SaliencyProvider]]:
    """Providers that can be built from words, by name in lower case; wrappers of other providers are left out."""
    found: dict[str, type[SaliencyProvider]] = {}
    waiting = SaliencyProvider.__subclasses__()
    while waiting:
        kind = waiting.pop()
        waiting += kind.__subclasses__()
        if not inspect.isabstract(kind) and kind is not saliency.CachedMaps:
            found[kind.__name__.lower()] = kind
    return dict(sorted(found.items()))


def provider_from_words(name: str, words: Sequence[str]) -> SaliencyProvider:
    """Build a provider.

    Args:
        name: Its class's name, in which case, `-` and `_` do not matter; the path of a class of one's own; or a data file, whose
            `saliency` it is.
        words: Settings as `key=value`.

    Raises:
        ValueError: The name, a key or a value is not known; the message lists what is.
    """
    kinds = provider_classes()
    stated: dict[str, Any] = {}
    if name.endswith((".yaml", ".yml")):
        part = part_of_file(Path(name), "saliency")
        name, stated = str(part["class_path"]), dict(part.get("init_args") or {})
    if "." in name:
        kind: Any = import_class(name, SaliencyProvider)
    else:
        kind = kinds.get(name.lower().replace("-", "").replace("_", ""))
    if kind is None:
        near = get_close_matches(name.lower(), kinds, n=1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise ValueError(f"there is no provider {name!r}; {hint}choose one of {', '.join(kinds)}, or the path of a class")
    hints = get_type_hints(kind.__init__)
    known = inspect.signature(kind).parameters
    settings = {key: _parse(key, value, hints[key]) if isinstance(value, str) else value for key, value in stated.items()}
    for word in words:
        key, equals, value = word.partition("=")
        if not equals or key not in known:
            raise ValueError(f"got --set {word!r}; {kind.__name__} takes {_signature(kind) or 'no settings'}")
        settings[key] = _parse(key, value, hints[key])
    missing = [key for key, it in known.items() if it.default is it.empty and key not in settings]
    if missing:
        raise ValueError(f"{kind.__name__} needs --set {missing[0]}=...")
    provider: SaliencyProvider = kind(**settings)
    return provider


def describe() -> str:
    """List providers with their settings, defaults and what these mean."""
    parts = []
    for name, kind in provider_classes().items():
        text = (inspect.getdoc(kind) or "").partition("\nRaises:")[0].replace("Args:\n", "").strip()
        parts.append(f"{name} {_signature(kind)}".rstrip() + "\n" + indent(text, "    "))
    return indent("\n\n".join(parts), "  ")


def _signature(kind: type[SaliencyProvider]) -> str:
    """Settings and defaults as they would be given."""
    pairs = [f"{key}={'...' if it.default is it.empty else it.default}" for key, it in inspect.signature(kind).parameters.items()]
    return " ".join(pairs)


def _parse(key: str, word: str, hint: Any) -> Any:
    """Turn a word into what a constructor's annotation asks for."""
    options = get_args(hint) if get_origin(hint) in (Union, types.UnionType) else (hint,)
    if type(None) in options and word.lower() in ("none", "null"):
        return None
    for option in options:
        if get_origin(option) is Literal:
            if word in get_args(option):
                return word
        elif option in (int, float, str, Path):
            try:
                return option(word)
            except ValueError:
                continue
    wanted = " or ".join(
        " | ".join(map(str, get_args(option))) if get_origin(option) is Literal else getattr(option, "__name__", str(option))
        for option in options
        if option is not type(None)
    )
    raise ValueError(f"got {key}={word!r}; expected {wanted}")
