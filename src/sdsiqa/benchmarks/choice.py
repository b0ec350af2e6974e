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
        root: Its folder; `None`: as the file says, else the one that `usual_places` finds.
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
    settings["root"] = Path(root or settings.get("root") or _usual_root(kind, home))
    settings["short_side"] = short_side if short_side is not None else settings.get("short_side")
    try:
        benchmark: Benchmark = kind(**settings)
    except TypeError as error:
        raise SettingError(f"{name}: {kind.__name__} cannot be built from {', '.join(settings)} ({error})") from error
    return benchmark


def usual_places(kind: type[Benchmark], home: Path) -> tuple[Path, ...]:
    """Name the folders where a benchmark may lie: where `configs/data` looks for it, then the one that is called like it.

    Args:
        kind: Its class.
        home: Folder of all benchmarks.
    """
    return tuple(dict.fromkeys((home / (kind.folder or kind.name), home / kind.name)))


def _usual_root(kind: type[Benchmark], home: Path) -> Path:
    places = usual_places(kind, home)
    return next((place for place in places if place.exists()), places[0])
