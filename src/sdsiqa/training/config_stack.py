"""Files of settings laid over each other, without torch: a command line's files come to one configuration.

A later one wins, setting by setting. Nothing leaks from what lies below: a class that takes the place of another starts with its
own defaults, and with another network the whole model does.
"""

from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from functools import lru_cache
from io import StringIO
from pathlib import Path
from typing import Any

import yaml
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from sdsiqa.errors import SettingError, in_short
from sdsiqa.runs.fingerprint import short_paths
from sdsiqa.runs.found import MARKS
from sdsiqa.runs.variables import read_empty_as_unset
from sdsiqa.training.setting_names import GROUPS, named_file

read_empty_as_unset()

_ENDINGS = (".yaml", ".yml", ".json")
_NETWORK = ("model", "network")
_NULLS = ("null", "Null", "NULL")
_PARTS = {"class_path", "init_args", "dict_kwargs"}


def one_config(words: Sequence[str]) -> list[str]:
    """Put one configuration in the place of all files of a command line.

    Args:
        words: Words after the verb.

    Returns:
        `--config` with the configuration as YAML, and after it the words that no later file or word replaces.

    Raises:
        SettingError: A file does not exist, or holds no settings.
    """
    content, others = laid_over(words)
    try:
        config = ["--config", OmegaConf.to_yaml(OmegaConf.create(content))] if content else []
    except OmegaConfBaseException as error:
        place = getattr(error, "full_key", None) or "a setting"
        raise SettingError(f"{place}: {str(error).partition(chr(10))[0]}; a reference is written ${{oc.env:NAME}}") from error
    return [*config, *others]


def laid_over(words: Sequence[str]) -> tuple[dict[str, Any], list[str]]:
    """Lay all files of a command line over each other.

    Args:
        words: Words after the verb.

    Returns:
        The settings, references as they are written, and the words that no later file or word replaces.

    Raises:
        SettingError: A file does not exist, or holds no settings.
    """
    stack = _Stack()
    waiting = list(words)
    while waiting:
        word = waiting.pop(0)
        if word == "--":
            stack.keep((), [word, *waiting])
            break
        name, equals, value = word.partition("=")
        if not name.startswith("-") or name in ("-h", "--help", "--print_config") or name.endswith(".help"):
            stack.keep((), [word])
            continue
        if not equals:
            if not waiting or waiting[0].startswith("--"):  # the parser says that a value is missing
                stack.keep((), [word])
                continue
            value = waiting.pop(0)
        key = () if name in ("-c", "--config") else tuple(name.lstrip("-").split("."))
        stack.take(key, value, [word] if equals else [word, value])
    return stack.content, [word for _, kept in stack.kept for word in kept]


class _Stack:
    """The configuration so far, and words of the command line that lie over it."""

    def __init__(self) -> None:
        self.content: dict[str, Any] = {}
        self.kept: list[tuple[tuple[str, ...], list[str]]] = []

    def take(self, key: tuple[str, ...], value: str, words: list[str]) -> None:
        """Lay an option over what there is: a file, or one setting."""
        if not key:
            self.lay(_read(named_file(value)))
        elif key[0] not in GROUPS or key[-1].endswith("+"):
            self.keep(key, words)
        elif len(key) == 1 and value.endswith(_ENDINGS) and named_file(value).is_file():
            self.lay({key[0]: _read(named_file(value))})
        elif value in _NULLS or value.startswith("{") or "${" in value or self._names_class(key, value):
            # the parser refuses null within a part, looks for references in the command line alone, and keeps arguments of a
            # class that another one replaces
            self.lay(self._nested(key, _value(key, value)))
        else:
            self.keep(_plain(key), words)

    def keep(self, key: tuple[str, ...], words: list[str]) -> None:
        """Leave words to the parser."""
        self.kept.append((key, words))

    def lay(self, above: Mapping[str, Any]) -> None:
        """Lay settings over the configuration; earlier words of the command line give way to them."""
        replaced = set(_replaced(self.content, above, ()))
        self.kept = [
            (key, words) for key, words in self.kept if not any(key[:length] in replaced for length in range(1, len(key) + 1))
        ]
        below = dict(self.content)
        if _class_of(below, _NETWORK) and _differs(_class_of(below, _NETWORK), _class_of(above, _NETWORK)):
            below["model"] = {}
        self.content = _laid(below, above)

    def _names_class(self, key: tuple[str, ...], value: str) -> bool:
        """Say whether a word names a class for a part that a file has given a class."""
        if key[-1] == "class_path":
            return True
        if "." not in value:  # a bare name, which the parser looks up
            return False
        found: Any = self.content
        for part in key:
            found = _inside(found, part)
        return isinstance(found, Mapping) and "class_path" in found

    def _nested(self, key: tuple[str, ...], value: Any) -> dict[str, Any]:
        """Write a setting as a file would; the command line may leave out `init_args`."""
        path: list[str] = []
        found: Any = self.content
        for part in key:
            if part == "init_args" and isinstance(found, Mapping) and found and not _PARTS & set(found):
                continue  # a part of one class only has none
            if isinstance(found, Mapping) and "class_path" in found and part not in ("class_path", "init_args", "dict_kwargs"):
                path.append("init_args")
            path.append(part)
            found = _inside(found, part)
        for part in reversed(path):
            value = {part: value}
        return dict(value)


def _inside(found: Any, part: str) -> Any:
    """Step into a part, through the `init_args` of a class."""
    if not isinstance(found, Mapping):
        return None
    if "class_path" in found and part not in found:
        found = found.get("init_args") or {}
    return found.get(part)


def _laid(below: Any, above: Any) -> Any:
    """Lay one value over another: mappings are merged, everything else is replaced."""
    if isinstance(below, Mapping) and "class_path" in below and isinstance(above, str):
        above = {"class_path": above}
    elif isinstance(below, str) and isinstance(above, Mapping) and "init_args" in above and "class_path" not in above:
        below = {"class_path": below}
    if not isinstance(below, Mapping) or not isinstance(above, Mapping):
        return deepcopy(above)
    if _differs(below.get("class_path"), above.get("class_path")):
        return deepcopy(above)
    return {**below, **{name: _laid(below.get(name), value) for name, value in above.items()}}


def _differs(below: Any, above: Any) -> bool:
    """Say whether two class paths, if both are given, name different classes; one of them may be a bare name."""
    if not isinstance(below, str) or not isinstance(above, str):
        return False
    names = [short_paths(path) for path in (below, above)]
    if all("." in name for name in names):
        return bool(names[0] != names[1])
    return below.rpartition(".")[2] != above.rpartition(".")[2]


def _class_of(config: Mapping[str, Any], place: tuple[str, ...]) -> Any:
    found: Any = config
    for part in place:
        found = found.get(part) if isinstance(found, Mapping) else None
    return found.get("class_path") if isinstance(found, Mapping) else found


def _replaced(below: Any, above: Any, key: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """Give the keys, without `init_args`, at and below which earlier words no longer count."""
    if not isinstance(above, Mapping):
        yield key
        return
    old = below if isinstance(below, Mapping) else {}
    if key == ("model",) and _differs(_class_of({"model": old}, _NETWORK), _class_of({"model": above}, _NETWORK)):
        yield key
    if "class_path" in above and (_differs(old.get("class_path"), above["class_path"]) or "class_path" not in old):
        yield key
    for name, value in above.items():
        yield from _replaced(old.get(name), value, key if name == "init_args" else (*key, str(name)))


def _plain(key: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(part for part in key if part != "init_args")


def _value(key: tuple[str, ...], value: str) -> Any:
    if value in _NULLS:
        return None
    if not value.startswith("{"):
        return value
    try:
        return yaml.safe_load(value)
    except yaml.YAMLError as error:
        raise SettingError(f"--{'.'.join(key)}: {value!r} is no YAML; expected keys and values in braces") from error


def _read(file: Path) -> dict[str, Any]:
    """Read a file; sections that are files of their own are read in their place, paths being relative to the file."""
    try:
        content: Any = deepcopy(_parsed(file.read_text(encoding="utf-8"), str(file.absolute())))
    except (OSError, UnicodeDecodeError, yaml.YAMLError, OmegaConfBaseException) as error:
        why = "does not exist" if isinstance(error, FileNotFoundError) else in_short(error, 200)
        raise SettingError(f"{file}: {why}; give a YAML file, as in configs/") from error
    if not isinstance(content, dict):
        raise SettingError(f"{file}: holds no keys and values; expected keys such as trainer, data and model")
    if file.name == "config.yaml" and any((file.parent / mark).is_file() for mark in MARKS):
        # a run's own configuration: the run lies beside it, also where its folder was moved or copied
        content = {**content, "run": {**(content.get("run") or {}), "folder": str(file.parent)}}
    return _expanded(content, file.parent, top=True)


@lru_cache(maxsize=256)
def _parsed(text: str, name: str) -> Any:
    """Parse a file of settings: a command reads its files several times, before torch is there and after."""
    stream = _Named(text)
    stream.name = name
    return OmegaConf.to_container(OmegaConf.load(stream), resolve=False)


class _Named(StringIO):
    """A text with the name of its file, which errors say."""

    name: str


def _expanded(content: Mapping[Any, Any], folder: Path, top: bool = False) -> dict[str, Any]:
    """Write out dotted keys, and files that are named."""
    found: dict[str, Any] = {}
    for name, value in content.items():
        first, _, rest = str(name).partition(".")
        inner = _expanded({rest: value} if rest else value, folder) if rest or isinstance(value, Mapping) else value
        if isinstance(inner, str) and inner.endswith(_ENDINGS) and (folder / inner).is_file():
            inner = _read(folder / inner) if top and first in GROUPS else str((folder / inner).absolute())
        found[first] = _laid(found.get(first), inner) if first in found else inner
    return found
