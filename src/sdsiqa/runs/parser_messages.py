"""Messages about a wrong setting in one line: the key, what was found, what was expected."""

import re
import sys
from collections.abc import Callable, Container, Sequence
from difflib import get_close_matches

_KEY = re.compile(r'Parser key "([^"]+)":?\s*(.*)')
_UNKNOWN = (
    re.compile(r"^unrecognized arguments: (?:--)?([^\s=]+)"),
    re.compile(r"^Subcommand '\w+' does not accept option '([\w.]+)'"),
    re.compile(r"^Key '([\w.]+)' is not expected"),
    re.compile(r"^No action for key '([\w.]+)'"),
    re.compile(r"^Option '([\w.]+)' is not accepted"),
)
_NOISE = (
    "Does not validate",
    "Subtypes:",
    "Errors:",
    "Given value type:",
    "Problem with given class_path",
    "Subclass types expect one of:",
    "a class path (str)",
    "a dict with",
)
_STRAY = re.compile(r"^unrecognized arguments: ([^-\s]\S*)")
_MISSING = re.compile(r"module '([\w.]+)' has no attribute '(\w+)'")
_EXPECTED = re.compile(r"^Expected an? (.*?)(?:\. Got value: (.*))?$")
_NO_FILE = re.compile(r"^Expected a path but (.*) either not accessible or invalid")
_NO_CLASS = re.compile(r"^Not a valid subclass of (\w+)(?:\. Got value: (.*))?$")
_NO_MAPPING = re.compile(r"(?:^Unable|: Unable) to load config [\"'](.*)[\"']$")
_CLASS_ALONE = re.compile(r"^\{'class_path': '([^']*)'\}$")
_GROUP = re.compile(r"^Group '(\w+)' does not accept option 'init_args\.(\w+)'")
_CLASS_PATH = "the path of a class, such as package.module.Class"
_TYPES = {
    "int": "a whole number",
    "float": "a number",
    "str": "a text",
    "bool": "true or false",
    "NoneType": "null",
    "list": "a list",
    "Sequence": "a list",
    "dict": "keys and values",
}
_NAMESPACE = re.compile(r"\.? Got value: Namespace\(.*")
_ONE_OF = "one of "
_LONGEST = 400


def one_line(message: str, nearest: Callable[[str], str | None], groups: Container[str] = ()) -> str:
    """Shorten a message.

    Args:
        message: What jsonargparse says, with any number of lines.
        nearest: Gives the known name that is most like an unknown one, if any is.
        groups: Keys whose settings stand beside each other, without `init_args`.
    """
    keys, lines = _place([_NAMESPACE.sub("", line) for line in message.splitlines() if line.strip()])
    key = _joined(keys, groups)
    expected: list[str] = []
    said: list[str] = []
    value = None
    for line in (line.strip().removeprefix("- ") for line in lines):
        wanted = _EXPECTED.match(line)
        if line.startswith("Given value: "):
            value = _CLASS_ALONE.sub(r"\1", line.removeprefix("Given value: ")) if value is None else value
        elif line.startswith("Expected a dot import path string"):
            expected.append(_CLASS_PATH)
        elif no_file := _NO_FILE.match(line):
            value = value or no_file[1]
        elif no_class := _NO_CLASS.match(line):
            article = "an" if no_class[1][0] in "AEIOU" else "a"
            expected.append(f"{article} {no_class[1]}, as class_path and init_args")
            value = value or no_class[2]
        elif no_mapping := _NO_MAPPING.search(line):
            expected.append("keys and values")
            value = value or no_mapping[1]
        elif group := _GROUP.match(line):
            whole = ".".join([_joined([*keys, group[1]], groups), group[2]])
            return f"{whole}: {group[1]} has no init_args; write {group[2]} right below it"
        elif line.startswith(_NOISE):
            continue
        elif wanted:
            expected.append(_plain(wanted[1]))
            value = wanted[2] or value
        elif stray := _STRAY.search(line):
            return f"{stray[1]!r} belongs to no option; options start with --"
        elif unknown := _unknown(line):
            return _absent(_joined([*keys, unknown], groups), nearest)
        elif missing := _MISSING.search(line):
            return f"{key}: there is no {f'{missing[1]}.{missing[2]}'!r}{_in_module(*missing.groups())}"
        else:
            said.append(line)
    if expected and not said:
        return f"{key} is {value!r}; expected {' or '.join(_kinds(expected))}"
    text = " ".join(" ".join(dict.fromkeys(said)).split()) or "is not valid"
    return f"{key}: {text}"[:_LONGEST] if key else text[:_LONGEST]


def _kinds(expected: Sequence[str]) -> list[str]:
    """Say each kind of value once: choices together, null last, and no class where a number will do."""
    choices = dict.fromkeys(
        choice for kind in expected if kind.startswith(_ONE_OF) for choice in kind[len(_ONE_OF) :].split(", ")
    )
    kinds = [_ONE_OF + ", ".join(choices)] if choices else []
    others = dict.fromkeys(kind for kind in expected if not kind.startswith(_ONE_OF))
    kinds += [kind for kind in others if kind != _CLASS_PATH or _TYPES["float"] not in others]
    return sorted(kinds, key=_TYPES["NoneType"].__eq__)  # versions list it first or last


def _place(lines: list[str]) -> tuple[list[str], list[str]]:
    """Follow the first chain of keys down; give them, and what is said of the last one."""
    keys: list[str] = []
    while True:
        index = next((i for i, line in enumerate(lines) if _KEY.search(line)), None)
        if index is None:
            return keys, lines
        found = _KEY.search(lines[index])
        if found is None:
            return keys, lines
        if not keys or found[1] != keys[-1]:
            keys.append(found[1])
        depth = _depth(lines[index])
        below = []
        for line in lines[index + 1 :]:
            if _depth(line) <= depth and depth > 0:
                break
            below.append(line)
        below = below or lines[index + 1 : index + 2]  # "Unable to load config" stands no deeper than its key
        lines = [f"{' ' * (depth + 1)}{found[2]}", *below] if found[2] else below


def _joined(keys: list[str], groups: Container[str]) -> str:
    """Write keys that lie within each other as one; a part of one class only has no `init_args`."""
    words: list[str] = []
    for key in keys:
        plain = bool(words) and words[-1].rpartition(".")[2] in groups
        words += [key] if plain or not words else ["init_args", key]
    return ".".join(words)


def _depth(line: str) -> int:
    return len(line) - len(line.lstrip())


def _unknown(line: str) -> str | None:
    return next((found[1] for pattern in _UNKNOWN if (found := pattern.search(line))), None)


def _absent(key: str, nearest: Callable[[str], str | None]) -> str:
    start, dot, leaf = key.rpartition(".")
    near = nearest(leaf)
    return f"there is no {key!r}" + (f"; did you mean {start + dot + near!r}?" if near and near != leaf else "")


def _in_module(module: str, name: str) -> str:
    near = get_close_matches(name, dir(sys.modules.get(module)), n=1)
    return f"; did you mean {f'{module}.{near[0]}'!r}?" if near else ""


def _plain(kind: str) -> str:
    """Name a type for a person."""
    if kind.startswith("typing.Literal["):
        choices = kind.removeprefix("typing.Literal[").removesuffix("]").replace("'", "")
        return _ONE_OF + choices if "," in choices else choices
    name = kind.removeprefix("<class '").removesuffix("'>").rpartition(".")[2]
    return _TYPES.get(name, name if kind.startswith("<class") else kind)
