"""Benchmarks: what their authors ship, read into one checked table. `sdsiqa.benchmarks.NAME` is any class of any file here."""

from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Any

from sdsiqa import public_class, public_classes, public_dir
from sdsiqa.benchmarks.base import Benchmark
from sdsiqa.errors import BenchmarkNotFoundError

__all__ = ["BENCHMARKS", "Benchmark", "by_name"]


class _Listed(Mapping[str, type[Benchmark]]):
    """Benchmarks of this folder by name; their files are imported when the first one is asked for."""

    def _found(self) -> dict[str, type[Benchmark]]:
        kinds = [kind for kind in public_classes(__name__).values() if issubclass(kind, Benchmark)]
        return {kind.name: kind for kind in kinds if kind is not Benchmark and kind.listed}

    def __getitem__(self, name: str) -> type[Benchmark]:
        return self._found()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._found())

    def __len__(self) -> int:
        return len(self._found())


BENCHMARKS: Mapping[str, type[Benchmark]] = _Listed()
"""Benchmarks by name: the folder is the list, without classes that say `listed = False`."""


def by_name(name: str) -> type[Benchmark]:
    """Return a benchmark's class.

    Args:
        name: The name of its module, such as `livec`.

    Raises:
        BenchmarkNotFoundError: There is none of that name; the message has the nearest one.
    """
    if name in BENCHMARKS:
        return BENCHMARKS[name]
    near = get_close_matches(name.lower(), BENCHMARKS, n=1, cutoff=0.4)
    hint = f"did you mean {near[0]!r}? " if near else ""
    raise BenchmarkNotFoundError(f"no benchmark is called {name!r}; {hint}there are {', '.join(BENCHMARKS)}")


def __getattr__(name: str) -> Any:
    """Find a class by its name, in whichever file it is."""
    return public_class(__name__, name)


def __dir__() -> list[str]:
    """Name what is listed here, and every class of every file."""
    return public_dir(__name__)
