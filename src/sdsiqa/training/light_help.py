"""`--help` of the verbs that train and evaluate, from the source of the classes whose arguments are the settings."""

import re
import textwrap
from typing import Final

from sdsiqa.training.class_source import Argument, described
from sdsiqa.training.setting_names import GROUPS

WIDTH: Final = 118
_VERBS: Final = {
    "fit": ("trains a run, and tests it once with the weights that validation chose", "resume from; `last`: where it stopped"),
    "validate": ("computes the measures of the validation part", "evaluate; `best` (default) or `last`: of the run"),
    "test": ("tests a finished run, on another benchmark for example", "evaluate; `best` (default) or `last`: of the run"),
    "predict": ("writes a score per image, without looking at labels", "evaluate; `best` (default) or `last`: of the run"),
}
_FIRST: Final = ("run", "data", "model", "wandb", "trainer")
_PLAIN: Final = {"None": "null", "True": "true", "False": "false"}


def help_of(verb: str) -> str:
    """Write the help of a verb.

    Args:
        verb: `fit`, `validate`, `test` or `predict`.
    """
    purpose, checkpoint = _VERBS[verb]
    options = [
        ("-c, --config FILE", "settings in YAML; repeatable, a later one wins setting by setting"),
        ("--GROUP FILE", "settings of one group, such as --data configs/data/livec.yaml"),
        ("--GROUP.SETTING VALUE", "one setting, such as --data.split 1; classes by their path, such as sdsiqa.models.CNNIQA"),
        ("--seed_everything N", "seed of the run (default: 0)"),
        ("--ckpt_path FILE", f"checkpoint to {checkpoint}"),
        ("--print_config", "print all settings as they are resolved, and do nothing"),
        ("--model.network.help CLASS", "list the settings of a class; so for every setting that is one"),
    ]
    lines = [f"usage: sdsiqa {verb} [-c FILE] [--GROUP FILE] [--GROUP.SETTING VALUE] ...", "", f"sdsiqa {verb} {purpose}."]
    lines += ["", *(_entry(name, text) for name, text in options)]
    for group in _FIRST:
        lines += ["", f"{group}:"]
        lines += [_entry(f"--{group}.{found.name}", _text(found)) for found in described(GROUPS[group])]
    return "\n".join(lines) + "\n\ndocs/experiments.md shows how settings are laid over each other."


def _entry(name: str, text: str) -> str:
    """Write a name and what it means in two columns."""
    column = 32
    head = f"  {name}"
    wrapped = textwrap.wrap(text, WIDTH - column) or [""]
    first, rest = (wrapped[0], wrapped[1:]) if len(head) < column - 1 else ("", wrapped)
    return "\n".join([f"{head:<{column}}{first}".rstrip(), *(" " * column + line for line in rest)])


def _text(found: Argument) -> str:
    kept = re.sub(r":\w+:`(.*?)`", r"`\1`", found.text.replace("``", "`")).rstrip(".;:")
    return f"{kept} ({'required' if found.default is None else f'default: {_value(found.default)}'})".strip()


def _value(source: str) -> str:
    """Write a default as a configuration would."""
    if source in _PLAIN:
        return _PLAIN[source]
    if "default_factory=list" in source:
        return "[]"
    inner = re.fullmatch(r"(?:Path\()?'(.*?)'\)?", source)
    return source.replace("(", "[").replace(")", "]") if inner is None else inner[1] or "''"
