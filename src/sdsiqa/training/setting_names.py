"""Names of settings, checked before torch is imported: a typo is told at once, with file, line and the nearest name.

What this check is not sure about (values, classes that the source does not settle) is left to the parser of the run.
"""

from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import NamedTuple

import yaml

from sdsiqa.errors import SettingError
from sdsiqa.files import user_path
from sdsiqa.training.class_source import absent, arguments, groups, method_arguments

GROUPS = {
    "trainer": "lightning.pytorch.trainer.trainer.Trainer",
    "data": "sdsiqa.data.datamodule.QualityDataModule",
    "run": "sdsiqa.runs.folder.RunSettings",
    "wandb": "sdsiqa.tracking.session.WandbSettings",
    "model": "sdsiqa.training.task.QualityTask",
}
"""Groups of settings, and the class whose arguments they are."""
_VERBS = ("fit", "validate", "test", "predict")
_NOT_SET = {"model", "dataloaders", "train_dataloaders", "val_dataloaders", "datamodule"}
_PARTS = ("class_path", "init_args", "dict_kwargs")


def named_file(word: str) -> Path:
    """Read the path of a file of settings from a command line.

    Args:
        word: The path.

    Raises:
        SettingError: It names an unknown home folder.
    """
    try:
        return user_path(word)
    except ValueError as error:
        raise SettingError(str(error)) from error


class Setting(NamedTuple):
    """One key of a file or of the command line.

    Args:
        key: Its parts, such as `("data", "crop")`; `init_args` is written out.
        value: What it is set to; `None` for what is no single word.
        where: File and line; empty for the command line.
    """

    key: tuple[str, ...]
    value: str | None
    where: str

    @property
    def start(self) -> str:
        """Beginning of a message about it."""
        return f"{self.where}: " if self.where else ""


def settings_of(words: Sequence[str]) -> list[Setting]:
    """List what a command line and its files set, in order: a later one wins.

    Args:
        words: Words after the verb.

    Raises:
        SettingError: A file does not exist or is no YAML.
    """
    return list(_read_words(words))


def place_of(key: str, words: Sequence[str]) -> str:
    """Say where a setting is set last.

    Args:
        key: Its parts, joined by dots, with or without `init_args`.
        words: Words after the verb.

    Returns:
        File and line; empty where the command line sets it, or nothing does.

    Raises:
        SettingError: A file does not exist or is no YAML.
    """
    wanted = _whole(key.split("."))
    return next((setting.where for setting in reversed(settings_of(words)) if setting.key == wanted), "")


def check_names(settings: Sequence[Setting]) -> None:
    """Refuse keys and class paths that name nothing.

    Args:
        settings: Result of `settings_of`.

    Raises:
        SettingError: One names nothing; with the nearest that does.
    """
    classes = _classes(settings)
    places = {setting.key[:-1] for setting in settings if setting.key[-1] == "class_path"}
    for setting in settings:
        if (setting.key[-1] == "class_path" or setting.key in places) and setting.value is not None:
            others = absent(setting.value)
            if others is not None:
                raise SettingError(f"{setting.start}there is no class {setting.value!r}{_hint(setting.value, others)}")
    for setting in settings:
        _check(setting, classes)


def _check(setting: Setting, classes: dict[tuple[str, ...], set[str | None]]) -> None:
    key = setting.key
    _known(setting, 1, _top())
    if key[0] in GROUPS and len(key) > 1:
        _known(setting, 2, arguments(GROUPS[key[0]]))
    place = 2
    while len(key) > place + 1 and key[place] == "init_args":
        kinds = classes.get(key[:place], set())
        taken = [None if kind is None else arguments(kind) for kind in kinds]
        known = [names for names in taken if names is not None]
        if known and len(known) == len(taken):
            _known(setting, place + 2, frozenset().union(*known))
            parts = [groups(kind).get(key[place + 1]) for kind in kinds if kind is not None]
            if len(key) > place + 3 and parts and parts[0] is not None:
                # `_whole` has written out an `init_args` that a part of one class has not
                plain = setting._replace(key=(*key[: place + 2], *key[place + 3 :]))
                _known(plain, place + 3, arguments(parts[0]))
                return
        place += 2


def _known(setting: Setting, length: int, names: frozenset[str] | None) -> None:
    """Refuse a key whose part at the end of its first `length` parts is none of some names."""
    if names is None or setting.key[length - 1] in names:
        return
    full = [".".join([*setting.key[: length - 1], name]) for name in names]
    wrong = ".".join(setting.key[:length])
    raise SettingError(f"{setting.start}there is no {wrong!r}{_hint(wrong, full)}")


def _hint(wrong: str, names: Sequence[str]) -> str:
    leaf = wrong.rpartition(".")[2]
    leaves = {name.rpartition(".")[2]: name for name in names}
    near = get_close_matches(leaf, leaves, n=1) or get_close_matches(leaf.lower(), leaves, n=1, cutoff=0.5)
    if near:
        return f"; did you mean {leaves[near[0]]!r}?"
    return f"; there are {', '.join(sorted(leaves))}" if leaves and len(leaves) <= 20 else ""


def _top() -> frozenset[str] | None:
    of_verbs = [method_arguments(GROUPS["trainer"], verb) for verb in _VERBS]
    if any(names is None for names in of_verbs):
        return None
    own = {*GROUPS, "config", "seed_everything"}
    return frozenset(own.union(*(names for names in of_verbs if names is not None)) - (_NOT_SET - own))


def _classes(settings: Sequence[Setting]) -> dict[tuple[str, ...], set[str | None]]:
    """Classes that each place is given, by any file: keys of an earlier one may be those of an earlier class.

    A value that may name a class in a way that is not understood here counts as `None`.
    """
    found: dict[tuple[str, ...], set[str | None]] = {}
    for setting in settings:
        if setting.key[-1] == "class_path":
            found.setdefault(setting.key[:-1], set()).add(setting.value)
        elif setting.value is not None and len(setting.key) > 1:
            known = setting.value if "." in setting.value and arguments(setting.value) is not None else None
            found.setdefault(setting.key, set()).add(known)
    return found


def _read_words(words: Sequence[str]) -> Iterator[Setting]:
    waiting = list(words)
    while waiting:
        word = waiting.pop(0)
        if word == "--":
            return
        name, equals, value = word.partition("=")
        if not name.startswith("-") or name in ("-h", "--help", "--print_config") or name.endswith(".help"):
            continue
        if not equals:
            value = waiting.pop(0) if waiting and not waiting[0].startswith("--") else ""
        if name in ("-c", "--config"):
            yield from _read_file(named_file(value), ())
        elif name.startswith("--"):
            yield from _read_value(_whole(name[2:].removesuffix("+").split(".")), value)


def _read_value(key: tuple[str, ...], value: str) -> Iterator[Setting]:
    """Read what one word sets: a file of a group, keys in braces, or a plain value."""
    if _may_be_file(key, value) and named_file(value).is_file():
        yield from _read_file(named_file(value), key)
    elif value.startswith("{"):
        yield from _read_text(value, key, Path(), "")
    else:
        yield Setting(key, value, "")


def _read_file(file: Path, key: tuple[str, ...]) -> Iterator[Setting]:
    try:
        text = file.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise SettingError(f"{file} does not exist; give a YAML file, as in configs/") from error
    except (OSError, UnicodeDecodeError) as error:
        raise SettingError(
            f"{file} cannot be read ({getattr(error, 'strerror', None) or 'no UTF-8'}); give a YAML file"
        ) from error
    yield from _read_text(text, key, file.parent, str(file))


def _read_text(text: str, key: tuple[str, ...], folder: Path, name: str) -> Iterator[Setting]:
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f", line {mark.line + 1}" if mark is not None and name else ""
        why = getattr(error, "problem", None) or "it is no YAML"
        raise SettingError(f"{name or repr(text)}{line}: {why}; expected keys and values in YAML") from error
    if isinstance(root, yaml.MappingNode):
        yield from _read_node(root, key, folder, name)
    elif root is not None and name:
        raise SettingError(f"{name}: holds no keys and values; expected keys such as trainer, data and model")


def _read_node(node: yaml.MappingNode, key: tuple[str, ...], folder: Path, name: str) -> Iterator[Setting]:
    for item, value in node.value:
        where = f"{name}, line {item.start_mark.line + 1}" if name else ""
        if item.value == "<<":
            for other in value.value if isinstance(value, yaml.SequenceNode) else [value]:
                yield from _read_node(other, key, folder, name)
            continue
        inner = _whole([*key, *str(item.value).split(".")])
        scalar = value.value if isinstance(value, yaml.ScalarNode) and value.tag != "tag:yaml.org,2002:null" else None
        if scalar is not None and _may_be_file(inner, scalar) and (folder / scalar).is_file():
            yield from _read_file(folder / scalar, inner)
        elif isinstance(value, yaml.MappingNode):
            yield Setting(inner, None, where)
            yield from _read_node(value, inner, folder, name)
        else:
            yield Setting(inner, scalar, where)


def _may_be_file(key: tuple[str, ...], value: str) -> bool:
    """Whether a value may be a file that holds the keys of this place."""
    return key in [(name,) for name in GROUPS] and value.endswith((".yaml", ".yml", ".json"))


def _whole(parts: Sequence[str]) -> tuple[str, ...]:
    """Write out `init_args`, which a command line may leave out."""
    key = list(parts)
    place = 2
    while len(key) > place and key[0] in GROUPS:
        if key[place] not in _PARTS:
            key.insert(place, "init_args")
        place += 2
    return tuple(key)
