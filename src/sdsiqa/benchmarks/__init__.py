"""Benchmarks: what their authors ship, read into one checked table. The folder is the list: a file per benchmark."""

from difflib import get_close_matches
from importlib import import_module
from inspect import Parameter, signature
from pkgutil import iter_modules
from typing import Any

from sdsiqa import public_class
from sdsiqa.benchmarks.base import Benchmark
from sdsiqa.errors import BenchmarkNotFoundError

BENCHMARKS: dict[str, type[Benchmark]] = {}
"""Benchmarks by name: those that a folder of files defines. `Distorted` is not one: it needs photographs too."""


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


def _needs_only_a_folder(kind: type[Benchmark]) -> bool:
    """Say whether `kind(root)` is complete."""
    return [p.name for p in signature(kind).parameters.values() if p.default is Parameter.empty] == ["root"]


for _entry in iter_modules(__path__):
    for _kind in vars(import_module(f"{__name__}.{_entry.name}")).values():
        # a benchmark's file has its name, so a class that is only imported there is not taken twice
        if isinstance(_kind, type) and issubclass(_kind, Benchmark) and getattr(_kind, "name", None) == _entry.name:
            BENCHMARKS |= {_entry.name: _kind} if _needs_only_a_folder(_kind) else {}

from sdsiqa.benchmarks.published_splits import read_published_split  # noqa: E402 - it needs the list above

__all__ = ["BENCHMARKS", "Benchmark", "by_name", "read_published_split"]
