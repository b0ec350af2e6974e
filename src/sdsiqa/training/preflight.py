"""Checks before torch is imported and before a run's folder is made: names, classes, folders, label files."""

from argparse import ArgumentTypeError
from collections.abc import Sequence
from pathlib import Path

from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from sdsiqa.benchmarks import Benchmark
from sdsiqa.errors import SettingError
from sdsiqa.runs.arguments import folder
from sdsiqa.runs.class_paths import import_class
from sdsiqa.runs.variables import read_empty_as_unset
from sdsiqa.training.setting_names import Setting, check_names, settings_of

_FOLDERS = {("data", "cache"), ("data", "maps"), ("run", "root"), ("run", "folder")}
"""Settings that name a folder which a run makes or fills; `folder` of a part of the model is another."""

_NONE = (None, "", "null", "~")


def check(words: Sequence[str]) -> None:
    """Check a command line of `fit`, `validate`, `test` or `predict`.

    Args:
        words: Words after the verb.

    Raises:
        SettingError: A key or a class path names nothing, a file is none, or a folder cannot be made.
        ClassNotFoundError: The benchmark's class cannot be imported.
        BenchmarkNotFoundError: There is no benchmark in the folder.
        BenchmarkMismatchError: Its files are not its authors'.
    """
    settings = settings_of(words)
    check_names(settings)
    _check_folders(settings)
    benchmark = _benchmark(settings)
    if benchmark is not None:
        benchmark.table()


def asks_for_help(words: Sequence[str]) -> bool:
    """Say whether a command line only asks what there is; the rest of it need not be right.

    Args:
        words: Words after the verb.
    """
    return any(name == "--print_config" or name.endswith(".help") for name in (w.split("=")[0] for w in words))


def _check_folders(settings: Sequence[Setting]) -> None:
    """Refuse a file where a folder is to be, and a place where none can be made: caches are filled after the run's start."""
    values = {setting.key: _resolved(setting.value) for setting in settings}  # a later one wins
    if values.get(("run", "folder")) not in _NONE:
        values.pop(("run", "root"), None)
    for key, value in values.items():
        is_folder = key in _FOLDERS or (key[0] == "model" and key[-1] == "folder")
        if not is_folder or value in _NONE or "${" in value:
            continue
        try:
            folder(value)
        except ArgumentTypeError as error:
            raise SettingError(f"{'.'.join(key)} is {value!r}: {error}; give another folder") from error


def _benchmark(settings: Sequence[Setting]) -> Benchmark | None:
    """Build the benchmark; `None` where only the parser of the run can."""
    place = ("data", "benchmark")
    values = {setting.key: setting.value for setting in settings}  # a later one wins
    paths = [s.value for s in settings if s.key in (place, (*place, "class_path")) and s.value is not None]
    root = _resolved(values.get((*place, "init_args", "root")))
    if not paths or "." not in paths[-1] or root is None:
        return None
    kind = import_class(paths[-1], Benchmark)  # type: ignore[type-abstract]
    if kind.root is not Benchmark.root or kind.__init__ is not Benchmark.__init__:
        return None  # one that is made on first use, or takes more than a folder
    return kind(Path(root))


def _resolved(value: str | None) -> str | None:
    """Fill in variables of the environment; `None` for what other settings decide."""
    if value is None or "${" not in value:
        return value
    read_empty_as_unset()
    try:
        return str(OmegaConf.create({"value": value})["value"])
    except OmegaConfBaseException:
        return None
