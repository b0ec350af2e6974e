"""A benchmark by what a command line calls it: its name, the path of its class, or a data file."""

from pathlib import Path
from typing import Any

from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from sdsiqa.benchmarks import Benchmark, by_name
from sdsiqa.class_paths import import_class
from sdsiqa.errors import SettingError


def benchmark_from_words(name: str, root: Path | None, home: Path, short_side: int | None) -> Benchmark:
    """Build a benchmark.

    Args:
        name: Name such as `livec`; path of a class, such as `mypics.MyPics`; or a YAML file, as in `configs/data` or a run's
            `config.yaml`.
        root: Its folder; `None`: as the file says, else `<home>/<name>`.
        home: Folder of all benchmarks.
        short_side: As of `Benchmark`; `None`: as the file says.

    Raises:
        BenchmarkNotFoundError: There is no benchmark of that name.
        ClassNotFoundError: There is no such class.
        SettingError: The file does not say which benchmark.
    """
    if name.endswith((".yaml", ".yml")):
        part = part_of_file(Path(name), "benchmark")
        kind: Any = import_class(str(part.get("class_path")), Benchmark)
        settings = dict(part.get("init_args") or {})
    else:
        kind = import_class(name, Benchmark) if "." in name else by_name(name)
        settings = {}
    settings["root"] = Path(root or settings.get("root") or home / kind.name)
    settings["short_side"] = short_side if short_side is not None else settings.get("short_side")
    try:
        benchmark: Benchmark = kind(**settings)
    except TypeError as error:
        raise SettingError(f"{name}: {kind.__name__} cannot be built from {', '.join(settings)} ({error})") from error
    return benchmark


def part_of_file(file: Path, part: str) -> dict[str, Any]:
    """Read which class a data file names for a part, and its arguments.

    Args:
        file: A file as in `configs/data`, or one of a run, which holds the same under `data`.
        part: `benchmark` or `saliency`.

    Raises:
        SettingError: The file is not there, is no YAML, or does not say so.
    """
    if not file.is_file():
        raise SettingError(f"{file} does not exist; give a data file, as in configs/data")
    try:
        content: Any = OmegaConf.load(file)
        data = content.get("data", content)
        if isinstance(data, str):  # a run file that points at a data file
            return part_of_file(file.parent / data, part)
        found: Any = OmegaConf.to_container(OmegaConf.create({"part": data.get(part)}), resolve=True)["part"]  # type: ignore[index, call-overload]
    except (YAMLError, OmegaConfBaseException, AttributeError, OSError) as error:
        raise SettingError(f"{file}: cannot be read as a data file ({' '.join(str(error).split())[:160]})") from error
    found = {"class_path": found} if isinstance(found, str) else found
    if not isinstance(found, dict) or "class_path" not in found:
        raise SettingError(f"{file} does not say which {part}; expected {part}: {{class_path: ..., init_args: ...}}")
    return {str(key): value for key, value in found.items()}
