"""What the keys of an experiment's file may hold."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sdsiqa.errors import ExperimentError
from sdsiqa.runs.folder import check_name


def check_keys(file: Path, content: Mapping[str, Any]) -> None:
    """Refuse values of another kind than a key takes, and names that no folder can have.

    Args:
        file: The experiment's file, for the message.
        content: What it says.

    Raises:
        ExperimentError: Names the key, what it holds and what was expected.
    """
    for key, kind, example in (
        *((key, dict, "{name: file}") for key in ("benchmarks", "methods", "ablations", "settings", "tests")),
        ("remarks", dict, "{name: words}"),
        ("first_stages", dict, "{method: [file, ...]}"),
        *((key, list, "[0, 1]") for key in ("splits", "seeds")),
        *((key, str, "a name") for key in ("group", "baseline")),
        ("base", str, "a run file, such as ../configs/base.yaml"),
    ):
        if content.get(key) is not None and not isinstance(content[key], kind):
            raise ExperimentError(f"{file}: {key} is {content[key]!r}; expected {example}")
    for key, word, expected in (("splits", "official", "numbers from 0 on, or official"), ("seeds", None, "numbers from 0 on")):
        values = content.get(key) or []
        if values == [] == content.get(key):
            raise ExperimentError(f"{file}: {key} is empty; name one or more, or leave {key} out for [0]")
        wrong = [value for value in values if not _is_count(value) and (word is None or value != word)]
        if wrong:
            raise ExperimentError(f"{file}: {key} holds {wrong[0]!r}; expected {expected}")
        twice = [value for place, value in enumerate(values) if value in values[:place]]
        if twice:
            raise ExperimentError(f"{file}: {key} holds {twice[0]!r} twice; a run is made once, so leave one of them out")
    for name, words in (content.get("remarks") or {}).items():
        if not isinstance(words, str):
            raise ExperimentError(f"{file}: remarks.{name} is {words!r}; expected words")
    _check_names(file, content)
    for name, overlays in (content.get("ablations") or {}).items():
        if overlays is not None and not isinstance(overlays, list):
            raise ExperimentError(f"{file}: ablations.{name} is {overlays!r}; expected a list of files, such as [no_gate.yaml]")


def _check_names(file: Path, content: Mapping[str, Any]) -> None:
    """Refuse names that no folder of a run can have."""
    named = [("group", content.get("group"))]
    named += [(key, name) for key in ("benchmarks", "methods", "ablations") for name in content.get(key) or {}]
    for key, name in named:
        if name is None:
            continue
        try:
            check_name(str(name))
        except ValueError as error:
            raise ExperimentError(f"{file}: {key} names {str(name)[:60]!r}, and folders are called so; {error}") from error


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0
