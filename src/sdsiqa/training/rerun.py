"""A command whose run is finished is answered before torch is imported.

Which folder a command means is known for certain only when all settings are resolved, which takes torch. But the same settings,
as files and command line give them, mean the same run again while sdsiqa and its libraries are the same: a run keeps the hash of
both. What may resolve otherwise another time is left to the run itself: classes that are not ours, a first stage, a checkpoint, a
drawn seed.
"""

import hashlib
import importlib.metadata
import json
import os
import platform
import re
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple, NoReturn, cast

import yaml
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from sdsiqa.errors import SdsiqaError
from sdsiqa.files import leaves, user_path
from sdsiqa.runs.environment import PACKAGES
from sdsiqa.runs.folder import RunFolder, RunSettings
from sdsiqa.runs.process import LAUNCHERS
from sdsiqa.training.config_stack import laid_over

_LIBRARIES = (*PACKAGES, "jsonargparse", "omegaconf", "torchmetrics")
_CLASS = re.compile(r"([A-Za-z_]\w*)\.(?:\w+\.)*[A-Z]\w*")
_OPTIONS = ("--ckpt_path", "--model.init_from", "--seed_everything=t", "--seed_everything=T")
_KNOWN = ("sdsiqa", "torch", "lightning")


def end_if_finished(words: Sequence[str]) -> None:
    """End the process where a command line of `fit` means a run that is known to be finished.

    Args:
        words: Words after the verb.

    Raises:
        SystemExit: It is finished, which is said.
    """
    if any(name in os.environ for name in LAUNCHERS):  # several processes have to agree
        return
    folder = _finished(words)
    if folder is None:
        return
    try:
        settings = yaml.safe_load((folder.path / "config.yaml").read_text(encoding="utf-8"))
        is_listed = settings["run"]["test"]
    except (OSError, ValueError, yaml.YAMLError, KeyError, TypeError):
        return
    end(folder, is_listed)


def end(folder: RunFolder, is_listed: bool) -> NoReturn:
    """Say that a run is finished, and end.

    Args:
        folder: Of that run.
        is_listed: Whether it counts as made, for scripts (`RunFolder.list_as_made`).
    """
    print(f"{folder.path} is finished already; nothing to do\n{folder.summary()}")
    if is_listed:
        folder.list_as_made()
    raise SystemExit(0)


def request(words: Sequence[str]) -> str | None:
    """Hash what a command line asks for, and the code that answers.

    Args:
        words: Words after the verb.

    Returns:
        64 hexadecimal digits; `None` where the same words may mean another run another time.
    """
    request = _request(words)
    return None if request is None else request.hash


class _Request(NamedTuple):
    """What a command line asks for.

    Args:
        hash: 64 hexadecimal digits.
        content: Settings of all files.
        others: Words of the command line over them.
    """

    hash: str
    content: dict[str, Any]
    others: list[str]


def _request(words: Sequence[str]) -> _Request | None:
    """Read what a command line asks for; `None` where the same words may mean another run another time."""
    try:
        content, others = _asked(words)
    except (SdsiqaError, OmegaConfBaseException):  # the parser of the run says what is wrong
        return None
    values = [value for _, value in leaves(content)] + [word.partition("=")[2] or word for word in others]
    model = content.get("model")
    if any(_is_foreign(value) for value in values) or (isinstance(model, dict) and model.get("init_from") is not None):
        return None
    if content.get("ckpt_path") is not None or any(word.startswith(_OPTIONS) for word in others):
        return None
    if content.get("seed_everything") is True:
        return None
    seed = os.environ.get("PL_GLOBAL_SEED")
    asked = json.dumps([content, others, seed, platform.python_version(), _code(_LIBRARIES)], sort_keys=True, default=str)
    return _Request(hashlib.sha256(asked.encode(errors="surrogateescape")).hexdigest(), content, others)


def _finished(words: Sequence[str]) -> RunFolder | None:
    """Find the run that a command line means, if it is finished."""
    request = _request(words)
    if request is None:
        return None
    asked, content, others = request
    settings = content.get("run") or {}
    folder = _word(others, "--run.folder") or settings.get("folder")
    root = _word(others, "--run.root") or settings.get("root") or RunSettings.root
    if folder is not None:
        found = RunFolder(Path(folder))
        is_own = len(words) == 2 and words[0] in ("-c", "--config")  # with the configuration of that very run, and nothing else
        return found if found.finished and (is_own or found.record.get("request") == asked) else None
    for file in sorted(user_path(root).glob("*/run.json")):
        found = RunFolder(file.parent)
        try:
            record = found.record
            if (record.get("request"), record.get("state"), record.get("id")) == (asked, "finished", file.parent.name):
                return found  # a copy under another name is another run
        except SdsiqaError:  # another run's file may be damaged
            continue
    return None


def _asked(words: Sequence[str]) -> tuple[dict[str, Any], list[str]]:
    """Give the settings of all files as one, with variables filled in, and the words of the command line over them."""
    content, others = laid_over(words)
    return cast(dict[str, Any], OmegaConf.to_container(OmegaConf.create(content), resolve=True)), others


def _word(words: Sequence[str], option: str) -> str | None:
    """Give the last value of an option."""
    value = None
    for word, following in zip(words, [*words[1:], ""], strict=False):
        name, equals, given = word.partition("=")
        if name == option:
            value = given if equals else following
    return value


def _is_foreign(value: Any) -> bool:
    """Say whether a value names a class that is not ours, whose defaults may change unseen."""
    found = _CLASS.fullmatch(value) if isinstance(value, str) else None
    return found is not None and found[1] not in _KNOWN


@cache
def _code(libraries: tuple[str, ...]) -> str:
    """Hash all sources of sdsiqa and the versions of what it stands on, as they are when it is first asked."""
    digest = hashlib.sha256(json.dumps(dict(_versions(libraries))).encode())
    package = Path(__file__).parents[1]
    for file in sorted(package.rglob("*.py")):
        digest.update(f"{file.relative_to(package).as_posix()}\n".encode() + file.read_bytes())
    return digest.hexdigest()


def _versions(libraries: tuple[str, ...]) -> Iterator[tuple[str, str | None]]:
    for name in libraries:
        try:
            yield name, importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            yield name, None
