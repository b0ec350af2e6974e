"""A benchmark from a word of a command line: its name, the path of its class, or a data file."""

from pathlib import Path
from typing import Any

from sdsiqa.benchmarks import Benchmark, by_name
from sdsiqa.errors import SettingError
from sdsiqa.runs.class_paths import import_class, part_of_file


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
